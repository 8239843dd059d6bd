"""What a corpus holds."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

PARTS = ("train", "dev", "test")
TEXT = "utterance"


@dataclass(frozen=True)
class Corpus:
    """Utterances of a corpus, dialogue after dialogue, in the order of turns.

    Parameters
    ----------
    dialogue, turn, speaker, split : array-like of shape (n_utterances,)
        The keys, and the official part: one of `PARTS`, or empty.
    labels : dict of str to array of shape (n_utterances,) or (n_utterances, n)
        The kinds of labels: text, scores, or an indicator matrix.
    metadata : DataFrame of shape (n_utterances, n_columns)
        What else is known, the column "utterance" (what was said) first.
    blocks : dict of str to array of shape (n_utterances, n_features)
        Features of each modality; NaN throughout a row where it is missing.
    class_names : dict of str to list of str
        Names behind the labels, in the community's order.
    role : array-like of shape (n_utterances,)
        What each row is for, see `skmerc.frame.ROLES`; None: "utterance".
    """

    dialogue: np.ndarray
    turn: np.ndarray
    speaker: np.ndarray
    split: np.ndarray
    labels: dict
    metadata: pd.DataFrame
    blocks: dict = field(default_factory=dict)
    class_names: dict = field(default_factory=dict)
    role: np.ndarray | None = None


def as_corpus(frame, class_names, blocks=None):
    """Make a corpus of a frame: keys, labels, and metadata, which is all the rest."""
    keys = ["dialogue", "turn", "speaker", "split"]
    return Corpus(
        **{key: frame[key].to_numpy() for key in keys},
        labels={name: frame[name].to_numpy(dtype=str) for name in class_names},
        blocks=blocks or {},
        metadata=frame.drop(columns=[*keys, *class_names]),
        class_names=class_names,
    )
