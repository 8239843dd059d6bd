"""What stands between an ensemble of scikit-learn and its members.

scikit-learn's ensembles know no row without a label. They are given one for each, and
each member is told again which rows have none, so that nobody learns what was filled
in.
"""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skmerc._utils.types import Table
from skmerc.frame._columns import parse_table
from skmerc.metrics import accuracy_scorer
from skmerc.model_selection import StratifiedDialogueKFold, fill_labels
from skmerc.model_selection._split import folds_of

_OF_DIALOGUES = {
    CalibratedClassifierCV: "DialogueCalibratedClassifier",
    StackingClassifier: "DialogueStackingClassifier",
    VotingClassifier: "DialogueVotingClassifier",
}
_PASS_LABELS_ON = FrozenEstimator, GridSearchCV, RandomizedSearchCV


def delegated(method: str) -> Any:
    """Check for a method of the estimator inside, fitted or not."""

    def check(self: Any) -> bool:
        return has_method(getattr(self, "estimator_", self.estimator), method)

    return available_if(check)


def has_method(estimator: Any, method: str) -> bool:
    """Tell whether an estimator has a method, or will have it once it is fitted.

    A stack of scikit-learn knows its final estimator, where that is the default one,
    only then.
    """
    last = _last_of(estimator)
    is_stack = isinstance(last, StackingClassifier) and last.final_estimator is None
    return hasattr(estimator, method) or (
        is_stack and hasattr(LogisticRegression, method)
    )


class Wrapper(MetaEstimatorMixin, BaseEstimator):
    """Base of what stands around one estimator and answers as it does."""

    estimator: Any
    estimator_: Any
    classes_: np.ndarray

    def _read(self, X: Any) -> Any:
        """Turn X into what the estimator inside takes."""
        return X

    def _fit_inside(self, X: Any, y: Any, sample_weight: Any) -> Self:
        """Fit a clone of the estimator inside, with weights where it takes them."""
        given = {} if sample_weight is None else {"sample_weight": sample_weight}
        if given and get_config()["enable_metadata_routing"]:
            given = process_routing(self, "fit", **given).estimator.fit
        elif given and not has_fit_parameter(self.estimator, "sample_weight"):
            raise TypeError(
                f"{type(self.estimator).__name__} takes no sample_weight. Leave the "
                "weights out, or switch metadata routing on and let a step ask for "
                "them by set_fit_request(sample_weight=True)."
            )
        fitted = clone(self.estimator).fit(X, y, **given)
        self.estimator_ = fitted
        if hasattr(fitted, "classes_"):
            self.classes_ = fitted.classes_
        return self

    def _answer(self, method: str, X: Any) -> Any:
        check_is_fitted(self)
        return getattr(self.estimator_, method)(self._read(X))

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell that weights go to the estimator inside, where it asks for them.

        Returns
        -------
        MetadataRouter
            What scikit-learn routes by.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self) -> Tags:
        tags = get_tags(self.estimator)
        tags.array_api_support = False
        return tags


