"""Whether probabilities can be taken at their word."""

from numbers import Integral

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skmerc._utils.compat import Interval, validate_params
from skmerc._utils.types import Table
from skmerc.metrics._labels import (
    read_column,
    refuse_no_rows,
    refuse_text_beside_numbers,
)
from skmerc.metrics._probabilities import with_classes
from skmerc.metrics._rows import rows_with_labels

_ANSWERS = {
    "y_true": ["array-like"],
    "y_prob": "no_validation",
    "classes": ["array-like", None],
    "X": "no_validation",
}


@validate_params(
    {**_ANSWERS, "n_bins": [Interval(Integral, 1, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def expected_calibration_error(
    y_true: ArrayLike,
    y_prob: Table,
    *,
    classes: ArrayLike | None = None,
    X: Table | None = None,
    n_bins: int = 10,
) -> float:
    r"""Mean distance between how sure a model is and how often it is right.

    Answers are sorted into bins :math:`B_m` by their confidence, the probability of
    the most probable class [1]_:

    .. math:: \sum_m \frac{|B_m|}{n} \, |\mathrm{accuracy}(B_m) -
              \mathrm{confidence}(B_m)|

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels. Rows without one (None, NaN or ``pandas.NA``) are left out.
    y_prob : array-like of shape (n_samples, n_classes)
        Probabilities, whose rows sum to 1; a DataFrame names the classes, unless its
        columns have the numbers that pandas gives them.
    classes : array-like of shape (n_classes,), default=None
        The classes in the order of the columns, ``model.classes_``. By default the
        names of the columns, and without names what occurs in `y_true`, sorted.
    X : DataFrame or array-like of shape (n_samples, n_columns), default=None
        The table of utterances, whose context rows are left out, whatever stands in
        `y_true`.
    n_bins : int, default=10
        Number of bins of equal width between 0 and 1.

    Returns
    -------
    float
        Between 0, where confidence can be taken at its word, and 1.

    Raises
    ------
    ValueError
        If no row has a label, `y_prob` holds no probabilities of these classes, or
        several labels occur and none is a class.

    See Also
    --------
    brier_score : Errs with what is wrong, and not only with what is too sure.
    skmerc.plotting.ReliabilityDisplay : Draws the bins.

    Notes
    -----
    A model that always answers the most frequent class with its share has 0 and knows
    nothing. Of few rows the error comes out too large, since bins with a handful of
    answers are off by chance: take fewer bins.

    References
    ----------
    .. [1] Guo, C. et al. (2017). "On calibration of modern neural networks". ICML.

    Examples
    --------
    >>> from skmerc.metrics import expected_calibration_error
    >>> y_prob = [[0.8, 0.2], [0.8, 0.2]]  # twice 0.8 for fear, and right once
    >>> round(expected_calibration_error(["fear", "joy"], y_prob), 3)
    0.3
    """
    bins = confidence_bins(y_true, y_prob, classes=classes, X=X, n_bins=n_bins)
    return calibration_error(bins)


@validate_params(_ANSWERS, prefer_skip_nested_validation=True)
def brier_score(
    y_true: ArrayLike,
    y_prob: Table,
    *,
    classes: ArrayLike | None = None,
    X: Table | None = None,
) -> float:
    r"""Mean squared distance of probabilities to what is true.

    With :math:`y_{ik}` 1 for the true class of row i and 0 for others it is
    :math:`\frac1n \sum_i \sum_k (p_{ik} - y_{ik})^2`, as Brier defined it [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels. Rows without one (None, NaN or ``pandas.NA``) are left out.
    y_prob : array-like of shape (n_samples, n_classes)
        Probabilities, whose rows sum to 1; a DataFrame names the classes.
    classes : array-like of shape (n_classes,), default=None
        The classes in the order of the columns, as in
        :func:`expected_calibration_error`. A label beside them has probability 0.
    X : DataFrame or array-like of shape (n_samples, n_columns), default=None
        The table of utterances, whose context rows are left out.

    Returns
    -------
    float
        Between 0 and 2, the lower the better. Of two classes it is twice what
        :func:`sklearn.metrics.brier_score_loss` says by default.

    Raises
    ------
    ValueError
        If no row has a label, `y_prob` holds no probabilities of these classes, or
        several labels occur and none is a class.

    References
    ----------
    .. [1] Brier, G. W. (1950). "Verification of forecasts expressed in terms of
       probability". Monthly Weather Review 78.

    Examples
    --------
    >>> from skmerc.metrics import brier_score
    >>> y_prob = [[0.8, 0.2], [0.8, 0.2]]
    >>> round(brier_score(["fear", "joy"], y_prob), 3)  # of 0.08 and 1.28
    0.68
    """
    is_true, p = _read(y_true, y_prob, classes, X)
    return float(((p - is_true) ** 2).to_numpy().sum(axis=1).mean())


def confidence_bins(y_true, y_prob, *, classes=None, X=None, n_bins=10):
    """Sort answers into bins by their confidence, as a table of the bins."""
    is_true, p = _read(y_true, y_prob, classes, X)
    answer = p.to_numpy().argmax(axis=1)
    rows = np.arange(len(p))
    return _bins(p.to_numpy()[rows, answer], is_true.to_numpy()[rows, answer], n_bins)


def calibration_error(bins):
    """Mean distance of confidence and accuracy over the answers in bins."""
    found = bins[bins["count"] > 0]
    gaps = (found["accuracy"] - found["confidence"]).abs()
    return float(np.average(gaps, weights=found["count"]))


def class_errors(y_true, y_prob, *, classes=None, X=None, n_bins=10):
    """Brier score and calibration error of each class against the others."""
    is_true, p = _read(y_true, y_prob, classes, X)
    return pd.DataFrame(
        {
            "brier": ((p - is_true) ** 2).mean(),
            "ece": {
                name: calibration_error(
                    _bins(p[name].to_numpy(), is_true[name].to_numpy(), n_bins)
                )
                for name in p
            },
        }
    )


def _bins(confidence, right, n_bins):
    edges = np.linspace(0, 1, n_bins + 1)
    # Both ends of the last bin belong to it.
    number = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    count = np.bincount(number, minlength=n_bins)
    sums = {
        "confidence": np.bincount(number, confidence, n_bins),
        "accuracy": np.bincount(number, right, n_bins),
    }
    means = {
        name: np.divide(total, count, np.full(n_bins, np.nan), where=count > 0)
        for name, total in sums.items()
    }
    ends = {"low": edges[:-1], "high": edges[1:]}
    return pd.DataFrame({**ends, **means, "count": count})


def _read(y_true, y_prob, classes, X):
    """Indicators and probabilities of the rows with labels, a column for each class."""
    y_true, y_prob = rows_with_labels(X, read_column(y_true, "y_true"), y_prob)
    refuse_no_rows(y_true)
    y_prob, classes = with_classes(y_prob, classes)
    values = np.asarray(y_prob, dtype=np.float64)
    if classes is None:
        classes = np.unique(y_true)
    if values.ndim != 2 or values.shape[1] != len(classes):
        raise ValueError(
            f"y_prob is of shape {values.shape}, and the {len(classes)} classes are "
            f"{list(classes)}; give a column for each class, and "
            "classes=model.classes_ where the rows do not hold all of them."
        )
    _refuse_other_classes(y_true, classes)
    _refuse_no_probabilities(values)
    p = pd.DataFrame(values, columns=pd.Index(list(classes), dtype=object))
    new = pd.Index(np.unique(y_true).tolist(), dtype=object).difference(p.columns)
    p = p.reindex(columns=[*p.columns, *new], fill_value=0.0)
    labels = np.asarray(y_true, dtype=object)[:, np.newaxis]
    is_true = labels == p.columns.to_numpy(object)
    return pd.DataFrame(is_true.astype(float), columns=p.columns), p


def _refuse_other_classes(y_true, classes):
    """Refuse labels of which none is a class, but for one that the model never saw."""
    refuse_text_beside_numbers(y_true, classes, "the classes of y_prob")
    found = np.unique(y_true).tolist()
    if len(found) > 1 and not set(found) & set(classes):
        raise ValueError(
            f"y_true holds {found}, of which none is among the classes of y_prob, "
            f"{list(classes)}. Give classes=model.classes_, and labels as the model "
            "writes them."
        )


def _refuse_no_probabilities(values):
    total = values.sum(axis=1)
    bad = ~np.isfinite(total) | (np.abs(total - 1) > 1e-2) | (values < 0).any(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"y_prob holds no probabilities in {bad.sum()} rows, first in row {row} of "
            f"those with a label: {values[row].tolist()}. Give what predict_proba "
            "returns; each row sums to 1."
        )
