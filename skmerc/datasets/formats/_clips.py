"""Clips of videos as files hold them, before they become X and y."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Clips:
    """What files hold of the clips, all in the same order.

    Parameters
    ----------
    rows : DataFrame of shape (n_utterances, n_columns)
        dialogue, turn and split, and what is known besides.
    targets : dict of str to ndarray
        "score" (-3 to 3), or "positive" (0 or 1), or "emotions" (six strengths).
    blocks : dict of str to ndarray of shape (n_utterances, n_features)
        Features of each modality; NaN throughout a row where it is missing.
    left_out : dict of str to int
        Frames of each modality that hold NaN or infinity.
    """

    rows: pd.DataFrame
    targets: dict
    blocks: dict = field(default_factory=dict)
    left_out: dict = field(default_factory=dict)


def mean_of_frames(frames, real=None):
    """Average the frames that are real and finite; and count the real others.

    Where there is none, the mean is NaN throughout: the modality is missing.
    """
    real = np.ones(len(frames), dtype=bool) if real is None else real
    finite = np.isfinite(frames).all(axis=1)
    used = frames[real & finite]
    n_left_out = int(np.sum(real & ~finite))
    if not len(used):
        return np.full(frames.shape[1], np.nan), n_left_out
    return used.mean(axis=0, dtype=float), n_left_out


def are_codes(labels):
    """Whether labels are whole numbers from 0: codes of classes, and no scores."""
    return bool(((labels >= 0) & (labels % 1 == 0)).all())


def refuse_codes(path, labels):
    """Refuse labels that are codes of classes."""
    if are_codes(labels):
        codes = " and ".join(f"{code:g}" for code in np.unique(labels))
        raise ValueError(
            f"{path}: 'labels' are only {codes}, which are codes of classes and no "
            "scores. If they tell one emotion, as in tbje_mosei_happy.pkl, take the "
            "file that holds all six."
        )


def targets_of(labels):
    """Tell what labels of 1, 6 or 7 numbers are: dict of kind to values.

    They are a score, six emotions, or a score and six emotions.
    """
    targets = {"score": labels[:, 0]} if labels.shape[1] != 6 else {}
    if labels.shape[1] > 1:
        targets["emotions"] = labels[:, -6:]
    return targets


def stack_parts(path, name, parts):
    """Put the features of the parts behind each other."""
    widths = sorted({part.shape[1] for part in parts})
    if len(widths) > 1:
        raise ValueError(
            f"{path}: {name!r} has {' and '.join(map(str, widths))} features in "
            "different parts."
        )
    return np.concatenate(parts)
