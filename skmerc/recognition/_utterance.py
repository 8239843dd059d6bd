"""Any classifier of single rows, on a table of dialogues."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import validate_data

from skmerc._training import refuse_nothing_to_learn
from skmerc._utils.compat import HasMethods, fit_context, safe_indexing
from skmerc._utils.registry import storable
from skmerc._utils.types import Table
from skmerc.ensemble._members import LabelledScoreMixin, Wrapper, delegated
from skmerc.frame import drop_keys
from skmerc.frame._columns import parse_table
from skmerc.frame._labels import column_names, complete_labels


@storable
class UtteranceClassifier(LabelledScoreMixin, Wrapper):
    """Any classifier of scikit-learn as one of the table of utterances.

    It reads each utterance by itself: the keys are dropped, the classifier learns from
    the labelled rows, and every row is answered, in the order of the caller. So the
    baselines of such a table are ``UtteranceClassifier(DummyClassifier())`` and
    ``UtteranceClassifier(LogisticRegression())``, and either can be a member of the
    ensembles of :mod:`skmerc.ensemble`.

    Parameters
    ----------
    estimator : classifier
        Any classifier, or a pipeline that ends in one. It gets the feature columns
        under their names. Where a modality may be missing, begin the pipeline with a
        :class:`~sklearn.impute.SimpleImputer`.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    classes_ : ndarray of shape (n_classes,)
        The labels that it has seen; of several emotions the names of their columns.
    n_features_in_ : int
        Number of feature columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the feature columns, where they are all text.

    See Also
    --------
    skmerc.frame.drop_keys : The features alone, where all rows are labelled.

    Notes
    -----
    It does not learn from rows of role ``"context"``, nor from dialogues with rows of
    role ``"validation"``, which it has no use for: what is compared with it has not
    learned from them either. Rows of role ``"synthetic"`` are learned from.

    Without keys, and so without roles, it does what the classifier does.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skmerc import UtteranceClassifier
    >>> from skmerc.datasets import make_conversations
    >>> X, y = make_conversations(12, random_state=0)
    >>> X.loc[::3, "dialogue__role"] = "context"
    >>> y = [None if i % 3 == 0 else label for i, label in enumerate(y)]
    >>> model = UtteranceClassifier(LogisticRegression()).fit(X, y)
    >>> model.predict(X).shape, model.classes_.tolist()
    ((193,), ['anger', 'joy', 'neutral', 'sadness'])
    """

    _parameter_constraints = {"estimator": [HasMethods("fit")]}

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Fit the classifier to the labelled rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            A table of utterances, with or without keys.
        y : array-like of shape (n_utterances,)
            Their emotions; those of context rows are ignored, and may be None.
        sample_weight : array-like of shape (n_utterances,), default=None
            Factor on each utterance, if the classifier takes weights.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If the estimator is no classifier, no row is left to learn from, or the
            label of another row than context is missing.
        TypeError
            If weights are given to a classifier that takes none.
        """
        if not is_classifier(self.estimator):
            raise ValueError(
                f"{type(self.estimator).__name__} is no classifier; give one."
            )
        table, names = parse_table(X), column_names(y)
        labels = complete_labels(y, table.is_context)
        features = drop_keys(X)
        if table.key_names:
            check_consistent_length(features, labels, sample_weight)
            learned = np.flatnonzero(table.is_learnable)
            refuse_nothing_to_learn(learned)
            features, labels, sample_weight = (
                None if part is None else safe_indexing(part, learned)
                for part in (features, labels, sample_weight)
            )
        self._fit_inside(features, labels, sample_weight)
        if names is not None:  # of several emotions, which scikit-learn numbers
            self.classes_ = names
        # A fit that fails leaves the one before as it was.
        validate_data(self, table.features, skip_check_array=True)
        return self

    def _read(self, X: Table) -> Any:
        features = drop_keys(X)
        if getattr(features, "ndim", 2) != 2:
            return features  # for the classifier to refuse
        return validate_data(self, features, reset=False, skip_check_array=True)

    @delegated("predict")
    def predict(self, X: Table) -> Any:
        """Emotion of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            A table of utterances. Every row gets an answer, whatever its role.

        Returns
        -------
        ndarray of shape (n_utterances,)
            One of ``classes_`` for each.
        """
        return self._answer("predict", X)

    @delegated("predict_proba")
    def predict_proba(self, X: Table) -> Any:
        """Compute the probabilities of the emotions of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            A table of utterances.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes)
            In the order of ``classes_``, in double precision; of several emotions each
            has its own.
        """
        p = self._answer("predict_proba", X)
        if getattr(p, "dtype", None) != np.float32 or p.ndim != 2:
            return p
        # In single precision, that of the table, they sum to one less closely than
        # scores ask of means that they are part of.
        p = p.astype(np.float64)
        total = p.sum(axis=1, keepdims=True)
        # Those of several emotions have no sum to keep.
        return p / total if np.allclose(total, 1, atol=1e-3) else p

    @delegated("decision_function")
    def decision_function(self, X: Table) -> Any:
        """Decision values of the classifier for each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            A table of utterances.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_classes)
            As the classifier gives them.
        """
        return self._answer("decision_function", X)
