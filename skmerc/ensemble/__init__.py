"""Boosting for imbalanced classes."""

from ._focal_adaboost import FocalAdaBoostClassifier

__all__ = ["FocalAdaBoostClassifier"]
