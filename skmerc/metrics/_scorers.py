"""Scorers that leave out the rows of role "context"."""

import numpy as np
from sklearn.metrics import accuracy_score, f1_score
from sklearn.utils import check_consistent_length

from skmerc._labels import read_labels
from skmerc.frame import read_keys
from skmerc.metrics._recognition import minority_f1, weighted_f1


def make_dialogue_scorer(score_func, *, greater_is_better=True, **kwargs):
    """Make a scorer that leaves out the rows of role "context".

    The estimator predicts all rows of X, context included, since context may
    change what it says about the others; then the context rows are dropped
    and the rest is scored. X without keys is scored as a whole.

    Parameters
    ----------
    score_func : callable
        ``score_func(y_true, y_pred, **kwargs)``. One that returns a dict of scores
        gives several from a single prediction.
    greater_is_better : bool, default=True
        Whether it is a score; an error, such as the mean absolute error of a
        regressor, is negated where this is False.
    **kwargs : dict
        Passed to `score_func`, for example ``minority=["fear"]``.

    Returns
    -------
    callable
        ``scorer(estimator, X, y, sample_weight=None)``, for ``scoring=`` of
        scikit-learn's cross-validation and searches, alone or as a value of
        their dicts of scorers. It pickles if `score_func` does.

    See Also
    --------
    sklearn.metrics.make_scorer : The same without roles.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skmerc.frame import make_frame
    >>> from skmerc.metrics import make_dialogue_scorer, minority_f1
    >>> scorer = make_dialogue_scorer(minority_f1, minority=["joy"])
    >>> scorer
    make_dialogue_scorer(minority_f1, minority=['joy'])
    >>> X = make_frame(
    ...     {"text": [[0.0], [1.0], [2.0]]},
    ...     role=["utterance", "utterance", "context"],
    ... )
    >>> y = ["joy", "joy", "fear"]
    >>> scorer(DummyClassifier(strategy="constant", constant="joy").fit(X, y), X, y)
    1.0
    """
    if not callable(score_func):
        raise TypeError(
            f"score_func must be a callable f(y_true, y_pred), got {score_func!r}."
        )
    return _DialogueScorer(score_func, kwargs, 1 if greater_is_better else -1)


class _DialogueScorer:
    """Score function and its arguments; a class, so that worker processes load it."""

    def __init__(self, score_func, kwargs, sign):
        self.score_func = score_func
        self.kwargs = kwargs
        self.sign = sign

    def __call__(self, estimator, X, y, sample_weight=None):
        """Score the labelled rows of X, predicted together with their context."""
        check_consistent_length(X, y, sample_weight)
        labelled = labelled_rows(X)
        y = read_labels(y, ~labelled)[labelled]
        kwargs = dict(self.kwargs)
        if sample_weight is not None:
            kwargs["sample_weight"] = np.asarray(sample_weight)[labelled]
        y_pred = np.asarray(estimator.predict(X))
        score = self.score_func(y, y_pred[labelled], **kwargs)
        return score if self.sign > 0 else -score

    def __repr__(self):
        name = getattr(self.score_func, "__name__", repr(self.score_func))
        arguments = [f"{key}={value!r}" for key, value in self.kwargs.items()]
        arguments += ["greater_is_better=False"] * (self.sign < 0)
        return f"make_dialogue_scorer({', '.join([name, *arguments])})"


def labelled_rows(X):
    """Rows that can be scored, those that are not context: bool array (n_rows,)."""
    labelled = (read_keys(X)["dialogue__role"] != "context").to_numpy()
    if not labelled.any():
        raise ValueError(
            f"All {len(labelled)} rows of X have role 'context', so that no labelled "
            "row is left to score. Score rows of which some have another role."
        )
    return labelled


#: Accuracy, the papers' WAA, of all but the context rows.
accuracy_scorer = make_dialogue_scorer(accuracy_score)

#: Unweighted mean F1 of all classes, of all but the context rows.
macro_f1_scorer = make_dialogue_scorer(f1_score, average="macro", zero_division=0.0)

#: :func:`weighted_f1` of all but the context rows.
weighted_f1_scorer = make_dialogue_scorer(weighted_f1)

#: :func:`minority_f1` of all but the context rows. Each fold has a minority of its
#: own; ``make_dialogue_scorer(minority_f1, minority=[...])`` holds it fixed.
minority_f1_scorer = make_dialogue_scorer(minority_f1)
