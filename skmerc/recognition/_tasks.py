"""What y says of utterances: classes, sets of labels, or values.

A task turns labels into what a network learns, and its logits into answers and scores.
It never changes; what it learns of the data makes another task.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit, log_softmax, softmax
from sklearn.metrics import f1_score

from skmerc._training import Measure, Moments
from skmerc._utils.registry import storable
from skmerc.frame._columns import FLOAT32_MAX
from skmerc.recognition._imbalance import SMALLEST, class_factor


class Task(Measure):
    """Base of the tasks.

    A subclass defines ``encode``, ``score`` and ``decode``, and how many numbers a
    network answers, ``n_outputs``. The rest has defaults for y without classes.
    """

    kind: str
    """How losses call it."""
    monitor = "valid_weighted_f1"
    """The score of held-out rows that decides when to stop."""
    lower_is_better = False

    @property
    def logit_shift(self) -> list[float] | None:
        """What is added to the logits of each class in training."""
        return None

    def encode(self, y: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        """Turn y into what the loss reads; rows that are not labelled hold anything."""
        raise NotImplementedError

    def stratify(self, target: np.ndarray) -> np.ndarray:
        """Tell what must not be held out altogether: one number for each row."""
        return np.zeros(len(target), int)

    def weigh(
        self,
        target: np.ndarray,
        weight: np.ndarray,
        real: np.ndarray,
        class_weight: dict | str | tuple | None,
        adjustment: float,
    ) -> tuple["Task", np.ndarray]:
        """Learn how often each class is there.

        Parameters
        ----------
        target : ndarray of shape (n_rows,)
            What was encoded.
        weight : ndarray of shape (n_rows,)
            Weight of each row in the loss, 0 where it is not learned from.
        real : ndarray of shape (n_rows,)
            Whether the row is labelled and not synthetic.
        class_weight : dict, str, tuple or None
            As in :func:`skmerc.recognition._imbalance.class_factor`.
        adjustment : float
            The tau of the logit adjustment.

        Returns
        -------
        task : Task
            The task that knows the data of this call, too.
        factor : ndarray of shape (n_rows,)
            The factor that the class weight puts on each row.
        """
        return self, np.ones(len(target))

    def validation_factor(self, target: np.ndarray) -> np.ndarray:
        """Factor on the score of each row, for which a logit adjustment asks."""
        return np.ones(len(target))

    def forget_counts(self) -> "Task":
        """Return the task without what it learned of classes, for a warm start."""
        return self

    def learn_scale(
        self, target: np.ndarray, rows: np.ndarray, weight: np.ndarray
    ) -> "Task":
        """Learn the scale of the targets, from some rows; return the task."""
        return self

    def scale(self, target: np.ndarray) -> np.ndarray:
        """Bring targets to the scale on which a network learns them."""
        return target

    def frequency(self, target: np.ndarray) -> np.ndarray:
        """Positive frequency of what each row is, for masks that follow it."""
        return np.ones(len(target))

    def score(
        self, logits: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> dict[str, float]:
        """Score logits against targets: a dict of what history tells."""
        raise NotImplementedError

    def is_constant(self, answers: np.ndarray) -> bool:
        """Whether all utterances get the same classes."""
        found = self.predict(answers)
        return bool((found == found[0]).all())

    def truth(self, target: np.ndarray) -> np.ndarray:
        """Turn targets back into what users know."""
        return target

    def predict(self, logits: np.ndarray) -> np.ndarray:
        """Turn logits into what users know."""
        raise NotImplementedError


@storable
@dataclass(frozen=True)
class Classes(Task):
    """One class of each utterance.

    Parameters
    ----------
    labels : ndarray of shape (n_classes,), default=None
        What the classes are called; by default numbers.
    given, trained, real : ndarray of shape (n_classes,), default=0
        Weight of the classes in what was learned from, before and after class
        weights, and how many utterances they have.
    adjustment : float, default=0.0
        The tau of the logit adjustment.
    """

    labels: Any = None
    given: Any = 0.0
    trained: Any = 0.0
    real: Any = 0.0
    adjustment: float = 0.0

    kind = "classes"

    @property
    def n_outputs(self) -> int:
        """Number of the classes."""
        return len(self.labels)

    def classes(self, logits: np.ndarray) -> np.ndarray:
        """Return what the classes of logits are called."""
        return np.arange(logits.shape[1]) if self.labels is None else self.labels

    def encode(self, y: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        """Return the number of each row's class, 0 where there is none."""
        unknown = labelled & ~np.isin(y, self.labels)
        if unknown.any():
            raise ValueError(
                f"Label {y[unknown].tolist()[0]!r} in row "
                f"{np.flatnonzero(unknown)[0]} is not among the classes of the first "
                f"fit: {self.labels.tolist()}."
            )
        target = np.where(labelled, np.searchsorted(self.labels, y), 0)
        return target.clip(max=len(self.labels) - 1)

    def stratify(self, target: np.ndarray) -> np.ndarray:
        """Return the classes, none of which must be held out altogether."""
        return target

    def weigh(
        self,
        target: np.ndarray,
        weight: np.ndarray,
        real: np.ndarray,
        class_weight: dict | str | tuple | None,
        adjustment: float,
    ) -> tuple["Classes", np.ndarray]:
        """Count the classes; see the base class."""
        found = self._count(target, weight)
        given = self.given + found
        factor = class_factor(class_weight, self.labels, given)
        known = replace(
            self,
            given=given,
            trained=self.trained + factor * found,
            real=self.real + self._count(target, real),
            adjustment=float(adjustment),
        )
        return known, factor[target]

    def _count(self, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return np.bincount(target, weight, minlength=len(self.labels))

    def forget_counts(self) -> "Classes":
        """Return the task with its labels alone."""
        return Classes(self.labels)

    def frequency(self, target: np.ndarray) -> np.ndarray:
        """Return the share of each row's class in the loss."""
        return (self.trained / self.trained.sum() + 1e-3)[target]

    @property
    def trained_prior(self) -> np.ndarray:
        """Shares of the classes in the loss."""
        return self.trained / self.trained.sum()

    @property
    def _log_shares(self) -> np.ndarray:
        # A class without a share never is a target, so its logit needs no shift.
        share = self.trained_prior
        return np.log(np.where(share > 0, share, 1.0))

    @property
    def logit_shift(self) -> list[float] | None:
        """The log-shares of the classes times the adjustment, None without one."""
        if not self.adjustment:
            return None
        return (self.adjustment * self._log_shares).tolist()

    def validation_factor(self, target: np.ndarray) -> np.ndarray:
        """Weigh classes so that they have the shares that answers assume."""
        log_factor = -self.adjustment * self._log_shares[target]
        return np.exp(log_factor - log_factor.max(initial=-np.inf))

    @property
    def answered_prior(self) -> np.ndarray:
        """Shares of the classes that answers assume: the power 1 - tau of theirs."""
        log_share = (1 - self.adjustment) * self._log_shares
        return softmax(np.where(self.trained > 0, log_share, -np.inf))

    @property
    def prior(self) -> np.ndarray:
        """Shares of the classes among real utterances, or in the loss without any."""
        return self.real / self.real.sum() if self.real.any() else self.trained_prior

    def score(
        self, logits: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> dict[str, float]:
        """Return the cross-entropy and the weighted F1."""
        log_p = log_softmax(logits.astype(float), axis=1)
        loss = -np.average(log_p[np.arange(len(target)), target], weights=weight)
        return _scores(loss, target, logits.argmax(1), weight)

    def predict_proba(self, logits: np.ndarray) -> np.ndarray:
        """Return the probabilities of all classes."""
        return softmax(logits.astype(float), axis=1)

    def predict(self, logits: np.ndarray) -> np.ndarray:
        """Return the most probable class of each row."""
        return self.classes(logits)[logits.argmax(axis=1)]

    def decode(self, p: np.ndarray) -> np.ndarray:
        """Return the class of the highest probability."""
        return self.labels[p.argmax(axis=1)]

    def truth(self, target: np.ndarray) -> np.ndarray:
        """Return the classes of numbers."""
        return target if self.labels is None else self.labels[target]


@storable
@dataclass(frozen=True)
class LabelSets(Task):
    """Any number of labels of each utterance, as an indicator matrix.

    Parameters
    ----------
    n_outputs : int
        Number of its columns.
    columns : ndarray of shape (n_outputs,), default=None
        What its columns are called; by default numbers.
    """

    n_outputs: int
    columns: np.ndarray | None = None

    kind = "label_sets"

    @property
    def labels(self) -> np.ndarray:
        """The names of the columns."""
        return np.arange(self.n_outputs) if self.columns is None else self.columns

    def classes(self, logits: np.ndarray) -> np.ndarray:
        """Return the names of the labels."""
        return self.labels

    def encode(self, y: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        """Return the matrix as floats."""
        if y.shape[1] != self.n_outputs:
            raise ValueError(
                f"y has {y.shape[1]} columns, and had {self.n_outputs} at first."
            )
        return y.astype(np.float32)

    def score(
        self, logits: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> dict[str, float]:
        """Return the mean cross-entropy of the labels, and the weighted F1."""
        p = expit(logits.astype(float)).clip(SMALLEST, 1 - SMALLEST)
        loss = -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean(axis=1)
        loss = np.average(loss, weights=weight)
        return _scores(loss, target > 0, logits > 0, weight)

    def predict_proba(self, logits: np.ndarray) -> np.ndarray:
        """Return the probability of each label."""
        return expit(logits.astype(float))

    def predict(self, logits: np.ndarray) -> np.ndarray:
        """Return which labels are there."""
        return (logits > 0).astype(int)

    def decode(self, p: np.ndarray) -> np.ndarray:
        """Return which labels are more probable than not."""
        return (p > 0.5).astype(int)

    def truth(self, target: np.ndarray) -> np.ndarray:
        """Return the matrix."""
        return target.astype(int)


@storable
@dataclass(frozen=True)
class Values(Task):
    """One value of each utterance, learned in units of their deviation.

    Parameters
    ----------
    known : Moments or None, default=None
        Mean and deviation of the values that were learned from.
    """

    known: Any = None

    kind = "values"
    monitor = "valid_mae"
    lower_is_better = True
    n_outputs = 1

    @property
    def mean(self) -> float:
        """What 0 means to the network."""
        return float(self.known.mean[0])

    @property
    def unit(self) -> float:
        """What 1 adds to it."""
        deviation = float(self.known.deviation[0])
        # The deviation of a constant is rounding error, and cannot be a unit.
        return deviation if deviation > 1e-9 * abs(self.mean) else 1.0

    def encode(self, y: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        """Return the values, 0 where there is none."""
        y = np.where(labelled, y, 0.0)
        largest = np.abs(y).argmax()
        if abs(y[largest]) > FLOAT32_MAX:
            raise ValueError(
                f"y is {y[largest]} in row {largest}, too large for float32; rescale "
                "the scores."
            )
        return y

    def learn_scale(
        self, target: np.ndarray, rows: np.ndarray, weight: np.ndarray
    ) -> "Values":
        """Add the values of some rows."""
        found = Moments.of(target[:, None], rows, weight[rows])
        return Values(found if self.known is None else self.known + found)

    def scale(self, target: np.ndarray) -> np.ndarray:
        """Return values of mean 0 and deviation 1."""
        return ((target - self.mean) / self.unit).astype(np.float32)

    def score(
        self, logits: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> dict[str, float]:
        """Return the mean absolute error, in units of the deviation and in own ones."""
        gap = np.abs(logits.reshape(target.shape) - target)
        mae = np.average(self.unit * gap, weights=weight)
        loss = np.average(gap, weights=weight)
        return {"valid_loss": float(loss), "valid_mae": float(mae)}

    def is_constant(self, answers: np.ndarray) -> bool:
        """No error of values stays as it is."""
        return False

    def predict(self, logits: np.ndarray) -> np.ndarray:
        """Return the values."""
        return self.truth(logits[:, 0])

    def truth(self, target: np.ndarray) -> np.ndarray:
        """Return values on the scale of the user."""
        return self.mean + self.unit * target.astype(float)


def _scores(
    loss: Any, target: np.ndarray, answer: np.ndarray, weight: np.ndarray
) -> dict[str, float]:
    score = f1_score(
        target, answer, average="weighted", sample_weight=weight, zero_division=0.0
    )
    return {"valid_loss": float(loss), "valid_weighted_f1": float(score)}
