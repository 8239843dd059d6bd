"""How held-out utterances are scored while a net trains."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_softmax
from sklearn.metrics import f1_score

SMALLEST = 1e-12


class Measure(NamedTuple):
    """Scores of logits against targets, and which of them decides when to stop."""

    score: Callable
    monitor: str = "valid_weighted_f1"
    lower_is_better: bool = False


def _score_classes(logits, target, weight):
    log_p = log_softmax(logits.astype(float), axis=1)
    loss = -np.average(log_p[np.arange(len(target)), target], weights=weight)
    return _scores(loss, target, logits.argmax(1), weight)


def _score_label_sets(logits, target, weight):
    p = expit(logits.astype(float)).clip(SMALLEST, 1 - SMALLEST)
    loss = -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean(axis=1)
    loss = np.average(loss, weights=weight)
    return _scores(loss, target > 0, logits > 0, weight)


def _scores(loss, target, answer, weight):
    score = f1_score(
        target, answer, average="weighted", sample_weight=weight, zero_division=0.0
    )
    return {"valid_loss": float(loss), "valid_weighted_f1": float(score)}


def _score_values(logits, target, weight, unit):
    error = unit * np.abs(logits.reshape(target.shape) - target)
    return {"valid_mae": float(np.average(error, weights=weight))}


def values_in_units_of(unit):
    """Mean absolute error of values that were divided by `unit`."""
    score = partial(_score_values, unit=unit)
    return Measure(score, "valid_mae", lower_is_better=True)


CLASSES = Measure(_score_classes)
LABEL_SETS = Measure(_score_label_sets)
