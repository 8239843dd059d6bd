"""Scorers that leave out the rows of role "context"."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.metrics import accuracy_score, f1_score
from sklearn.utils import check_consistent_length
from sklearn.utils.metadata_routing import MetadataRequest

from skmerc.frame._labels import read_labels, refuse_other_columns
from skmerc.metrics._probabilities import mean_log_loss, mean_roc_auc
from skmerc.metrics._recognition import minority_f1, weighted_f1
from skmerc.metrics._responses import arrange, ask, check_methods, orient, takes
from skmerc.metrics._rows import labelled_rows


def make_dialogue_scorer(
    score_func: Callable,
    *,
    response_method: str | Sequence[str] | None = None,
    greater_is_better: bool = True,
    **kwargs: Any,
) -> "_DialogueScorer":
    """Make a scorer that leaves out the rows of role "context".

    The estimator answers all rows of X, context included, since context may
    change what it says about the others; then the context rows are dropped
    and the rest is scored. X without keys is scored as a whole.

    Parameters
    ----------
    score_func : callable
        ``score_func(y_true, y_pred, **kwargs)``. One that returns a dict of scores
        gives several from a single prediction.
    response_method : str, list, tuple or None, default=None
        What `score_func` is given: ``"predict"`` (None), ``"predict_proba"`` or
        ``"decision_function"``, or several, of which the first that the estimator
        has is called.
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
        their dicts of scorers. It pickles if `score_func` does. Where metadata
        routing is switched on, ``set_score_request(sample_weight=True)`` asks for the
        weights of rows, in place; of the scorers that come ready with the package it
        returns a copy.

    Raises
    ------
    TypeError
        If `score_func` cannot be called.
    ValueError
        If there is no such `response_method`.

    See Also
    --------
    sklearn.metrics.make_scorer : The same without roles.

    Notes
    -----
    Probabilities reach `score_func` as they do in scikit-learn: a column for each
    class, that of ``pos_label`` (by default the second) alone where there are two, and
    a column for each label of an indicator matrix. A class that the model has not seen
    has probability 0. Where `score_func` takes ``labels`` and is given none, it is told
    the classes of the model and of the rows, so that a class may be absent from a fold.
    One that takes ``classes``, such as :func:`brier_score`, is told them by that name,
    and given all columns also where there are two.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.metrics import log_loss
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
    >>> model = DummyClassifier(strategy="constant", constant="joy").fit(X, y)
    >>> scorer(model, X, y)
    1.0
    >>> scorer = make_dialogue_scorer(
    ...     log_loss, response_method="predict_proba", greater_is_better=False
    ... )
    >>> bool(abs(scorer(model, X, y)) < 1e-6)  # it is sure, and right
    True
    """
    if not callable(score_func):
        raise TypeError(
            f"score_func must be a callable f(y_true, y_pred), got {score_func!r}."
        )
    methods = check_methods(response_method)
    return _DialogueScorer(score_func, kwargs, 1 if greater_is_better else -1, methods)


class _DialogueScorer:
    """Score function and its arguments; a class, so that worker processes load it."""

    is_shared = False
    """Whether all who import it have the same one, whose requests must not change."""

    def __init__(self, score_func, kwargs, sign, methods):
        self.score_func = score_func
        self.kwargs = kwargs
        self.sign = sign
        self.methods = methods
        # By which callbacks and plots call it.
        self.__name__ = getattr(score_func, "__name__", type(score_func).__name__)
        self.requests = {"sample_weight": None} if self._accept_sample_weight() else {}

    def __call__(self, estimator, X, y, sample_weight=None):
        """Score the labelled rows of X, answered together with their context."""
        check_consistent_length(X, y, sample_weight)
        refuse_other_columns(y, getattr(estimator, "classes_", None))
        labelled = labelled_rows(X)
        y = read_labels(y, ~labelled)[labelled]
        kwargs = self.kwargs | self._weights(sample_weight, labelled)
        name, answer = ask(estimator, X, self.methods)
        answer = answer[labelled]
        if name != "predict" and y.ndim == 1:
            answer, kwargs = self._arrange(name, answer, estimator.classes_, kwargs, y)
        score = self.score_func(y, answer, **kwargs)
        return score if self.sign > 0 else -score

    def _weights(self, sample_weight, labelled):
        if sample_weight is None:
            return {}
        self._refuse_weights_without_use()
        return {"sample_weight": np.asarray(sample_weight)[labelled]}

    def _arrange(self, name, answer, known, kwargs, y):
        if name == "decision_function":
            return orient(answer, known, kwargs, self.score_func), kwargs
        return arrange(answer, known, kwargs, self.score_func, y)

    def set_score_request(self, *, sample_weight):
        """Ask for weights of rows, or refuse them, where metadata is routed.

        Parameters
        ----------
        sample_weight : bool, str or None
            Whether they are passed, or under which name they come; None makes it an
            error to give some.

        Returns
        -------
        callable
            This scorer, or a copy of one that comes ready with the package.
        """
        if not get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                "set_score_request needs metadata routing: "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        if sample_weight not in (None, False):
            self._refuse_weights_without_use()
        asking = copy(self) if self.is_shared else self
        asking.is_shared, asking.requests = False, {"sample_weight": sample_weight}
        return asking

    def get_metadata_routing(self):
        """Tell which metadata it asks for, as scikit-learn's scorers do."""
        request = MetadataRequest(owner=self)
        for name, alias in self.requests.items():
            request.score.add_request(param=name, alias=alias)
        return request

    def _routing_repr(self):
        return repr(self)

    @property
    def _score_func(self):
        # scikit-learn looks for it where it scores many thresholds on all rows.
        raise AttributeError(
            f"{self!r} cannot tune thresholds, since it needs X to leave context rows "
            "out. Use sklearn.metrics.make_scorer, and where some rows are context, "
            "labels and weights of skmerc.model_selection.fill_labels with metadata "
            "routing switched on."
        )

    def _accept_sample_weight(self):
        """Tell scikit-learn, which asks each of several scorers."""
        return takes(self.score_func, "sample_weight")

    def _refuse_weights_without_use(self):
        if not self._accept_sample_weight():
            raise TypeError(
                f"{self!r} is given sample_weight, which its score does not take. "
                "Leave it out, or use a score with that argument."
            )

    def __repr__(self):
        arguments = [f"{key}={value!r}" for key, value in self.kwargs.items()]
        method = self.methods[0] if len(self.methods) == 1 else self.methods
        arguments += [f"response_method={method!r}"] * (method != "predict")
        arguments += ["greater_is_better=False"] * (self.sign < 0)
        return f"make_dialogue_scorer({', '.join([self.__name__, *arguments])})"


def _shared(score_func, **settings):
    scorer = make_dialogue_scorer(score_func, **settings)
    scorer.is_shared = True
    return scorer


#: Accuracy, the papers' WAA, of all but the context rows.
accuracy_scorer = _shared(accuracy_score)

#: Unweighted mean F1 of all classes, of all but the context rows.
macro_f1_scorer = _shared(f1_score, average="macro", zero_division=0.0)

#: :func:`weighted_f1` of all but the context rows.
weighted_f1_scorer = _shared(weighted_f1)

#: :func:`minority_f1` of all but the context rows. Each fold has a minority of its
#: own; ``make_dialogue_scorer(minority_f1, minority=[...])`` holds it fixed.
minority_f1_scorer = _shared(minority_f1)

#: Log loss, negated, of all but the context rows; of an indicator matrix the mean over
#: its columns. A class that the model has not seen has the smallest probability.
neg_log_loss_scorer = _shared(
    mean_log_loss, response_method="predict_proba", greater_is_better=False
)

#: Unweighted mean area under the ROC curves of each class against all others, of all
#: but the context rows. A class that a fold lacks does not count there.
roc_auc_ovr_scorer = _shared(mean_roc_auc, response_method="predict_proba")