class LabelledScoreMixin:
    """Mixin of classifiers whose accuracy leaves context rows out."""

    def score(
        self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Accuracy over the utterances that are not context.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues.
        y : array-like of shape (n_utterances,)
            Their emotions; those of context rows are ignored.
        sample_weight : array-like of shape (n_utterances,), default=None
            Factor on each utterance.

        Returns
        -------
        float
            Share of right answers.
        """
        return float(accuracy_scorer(self, X, y, sample_weight=sample_weight))


class Member(Wrapper):
    """A member that gets labels without those of context rows.

    Parameters
    ----------
    estimator : estimator
        The member.
    weighted : bool, default=True
        Whether weights are for it, too.
    """

    def __init__(self, estimator: Any, *, weighted: bool = True) -> None:
        self.estimator = estimator
        self.weighted = weighted

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the member to labels that are None where a row is context."""
        context = parse_table(X).is_context
        if context.any() and np.ndim(y) == 1:
            y = np.array(y, dtype=object)
            y[context] = None
        self._fit_inside(X, y, sample_weight if self.weighted else None)
        self._refuse_fewer_classes(np.asarray(y)[~context])
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def _refuse_fewer_classes(self, y: np.ndarray) -> None:
        """Refuse a member whose columns are not those of the ensemble."""
        n_known, n_classes = len(getattr(self, "classes_", y)), len(np.unique(y))
        if y.ndim == 1 and n_known < n_classes:
            raise ValueError(
                f"{type(self.estimator).__name__} has learned {n_known} classes, and "
                f"the labels hold {n_classes}. The rows of the others may all be "
                "validation rows, from which it learns nothing: mark other dialogues "
                "for validation, or give these rows the role 'context'."
            )

    @delegated("predict")
    def predict(self, X: Any) -> Any:
        """Answer as the member does."""
        return self._answer("predict", X)

    @delegated("predict_proba")
    def predict_proba(self, X: Any) -> Any:
        """Answer as the member does."""
        return self._answer("predict_proba", X)

    @delegated("decision_function")
    def decision_function(self, X: Any) -> Any:
        """Answer as the member does."""
        return self._answer("decision_function", X)

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell that weights go to the member, if they are for it."""
        if self.weighted:
            return super().get_metadata_routing()
        return MetadataRouter(owner=self)


class OnRows(Wrapper):
    """An estimator that learns from some rows alone, and answers for any.

    Parameters
    ----------
    estimator : estimator
        The estimator.
    rows : ndarray of shape (n_rows,)
        Whether it learns from each row of what it is fitted to.
    """

    def __init__(self, estimator: Any, rows: np.ndarray) -> None:
        self.estimator = estimator
        self.rows = rows

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the estimator to the rows."""
        given = {}
        if sample_weight is not None:
            given = {"sample_weight": np.asarray(sample_weight)[self.rows]}
        fitted = clone(self.estimator).fit(X[self.rows], y[self.rows], **given)
        self.estimator_ = fitted
        return self


def labels_to_learn(X: Table, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Fill labels and weigh rows, without classes that context rows alone have."""
    filled, weight = fill_labels(X, y)
    if filled.ndim == 1 and len(filled):
        filled = np.where(weight > 0, filled, filled[np.argmax(weight > 0)])
    return filled, weight


def learn_as(
    estimator: Any, parent: Any, X: Any, y: Any, changes: dict, **params: Any
) -> None:
    """Fit the parent class with other parameters, and take over what it has learned."""
    inner = parent(**(estimator.get_params(deep=False) | changes))
    inner.fit(X, y, **params)
    settings = inner.get_params(deep=False)
    vars(estimator).pop("feature_names_in_", None)  # which an array has none of
    vars(estimator).update(
        {name: value for name, value in vars(inner).items() if name not in settings}
    )


def unwrap_members(ensemble: Any) -> None:
    """Put the members of a fitted ensemble in the place of what stood around them."""
    ensemble.estimators_ = [_inside(member) for member in ensemble.estimators_]
    for name, member in ensemble.named_estimators_.items():
        ensemble.named_estimators_[name] = _inside(member)


def _inside(member: Any) -> Any:
    return member.estimator_ if isinstance(member, Member) else member


def make_members(estimators: Any, X: Table) -> list:
    """Wrap the members of an ensemble; refuse those that know no context rows."""
    refuse_ignorant(estimators, X)
    return [
        (name, "drop" if isinstance(member, str) else Member(member))
        for name, member in estimators
    ]


def refuse_ignorant(estimators: Any, X: Table) -> None:
    """Refuse members that would take context rows for labelled ones."""
    n_context = int(parse_table(X).is_context.sum())
    for name, member in estimators if n_context else ():
        last = _last_of(member)
        if not isinstance(last, str) and _is_foreign(last):
            raise ValueError(
                f"X has {n_context} rows of role 'context', which have no label, and "
                f"{name!r} ends in {type(last).__name__}, which takes every row for a "
                f"labelled one. {_advice(last)}"
            )


def _advice(estimator: Any) -> str:
    """Tell what to take in place of an estimator that knows no roles."""
    for parent, own in _OF_DIALOGUES.items():
        if isinstance(estimator, parent):
            return f"Take skmerc.{own} in its place."
    return (
        "Put skmerc.UtteranceClassifier around it: it drops the keys and learns from "
        "the labelled rows alone."
    )


def _last_of(member: Any) -> Any:
    """Find the estimator that learns from labels, behind what only passes them on."""
    while isinstance(member, (Pipeline, *_PASS_LABELS_ON)):
        is_pipeline = isinstance(member, Pipeline)
        member = member.steps[-1][1] if is_pipeline else member.estimator
    return member


def _is_foreign(estimator: Any) -> bool:
    """Whether an estimator is of a library that knows no roles."""
    room = type(estimator).__module__.partition(".")[0]
    return room in ("sklearn", "imblearn")


def split_dialogues(cv: Any, X: Table, y: ArrayLike, labelled: np.ndarray) -> list:
    """List the folds that `cv` makes, an int or None by whole dialogues.

    Raises
    ------
    ValueError
        If X has less than two rows, or the training or the test part of a fold has no
        labelled one.
    """
    if len(labelled) < 2:
        raise ValueError(f"X holds {len(labelled)} sample(s); folds need more.")
    n_splits = 5 if cv is None else cv
    if isinstance(n_splits, Integral):
        cv = StratifiedDialogueKFold(int(n_splits))
    folds = folds_of(check_cv(cv, y, classifier=True), X, y)
    for number, parts in enumerate(folds):
        for rows, part in zip(parts, ("training", "test"), strict=True):
            if not labelled[rows].any():
                raise ValueError(
                    f"The {part} part of fold {number} has no labelled row. Use fewer "
                    "folds, or skmerc.model_selection.StratifiedDialogueKFold, which "
                    "deals the labelled dialogues first."
                )
    return folds
