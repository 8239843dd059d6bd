"""What skops writes, without traces of the process that wrote it."""

import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

from skmerc.persistence._checks import SCHEMA, nodes


def tidy_structure(structure: bytes) -> bytes:
    """Rewrite a file of skops so that equal models give equal files.

    skops names the parts of a model by their addresses in memory, tells the time, and
    lists sets in the order of this process.

    Parameters
    ----------
    structure : bytes
        What ``skops.io.dumps`` returned.

    Returns
    -------
    bytes
        The same, with numbers for names, no time, and sets in order.

    Raises
    ------
    ValueError
        If a dict has True or False for a key, which skops reads back as True.
    """
    tidied = io.BytesIO()
    numbers: dict[Any, int] = {}
    names: dict[str, str] = {}
    with ZipFile(io.BytesIO(structure)) as old, ZipFile(tidied, "w") as new:
        schema = json.loads(old.read(SCHEMA))
        for node in nodes(schema):
            _refuse_truth_as_key(node)
            if node["__loader__"] == "SetNode":
                node["content"].sort(key=_value)
            if "__id__" in node:
                node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
            if "file" in node:
                kind = Path(node["file"]).suffix
                node["file"] = names.setdefault(node["file"], f"{len(names)}{kind}")
        for name, number in names.items():
            add_member(new, number, old.read(name))
        add_member(new, SCHEMA, json.dumps(schema, indent=2))
    return tidied.getvalue()


def add_member(file: ZipFile, name: str, content: str | bytes) -> None:
    """Write a member of a zip file without the time."""
    file.writestr(ZipInfo(name), content)


def _value(node: dict[str, Any]) -> str:
    """What an element of a set is, by which it is put in its place."""
    return json.dumps({name: v for name, v in node.items() if name != "__id__"})


def _refuse_truth_as_key(node: dict[str, Any]) -> None:
    is_dict = node["__loader__"] == "DictNode"
    keys = node["key_types"]["content"] if is_dict else []
    if any(key["__class__"] in ("bool", "bool_") for key in keys):
        raise ValueError("a dict has True or False for a key; use 0 and 1")
