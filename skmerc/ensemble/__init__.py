"""Boosting for imbalanced classes, and ensembles beside rows without a label."""

from ._focal_adaboost import FocalAdaBoostClassifier
from ._stacking import DialogueStackingClassifier
from ._voting import DialogueVotingClassifier

__all__ = [
    "DialogueStackingClassifier",
    "DialogueVotingClassifier",
    "FocalAdaBoostClassifier",
]
