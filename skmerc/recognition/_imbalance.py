"""Class weights in training, boosting on embeddings, and priors in answers."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from skmerc.ensemble import FocalAdaBoostClassifier
from skmerc.frame._labels import by_class

_BETA = 0.999  # one of the four values that Cui et al. try
_STRENGTHS = 100.0, 400.0, 1600.0, 6400.0
"""Penalties of a boosting head to choose from, the largest first.

Inverse ones, relative to the variance of embeddings, so that neither their scale nor
the number of rows matters.
"""
_STRENGTH = 1600.0
_LEARNING_RATE = 0.3
SMALLEST = 1e-12
"""Share below which a class counts as absent."""


def class_factor(
    class_weight: Any, classes: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    r"""Compute the factor on the loss of each class that a class weight asks for.

    By the effective number of utterances (Cui et al. 2019 [1]_) it is

    .. math:: w_c \propto \frac{1 - \beta}{1 - \beta^{n_c}}

    with a mean of 1 over the classes that are there, as in its paper.

    Parameters
    ----------
    class_weight : dict, "balanced", "sqrt", "effective", tuple or None
        As in scikit-learn, the square root of "balanced", or by the effective number,
        with a beta of 0.999 or with that of ``("effective", beta)``.
    classes : ndarray of shape (n_classes,)
        The classes.
    weight : ndarray of shape (n_classes,)
        Weight of what is learned of each class.

    Returns
    -------
    ndarray of shape (n_classes,)
        The factors.

    Raises
    ------
    ValueError
        If the dict names an unknown class and leaves a known one out, or holds what is
        no number from 0 to 1e30, or a tuple is none of "effective" and a beta
        from 0 to below 1.

    References
    ----------
    .. [1] Y. Cui, M. Jia, T.-Y. Lin, Y. Song, S. Belongie, "Class-balanced loss based
       on effective number of samples", CVPR 2019.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if class_weight in ("balanced", "sqrt"):
        even = weight.sum() / (weight > 0).sum()
        factor = even / np.where(weight > 0, weight, even)
        return np.sqrt(factor) if class_weight == "sqrt" else factor
    if class_weight == "effective":
        class_weight = "effective", _BETA
    if isinstance(class_weight, tuple):
        return _effective_factor(_beta_of(class_weight), weight)
    given = by_class("class_weight", class_weight, classes)
    return np.array([given.get(label, 1.0) for label in classes.tolist()])


def _beta_of(class_weight: tuple) -> float:
    name, beta = class_weight if len(class_weight) == 2 else (None, None)
    if name != "effective" or not isinstance(beta, Real) or not 0 <= float(beta) < 1:
        raise ValueError(
            f"class_weight={class_weight!r} is no pair of 'effective' and a beta from "
            f"0 to below 1, such as ('effective', {_BETA})."
        )
    return float(beta)


def _effective_factor(beta: float, weight: np.ndarray) -> np.ndarray:
    there = weight > 0
    factor = np.ones(len(weight))
    with np.errstate(divide="ignore"):  # of a beta of 0
        log_beta = np.log(beta)
    # A difference from 1 would be 0 for weights as small as those that add up to 1.
    factor[there] = (1 - beta) / -np.expm1(weight[there] * log_beta)
    factor[there] /= factor[there].mean()
    return factor


def boost(
    learned: tuple, left_out: tuple | None, random_state: int
) -> FocalAdaBoostClassifier:
    """Boost ten logistic regressions on embeddings, with a penalty that holds.

    A network has fitted the embeddings of its training rows to their classes, so that
    they call for no penalty. Left-out rows choose it by the weighted F1.

    Parameters
    ----------
    learned : tuple of arrays
        Embeddings (n, size), classes and weights of the rows that a network learned.
    left_out : tuple of arrays or None
        Those of rows that it did not learn; without any, the penalty is a fixed one.
    random_state : int
        Seed of the head.

    Returns
    -------
    FocalAdaBoostClassifier
        The fitted head.
    """
    x, y, weight = learned
    mean = np.average(x, axis=0, weights=weight)
    spread = np.average((x - mean) ** 2, axis=0, weights=weight).sum()

    def fit(strength: float) -> FocalAdaBoostClassifier:
        # The weights that boosting hands on sum to one, whatever the number of rows.
        c = strength / max(spread, SMALLEST)
        # A logistic regression refuses to learn one class alone.
        weak = LogisticRegression(C=c, tol=1e-6, max_iter=1000) if np.ptp(y) else None
        head = FocalAdaBoostClassifier(
            weak, learning_rate=_LEARNING_RATE, random_state=random_state
        )
        return head.fit(x, y, sample_weight=weight)

    if left_out is None:
        return fit(_STRENGTH)

    def score(head: FocalAdaBoostClassifier) -> float:
        x, y, weight = left_out
        answers = head.predict(x)
        return f1_score(
            y, answers, average="weighted", sample_weight=weight, zero_division=0.0
        )

    return max(map(fit, _STRENGTHS), key=score)


def prior_shift(
    prior: dict | str, classes: np.ndarray, real: np.ndarray, trained: np.ndarray
) -> np.ndarray:
    """Compute the logit adjustment from the trained prior to the wanted one.

    Parameters
    ----------
    prior : {"train", "uniform"} or dict
        The wanted shares.
    classes : ndarray of shape (n_classes,)
        The classes.
    real, trained : ndarray of shape (n_classes,)
        Shares of the classes among real training rows, and in what was learned. A
        class that was not learned gains nothing.

    Returns
    -------
    ndarray of shape (n_classes,)
        What to add to log-probabilities (Menon et al. 2021).

    Raises
    ------
    ValueError
        If no class gets a positive share, or one is named that is unknown while a known
        one is left out.
    """
    wanted = real
    if isinstance(prior, dict):
        given = by_class("prior", prior, classes)
        wanted = np.array([given.get(label, 0.0) for label in classes.tolist()])
    elif prior == "uniform":
        wanted = np.ones(len(classes))
    if not wanted.sum() > 0:
        raise ValueError(
            f"prior={prior!r} gives no positive share to any of the classes "
            f"{classes.tolist()}."
        )
    wanted = np.maximum(wanted / wanted.sum(), SMALLEST)
    # What was never learned has no share that could be corrected.
    return np.log(wanted / np.where(trained > 0, trained, 1.0))
