"""Several emotions at once: targets that are an indicator matrix."""

import numpy as np
from scipy.special import expit
from sklearn.utils.multiclass import type_of_target

from skmerc._training import LABEL_SETS
from skmerc._utils.fitting import of_one_fit
from skmerc.frame._labels import shape_of
from skmerc.recognition._dialogue_classifier import DialogueClassifier

MATRIX = "multilabel-indicator"

_NEEDS_ONE_EMOTION = {
    "class_weight": None,
    "head": None,
    "prior": None,
    "focal_gamma": 0.0,
    "label_smoothing": 0.0,
}
"""Parameters that mean nothing for an indicator matrix, with what to leave them."""


class LabelSetClassifier(DialogueClassifier):
    """A :class:`DialogueClassifier` to which y may also be an indicator matrix."""

    def _y_checks(self, y):
        shape = shape_of(y)
        return {"multi_output": len(shape) == 2 and shape[1] > 1}

    @property
    def _label_sets(self):
        return self._target_type == MATRIX

    def _encode(self, y, table, resume, classes=None):
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y has several columns that hold more than 0 and 1. Give one emotion "
                "for each utterance, or a matrix that tells which emotions are there."
            )
        if resume and (kind == MATRIX) != self._label_sets:
            raise ValueError(f"y is {kind} now, and was {self._target_type} at first.")
        self._target_type = kind
        if not self._label_sets:
            return super()._encode(y, table, resume, classes)
        self._refuse_what_needs_one_emotion()
        if resume and y.shape[1] != len(self.classes_):
            raise ValueError(
                f"y has {y.shape[1]} columns, and had {len(self.classes_)} at first."
            )
        self.classes_ = np.arange(y.shape[1])
        return y.astype(np.float32)

    def _refuse_what_needs_one_emotion(self):
        for name, default in _NEEDS_ONE_EMOTION.items():
            value = getattr(self, name, default)
            if value != default:
                raise ValueError(
                    f"{name}={value!r} needs one emotion for each utterance, and y is "
                    f"an indicator matrix; leave it {default}."
                )

    def _measure(self):
        return LABEL_SETS if self._label_sets else super()._measure()

    def _kinds(self, target):
        return np.zeros(len(target), int) if self._label_sets else target

    def _factor(self, target, weight):
        if self._label_sets:
            return np.ones(len(target))
        return super()._factor(target, weight)

    def _frequency(self, target, weight):
        if self._label_sets:
            return np.ones(len(target))
        return super()._frequency(target, weight)

    def _finish(self, table, target, weight, rng):
        if not self._label_sets:
            return super()._finish(table, target, weight, rng)
        self.head_ = None
        vars(self).pop("class_prior_", None)  # of an earlier fit

    @of_one_fit
    def predict_proba(self, X):
        """Probabilities of the emotions of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows. Every row gets an answer,
            whatever its role.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes)
            In the order of ``classes_``; after an indicator matrix, the probability
            that each emotion is there.
        """
        table = self._read(X)
        if not self._label_sets:
            return self._proba(table)
        return expit(self._infer(table, "logits"))

    @of_one_fit
    def predict(self, X):
        """Emotion of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_classes)
            The most probable of ``classes_``; after an indicator matrix, another.
        """
        p = self.predict_proba(X)
        if self._label_sets:
            return (p > 0.5).astype(int)
        return self.classes_[p.argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
