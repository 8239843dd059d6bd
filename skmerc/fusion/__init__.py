"""Transformers that turn the modalities of an utterance into one code."""

from skmerc.fusion._djvae import DJVAEFuser

__all__ = ["DJVAEFuser"]
