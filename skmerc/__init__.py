"""Emotion recognition in conversations as ordinary scikit-learn estimators."""

from skmerc.ensemble import FocalAdaBoostClassifier
from skmerc.features import (
    AudioFunctionals,
    FaceFeatures,
    FineTunedTextEmbedder,
    TextEmbedder,
    VideoFunctionals,
)
from skmerc.fusion import DJVAEFuser
from skmerc.recognition import CBERLClassifier, JoyfulClassifier, JoyfulRegressor
from skmerc.sampling import DialogueSampler, MultimodalGANSampler

__version__ = "0.1.0"

__all__ = [
    "AudioFunctionals",
    "CBERLClassifier",
    "DJVAEFuser",
    "DialogueSampler",
    "FaceFeatures",
    "FineTunedTextEmbedder",
    "FocalAdaBoostClassifier",
    "JoyfulClassifier",
    "JoyfulRegressor",
    "MultimodalGANSampler",
    "TextEmbedder",
    "VideoFunctionals",
]
