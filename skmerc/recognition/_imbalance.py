"""Class weights in training, boosting on embeddings, and priors in answers."""

from numbers import Real

import numpy as np
from sklearn.linear_model import LogisticRegression

from skmerc.ensemble import FocalAdaBoostClassifier

_MOST = 1e30
SMALLEST = 1e-12
"""Share below which a class counts as absent."""


def class_factor(class_weight, classes, mass):
    """Compute the factor on the loss of each class that a class weight asks for.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        As in scikit-learn.
    classes : ndarray of shape (n_classes,)
        The classes.
    mass : ndarray of shape (n_classes,)
        Weight of what is learned of each class.

    Returns
    -------
    ndarray of shape (n_classes,)
        The factors.

    Raises
    ------
    ValueError
        If the dict names an unknown class, or gives it no number from 0 to 1e30.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if class_weight == "balanced":
        even = mass.sum() / (mass > 0).sum()
        return even / np.where(mass > 0, mass, even)
    known = _check_given("class_weight", class_weight, classes)
    return np.array([class_weight.get(label, 1.0) for label in known])


def boosting_head(mass):
    """Boost ten logistic regressions on rows whose weights sum to `mass`."""
    # Boosting hands on weights that sum to one; this C undoes that.
    weak = LogisticRegression(C=mass, tol=1e-6, max_iter=1000)
    return FocalAdaBoostClassifier(weak, n_estimators=10)


def prior_shift(prior, classes, real, trained):
    """Compute the logit adjustment from the trained prior to the wanted one.

    Parameters
    ----------
    prior : {"train", "uniform"} or dict
        The wanted shares.
    classes : ndarray of shape (n_classes,)
        The classes.
    real, trained : ndarray of shape (n_classes,)
        Shares of the classes among real training rows, and in the loss.

    Returns
    -------
    ndarray of shape (n_classes,)
        What to add to log-probabilities (Menon et al. 2021).

    Raises
    ------
    ValueError
        If no class gets a positive share, or one is named that is unknown.
    """
    wanted = real
    if isinstance(prior, dict):
        known = _check_given("prior", prior, classes)
        wanted = np.array([prior.get(label, 0.0) for label in known])
    elif prior == "uniform":
        wanted = np.ones(len(classes))
    if not wanted.sum() > 0:
        raise ValueError(
            f"prior={prior!r} gives no positive share to any of the classes "
            f"{classes.tolist()}."
        )
    wanted = np.maximum(wanted / wanted.sum(), SMALLEST)
    return np.log(wanted / np.maximum(trained, SMALLEST))


def _check_given(parameter, given, classes):
    """Refuse unknown classes and what is no share; return the classes as a list."""
    known = classes.tolist()
    for label, value in given.items():
        if label not in known:
            raise ValueError(
                f"{parameter} names {label!r}, which is not among the classes {known}."
            )
        if not isinstance(value, Real) or not 0 <= value <= _MOST:
            raise ValueError(
                f"{parameter} gives {value!r} to {label!r}; give a number from 0 to "
                f"{_MOST}."
            )
    return known
