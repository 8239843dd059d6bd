"""Standardisation fitted on the training rows, and missing cells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skmerc._utils.registry import storable
from skmerc._utils.warnings import warn_user
from skmerc.exceptions import (
    ConstantFeatureWarning,
    PartialMissingWarning,
    UnseenModalityWarning,
)
from skmerc.frame._columns import SYNTHETIC
from skmerc.frame._conversations import Conversations, block_of, chunks
from skmerc.nn.standardize import Standardize

_RESOLUTION = 1e-6
"""Share of its mean by which a column must vary for float32 to tell values apart."""
_REST = 1e-12
"""Share of the largest deviation of a modality below which one is rounding."""
_TINY = float(np.finfo(np.float32).tiny)


@storable
@dataclass(frozen=True)
class Moments:
    """What is known of each column, to which more rows can be added.

    The scaler of scikit-learn forgets a column for good that has no value in its first
    rows, such as those of a modality that one part of a table lacks.

    Attributes
    ----------
    weight, mean, squares : ndarray of shape (n_features,)
        Weight of the cells that are not NaN, their mean, and the sum of their squared
        deviations from it.
    """

    weight: np.ndarray
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(
        cls, features: np.ndarray, rows: np.ndarray, weight: np.ndarray
    ) -> "Moments":
        """Look at some rows, chunk by chunk; `weight` is that of each of them."""
        total = cls(*np.zeros((3, features.shape[1])))
        for chunk in chunks(len(rows)):
            values = features[rows[chunk]].astype(np.float64)
            total += cls._of_values(values, weight[chunk, None])
        return total

    @classmethod
    def _of_values(cls, values: np.ndarray, weight: np.ndarray) -> "Moments":
        unknown = np.isnan(values)
        weight = np.where(unknown, 0, weight)
        values[unknown] = 0
        total = weight.sum(axis=0)
        mean = (values * weight).sum(axis=0) / np.where(total > 0, total, 1)
        values -= mean
        values *= values
        return cls(total, mean, (values * weight).sum(axis=0))

    def __add__(self, other: "Moments") -> "Moments":
        """Moments of both sets of rows together (Chan, Golub & LeVeque 1983)."""
        weight, apart = self.weight + other.weight, other.mean - self.mean
        share = other.weight / np.where(weight > 0, weight, 1)
        squares = self.squares + other.squares + self.weight * share * apart**2
        return Moments(weight, self.mean + share * apart, squares)

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation of each column."""
        return np.sqrt(self.squares / np.where(self.weight > 0, self.weight, 1))

    def least(self, blocks: Iterable) -> np.ndarray:
        """Deviation from which on a column varies.

        Near float32's resolution it is constant, whatever rounding left behind; beside
        a large mean that rest is not blown up to the clip either. Nor is what rounding
        left of 0, which only the other columns of a modality tell from small units.
        """
        rest = np.full(len(self.mean), _TINY)
        for where in blocks:
            largest = self.deviation[where].max(initial=0)
            rest[where] = max(_REST * min(largest, 1.0), _TINY)
        return _RESOLUTION * np.abs(self.mean) + rest

    @property
    def nearly_constant(self) -> np.ndarray:
        """Whether a column is read as constant beside its mean, and not for rounding.

        Numbers near 0 throughout, as sentence models have some, are no matter.
        """
        mean, deviation = np.abs(self.mean), self.deviation
        return (deviation > 1e-12 * mean) & (deviation <= _RESOLUTION * mean)

    def standardize(
        self, active: bool = True, blocks: Iterable = (slice(None),)
    ) -> Standardize:
        """Make the layer that brings the columns to mean 0 and deviation 1.

        `blocks` says which columns each modality has.
        """
        least = self.least(blocks)
        constant = np.maximum(least, 1.0)
        deviation = self.deviation
        varied = deviation > least
        scale = np.where(varied, deviation, constant)
        layer = Standardize(self.mean, scale, active, self.weight > 0, varied)
        return layer.eval()


def fit_standardize(
    features: np.ndarray,
    rows: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    active: bool = True,
    blocks: Iterable = (slice(None),),
) -> Standardize:
    """Fit a :class:`Standardize` on the given rows, chunk by chunk.

    Constant columns are read as their mean; columns without any value have mean 0 and
    scale 1. `blocks` says which columns each modality has.
    """
    weight = np.ones(len(rows)) if weight is None else weight
    rows, weight = rows[weight > 0], weight[weight > 0]
    return Moments.of(features, rows, weight).standardize(active, blocks)


