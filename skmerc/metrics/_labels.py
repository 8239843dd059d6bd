"""Checks of labels, true and answered."""

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype
from sklearn.utils.multiclass import check_classification_targets

from skmerc.frame._numbers import has_masked
from skmerc.frame._per_row import one_column
from skmerc.metrics._rows import rows_with_labels

_NO_GAPS = "biuU"


def check_labels(y_true, y_pred, sample_weight=None, X=None):
    """Return labels, answers and weights of the rows that have a label, as arrays.

    Labels keep their kind, also those of types of pandas: they name the classes.
    """
    rows = np.arange(len(y_true))
    y_true, y_pred, sample_weight, rows = rows_with_labels(
        X,
        read_column(y_true, "y_true"),
        read_column(y_pred, "y_pred"),
        sample_weight,
        rows,
    )
    missing = np.flatnonzero(pd.isna(y_pred))
    if len(missing):
        raise ValueError(
            f"y_pred has no label in row {rows[missing[0]]}; score the other rows."
        )
    y_true, y_pred = as_targets(y_true), as_targets(y_pred)
    refuse_no_rows(y_true)
    refuse_text_beside_numbers(y_true, y_pred, "y_pred")
    return y_true, y_pred, sample_weight


def read_column(labels, name):
    """Read labels as an array: of objects, unless none can be missing in it."""
    if (
        isinstance(labels, np.ndarray)
        and labels.ndim == 1
        and labels.dtype.kind in _NO_GAPS
        and not has_masked(labels)
    ):
        return labels
    return one_column(labels, name).to_numpy(dtype=object)


def as_targets(labels):
    """Give objects their own type, whole numbers that of whole numbers."""
    if labels.dtype == object:
        labels = pd.Series(labels).infer_objects().to_numpy()
    if labels.dtype == object and infer_dtype(labels) == "string":
        labels = labels.astype(str)  # which numpy sorts much faster
    check_classification_targets(labels)
    return labels


def refuse_no_rows(y_true):
    """Refuse labels where there are none."""
    if len(y_true) == 0:
        raise ValueError("y_true holds no row, so that there is nothing to score.")


def refuse_text_beside_numbers(y_true, others, name):
    """Refuse labels that are text where those of the same name are numbers."""
    true, other = (np.asarray(y[:1]).tolist()[0] for y in (y_true, others))
    if isinstance(true, str) != isinstance(other, str):
        raise ValueError(
            f"y_true holds {true!r} and {name} {other!r}: of labels that are text in "
            "one and numbers in the other none would be right. Write them alike, such "
            "as y_true.astype(str)."
        )
