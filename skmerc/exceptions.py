"""Warnings of skmerc, to be silenced or made errors by name."""

__all__ = [
    "DuplicateTurnWarning",
    "NoDialogueWarning",
    "PartialMissingWarning",
    "SplitDialogueWarning",
]


class DuplicateTurnWarning(UserWarning):
    """Several utterances of a dialogue claim the same turn."""


class NoDialogueWarning(UserWarning):
    """Turns or speakers are told, but not the dialogues that they belong to."""


class PartialMissingWarning(UserWarning):
    """Single cells of a present modality are missing."""


class SplitDialogueWarning(UserWarning):
    """Dialogues look as if their rows had been split between two tables."""
