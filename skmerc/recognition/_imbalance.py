"""Class weights in training, boosting on embeddings, and priors in answers."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from skmerc.ensemble import FocalAdaBoostClassifier

SMALLEST = 1e-12
"""Share below which a class counts as absent."""


def class_factor(class_weight, classes, target, weight):
    """Compute the factor on each row's loss that a class weight asks for.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        As in scikit-learn.
    classes : ndarray of shape (n_classes,)
        The classes.
    target : ndarray of shape (n_rows,)
        Index of each row's class.
    weight : ndarray of shape (n_rows,)
        Weight of each row; 0 where nothing is learned.

    Returns
    -------
    ndarray of shape (n_rows,)
        The factor.

    Raises
    ------
    ValueError
        If the dict names an unknown class.
    """
    if class_weight is None:
        return np.ones(len(target))
    if class_weight == "balanced":
        mass = np.bincount(target, weight, minlength=len(classes))
        even = mass.sum() / (mass > 0).sum()
        return (even / np.where(mass > 0, mass, even))[target]
    known = _check_names("class_weight", class_weight, classes)
    return np.array([class_weight.get(label, 1.0) for label in known])[target]


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
        known = _check_names("prior", prior, classes)
        wanted = np.array([prior.get(label, 0.0) for label in known])
    elif prior == "uniform":
        wanted = np.ones(len(classes))
    if not wanted.sum() > 0 or (wanted < 0).any():
        raise ValueError(
            f"prior={prior!r} gives no positive share to any of the classes "
            f"{classes.tolist()}."
        )
    wanted = np.maximum(wanted / wanted.sum(), SMALLEST)
    return np.log(wanted / np.maximum(trained, SMALLEST))


def _check_names(parameter, given, classes):
    """Refuse names of unknown classes; return the classes as a list."""
    known = classes.tolist()
    unknown = [label for label in given if label not in known]
    if unknown:
        raise ValueError(
            f"{parameter} names {unknown[0]!r}, which is not among the classes {known}."
        )
    return known
