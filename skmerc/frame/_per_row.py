"""Columns beside a table, which hold one value for each row."""

from typing import Any

import numpy as np
import pandas as pd

from skmerc.frame._columns import as_pandas, refuse_missing
from skmerc.frame._labels import as_series
from skmerc.frame._numbers import unmasked


def one_column(values: Any, name: str) -> pd.Series:
    """Read one value for each row, of a frame or matrix of one column those in it.

    Parameters
    ----------
    values : array-like of shape (n_rows,) or (n_rows, 1)
        The values.
    name : str
        What an error calls them.

    Returns
    -------
    Series of shape (n_rows,)
        The values, numbered from 0. No type is guessed for those of a list.

    Raises
    ------
    ValueError
        If there are several columns.
    """
    if hasattr(values, "columns"):
        values = as_pandas(values)
    values = unmasked(values)
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    # Of numpy's newest type of text, "T", pandas knows nothing.
    if kind in (None, "T") and not hasattr(values, "iloc"):
        values = np.asarray(values, dtype=object)
    if np.ndim(values) == 2 and values.shape[1] == 1:
        values = values.iloc[:, 0] if hasattr(values, "iloc") else values[:, 0]
    if np.ndim(values) != 1:
        columns = list(getattr(values, "columns", ()))
        shape = f"is of shape {np.shape(values)}"
        found = f"has the columns {columns}" if columns else shape
        raise ValueError(f"{name} {found}; give one value for each row.")
    return as_series(values).rename(None)


def read_groups(groups: Any) -> np.ndarray:
    """Read the group of each row, in a type of numpy.

    Parameters
    ----------
    groups : array-like of shape (n_rows,) or (n_rows, 1)
        The groups.

    Returns
    -------
    ndarray of shape (n_rows,)
        The groups.

    Raises
    ------
    ValueError
        If there are several columns, or a row has no group.
    """
    column = one_column(groups, "groups")
    refuse_missing(column, "groups")
    return np.asarray(column)
