"""Labels without gaps, for estimators and scores that know no context."""

import numpy as np
from numpy.typing import ArrayLike

from skmerc._utils.types import Table
from skmerc.frame._columns import parse_table
from skmerc.frame._labels import read_labels, refuse_context_alone

__all__ = ["fill_labels"]


def fill_labels(X: Table, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Fill the labels of context rows, and weigh these rows with zero.

    scikit-learn's ensembles, calibration and metrics know no row without a label: they
    refuse one, or learn from whatever stands there. With these labels *and weights*
    they learn from and count the labelled rows alone, in the context of all.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_utterances, n_columns)
        A table of utterances.
    y : array-like of shape (n_utterances,)
        Labels; those of rows of role ``"context"`` may be None, NaN or ``pandas.NA``.

    Returns
    -------
    y : ndarray of shape (n_utterances,)
        The labels, with one of the others where one was missing.
    sample_weight : ndarray of shape (n_utterances,)
        0 in rows of role ``"context"``, whether or not they had a label, 1 in others.
        The filled labels mean nothing without it.

    Raises
    ------
    ValueError
        If the label of another row is missing, there is no other row, or `y` differs
        in length from `X`.

    See Also
    --------
    skmerc.metrics.make_dialogue_scorer : Scores that leave these rows out themselves.
    skmerc.ensemble.DialogueVotingClassifier : Votes that need neither, as do stacks.
    skmerc.calibration.DialogueCalibratedClassifier : Calibration that needs neither.
    skmerc.UtteranceClassifier : Any classifier of single rows, without either.

    Notes
    -----
    The estimators of skmerc need neither: they ignore the labels of context rows.
    ``VotingClassifier`` and ``OneVsRestClassifier`` over them do so too, and work
    without the weights.

    Examples
    --------
    >>> from sklearn.calibration import CalibratedClassifierCV
    >>> from skmerc import CBERLClassifier
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.model_selection import DialogueKFold, fill_labels
    >>> X, y = make_conversations(12, random_state=0)
    >>> X.loc[::5, "dialogue__role"] = "context"
    >>> y = [None if i % 5 == 0 else label for i, label in enumerate(y)]
    >>> filled, weight = fill_labels(X, y)
    >>> weight[:6]
    array([0., 1., 1., 1., 1., 0.])
    >>> model = CBERLClassifier(hidden_size=8, max_epochs=1, random_state=0)
    >>> calibrated = CalibratedClassifierCV(model, cv=DialogueKFold(2))
    >>> calibrated.fit(X, filled, sample_weight=weight).predict_proba(X).shape
    (193, 4)
    """
    if y is None:
        raise ValueError("This requires y to be passed, but the target y is None.")
    context = parse_table(X).is_context
    refuse_context_alone(context)
    y = read_labels(y, context)
    is_text = y.dtype == object and all(isinstance(label, str) for label in y.flat)
    return y.astype(str) if is_text else y, (~context).astype(float)