def fit_standardize_on_real(
    conversations: Conversations,
    rows: np.ndarray,
    weight: np.ndarray,
    *,
    active: bool = True,
    names: Sequence[str] | None = None,
) -> Standardize:
    """Fit on the real ones among `rows`, or on all where all are synthetic.

    `weight` is that of every row of the table, `names` are those of feature columns.
    """
    real = rows[conversations.role[rows] != SYNTHETIC]
    rows = real if len(real) else rows
    moments = Moments.of(conversations.features, rows, weight[rows])
    warn_of_nearly_constant(moments, conversations, names)
    return moments.standardize(active, conversations.blocks.values())


def warn_of_nearly_constant(
    moments: Moments,
    conversations: Conversations,
    names: Sequence[str] | None = None,
) -> None:
    """Tell of columns that vary, and are read as constant all the same."""
    columns = np.flatnonzero(moments.nearly_constant)
    if not len(columns):
        return
    column = int(columns[0])
    warn_user(
        f"{len(columns)} columns vary by less than a millionth of their mean, and are "
        f"read as constant: the first is {_named(column, conversations, names)}, mean "
        f"{moments.mean[column]:.4g}, standard deviation "
        f"{moments.deviation[column]:.4g}. Networks compute in float32, where that may "
        "be rounding: subtract the column's mean, or leave the column out.",
        ConstantFeatureWarning,
    )


def check_partial_missing(
    conversations: Conversations,
    policy: str,
    names: Sequence[str] | None = None,
    *,
    warn: bool = True,
) -> None:
    """Refuse or report cells that are NaN in a modality that is there.

    The policy ``"mean"`` fills them with the training mean, with a warning of the
    counts per block; ``"error"`` refuses them. `names` are those of feature columns.
    """
    counts = {}
    for name, where in conversations.blocks.items():
        counts[name] = 0
        for rows in chunks(len(conversations)):
            missing = np.isnan(conversations.features[rows, where])
            partial = missing & ~missing.all(axis=1, keepdims=True)
            if partial.any() and policy == "error":
                _refuse(conversations, where, rows.start, partial, names)
            counts[name] += int(partial.sum())
    if any(counts.values()) and warn:
        found = ", ".join(f"{name}: {count}" for name, count in counts.items() if count)
        warn_user(
            f"Missing cells inside modalities that are there ({found}) are filled "
            "with the training mean; set partial_nan='error' to refuse them, or set "
            "a modality's columns to NaN throughout where it is missing.",
            PartialMissingWarning,
        )


def warn_of_values_never_seen(
    conversations: Conversations,
    standardize: Standardize,
    names: Sequence[str] | None = None,
) -> None:
    """Tell that X has values in columns where no training row had one."""
    unseen = np.flatnonzero(~standardize.seen.cpu().numpy())
    if not len(unseen):
        return
    for rows in chunks(len(conversations)):
        there = ~np.isnan(conversations.features[rows][:, unseen])
        if there.any():
            row, which = (int(i) for i in np.argwhere(there)[0])
            column = _named(int(unseen[which]), conversations, names)
            warn_of_value_never_seen(row + rows.start, column)
            return


def warn_of_value_never_seen(row: int, column: str) -> None:
    """Tell of the first value in a column where no training row had one."""
    warn_user(
        f"X has a value in row {row}, {column}, and no training row had one there. "
        "Such values are not read.",
        UnseenModalityWarning,
    )


def _refuse(
    conversations: Conversations,
    where: Any,
    start: int,
    partial: np.ndarray,
    names: Sequence[str] | None,
) -> None:
    row, inside = (int(i) for i in np.argwhere(partial)[0])
    row += start
    number = int(np.arange(conversations.features.shape[1])[where][inside])
    column = _named(number, conversations, names)
    raise ValueError(
        f"X is NaN in row {row}, {column}, whose other columns are there. Mend it, set "
        "the whole block to NaN in that row, or use partial_nan='mean'."
    )


def _named(
    column: int, conversations: Conversations, names: Sequence[str] | None
) -> str:
    """Say which column it is, and of which block."""
    name = column if names is None else names[column]
    return f"column {name!r} of block {block_of(column, conversations.blocks)!r}"
