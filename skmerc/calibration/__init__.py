"""Probabilities that can be taken at their word, beside rows without a label."""

from ._classifier import DialogueCalibratedClassifier

__all__ = ["DialogueCalibratedClassifier"]
