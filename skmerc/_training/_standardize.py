"""Standardisation fitted on the training rows, and missing cells."""

import warnings

import numpy as np

from skmerc._columns import SYNTHETIC
from skmerc._conversations import block_of
from skmerc.exceptions import PartialMissingWarning
from skmerc.nn.standardize import Standardize

_CHUNK = 16384


def fit_standardize(features, rows, weight=None, *, active=True):
    """Fit a :class:`Standardize` on the given rows, chunk by chunk.

    Constant columns are shifted but not scaled; columns without any value have
    mean 0 and scale 1.
    """
    weight = np.ones(len(rows)) if weight is None else weight
    rows, weight = rows[weight > 0], weight[weight > 0]
    mean = _weighted_mean(features, rows, weight, lambda values: values)
    variance = _weighted_mean(features, rows, weight, lambda x: (x - mean) ** 2)
    deviation = np.sqrt(variance)
    # Near float32's resolution a column is constant, whatever rounding left behind;
    # beside a large mean that rest is not blown up to the clip either.
    least = 1e-6 * np.abs(mean) + 1e-12
    constant = np.maximum(least, 1.0)
    return Standardize(mean, np.where(deviation > least, deviation, constant), active)


def fit_standardize_on_real(conversations, rows, weight, *, active=True):
    """Fit on the real ones among `rows`, or on all where all are synthetic.

    `weight` is that of every row of the table.
    """
    real = rows[conversations.role[rows] != SYNTHETIC]
    rows = real if len(real) else rows
    return fit_standardize(conversations.features, rows, weight[rows], active=active)


def _weighted_mean(features, rows, weight, transform):
    total = np.zeros(features.shape[1])
    mass = np.zeros(features.shape[1])
    for start in range(0, len(rows), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        values = features[rows[chunk]].astype(np.float64)
        known = ~np.isnan(values)
        weighted = np.where(known, transform(values), 0) * weight[chunk, None]
        total += weighted.sum(axis=0)
        mass += (known * weight[chunk, None]).sum(axis=0)
    return total / np.where(mass > 0, mass, 1)


def check_partial_missing(conversations, policy, names=None, *, warn=True):
    """Refuse or report cells that are NaN in a modality that is there.

    Parameters
    ----------
    conversations : Conversations
        The table.
    policy : {"mean", "error"}
        Whether such cells are filled with the training mean, or refused.
    names : sequence of str, optional
        Names of the feature columns, for the message.
    warn : bool, default=True
        Whether to warn with the counts per block.
    """
    counts = {}
    for name, where in conversations.blocks.items():
        missing = np.isnan(conversations.features[:, where])
        partial = missing & ~missing.all(axis=1, keepdims=True)
        if partial.any() and policy == "error":
            _refuse(conversations, where, partial, names)
        if partial.any():
            counts[name] = int(partial.sum())
    if counts and warn:
        found = ", ".join(f"{name}: {count}" for name, count in counts.items())
        warnings.warn(
            f"Missing cells inside modalities that are there ({found}) are filled "
            "with the training mean; set partial_nan='error' to refuse them, or set "
            "a modality's columns to NaN throughout where it is missing.",
            PartialMissingWarning,
            stacklevel=3,
        )


def _refuse(conversations, where, partial, names):
    row, inside = (int(i) for i in np.argwhere(partial)[0])
    column = int(np.arange(conversations.features.shape[1])[where][inside])
    name = column if names is None else names[column]
    raise ValueError(
        f"X is NaN in row {row}, column {name!r} of block "
        f"{block_of(column, conversations.blocks)!r}, whose other columns are there. "
        "Mend it, set the whole block to NaN in that row, or use partial_nan='mean'."
    )
