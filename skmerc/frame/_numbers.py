"""Numbers that a user's table holds as Python objects, or not at all."""

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

NOT_NUMBERS = "mMcV"
"""Kinds of arrays that numpy would make numbers of: times, complex and records."""


def find_no_number(values: np.ndarray) -> tuple[int, ...] | None:
    """Index of the first object that is neither a real number nor missing, or None."""
    known = ~pd.isna(values)
    wrong = np.argwhere(known & ~_are_numbers(values).astype(bool))
    return tuple(wrong[0].tolist()) if len(wrong) else None


def may_hold_numbers(dtype: Any) -> bool:
    """Tell whether only a look at the values of a column tells if they are numbers.

    So it is for objects, and for Arrow's booleans and nulls, which pandas does not
    count among numbers as it does its own.
    """
    of_arrow = isinstance(dtype, pd.ArrowDtype)
    is_object = pd.api.types.is_object_dtype(dtype)
    return is_object or (of_arrow and not pd.api.types.is_numeric_dtype(dtype))


def holds_numbers(column: pd.Series) -> bool:
    """Tell whether a column is of numbers, or of objects that all are some."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return True
    if not may_hold_numbers(column.dtype) or column.isna().all():
        return False
    return find_no_number(column.to_numpy(object)) is None


def as_floats(values: np.ndarray) -> np.ndarray:
    """Make float64 of an array of Python numbers, NaN where one is missing."""
    return np.where(pd.isna(values), np.nan, values).astype(np.float64)


def without_own_kinds(features: Any) -> Any:
    """Make floats of columns of numbers that scikit-learn's checks fail on.

    These are Python objects, among which ``pandas.NA`` may be, and sparse columns whose
    most frequent value is missing. What holds no numbers stays as it is.
    """
    if not isinstance(features, pd.DataFrame):
        return features
    changed = {
        name: as_floats(column.to_numpy(object))
        for name, column in features.items()
        if _fails_in_checks(column.dtype) and holds_numbers(column)
    }
    if not changed:
        return features
    features = features.copy(deep=False)
    for name, values in changed.items():
        features[name] = values
    return features


def _fails_in_checks(dtype: Any) -> bool:
    if isinstance(dtype, pd.SparseDtype):
        return bool(pd.isna(dtype.fill_value))
    return bool(pd.api.types.is_object_dtype(dtype))


def _is_number(value: Any) -> bool:
    if not isinstance(value, Real | Decimal | np.bool_):
        return False
    try:
        float(value)
    except (OverflowError, ValueError):
        return False
    return True


_are_numbers = np.frompyfunc(_is_number, 1, 1)


def has_masked(values: Any) -> bool:
    """Tell whether cells of an array of numpy are masked.

    Arrays of pandas have masks, too, of which their missing values are made.
    """
    return isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values)


def refuse_masked(values: Any, name: str, fill: str = "np.nan") -> None:
    """Refuse an array with masked cells, whose mask would be lost."""
    if has_masked(values):
        row, *_ = np.argwhere(np.ma.getmaskarray(values))[0].tolist()
        raise ValueError(
            f"{name} is an array with masked cells, the first in row {row}; fill them: "
            f"values.filled({fill})."
        )


def array_of(values: Any, name: str) -> np.ndarray:
    """Make an array of values, or say what is to be given in their place."""
    refuse_masked(values, name)
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} is no table: its rows differ in length.") from error
    except (RuntimeError, TypeError) as error:  # of torch, as on a GPU or in bfloat16
        raise ValueError(
            f"{name} cannot become an array ({error}); of a tensor of torch give "
            "tensor.detach().cpu().float().numpy()."
        ) from error


def unmasked(values: Any) -> Any:
    """Put None into the masked cells of an array, so that they are missing."""
    if not has_masked(values):
        return values
    return np.where(np.ma.getmaskarray(values), None, values.data.astype(object))
