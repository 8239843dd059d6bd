"""Classifiers that recognise the emotions of whole dialogues."""

from skmerc.recognition._cberl import CBERLClassifier

__all__ = ["CBERLClassifier"]
