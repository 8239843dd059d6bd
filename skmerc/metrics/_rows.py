"""Rows that have a label, of labels and what belongs to them."""

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from skmerc.frame._columns import parse_table
from skmerc.frame._labels import read_labels


def rows_with_labels(X, y_true, *others):
    """Leave rows out that have no label, which where X is given are its context rows.

    Each of `others` has a row for each of `y_true`, or is None.
    """
    check_consistent_length(
        *(part for part in (X, y_true, *others) if part is not None)
    )
    if X is None:
        unlabelled = pd.isna(np.asarray(y_true, dtype=object))
        unlabelled = unlabelled.any(axis=1) if unlabelled.ndim > 1 else unlabelled
    else:
        unlabelled = parse_table(X).is_context
    if unlabelled.all():
        raise ValueError(
            f"None of the {len(unlabelled)} rows has a label, so that there is nothing "
            "to score. Give rows of which some have one."
        )
    y_true = read_labels(y_true, unlabelled)[~unlabelled]
    if y_true.dtype == object and all(isinstance(label, str) for label in y_true.flat):
        y_true = y_true.astype(str)
    arrays = [_as_rows(part) for part in others]
    return y_true, *(None if a is None else a[~unlabelled] for a in arrays)


def _as_rows(part):
    """Take what can be indexed by a mask: a frame as it is, anything else as array."""
    return part if part is None or hasattr(part, "iloc") else np.asarray(part)
