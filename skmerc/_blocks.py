"""Blocks of features that become columns of a table."""

import numpy as np
import pandas as pd

from skmerc._columns import FLOAT32_MAX


def block_frame(name, block):
    """Return a modality as a frame of float32 columns with the modality's prefix."""
    if not isinstance(name, str) or "__" in name or name in ("", "dialogue"):
        raise ValueError(
            f"A modality cannot be called {name!r}: use non-empty text other than "
            "'dialogue' and without '__', which separates it from its features."
        )
    names = getattr(block, "columns", None)
    values = np.asarray(block)
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
    columns = [f"{name}__{column}" for column in names]
    return pd.DataFrame(_as_float32(name, values, names), columns=columns)


def _as_float32(name, values, names):
    try:
        with np.errstate(over="raise"):
            return values.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Block {name!r} holds values that are no numbers"
            f"{_first_text(values, names)}: {error}."
        ) from error
    except FloatingPointError:
        values = values.astype(np.float64)
        huge = np.isfinite(values) & (np.abs(values) > FLOAT32_MAX)
        row, column = (int(i) for i in np.argwhere(huge)[0])
        raise ValueError(
            f"Block {name!r} holds {values[row, column]} in row {row}, column "
            f"{column}, which is too large for float32; rescale the column."
        ) from None


def _first_text(values, names):
    table = pd.DataFrame(values)
    numbers = table.apply(pd.to_numeric, errors="coerce")
    found = np.argwhere((numbers.isna() & table.notna()).to_numpy())
    if not len(found):
        return ""
    row, column = found[0]
    return f", first in row {row}, column {list(names)[column]!r}"
