"""Splitters that keep dialogues whole."""

from ._split import DialogueKFold, DialogueShuffleSplit, StratifiedDialogueKFold

__all__ = ["DialogueKFold", "DialogueShuffleSplit", "StratifiedDialogueKFold"]
