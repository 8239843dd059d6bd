"""Warnings of tables that look broken."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from skmerc._utils.warnings import warn_user
from skmerc.exceptions import (
    DuplicateTurnWarning,
    NoDialogueWarning,
    SplitDialogueWarning,
)
from skmerc.frame._columns import SYNTHETIC

if TYPE_CHECKING:
    from skmerc.frame._conversations import Conversations


def warn_without_dialogues(given: Collection[str]) -> None:
    told = [name for name in ("dialogue__turn", "dialogue__speaker") if name in given]
    if told and "dialogue__id" not in given:
        warn_user(
            f"X has {' and '.join(told)} but no dialogue__id: every row is read as a "
            "dialogue of its own, without its neighbours.",
            NoDialogueWarning,
        )


def warn_of_rows_left_out_alone(given: Collection[str]) -> None:
    if given and "dialogue__id" not in given:
        warn_user(
            f"X has {' and '.join(given)} but no dialogue__id: each row is left out "
            "by itself, while its neighbours are learned from. Give dialogue__id "
            "beside the texts.",
            NoDialogueWarning,
        )


def warn_of_equal_turns(conversations: "Conversations") -> None:
    if conversations.keyed:
        real = conversations.role != SYNTHETIC
        warn_where_equal(conversations.dialogue[real], conversations.turn[real])


def warn_where_equal(dialogue: np.ndarray, turn: np.ndarray) -> None:
    turns = pd.DataFrame({"dialogue": dialogue, "turn": turn})
    equal = int(turns.duplicated().sum())
    if equal:
        warn_user(
            f"{equal} utterances share dialogue and turn with one before them; "
            "they are ordered by row.",
            DuplicateTurnWarning,
        )


def warn_of_split_dialogues(conversations: "Conversations") -> None:
    if not conversations.keyed or conversations.turn.dtype.kind not in "iu":
        return
    real = conversations.role != SYNTHETIC
    turns = pd.Series(conversations.turn[real]).groupby(conversations.dialogue[real])
    span, found = turns.max() - turns.min() + 1, turns.nunique()
    long = span >= 4
    if not long.any():
        return
    broken = float((found < span)[long].mean())
    absent = 1 - found[long].sum() / span[long].sum()
    # A split by rows breaks nearly every dialogue, and at the same rate; real corpora
    # lack a turn here and there, or keep only some speakers of all dialogues.
    if broken > 0.5 and 0.05 < absent < 0.45:
        warn_user(
            f"{absent:.0%} of the turns are absent, from {broken:.0%} of the dialogues "
            "of four turns or more: their rows seem to have been split between "
            "training and test. Split by dialogue, for example with "
            "skmerc.model_selection.DialogueKFold or groups=X['dialogue__id'].",
            SplitDialogueWarning,
        )
