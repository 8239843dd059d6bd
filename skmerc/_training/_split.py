"""Dialogues held out inside ``fit`` where the caller marked none."""

import numpy as np

from skmerc.frame._columns import UTTERANCE
from skmerc.frame._conversations import Conversations

FRACTION = 0.1
FEWEST_DIALOGUES = 10
FEWEST_UTTERANCES = 30
"""A score over fewer is noise: training would stop at random, mostly too early."""


def hold_out(
    conversations: Conversations,
    rows: np.ndarray,
    target: np.ndarray,
    fraction: float,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Choose dialogues for early stopping.

    Parameters
    ----------
    conversations : Conversations
        The table.
    rows : ndarray of int
        The rows that a model may learn from.
    target : ndarray of shape (n_rows,)
        Index of the class of each row of the table.
    fraction : float
        Share of the dialogues to hold out.
    rng : RandomState
        Source of the draw.

    Returns
    -------
    ndarray of shape (n_rows,)
        True in dialogues that are held out, and in synthetic utterances made
        from them. No class is held out altogether, and nothing of fewer than ten
        dialogues, or where fewer than thirty utterances would be scored.
    """
    groups = np.unique(conversations.group[rows])
    n_held_out = round(fraction * len(groups))
    nothing = np.zeros(len(conversations), bool)
    if len(groups) < FEWEST_DIALOGUES or not n_held_out:
        return nothing
    groups = rng.permutation(groups)
    held_out, kept = groups[:n_held_out], groups[n_held_out:]
    learned = np.isin(conversations.group[rows], kept)
    lost = np.setdiff1d(target[rows], target[rows][learned])
    needed = conversations.group[rows][np.isin(target[rows], lost)]
    out = np.isin(conversations.group, np.setdiff1d(held_out, needed))
    n_scored = (out[rows] & (conversations.role[rows] == UTTERANCE)).sum()
    return out if n_scored >= FEWEST_UTTERANCES else nothing
