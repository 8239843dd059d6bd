"""How held-out utterances are scored while a net trains."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_softmax
from sklearn.metrics import f1_score

from skmerc._training._readings import ReadClasses, ReadLabelSets, ReadValues

SMALLEST = 1e-12


class Measure(NamedTuple):
    """Scores of logits against targets, and which of them decides when to stop.

    The `reading` turns logits and targets into what users know; None where an answer
    is nothing that a scorer could read. `output` is what of a network's is scored, and
    `parts` are names of scores besides the loss and the one that decides.
    """

    score: Callable
    monitor: str = "valid_weighted_f1"
    lower_is_better: bool = False
    reading: object = ReadClasses()
    output: str = "logits"
    parts: tuple = ()

    def is_lower_better(self, name):
        """Whether a score that is written under a name is an error."""
        return self.lower_is_better or name == "valid_loss"

    def names(self, span):
        """Return what is written into the history, of `span` epochs the mean too."""
        names = {"valid_loss", self.monitor, f"{self.monitor}_mean", *self.parts}
        names -= {f"{self.monitor}_mean"} if span == 1 else set()
        return names | {f"{name}_best" for name in names}


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
    gap = logits.reshape(target.shape) - target
    loss = np.average(np.abs(gap), weights=weight)
    mae = np.average(unit * np.abs(gap), weights=weight)
    return {"valid_loss": float(loss), "valid_mae": float(mae)}


def values_in_units_of(unit, mean=0.0):
    """Mean absolute error of values that were divided by `unit`, from a mean on."""
    score, reading = partial(_score_values, unit=unit), ReadValues(mean, unit)
    return Measure(score, "valid_mae", lower_is_better=True, reading=reading)


CLASSES = Measure(_score_classes)
LABEL_SETS = Measure(_score_label_sets, reading=ReadLabelSets())
