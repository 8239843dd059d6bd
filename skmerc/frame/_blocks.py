"""Blocks of features that become columns of a table."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skmerc.frame._columns import FLOAT32_MAX, check_modality, frame_of, is_foreign
from skmerc.frame._numbers import NOT_NUMBERS, array_of, as_floats, find_no_number


@dataclass(frozen=True)
class Block:
    """Values of a modality, not converted yet, and the names of their columns."""

    name: str
    values: np.ndarray
    names: list[Any]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def columns(self) -> list[str]:
        """The names in a table."""
        return [f"{self.name}__{column}" for column in self.names]


def join_blocks(blocks: list[Block]) -> pd.DataFrame:
    """Return modalities side by side as a frame over one array of float32.

    One array, since estimators read that as it is and would copy several.
    """
    columns = [column for block in blocks for column in block.columns]
    values, start = np.empty((len(blocks[0]), len(columns)), np.float32), 0
    for block in blocks:
        end = start + len(block.names)
        _fill(values[:, start:end], block)
        start = end
    return pd.DataFrame(values, columns=columns, copy=False)


def read_block(name: str, block: Any) -> Block:
    """Check the name and the shape of a modality."""
    check_modality(name)
    if is_foreign(block):
        frame = frame_of(block)
        block = block if frame is None else frame
    names = getattr(block, "columns", None)
    values = _as_array(name, block)
    if values.ndim != 2:
        raise ValueError(
            f"Block {name!r} has {values.ndim} dimensions; give (utterances, "
            "features), for one column of a table table[['pitch']]."
        )
    if not values.shape[1]:
        raise ValueError(
            f"Block {name!r} has no columns. If it was taken by name, as with "
            "table.filter(like=...), no column has that name."
        )
    names = range(values.shape[1]) if names is None else names
    return Block(name, values, list(names))


def _as_array(name: str, block: Any) -> np.ndarray:
    if issparse(block):
        raise TypeError(f"Block {name!r} is a sparse matrix; give block.toarray().")
    values = array_of(block, f"Block {name!r}")
    if values.dtype.kind in NOT_NUMBERS:
        raise ValueError(
            f"Block {name!r} holds {values.dtype} values, and features are numbers."
        )
    if values.ndim == 2 and values.dtype == object and find_no_number(values) is None:
        return as_floats(values)
    return values


def _fill(part: np.ndarray, block: Block) -> None:
    name, values = block.name, block.values
    try:
        with np.errstate(over="raise"):
            part[...] = values
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"Block {name!r} holds values that are no numbers"
            f"{_first_text(values, block.names)}: {error}."
        ) from error
    except FloatingPointError:
        values = values if values.dtype.kind == "f" else values.astype(np.float64)
        huge = np.isfinite(values) & (np.abs(values) > FLOAT32_MAX)
        row, column = (int(i) for i in np.argwhere(huge)[0])
        raise ValueError(
            f"Block {name!r} holds {values[row, column]!s} in row {row}, column "
            f"{column}, which is too large for float32; rescale the column."
        ) from None


def _first_text(values: np.ndarray, names: list) -> str:
    table = pd.DataFrame(values)
    numbers = table.apply(pd.to_numeric, errors="coerce")
    found = np.argwhere((numbers.isna() & table.notna()).to_numpy())
    if not len(found):
        return ""
    row, column = found[0]
    return f", first in row {row}, column {names[column]!r}"
