"""Exports of Slack: folders of channels with a file for each day."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from os import PathLike

import pandas as pd

from skmerc._utils.compat import validate_params
from skmerc._utils.files import as_path
from skmerc._utils.types import FilePath
from skmerc.datasets.formats._budget import Budget
from skmerc.datasets.formats._files import content_of
from skmerc.datasets.transcripts._archives import Archive, is_archive
from skmerc.datasets.transcripts._dialogues import (
    as_table,
    cut_at_pauses,
    name_of_speaker,
    seconds_of_pause,
    told_apart,
)
from skmerc.datasets.transcripts._sources import JsonLines, bytes_of, read_json

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.json")
_USERS = ("users.json", "org_users.json")
_TIME = re.compile(r"\d{1,11}(?:\.\d{1,9})?", re.ASCII)
_SPOKEN = (None, "", "file_share", "me_message", "thread_broadcast", "bot_message")
_ESCAPED = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
_MENTION = re.compile(r"<([^<>\n]{1,4000})>")


@validate_params(
    {
        "path": [str, PathLike],
        "channels": [list, tuple, None],
        "threads": ["boolean"],
        "bots": ["boolean"],
        "new_dialogue_after": [str, dt.timedelta, None],
    },
    prefer_skip_nested_validation=True,
)
def load_slack(
    path: FilePath,
    *,
    channels: Sequence[str] | None = None,
    threads: bool = True,
    bots: bool = False,
    new_dialogue_after: str | timedelta | None = "6h",
) -> tuple[pd.DataFrame, None]:
    """Read the messages of an export of Slack.

    Parameters
    ----------
    path : str or Path
        The zip archive that Slack exports, or its folder, unpacked, with ``users.json``
        and a folder for each channel; or one of these, with its files
        ``2023-12-31.json``.
    channels : list of str, default=None
        The names of the channels to read. By default all.
    threads : bool, default=True
        Whether each thread, with the message that it answers, is a dialogue of its own.
        With False answers stand in their channel, in the order of time.
    bots : bool, default=False
        Whether to read what bots have written.
    new_dialogue_after : str or timedelta, default="6h"
        The pause in a channel after which a new dialogue begins. The default is our
        choice. With None each channel is one dialogue, and so is each thread always.

    Returns
    -------
    X : DataFrame of shape (n_utterances, 6)
        The table of :func:`to_frame`: the keys and ``"utterance"``, one row for each
        message, with ``"timestamp"``: seconds since 1970 (UTC). Dialogues are called
        ``<channel>_0``, ``<channel>_1`` and so on, and ``<channel>_thread_<ts>``.
    y : None
        Chats have no labels.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no channel in it.
    NotADirectoryError
        If it is a file other than a zip archive.
    ValueError
        If a file is damaged or of another kind, or nobody has written anything. The
        error names the file and the message.

    See Also
    --------
    load_whatsapp : Read an export of WhatsApp.

    Notes
    -----
    People are called by their display name, else their real name, else their id; where
    two share a name, by both. Mentions such as ``<@U123>`` and ``<#C123|general>``
    become ``@Anna`` and ``#general``, links their text or address, and ``&amp;`` a
    ``&``. Left out are messages that people have not written (who joined, left, renamed
    or pinned), and those without a text.

    References
    ----------
    .. [1] Slack, "How to read Slack data exports",
       https://slack.com/help/articles/220556107, and "Formatting text in messages",
       https://docs.slack.dev/messaging/formatting-message-text.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from skmerc.datasets import load_slack
    >>> users = [{"id": "U1", "name": "anna"}, {"id": "U2", "name": "ben"}]
    >>> said = [
    ...     {"type": "message", "user": "U1", "text": "Late, <@U2>?", "ts": "10.0001"},
    ...     {"type": "message", "user": "U2", "text": "I know.", "ts": "25.0002"},
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     channel = Path(folder, "general")
    ...     channel.mkdir()
    ...     _ = Path(folder, "users.json").write_text(json.dumps(users))
    ...     _ = Path(channel, "1970-01-01.json").write_text(json.dumps(said))
    ...     X, _ = load_slack(folder)
    >>> X[["dialogue__id", "dialogue__speaker", "utterance", "timestamp"]]
      dialogue__id dialogue__speaker    utterance  timestamp
    0    general_0              anna  Late, @ben?    10.0001
    1    general_0               ben      I know.    25.0002
    """
    path, pause = as_path(path), seconds_of_pause(new_dialogue_after)
    folders, root = _find_channels(path, channels)
    days = {folder: _days_of(folder) for folder in folders}
    size = bytes_of(day for found in days.values() for day in found)
    names, n_bytes = _read_names(root)
    reader = _Reader(names, bots, Budget(size + n_bytes))
    dialogues = []
    for folder, found in days.items():
        rows = [row for day in found for row in reader.read(day)]
        dialogues += _dialogues_of(folder.name, rows, threads, pause)
    if not dialogues:
        raise ValueError(f"{path} has no message of a person.")
    return as_table(dialogues, ["timestamp"], path, size + n_bytes)


def _find_channels(path, channels):
    """Return the folders of channels, and the one that has the users."""
    if not path.exists():
        raise FileNotFoundError(f"There is no folder {path}.")
    if is_archive(path):
        path = Archive(path).top()
    if not path.is_dir():
        raise NotADirectoryError(
            f"{path} is a file; give the zip archive that Slack exports, or its "
            "folder, unpacked."
        )
    if _days_of(path):
        return [path], path.resolve().parent
    found = {one.name: one for one in sorted(path.iterdir()) if one.is_dir()}
    found = {name: folder for name, folder in found.items() if _days_of(folder)}
    lacking = [name for name in channels or () if name not in found]
    if lacking or not found:
        raise FileNotFoundError(
            f"{path} has no folder {lacking[0]!r} of a channel"
            if lacking
            else f"{path} has no folder with files such as 2023-12-31.json, one for "
            "each day of a channel."
        )
    return [found[name] for name in channels or found], path


def _days_of(folder):
    return sorted(file for file in folder.iterdir() if _DAY.fullmatch(file.name))


def _read_names(root):
    """Return the names of people by their id, and the bytes that tell them."""
    files = [root / name for name in _USERS]
    file = next((one for one in files if one.exists() or one.is_symlink()), None)
    if file is None:
        return {}, 0
    with content_of(file, "JSON"):
        users = _list_of(file, read_json(file))
        given = [_name_of(user, f"{file}, user {at}") for at, user in enumerate(users)]
    return told_apart(dict(given)), bytes_of([file])


def _list_of(file, value):
    if not isinstance(value, list) or isinstance(value, JsonLines):
        raise ValueError(f"{file} holds no list, as files of Slack do.")
    return value


def _name_of(user, where):
    key = user.get("id") if isinstance(user, dict) else None
    if not isinstance(key, str):
        raise ValueError(f"{where} has no 'id': {user!r:.100}.")
    profile = user.get("profile")
    profile = profile if isinstance(profile, dict) else {}
    given = (
        *(profile.get(field) for field in ("display_name", "real_name")),
        *(user.get(field) for field in ("real_name", "name")),
    )
    names = (name.strip() for name in given if isinstance(name, str))
    return key, next(filter(None, names), key)


def _dialogues_of(channel, rows, threads, pause):
    """Make the dialogues of a channel, and of its threads if these are apart."""
    rows.sort(key=lambda row: row["timestamp"])
    apart = defaultdict(list)
    for row in rows if threads else ():
        apart[row["thread"]].append(row)
    # A message that nobody has answered is no thread.
    apart = {thread: found for thread, found in apart.items() if thread}
    flow = [row for row in rows if row["thread"] not in apart]
    return cut_at_pauses(channel, flow, pause) + [
        (f"{channel}_thread_{thread}", found) for thread, found in apart.items()
    ]


class _Reader:
    """Reads the files of days."""

    def __init__(self, names, bots, budget):
        self.names, self.bots, self.budget = names, bots, budget

    def read(self, file):
        """Make an utterance of each message of a day that somebody has written."""
        with content_of(file, "messages of Slack"):
            messages = _list_of(file, read_json(file))
            rows = [
                self._utterance(message, f"{file}, message {at}")
                for at, message in enumerate(messages)
            ]
        return [row for row in rows if row]

    def _utterance(self, message, where):
        if not isinstance(message, dict) or "ts" not in message:
            raise ValueError(f"{where} is no message with 'ts': {message!r:.100}.")
        if message.get("type") != "message" or self._is_left_out(message):
            return None
        text = message.get("text", "")
        if not isinstance(text, str):
            raise ValueError(f"{where}: 'text' is {text!r:.100}, which is no text.")
        thread = message.get("thread_ts")
        if thread is not None:
            _moment(thread, f"{where}: 'thread_ts'")
        text = _MENTION.sub(self._resolve, text)
        for escaped, sign in _ESCAPED.items():
            text = text.replace(escaped, sign)
        row = {
            "speaker": self._speaker(message, where),
            "text": text.strip(),
            "timestamp": _moment(message["ts"], f"{where}: 'ts'"),
            "thread": thread,
        }
        return row if row["text"] else None

    def _is_left_out(self, message):
        subtype = message.get("subtype")
        is_bot = subtype == "bot_message" or message.get("bot_id") is not None
        return (is_bot and not self.bots) or subtype not in _SPOKEN

    def _speaker(self, message, where):
        given = (message.get(field) for field in ("user", "username", "bot_id"))
        key = next((one for one in given if one is not None), None)
        key = name_of_speaker(key, f"{where}: 'user'")
        profile = message.get("user_profile")
        if key in self.names or not isinstance(profile, dict):
            return self.names.get(key, key)
        return _name_of({"id": key or "", "profile": profile}, where)[1] or None

    def _resolve(self, match):
        """Write a mention or a link as people read it."""
        target, _, shown = match[1].partition("|")
        if target.startswith("@"):
            shown = "@" + (self.names.get(target[1:]) or shown.strip("@") or target[1:])
        elif target.startswith("#"):
            shown = "#" + (shown or target[1:])
        elif target.startswith("!"):
            shown = shown or "@" + target[1:]
        shown = shown or target
        self.budget.claim(len(shown), "A mention of a long name")
        return shown


def _moment(value, what):
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError(
            f"{what} is {value!r:.100}; times are written as '1355517523.000005'."
        )
    return float(value)
