"""A conversation as JSON, which runs nothing when it is read."""

import base64
import hashlib
import json
import math
from typing import Any

import numpy as np
import torch

from skmerc import exceptions
from skmerc.frame._texts import decode, is_missing

FORMAT = 1
_KINDS = ("bool", "float32", "float64", "int64")
_PLAIN = (str, int, float, bool)
_WARNINGS = {
    name: kind
    for name, kind in {"UserWarning": UserWarning, **vars(exceptions)}.items()
    if isinstance(kind, type) and issubclass(kind, Warning)
}

_DAMAGES = (
    ArithmeticError,
    AttributeError,
    IndexError,
    KeyError,
    RecursionError,
    TypeError,
    ValueError,
)


def pack(value: Any) -> Any:
    """Write what is remembered: tensors, names with numbers, numbers, and tuples."""
    if isinstance(value, torch.Tensor):
        return pack(value.cpu().numpy())
    if isinstance(value, np.ndarray):
        data = value.astype(value.dtype.newbyteorder("<")).tobytes()
        return {
            "kind": value.dtype.name,
            "shape": list(value.shape),
            "data": base64.b64encode(data).decode(),
        }
    if isinstance(value, dict):
        return {"names": value}
    return [pack(part) for part in value] if isinstance(value, tuple) else value


def unpack(value: Any) -> Any:
    """Read what `pack` has written, arrays as tensors."""
    if isinstance(value, list):
        return tuple(map(unpack, value))
    if not isinstance(value, dict):
        return value
    if value.keys() == {"names"} and isinstance(value["names"], dict):
        return value["names"]
    return torch.from_numpy(_array_of(value))


def _array_of(packed: dict) -> np.ndarray:
    kind, shape = packed["kind"], packed["shape"]
    if kind not in _KINDS or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"numbers of the kind {kind!r:.50} and shape {shape!r:.50}")
    data = base64.b64decode(packed["data"], validate=True)
    found = np.frombuffer(data, np.dtype(kind).newbyteorder("<"))
    if found.size != math.prod(shape):
        raise ValueError(f"{found.size} numbers for the shape {shape!r:.50}")
    return found.astype(kind).reshape(shape)


def cells_of(row: dict, turn: int) -> dict:
    """Write the cells of a row that are there."""
    cells = {}
    for column, value in row.items():
        if is_missing(value):
            continue
        value = decode(value.item() if isinstance(value, np.generic) else value)
        if not isinstance(value, _PLAIN):
            raise TypeError(
                f"Turn {turn} holds a {type(value).__name__} in column {column!r}, "
                "which JSON does not know: give text or a number."
            )
        cells[column] = value
    return cells


def names_of(warnings: set) -> list[str]:
    """Name the kinds of warnings that have come."""
    return sorted(kind.__name__ for kind in warnings)


def warnings_of(names: list) -> set:
    """Find kinds of warnings by name; those that are gone come no more."""
    return {_WARNINGS[name] for name in names if name in _WARNINGS}


def fingerprint(network: torch.nn.Module) -> str:
    """Tell networks of different weights apart."""
    found = hashlib.sha256()
    for name, weight in network.state_dict().items():
        found.update(f"{name} {tuple(weight.shape)}".encode())
        found.update(np.ascontiguousarray(weight.cpu().numpy()).tobytes())
    return found.hexdigest()


def parse(text: str, model: dict) -> dict:
    """Read the text of a conversation with a model that is known by these values."""
    try:
        found = json.loads(text)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError("it has another format")
        if found["model"] != model:
            differ = [k for k in model if found["model"].get(k) != model[k]]
            raise ValueError(f"the model has other {differ[0]}; give the one of then")
        found["state"] = unpack(found["state"])
        found["answers"] = _array_of(found["answers"])
        return found
    except _DAMAGES as error:
        raise unfit(error) from error


def unfit(error: Exception) -> ValueError:
    """Make the error of a text that cannot be gone on from."""
    what = str(error).partition("\n")[0]
    return ValueError(
        f"This is no conversation with this model, as to_json writes it: {what:.300} "
        f"({type(error).__name__})."
    )
