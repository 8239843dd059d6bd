"""Sentences of the package in the words of the command line."""

import re
import shlex
import sys

from skmerc._utils import output
from skmerc.cli._parser import PARAMETERS, option

_PHRASES = {
    "embedder=FineTunedTextEmbedder()": "--fine-tune",
    "the path of a folder that holds a model": "--model FOLDER, one that holds a model",
    "give the folder of a model": "give --model the folder of a model",
}
"""What messages tell programmers, and what it is here."""

_VALUE = r"""'[^']*'|"[^"]*"|\.\.\.|True|False|None"""
_PARAMETER = re.compile(rf"(?<!\w\()\b({'|'.join(PARAMETERS)})=({_VALUE})")
_CALL = re.compile(r"to_frame\(([^()]*)\)")


class UsageError(Exception):
    """Arguments do not go together."""


def tell(words: str) -> None:
    """Write to the standard error, if there is one."""
    output.tell(words, sys.stderr)


def as_options(message: str) -> str:
    """Write options where a message names parameters: --text said for text='said'."""
    for phrase, ours in _PHRASES.items():
        message = message.replace(phrase, ours)
    return _PARAMETER.sub(_with_value, _CALL.sub(r"\1", message))


def _with_value(found: re.Match) -> str:
    name, value = option(found[1]), found[2]
    if value == "True":
        return name
    if value == "False":
        return name.replace("--", "--no-", 1)
    if value == "None":
        return f"{name} ''"
    return f"{name} {value if value == '...' else shlex.quote(value[1:-1])}"
