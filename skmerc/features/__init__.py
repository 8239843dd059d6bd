"""Features of raw text, sound and video, one row per utterance."""

from skmerc.features._audio import AudioFunctionals
from skmerc.features._face import FaceFeatures
from skmerc.features._fine_tuned_text import FineTunedTextEmbedder
from skmerc.features._text import TextEmbedder
from skmerc.features._video import VideoFunctionals

__all__ = [
    "AudioFunctionals",
    "FaceFeatures",
    "FineTunedTextEmbedder",
    "TextEmbedder",
    "VideoFunctionals",
]
