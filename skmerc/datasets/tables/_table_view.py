"""A table taken apart for looking at it, and what is found in it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from skmerc.datasets._corpus import TEXT
from skmerc.frame._columns import KEYS, parse_table
from skmerc.frame._conversations import sortable
from skmerc.frame._labels import shape_of
from skmerc.frame._names import kind_of
from skmerc.frame._numbers import as_floats, find_no_number, may_hold_numbers
from skmerc.frame._texts import is_blank, is_missing

ERROR, WARNING, NOTE = "error", "warning", "note"

_SCORES = 20
"""Different numbers from which on labels are scores."""


class Finding(NamedTuple):
    """Something that was found; the columns of the table of findings."""

    severity: str
    what: str
    where: str
    count: int  # type: ignore[assignment]  # in the place of a method of tuples
    how: str = ""


@dataclass(frozen=True)
class View:
    """A table taken apart for looking at it.

    Attributes
    ----------
    keys : DataFrame of shape (n_rows, 4)
        The keys, or None if they are broken; `broken` then says how.
    given : dict
        The columns of the keys that the table has.
    features : DataFrame of shape (n_rows, n_columns)
        All else.
    labels : Series of shape (n_rows,) or None
        The labels, None where there is none; of an indicator matrix what it says.
    is_frame : bool
        Whether columns have names.
    """

    keys: pd.DataFrame | None
    broken: str
    given: dict
    features: pd.DataFrame
    labels: pd.Series | None
    classes: dict
    is_frame: bool

    @property
    def text(self):
        """Name of the column of texts, or None."""
        columns = [c for c in self.features if not holds_numbers(self.features[c])]
        named = [c for c in columns if kind_of(c) == "text"]
        return TEXT if TEXT in self.features else next(iter(named), None)


def view_of(X, y):
    """Take a table and its labels apart."""
    table = parse_table(X)
    features, is_frame = table.features, isinstance(table.data, pd.DataFrame)
    if not is_frame:
        features = pd.DataFrame(np.asarray(features))
    features = features.reset_index(drop=True).apply(_as_floats)
    try:
        keys, broken = table.keys, ""
        sortable(keys[KEYS[1]])
    except (TypeError, ValueError) as error:
        keys, broken = None, str(error)
    labels, classes = _labels_of(y, len(features), keys)
    return View(keys, broken, table.key_names, features, labels, classes, is_frame)


def _labels_of(y, n_rows, keys):
    """Return the labels, and the rows of each class; no classes where y are scores."""
    if y is None:
        return None, {}
    shape = shape_of(y)
    if not shape or shape[0] != n_rows:
        found = f"of shape {shape}" if shape else "no array"
        raise ValueError(
            f"y is {found}, and X has {n_rows} rows; give one label for each."
        )
    context = np.zeros(n_rows, bool)
    if keys is not None:
        context = (keys[KEYS[3]] == "context").to_numpy()
    if len(shape) == 2 and shape[1] > 1:
        values = np.asarray(y, float)
        labels = pd.Series(np.where(np.isnan(values).any(axis=1) | context, None, "1"))
        names = getattr(y, "columns", range(shape[1]))
        known = labels.notna().to_numpy()
        columns = zip(names, values.T, strict=True)
        return labels, {name: (column == 1) & known for name, column in columns}
    values = np.asarray(y, object).ravel()
    labels = pd.Series(
        [None if is_missing(v) or is_blank(v) else v for v in values], dtype=object
    ).mask(context, None)
    known = labels.dropna()
    numbers = not any(isinstance(value, str) for value in known)
    is_score = numbers and known.map(str).nunique() > _SCORES
    names = [] if is_score else known.map(str).unique()
    return labels, {
        name: (labels.map(str) == name).to_numpy() & labels.notna().to_numpy()
        for name in sorted(names)
    }


def _as_floats(column):
    """Make numbers of Python objects that are such, unless they are texts by name."""
    if not may_hold_numbers(column.dtype) or column.name == TEXT:
        return column
    values = column.to_numpy(object)
    return column if find_no_number(values) else pd.Series(as_floats(values))


def holds_numbers(column):
    """Tell whether a column may be a feature as it is."""
    return is_numeric_dtype(column) and column.dtype.kind != "c"


def shown(rows):
    """Name the first rows, for the column "where"."""
    rows = np.flatnonzero(rows)
    return f"row {', '.join(map(str, rows[:3]))}{', ...' if len(rows) > 3 else ''}"
