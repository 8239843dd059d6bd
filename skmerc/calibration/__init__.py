"""Probabilities and sets of emotions that can be taken at their word."""

from ._classifier import DialogueCalibratedClassifier
from ._conformal import DialogueConformalClassifier

__all__ = ["DialogueCalibratedClassifier", "DialogueConformalClassifier"]
