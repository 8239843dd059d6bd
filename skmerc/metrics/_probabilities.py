"""Scores of probabilities, also where a class is absent from what is scored."""

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score


def with_classes(y_prob, classes):
    """Put the columns of probabilities in the order of the classes; return both.

    A frame names its columns, but for the numbers that pandas gives of itself. Without
    names and `classes` these are None.

    Raises
    ------
    ValueError
        If the columns have other names than `classes`, or one class has two.
    """
    columns = getattr(y_prob, "columns", None)
    if isinstance(columns, pd.RangeIndex) and columns.step == 1:
        columns = None
    for names in (columns, classes):
        _refuse_twice(names)
    if columns is None:
        return y_prob, classes
    if classes is None:
        return y_prob, list(columns)
    place = {str(name): number for number, name in enumerate(columns)}
    if {str(label) for label in classes} != set(place):
        raise ValueError(
            f"y_prob names its columns {list(columns)}, and classes are "
            f"{list(classes)}. Leave classes out, or give an array whose columns are "
            "in their order."
        )
    order = [place[str(label)] for label in classes]
    return np.asarray(y_prob)[:, order], classes


def _refuse_twice(names):
    twice = [] if names is None else pd.Index(names)[pd.Index(names).duplicated()]
    if len(twice):
        raise ValueError(
            f"The classes of y_prob are {list(names)}, and {twice[0]!r} is there "
            "twice. Give one column for each class."
        )


def mean_log_loss(y_true, y_prob, *, labels=None, sample_weight=None):
    """Mean negative logarithm of the probability of what is true.

    `y_true` holds classes or an indicator matrix, `y_prob` a column for each of the
    `labels`, or of two classes the probability of the second.
    """
    if y_true.ndim == 2:
        smallest = np.finfo(y_prob.dtype).eps
        p = np.clip(y_prob, smallest, 1 - smallest)
        loss = -np.where(y_true == 1, np.log(p), np.log(1 - p)).mean(axis=1)
        return float(np.average(loss, weights=sample_weight))
    if len(labels) == 1:  # which scikit-learn refuses, and which is certain
        return 0.0
    return float(log_loss(y_true, y_prob, labels=labels, sample_weight=sample_weight))


def mean_roc_auc(y_true, y_prob, *, labels=None, sample_weight=None):
    """Mean area under the curves of each class against all others.

    Classes of which there is no row, or nothing else, have no curve and do not count;
    it is an error if none has one. The arguments are those of :func:`mean_log_loss`.
    """
    rows = slice(None) if sample_weight is None else np.asarray(sample_weight) > 0
    weight = None if sample_weight is None else np.asarray(sample_weight)[rows]
    if y_prob.ndim == 1:
        labels, y_prob = labels[1:], y_prob[:, np.newaxis]
    is_true = y_true == 1 if y_true.ndim == 2 else y_true[:, np.newaxis] == labels
    is_true, y_prob = is_true[rows], y_prob[rows]
    curved = is_true.any(axis=0) & ~is_true.all(axis=0)
    if not curved.any():
        raise ValueError(
            "The area under a curve needs rows of two classes at least. Score more "
            "rows, or take folds in which more than one class occurs."
        )
    return float(
        np.mean(
            [
                roc_auc_score(is_true[:, k], y_prob[:, k], sample_weight=weight)
                for k in np.flatnonzero(curved)
            ]
        )
    )
