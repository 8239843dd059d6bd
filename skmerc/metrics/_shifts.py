"""Utterances at which a speaker's emotion has changed."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import f1_score

from skmerc._utils.compat import StrOptions, validate_params
from skmerc._utils.types import Table
from skmerc.frame._columns import KEYS, parse_table
from skmerc.frame._conversations import sortable
from skmerc.frame._labels import read_labels
from skmerc.frame._per_row import one_column
from skmerc.metrics._labels import check_labels


@validate_params(
    {"X": "no_validation", "y": ["array-like"]}, prefer_skip_nested_validation=True
)
def emotion_shifts(X: Table, y: ArrayLike) -> np.ndarray:
    """Find the utterances whose speaker felt otherwise before.

    An utterance is a shift where its emotion differs from that of the last labelled
    utterance of the same speaker in the same dialogue. The first one of a speaker is
    none. Rows of role ``"context"`` are passed over, and those of role ``"synthetic"``,
    which are alternatives to a turn and no turns of their own.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_utterances, n_columns)
        A table of utterances, whose dialogues, turns and speakers count.
    y : array-like of shape (n_utterances,)
        The emotions; those of context rows are ignored, and may be None.

    Returns
    -------
    ndarray of bool of shape (n_utterances,)
        Whether each utterance is a shift, in the order of `X`.

    Raises
    ------
    ValueError
        If the label of another row than context is missing, or `y` differs in length
        from `X`.

    See Also
    --------
    emotion_shift_f1 : Scores these utterances.

    Notes
    -----
    In a table without speakers each dialogue has one, and without dialogues there is no
    shift.

    Examples
    --------
    >>> from skmerc.frame import make_frame
    >>> from skmerc.metrics import emotion_shifts
    >>> who = ["Ann", "Ben", "Ann", "Ben"]
    >>> X = make_frame({"text": [[0.0]] * 4}, dialogue=["a"] * 4, speaker=who)
    >>> emotion_shifts(X, ["joy", "fear", "joy", "joy"])
    array([False, False, False,  True])
    """
    table = parse_table(X)
    labelled = np.flatnonzero(~table.is_context & ~table.is_synthetic)
    emotions = one_column(read_labels(y, table.is_context), "y").iloc[labelled]
    rows = table.keys.iloc[labelled].assign(emotion=pd.factorize(emotions)[0])
    rows = rows.iloc[np.argsort(sortable(rows[KEYS[1]]), kind="stable")]
    before = rows.groupby([KEYS[0], KEYS[2]], sort=False)["emotion"].shift()
    shifted = before.notna() & (before != rows["emotion"])
    shifts = np.zeros(len(table.keys), bool)
    shifts[rows.index[shifted]] = True
    return shifts


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "X": "no_validation",
        "average": [StrOptions({"weighted", "macro"})],
    },
    prefer_skip_nested_validation=True,
)
def emotion_shift_f1(
    y_true: ArrayLike, y_pred: ArrayLike, *, X: Table, average: str = "weighted"
) -> float:
    """F1 of the utterances whose speaker felt otherwise before.

    Who answers by the emotion of the neighbours is right most of the time, and wrong
    here. How often that is differs between corpora; see :func:`emotion_shifts`.

    Parameters
    ----------
    y_true : array-like of shape (n_utterances,)
        True labels; those of context rows are ignored, and may be None.
    y_pred : array-like of shape (n_utterances,)
        Predicted labels.
    X : DataFrame or array-like of shape (n_utterances, n_columns)
        The table of utterances.
    average : {"weighted", "macro"}, default="weighted"
        Whether emotions count by their number of shifts *to* them, or alike.

    Returns
    -------
    float
        Between 0 and 1, the higher the better.

    Raises
    ------
    ValueError
        If no emotion shifts, a label is missing, or lengths differ.

    See Also
    --------
    weighted_f1 : The same of all utterances.
    scores_by_group : Takes ``emotion_shifts(X, y)`` as groups, for other scores.

    Examples
    --------
    >>> from skmerc.frame import make_frame
    >>> from skmerc.metrics import emotion_shift_f1
    >>> X = make_frame({"text": [[0.0]] * 4}, dialogue=["a"] * 4)
    >>> score = emotion_shift_f1(["joy", "fear", "fear", "joy"], ["joy"] * 4, X=X)
    >>> round(score, 3)  # of two shifts, the one to joy is found
    0.333
    """
    shifts = emotion_shifts(X, y_true)
    if not shifts.any():
        raise ValueError(
            f"No speaker's emotion changes in the {len(shifts)} rows, so that there is "
            "nothing to score. Check that X names the dialogues and their speakers."
        )
    true, pred, shifts = check_labels(y_true, y_pred, shifts, X)
    score = f1_score(true[shifts], pred[shifts], average=average, zero_division=0.0)
    return float(score)
