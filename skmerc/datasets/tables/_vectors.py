"""Features in one column, a vector in each row, as vector stores keep them."""

import re

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from skmerc.datasets.formats._csv_files import EMPTY_CELLS, numbers_of
from skmerc.frame._texts import is_missing

_WRAPPED = re.compile(
    r"""(?:array|tensor)\((\[.*\])(?:,\s*\w+=[\w.:'"]+)*\)""", re.DOTALL
)
_SCALAR = re.compile(r"np\.(?:float|int)\d+\(([^()]*)\)")
"""How a list of NumPy's numbers is written, as str does since NumPy 2."""


def spread_vectors(frame, path, columns, widths=None):
    """Put columns ``<column>__0`` and so on, of a number each, in place of vectors.

    Vectors are lists, arrays, or text of them such as ``"[0.5, 1]"`` (as JSON and
    Python write them), ``"[0.5 1.]"`` (as NumPy does) or ``"tensor([0.5, 1])"``; None,
    NaN or empty where one is missing. Of `columns`, those that hold none stay as they
    are; `widths` tells the length of vectors that is known from elsewhere.
    """
    widths = widths or {}
    blocks = {}
    for column in columns:
        rows = _rows_of(frame[column])
        known = widths.get(column)
        if rows is not None or (known and _is_empty(frame[column])):
            blocks[column] = _block(frame[column], rows or {}, path, known)
    if not blocks:
        return frame
    return pd.concat([frame.drop(columns=list(blocks)), *blocks.values()], axis=1)


def first_cell(values):
    """Take the first cell of a column in which something stands; none if there is none.

    It comes as a column, whose index tells the row.
    """
    start = next((at for at, v in enumerate(values) if not _is_absent(v)), len(values))
    return values[start : start + 1]


def width_of(values, path):
    """Length of the vectors of a column; None if it holds something else."""
    rows = _rows_of(values)
    return None if rows is None else _block(values, rows, path, None).shape[1]


def _is_empty(values):
    return all(map(_is_absent, values.tolist()))


def _rows_of(values):
    """Find what is there of a column: dict of position to value; None if no vector."""
    if is_numeric_dtype(values):
        return None
    given = {at: v for at, v in enumerate(values.tolist()) if not _is_absent(v)}
    are_vectors = given and all(map(_looks_like_vector, given.values()))
    return given if are_vectors else None


def _is_absent(value):
    return is_missing(value) or (isinstance(value, str) and value in EMPTY_CELLS)


def _looks_like_vector(value):
    if isinstance(value, str):
        text = _unwrapped(value)
        return text.startswith("[") and text.endswith("]")
    return isinstance(value, list | tuple) or (
        isinstance(value, np.ndarray) and value.ndim > 0
    )


def _block(values, rows, path, known):
    name = values.name
    vectors = {at: _vector(v, path, name, values.index[at]) for at, v in rows.items()}
    width = known or len(next(iter(vectors.values())))
    for at, vector in vectors.items():
        if len(vector) != width:
            raise ValueError(
                f"{path}: {name!r} has {len(vector)} numbers in row "
                f"{values.index[at]} and {width} elsewhere; the vectors of a column "
                "have one length."
            )
    kind = np.result_type(np.float32, *{v.dtype for v in vectors.values()})
    block = np.full((len(values), width), np.nan, dtype=kind)
    for at, vector in vectors.items():
        block[at] = vector
    return pd.DataFrame(block, values.index, [f"{name}__{at}" for at in range(width)])


def _vector(value, path, name, row):
    try:
        vector = _parse(value) if isinstance(value, str) else _as_numbers(value)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: {name!r} holds no vector of numbers in row {row} ({error})."
        ) from error
    if not len(vector):
        raise ValueError(
            f"{path}: {name!r} holds an empty vector in row {row}; leave the cell "
            "empty where the modality is missing."
        )
    return vector


def _unwrapped(text):
    """Take the words away that NumPy and torch write around numbers."""
    text = text.strip()
    match = _WRAPPED.fullmatch(text)
    return _SCALAR.sub(r"\1", match[1] if match else text)


def _parse(text):
    inside = _unwrapped(text)[1:-1]
    if "..." in inside:
        raise ValueError(
            "'...' stands in it, in place of numbers that NumPy has left out; write "
            "the table anew with lists: column.map(list)"
        )
    return numbers_of(inside.replace(",", " ").split())


def _as_numbers(value):
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        vector = value.astype(np.result_type(np.float32, value.dtype))
    elif any(isinstance(part, str | bytes) for part in value):
        raise ValueError("it holds text")
    else:
        parts = [np.nan if part is None else part for part in value]
        vector = np.array(parts, dtype=float)
    if vector.ndim != 1:
        raise ValueError(f"it has {vector.ndim} dimensions, such as frames in time")
    return vector
