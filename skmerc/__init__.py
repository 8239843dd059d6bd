"""Emotion recognition in conversations as ordinary scikit-learn estimators."""

from skmerc.ensemble import FocalAdaBoostClassifier
from skmerc.fusion import DJVAEFuser
from skmerc.recognition import CBERLClassifier, JoyfulClassifier, JoyfulRegressor
from skmerc.sampling import DialogueSampler, MultimodalGANSampler

__version__ = "0.1.0"

__all__ = [
    "CBERLClassifier",
    "DJVAEFuser",
    "DialogueSampler",
    "FocalAdaBoostClassifier",
    "JoyfulClassifier",
    "JoyfulRegressor",
    "MultimodalGANSampler",
]
