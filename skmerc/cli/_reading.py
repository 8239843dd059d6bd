"""Files of the command line as tables of utterances."""

from argparse import Namespace
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

from skmerc import datasets
from skmerc.cli._parser import KINDS, PARAMETERS, option
from skmerc.cli._words import UsageError
from skmerc.datasets._corpus import TEXT
from skmerc.frame import KEYS

_ENDINGS = {".srt": "subtitles", ".vtt": "subtitles"}
_PATHS = ("audio", "video")
"""Options that name columns of paths, which readers know as `columns`."""
_MAY_LACK_LABELS = ("table", "convokit")
"""Kinds whose readers can be told that labels are not read."""


def how_to_read(arguments: Namespace, before: dict | None = None) -> dict[str, Any]:
    """Tell the kind of a file and its options, by the names of parameters.

    What is not said is taken from what a model has learned of files of this kind.
    """
    asked = {name: getattr(arguments, name) for name in PARAMETERS}
    given = {name: value for name, value in asked.items() if value is not None}
    ending = Path(arguments.file).suffix.lower()
    kind = arguments.kind or _ENDINGS.get(ending, "table")
    known = _known(_reader(kind))
    foreign = [option(name) for name in given if name not in known]
    if foreign:
        raise UsageError(
            f"{arguments.file} is read as {kind}, where {foreign[0]} has no meaning. "
            f"Give it another --kind, or of {', '.join(map(option, known))} what you "
            "need."
        )
    if before is None or before["kind"] != kind:
        before = {}
    return before | {"kind": kind} | given


def read(path: str, how: dict[str, Any], *, labelled: bool = True) -> tuple[Any, Any]:
    """Read a file: a table, its texts and paths beside the keys, and labels or None."""
    reader = _reader(how["kind"])
    settings = {
        name: None if how[name] == "" else how[name]
        for name in _known(reader)
        if name in how
    }
    paths = [settings.pop(name, None) for name in _PATHS]
    if any(paths):
        settings["columns"] = [name for name in paths if name is not None]
    if not labelled:
        settings.pop("label", None)
        if how["kind"] in _MAY_LACK_LABELS:
            settings["label"] = None
    return reader(path, **settings)


def columns_to_learn(how: dict[str, Any]) -> list[str]:
    """Name the columns that models read; times of a transcript are none of them."""
    return [*KEYS, TEXT, *(how[name] for name in _PATHS if how.get(name))]


def _reader(kind: str) -> Callable:
    return getattr(datasets, KINDS[kind])


def _known(reader: Callable) -> list[str]:
    """Options that a reader knows."""
    names = set(signature(reader).parameters)
    if "columns" in names:
        names.update(_PATHS)
    return [name for name in PARAMETERS if name in names]
