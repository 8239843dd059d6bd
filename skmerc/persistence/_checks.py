"""What the structure of a saved model may be, checked before anything is built of it.

skops builds each object of a file once, however often the file refers to it. What is
computed of the objects later, to begin with the hash of an element of a set, follows
every reference: forty lists, each of which holds the one before twice, are more than
any computer can walk through. skops itself writes an object in full wherever it stands,
and so must a file that is loaded.
"""

import io
import json
from collections.abc import Iterator
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from skmerc.datasets.formats._arrays import Arrays, n_elements, read_head
from skmerc.datasets.formats._budget import Budget

SCHEMA = "schema.json"
_LARGEST_POOL = 1024
"""Words in the pool of a seed sequence of NumPy, which makes 4."""


def read_member(file: ZipFile, name: str, size: int) -> bytes:
    """Read a member of an open zip file, which is stored as it is.

    None claims to be larger than `size`, the bytes of the whole file.
    """
    member = file.getinfo(name)
    if member.compress_type != ZIP_STORED or member.file_size != member.compress_size:
        raise ValueError(f"{name} is packed, which save_model never does")
    if member.file_size > size:
        raise ValueError(
            f"{name} claims {member.file_size} bytes, and the file has {size}"
        )
    return file.read(member)


def read_schema(structure: bytes) -> dict[str, Any]:
    """Read the schema of a structure, and demand that it is as large as it claims.

    Parameters
    ----------
    structure : bytes
        A file of skops.

    Returns
    -------
    dict
        The node of the model.
    """
    with ZipFile(io.BytesIO(structure)) as file:
        schema = json.loads(read_member(file, SCHEMA, len(structure)))
        _Unfolded().number(schema)
        readers: dict[str, Any] = {}
        budget = Budget(len(structure))
        for node in nodes(schema):
            _check_node(node)
            name = node.get("file")
            if name is not None:
                reader = node.get("__id__") or object()
                if readers.setdefault(name, reader) != reader:
                    raise ValueError(f"two objects claim {name}")
                _check_file(node, read_member(file, name, len(structure)), budget)
    return schema


def nodes(part: Any) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a schema, each before those inside it."""
    if isinstance(part, dict):
        if "__loader__" in part:
            yield part
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from nodes(inner)


class _Unfolded:
    """Numbers the parts of a schema, so that equal parts have the same number."""

    def __init__(self) -> None:
        self.numbers: dict[tuple, int] = {}
        self.of_object: dict[Any, int] = {}

    def number(self, part: Any) -> int:
        """Number a part; refuse an object that is not written in full each time."""
        if isinstance(part, list):
            return self._number("list", *map(self.number, part))
        if not isinstance(part, dict):
            return self._number(type(part), part)
        items = [(k, self.number(v)) for k, v in part.items() if not _differs(k, v)]
        number = self._number("dict", *items)
        key = part.get("__id__")
        if key and self.of_object.setdefault(key, number) != number:
            raise ValueError(f"the object {key!r} stands in two places, and differs")
        return number

    def _number(self, *key: Any) -> int:
        return self.numbers.setdefault(key, len(self.numbers))


def _differs(name: str, value: Any) -> bool:
    """Whether skops writes this anew for an object that stands in two places."""
    return name in ("__id__", "file") and not isinstance(value, dict | list)


def _check_file(node: dict[str, Any], content: bytes, budget: Budget) -> None:
    """Demand of arrays that the file, to which a node refers, holds all of them."""
    if node["__loader__"] == "NdArrayNode":
        head = read_head(io.BytesIO(content), len(content), node["file"])
        budget.claim(n_elements(head.shape), node["file"])
    if node["__loader__"] == "SparseMatrixNode":
        arrays = Arrays(io.BytesIO(content), budget)
        for name in arrays.heads():
            arrays.read(name)


def _check_node(node: dict[str, Any]) -> None:
    name = f"{node['__module__']}.{node['__class__']}"
    loader = node["__loader__"]
    if loader == "NdArrayNode" and name == "numpy.void":
        raise ValueError("a number claims to be numpy.void, which makes bytes of it")
    if loader == "NdArrayNode" and node["type"] == "json":
        _check_objects(node)
    if loader == "RandomGeneratorNode":
        pool = json.loads(
            node["content"]["seed_seq"]["content"]["pool_size"]["content"]
        )
        if pool > _LARGEST_POOL:
            raise ValueError(f"a pool of {pool} random words")


def _check_objects(node: dict[str, Any]) -> None:
    """Refuse arrays within a table of objects, which NumPy would spread over it."""
    if len(node["shape"]["content"]) == 1:
        return
    inside = {inner["__loader__"] for inner in nodes(node["content"])}
    found = sorted(inside & {"NdArrayNode", "MaskedArrayNode", "SparseMatrixNode"})
    if found:
        raise ValueError(f"a table of objects holds a {found[0]}")
