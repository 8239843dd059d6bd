"""Emotion recognition in conversations as ordinary scikit-learn estimators."""

__version__ = "0.1.0"
