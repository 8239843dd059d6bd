"""Checks of the two tables that the comparisons of samples take."""

from numbers import Integral, Real

import numpy as np

from skmerc._utils.compat import Interval
from skmerc.frame import drop_keys

TABLES = {"real": ["array-like"], "synthetic": ["array-like"]}
COUNT = [Interval(Integral, 1, None, closed="left")]
FOLDS = [Interval(Integral, 2, None, closed="left")]
FRACTION = [Interval(Real, 0, 1, closed="both")]


def check_tables(real, synthetic):
    """Return the features of two tables in double precision, without keys.

    Refuse what is empty, holds NaN or infinity or is not two-dimensional, and features
    that differ.
    """
    arrays = _check_table(real, "real"), _check_table(synthetic, "synthetic")
    n_features = [array.shape[1] for array in arrays]
    if n_features[0] != n_features[1]:
        raise ValueError(
            f"real has {n_features[0]} features and synthetic {n_features[1]}: compare "
            "tables of the same features."
        )
    if hasattr(real, "columns") and hasattr(synthetic, "columns"):
        _check_columns(drop_keys(real).columns, drop_keys(synthetic).columns)
    return arrays


def _check_columns(real, synthetic):
    for position, (one, other) in enumerate(zip(real, synthetic, strict=True)):
        if one != other:
            raise ValueError(
                f"Feature {position} is {one!r} in real and {other!r} in synthetic: "
                "bring the columns into the same order."
            )


def _check_table(X, name):
    array = np.asarray(drop_keys(X) if hasattr(X, "columns") else X, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"{name} has shape {array.shape}; at least one row and one feature are "
            "needed, as (n_rows, n_features)."
        )
    bad = ~np.isfinite(array)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"{name} holds NaN or infinity in {bad.any(axis=1).sum()} of {len(array)} "
            f"rows, first in row {row}, feature {column}. Leave out rows with a "
            "missing modality, or compare the modalities one by one."
        )
    return array


def check_rows(real, synthetic, needed, reason):
    """Refuse tables with fewer rows than are needed for a reason."""
    for name, array in (("real", real), ("synthetic", synthetic)):
        if len(array) < needed:
            raise ValueError(
                f"{name} has {len(array)} rows; at least {needed} are needed for "
                f"{reason}."
            )
