"""Calibration of classifiers of dialogues, some rows of which have no label."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.svm import LinearSVC

from skmerc._utils.compat import check_sample_weight, fit_context
from skmerc._utils.registry import storable
from skmerc._utils.types import Table
from skmerc.ensemble._members import (
    LabelledScoreMixin,
    Member,
    labels_to_learn,
    learn_as,
    refuse_ignorant,
    split_dialogues,
)
from skmerc.frame._columns import parse_table


@storable
class DialogueCalibratedClassifier(LabelledScoreMixin, CalibratedClassifierCV):
    """Calibrated probabilities of a classifier of dialogues.

    It is :class:`~sklearn.calibration.CalibratedClassifierCV` for a table with rows of
    role ``"context"``: left-out dialogues are answered in their whole context, and the
    calibrators learn from their labelled rows alone. No label is made up, neither for
    the classifier nor for the calibration. Without such rows it does what its parent
    does, by dialogues.

    Parameters
    ----------
    estimator : classifier, default=None
        A classifier of skmerc, a pipeline or search that ends in one, or any other
        classifier of single rows inside :class:`skmerc.UtteranceClassifier`. One that
        is fitted stands in a :class:`~sklearn.frozen.FrozenEstimator`; it is
        calibrated on dialogues that it has not learned from. By default, for X without
        keys, :class:`~sklearn.svm.LinearSVC`.
    method : {"sigmoid", "isotonic", "temperature"}, default="sigmoid"
        How answers become probabilities. ``"isotonic"`` needs some thousand labelled
        rows; ``"temperature"`` has one number to learn and keeps which class is first.
    cv : int, splitter or iterable, default=None
        How dialogues are left out: a number of folds of whole dialogues with about the
        same share of each class (None: 5), or one of :mod:`skmerc.model_selection`.
    n_jobs : int, default=None
        Number of folds that are fitted at the same time.
    ensemble : bool or "auto", default="auto"
        Whether the classifiers of all folds are kept, and their mean is the answer, or
        one is fitted to all dialogues. ``"auto"`` is True unless the classifier is
        frozen.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels of the rows that have one.
    calibrated_classifiers_ : list
        Classifiers with their calibrators, one for each fold or one in all.
    n_features_in_ : int
        Number of feature columns, if the classifier tells it.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the feature columns, if the classifier knows them.

    See Also
    --------
    skmerc.metrics.neg_log_loss_scorer : Tells whether it has helped.

    Examples
    --------
    >>> from skmerc import CBERLClassifier
    >>> from skmerc.calibration import DialogueCalibratedClassifier
    >>> from skmerc.datasets import make_conversations
    >>> X, y = make_conversations(12, random_state=0)
    >>> X.loc[::3, "dialogue__role"] = "context"
    >>> y = [None if i % 3 == 0 else label for i, label in enumerate(y)]
    >>> network = CBERLClassifier(hidden_size=8, max_epochs=1, random_state=0)
    >>> model = DialogueCalibratedClassifier(network, cv=2).fit(X, y)
    >>> model.predict_proba(X).shape  # every row is answered
    (193, 4)
    """

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Fit classifiers, and calibrators to what they answer for left-out dialogues.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues.
        y : array-like of shape (n_utterances,)
            Their emotions; those of context rows are ignored, and may be None.
        sample_weight : array-like of shape (n_utterances,), default=None
            Factor on each utterance, for the classifier and for the calibration.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If no row is labelled, the label of another row than context is missing,
            the classifier takes every row for labelled, or a fold is without labelled
            rows, or, for ``"temperature"``, without those of a class.
        TypeError
            If weights are given and the classifier takes none.
        """
        X = parse_table(X).data
        filled, labelled = labels_to_learn(X, y)
        estimator = self.estimator
        estimator = LinearSVC(random_state=0) if estimator is None else estimator
        refuse_ignorant([("estimator", estimator)], X)
        folds = split_dialogues(self.cv, X, filled, labelled > 0)
        if self.method == "temperature":
            _refuse_absent_classes(filled, labelled > 0, folds)
        is_weighted = sample_weight is not None
        ensemble, is_frozen = self.ensemble, isinstance(estimator, FrozenEstimator)
        if ensemble == "auto":
            ensemble = not is_frozen
        changes = {  # and what is frozen has nothing to weigh
            "estimator": Member(estimator, weighted=is_weighted and not is_frozen),
            "cv": folds,
            "ensemble": ensemble,
        }
        params: dict[str, Any] = {}
        if is_weighted or not labelled.all():
            weight = check_sample_weight(sample_weight, filled)
            params["sample_weight"] = weight * labelled
        learn_as(self, CalibratedClassifierCV, X, filled, changes, **params)
        for calibrated in self.calibrated_classifiers_:
            calibrated.estimator = calibrated.estimator.estimator_
        return self


def _refuse_absent_classes(y: np.ndarray, labelled: np.ndarray, folds: list) -> None:
    """Refuse folds that lack a class, since one temperature is for all columns."""
    classes = np.unique(y[labelled])
    for number, (train, _) in enumerate(folds):
        absent = np.setdiff1d(classes, y[train][labelled[train]])
        if len(absent):
            raise ValueError(
                f"The training part of fold {number} has no labelled row of "
                f"{absent.tolist()[0]!r}, and method='temperature' needs all classes "
                "in each. Use method='sigmoid', or label more dialogues."
            )
