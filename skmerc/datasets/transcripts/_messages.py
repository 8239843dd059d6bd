"""Conversations with assistants: messages with a role and a content."""

from os import PathLike
from typing import Any, Literal

import numpy as np
import pandas as pd

from skmerc._utils.compat import StrOptions, validate_params
from skmerc.datasets.formats._files import content_of
from skmerc.datasets.transcripts._chatgpt import is_tree, messages_of
from skmerc.datasets.transcripts._dialogues import (
    as_table,
    name_of_speaker,
    refuse_absent_label,
)
from skmerc.datasets.transcripts._sources import (
    JsonLines,
    are_paths,
    find_files,
    read_json,
    total_size,
)

_ENDINGS = {".json", ".jsonl"}
_EXPORT = r"conversations(-\d+)?"
"""How the conversations of ChatGPT's export are called, among other files."""
_NOBODY = {"system", "developer", "tool", "function"}
_IDS = ("id", "conversation_id", "custom_id")


@validate_params(
    {
        "messages": [str, PathLike, list, tuple, dict],
        "instructions": [StrOptions({"drop", "context"})],
        "label": [str],
    },
    prefer_skip_nested_validation=True,
)
def load_messages(
    messages: Any,
    *,
    instructions: Literal["drop", "context"] = "drop",
    label: str = "label",
) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Read conversations with an assistant: of chat models, or ChatGPT's export.

    Parameters
    ----------
    messages : str, Path, list or dict
        A file of JSON or JSON lines; several; a folder, of which all files that end in
        ``.json`` or ``.jsonl`` are read; the zip archive that ChatGPT exports, of which
        ``conversations.json`` is read, or another one; or what stands in such files:

        - a conversation: a list of messages, or a dict that holds it under
          ``"messages"`` and maybe its name under ``"id"``, ``"conversation_id"`` or
          ``"custom_id"``. A message is a dict of ``role``, ``content`` and maybe
          ``name`` and a label;
        - a conversation of ChatGPT's export, a dict with ``"mapping"``;
        - a list, or lines, of conversations.
    instructions : {"drop", "context"}, default="drop"
        What becomes of messages of the roles system, developer, tool and function,
        which nobody says: they are left out, or are rows of role ``"context"``, which
        models read and do not answer for.
    label : str, default="label"
        The field of a message that holds its label.

    Returns
    -------
    X : DataFrame of shape (n_utterances, 5)
        The table of :func:`to_frame`: the keys and ``"utterance"``, one row for each
        message. The speaker is the ``name``, or else the ``role``.
    y : ndarray of shape (n_utterances,) or None
        The labels, as in :func:`to_frame`; None if no message has one.

    Raises
    ------
    FileNotFoundError
        If a file is not there, or a folder has none.
    ValueError
        If a file or an object is of another kind or damaged, a message has no role or
        no readable content, or a conversation has no message with a text. The error
        names the line and the message.

    See Also
    --------
    load_slack : Read chats of people.

    Notes
    -----
    Of a content of several parts the texts and refusals are read, each on a line of its
    own, and pictures, sounds and files are left out. Messages without a text, such as
    calls of tools, are left out.

    ChatGPT's export holds a tree for each conversation, with a branch for each question
    that was asked again. The branch that was seen last is read (``"current_node"``),
    and of it what people and the assistant say to each other. A conversation in which
    nobody says anything is left out, if others do.

    References
    ----------
    .. [1] OpenAI, "Chat completions", https://platform.openai.com/docs/api-reference/chat.
    .. [2] OpenAI, "How do I export my ChatGPT history and data?",
       https://help.openai.com/en/articles/7260999. The format of the export has no
       public description.

    Examples
    --------
    >>> from skmerc.datasets import load_messages
    >>> chat = [
    ...     {"role": "system", "content": "Be short."},
    ...     {"role": "user", "content": "My order is late again!"},
    ...     {"role": "assistant", "content": [{"type": "text", "text": "I am sorry."}]},
    ... ]
    >>> X, y = load_messages(chat)
    >>> X[["dialogue__turn", "dialogue__speaker", "utterance"]]
       dialogue__turn dialogue__speaker                utterance
    0               0              user  My order is late again!
    1               1         assistant              I am sorry.
    """
    dialogues, size = _read_all(messages, _Reader(instructions, label))
    path = messages if are_paths(messages) else None
    utterances = [row for _, rows in dialogues for row in rows]
    refuse_absent_label(utterances, label, "messages" if path is None else path)
    return as_table(dialogues, [], path, size)


def _read_all(given, reader):
    if not are_paths(given):
        return reader.dialogues_of(given, "messages", ""), None
    files, dialogues = find_files(given, _ENDINGS, _EXPORT), []
    for name, file in files:
        with content_of(file, "messages"):
            dialogues += reader.dialogues_of(read_json(file), str(file), name)
    return dialogues, total_size(files)


def _is_message(value):
    return isinstance(value, dict) and "role" in value


class _Reader:
    """Reads the conversations of a file or an object."""

    def __init__(self, instructions, label):
        self.instructions, self.label = instructions, label

    def dialogues_of(self, value, where, name):
        """Return pairs of a name and the utterances of a conversation."""
        is_list = isinstance(value, list | tuple)
        if not is_list or (value and all(map(_is_message, value))):
            found = [(name or "0", self._utterances(value, where))]
        elif any(map(_is_message, value)):
            at = next(at for at, one in enumerate(value) if not _is_message(one))
            raise ValueError(
                f"{where}, {_place_of(value, at)} is no message with a role, and "
                "others are."
            )
        else:
            beginning = f"{name}_" if name else ""
            found = [
                (
                    f"{beginning}{_id_of(one, at)}",
                    self._utterances(one, f"{where}, {_place_of(value, at)}"),
                )
                for at, one in enumerate(value)
            ]
        there = [(name, rows) for name, rows in found if rows]
        if found and not there:
            raise _silent(where)
        return there

    def _utterances(self, conversation, where):
        """Make utterances of a conversation; none of one of an export may be left."""
        messages = conversation
        if is_tree(conversation):
            return self._rows(messages_of(conversation, where), where)
        if isinstance(conversation, dict):
            messages = conversation.get("messages")
        if not isinstance(messages, list | tuple):
            raise ValueError(
                f"{where} is no conversation: give a list of messages, or a dict that "
                "holds it under 'messages'."
            )
        rows = self._rows(messages, where)
        if not rows:
            raise _silent(where)
        return rows

    def _rows(self, messages, where):
        rows = [
            self._utterance(message, f"{where}, {_place_of(messages, at, 'message')}")
            for at, message in enumerate(messages)
        ]
        return [row for row in rows if row]

    def _utterance(self, message, where):
        """Make an utterance of a message; None if it is left out."""
        if not _is_message(message):
            raise ValueError(f"{where} is no dict with a role: {message!r:.100}.")
        role = name_of_speaker(message["role"], f"{where}: 'role'")
        text = _text_of(message.get("content"), where)
        nobody = role in _NOBODY
        if not text.strip() or (nobody and self.instructions == "drop"):
            return None
        speaker = name_of_speaker(message.get("name"), f"{where}: 'name'") or role
        return {
            "speaker": speaker,
            "text": text.strip(),
            "label": None if nobody else message.get(self.label),
            "role": "context" if nobody else "utterance",
        }


def _silent(where):
    return ValueError(f"{where} has no message of a person with a text.")


def _place_of(values, at, kind="conversation"):
    if isinstance(values, JsonLines):
        return f"line {values.numbers[at]}"
    return f"{kind} {at}"


def _id_of(conversation, at):
    """Return the name of a conversation, or else its number."""
    given = (
        [conversation.get(k) for k in _IDS] if isinstance(conversation, dict) else []
    )
    known = (str(key) for key in given if isinstance(key, str | int) and str(key))
    return next(known, str(at))


def _text_of(content, where):
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list | tuple):
        raise ValueError(f"{where}: 'content' is {content!r:.100}; give text or parts.")
    texts = [_text_of_part(part, where) for part in content]
    return "\n".join(text for text in texts if text)


def _text_of_part(part, where):
    if isinstance(part, str):
        return part
    text = part.get("text", part.get("refusal")) if isinstance(part, dict) else part
    if text is not None and not isinstance(text, str):
        raise ValueError(f"{where}: a part of 'content' is {part!r:.100}.")
    return text
