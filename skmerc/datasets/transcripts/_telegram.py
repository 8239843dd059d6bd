"""Chats that Telegram exports as JSON."""

import datetime as dt
import re
from collections.abc import Sequence
from datetime import timedelta
from os import PathLike

import pandas as pd

from skmerc._utils.compat import validate_params
from skmerc._utils.types import FilePath
from skmerc.datasets.formats._files import content_of
from skmerc.datasets.transcripts._dialogues import (
    as_table,
    cut_at_pauses,
    name_of_speaker,
    seconds_of_pause,
)
from skmerc.datasets.transcripts._sources import find_files, read_json, total_size

_SECONDS = re.compile(r"\d{1,11}", re.ASCII)


@validate_params(
    {
        "path": [str, PathLike, list, tuple],
        "new_dialogue_after": [str, dt.timedelta, None],
    },
    prefer_skip_nested_validation=True,
)
def load_telegram(
    path: FilePath | Sequence[FilePath],
    *,
    new_dialogue_after: str | timedelta | None = "6h",
) -> tuple[pd.DataFrame, None]:
    """Read chats that Telegram Desktop has exported as JSON.

    Parameters
    ----------
    path : str, Path or list of these
        A file ``result.json`` of one chat or of all; several; a folder, of which all
        files that end in ``.json`` are read; or a zip archive of it.
    new_dialogue_after : str or timedelta, default="6h"
        The pause after which a new dialogue begins. The default is our choice. With
        None each chat is one dialogue.

    Returns
    -------
    X : DataFrame of shape (n_utterances, 6)
        The table of :func:`to_frame`: the keys and ``"utterance"``, one row for each
        message, with ``"timestamp"``: seconds since 1970 (UTC), or on the clock of the
        computer that exported where an old export has no others. Dialogues are called
        ``<file>_0``, ``<file>_1`` and so on, or ``<file>_<chat>_0`` for all chats.
    y : None
        Chats have no labels.

    Raises
    ------
    FileNotFoundError
        If a file is not there, or a folder has none.
    ValueError
        If a file is damaged or of another kind, or nobody has written anything in it.
        The error names the file and the message.

    See Also
    --------
    load_whatsapp : Read an export of WhatsApp.

    Notes
    -----
    Messages of services (who joined, called or pinned) and those without a text are
    left out. Parts of a text in bold, links and mentions are joined as they stand. Who
    has deleted their account is called by their id.

    References
    ----------
    .. [1] Telegram, "Chat export tool", https://telegram.org/blog/export-and-more, and
       "Message database schema", https://core.telegram.org/import-export.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from skmerc.datasets import load_telegram
    >>> said = [
    ...     {"type": "message", "date_unixtime": "10", "from": "Anna", "text": "Late!"},
    ...     {"type": "message", "date_unixtime": "25", "from": "Ben", "text": "Yes."},
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "result.json")
    ...     _ = file.write_text(json.dumps({"name": "Ben", "messages": said}))
    ...     X, _ = load_telegram(file)
    >>> X[["dialogue__id", "dialogue__speaker", "utterance", "timestamp"]]
      dialogue__id dialogue__speaker utterance  timestamp
    0     result_0              Anna     Late!       10.0
    1     result_0               Ben      Yes.       25.0
    """
    pause = seconds_of_pause(new_dialogue_after)
    files = find_files(path, {".json"}, "result")
    dialogues: list = []
    for name, file in files:
        with content_of(file, "a chat of Telegram"):
            n_before = len(dialogues)
            for chat, messages in _chats_of(file, name, read_json(file)):
                rows = [
                    _utterance(message, f"{file}, message {at} of {chat!r}")
                    for at, message in enumerate(messages)
                ]
                dialogues += cut_at_pauses(chat, list(filter(None, rows)), pause)
            if len(dialogues) == n_before:
                raise ValueError(f"{file} has no message of a person.")
    return as_table(dialogues, ["timestamp"], path, total_size(files))


def _chats_of(file, name, value):
    """Return the names and messages of one chat, or of all chats of an export."""
    value = value if isinstance(value, dict) else {}
    chats = value.get("chats")
    if isinstance(chats, dict) and isinstance(chats.get("list"), list):
        chats = list(enumerate(chats["list"]))
    else:
        chats = [(None, value)]
    found = []
    for at, chat in chats:
        messages = chat.get("messages") if isinstance(chat, dict) else None
        if not isinstance(messages, list):
            where = "it" if at is None else f"chat {at}"
            raise ValueError(f"{file}: {where} has no list of 'messages'.")
        number = at if chat.get("id") is None else chat["id"]
        found.append((name if at is None else f"{name}_{number!s:.50}", messages))
    return found


def _utterance(message, where):
    """Make an utterance of a message; None if nobody has written it."""
    if not isinstance(message, dict):
        raise ValueError(f"{where} is no dict: {message!r:.100}.")
    text = _text_of(message.get("text", ""), where).strip()
    if message.get("type") != "message" or not text:
        return None
    given = (message.get(field) for field in ("from", "from_id"))
    speaker = next((one for one in given if one is not None), None)
    return {
        "speaker": name_of_speaker(speaker, f"{where}: 'from'"),
        "text": text,
        "timestamp": _moment_of(message, where),
    }


def _text_of(text, where):
    parts = text if isinstance(text, list) else [text]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    if not all(isinstance(one, str) for one in texts):
        raise ValueError(f"{where}: 'text' is {text!r:.100}, which is no text.")
    return "".join(texts)


def _moment_of(message, where):
    seconds, date = message.get("date_unixtime"), message.get("date")
    if isinstance(seconds, str) and _SECONDS.fullmatch(seconds):
        return float(seconds)
    try:
        moment = dt.datetime.fromisoformat(date)
        return moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where} has no time: 'date_unixtime' is {seconds!r:.50} and 'date' is "
            f"{date!r:.50}."
        ) from error
