"""Splitters that keep dialogues whole, and labels for rows that have none."""

from ._fill_labels import fill_labels
from ._leave_out import LeaveDialogueGroupOut
from ._split import DialogueKFold, DialogueShuffleSplit, StratifiedDialogueKFold

__all__ = [
    "DialogueKFold",
    "DialogueShuffleSplit",
    "LeaveDialogueGroupOut",
    "StratifiedDialogueKFold",
    "fill_labels",
]
