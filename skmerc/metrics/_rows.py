"""Rows that have a label, of labels and what belongs to them."""

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from skmerc.frame._columns import as_pandas, parse_table
from skmerc.frame._labels import read_labels


def rows_with_labels(X, y_true, *others):
    """Leave rows out that have no label, which where X is given are its context rows.

    Each of `others` has a row for each of `y_true`, or is None. Where X is not given
    and no label is missing, everything stays as it is.
    """
    check_consistent_length(X, y_true, *others)
    if X is not None:
        kept = labelled_rows(X)
        y_true = read_labels(y_true, ~kept)[kept]
    else:
        missing = pd.isna(np.asarray(y_true))
        if missing.ndim != 1 or not missing.any():
            return y_true, *others
        kept = ~missing
        if not kept.any():
            raise ValueError(
                f"None of the {len(kept)} rows of y_true has a label, so that there is "
                "nothing to score."
            )
        y_true = pd.Series(np.asarray(y_true)[kept]).infer_objects().to_numpy()
    return y_true, *(None if part is None else _taken(part, kept) for part in others)


def labelled_rows(X):
    """Rows that can be scored, those that are not context: bool array (n_rows,)."""
    labelled = ~parse_table(X).is_context
    if not len(labelled):
        raise ValueError("X holds no row, so that there is nothing to score.")
    if not labelled.any():
        raise ValueError(
            f"All {len(labelled)} rows of X have role 'context', so that no labelled "
            "row is left to score. Score rows of which some have another role."
        )
    return labelled


def _taken(part, kept):
    """Take some rows of a frame, whose names count, or of an array."""
    part = as_pandas(part) if hasattr(part, "columns") else part
    return part[kept] if hasattr(part, "iloc") else np.asarray(part)[kept]
