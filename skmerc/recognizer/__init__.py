"""One estimator from words, sounds, clips or features to emotions."""

from skmerc.recognizer._recognizer import EmotionRecognizer

__all__ = ["EmotionRecognizer"]
