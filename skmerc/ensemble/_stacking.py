"""Stacks of classifiers of dialogues, some rows of which have no label."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skmerc._utils.compat import fit_context
from skmerc._utils.registry import storable
from skmerc._utils.types import Table
from skmerc.ensemble._members import (
    LabelledScoreMixin,
    OnRows,
    has_method,
    labels_to_learn,
    learn_as,
    make_members,
    split_dialogues,
    unwrap_members,
)
from skmerc.frame._columns import parse_table


def _answered(method: str) -> Any:
    """Check for a method of the final estimator, also of the default one.

    The parent knows that one only when it is fitted, so that nothing could hold it that
    looks for the method first, such as a calibration.
    """

    def check(self: Any) -> bool:
        fitted = getattr(self, "final_estimator_", None)
        return has_method(self._final() if fitted is None else fitted, method)

    return available_if(check)


@storable
class DialogueStackingClassifier(LabelledScoreMixin, StackingClassifier):
    """A classifier on the answers of others, beside rows without a label.

    It is :class:`~sklearn.ensemble.StackingClassifier` for a table with rows of role
    ``"context"``. Each member answers for dialogues that it has not learned from, in
    their whole context, and the final estimator learns from the answers of labelled
    rows alone. No label is made up. Without such rows it does what its parent does, by
    dialogues.

    Parameters
    ----------
    estimators : list of (str, estimator) tuples
        The members: classifiers of skmerc, pipelines and searches that end in one, and
        any other classifier of single rows inside :class:`skmerc.UtteranceClassifier`.
        A member that is ``"drop"`` is left out.
    final_estimator : classifier, default=None
        What learns from their answers, an array without keys; by default
        :class:`~sklearn.linear_model.LogisticRegression`.
    cv : int, splitter, iterable or "prefit", default=None
        How dialogues are left out: a number of folds of whole dialogues with about the
        same share of each class (None: 5), or one of :mod:`skmerc.model_selection`.
        With ``"prefit"`` the members are fitted already, best on other dialogues.
    stack_method : {"auto", "predict_proba", "decision_function", "predict"}, \
            default="auto"
        What the members are asked for; ``"auto"`` is the first that each has.
    n_jobs : int, default=None
        Number of members that are fitted at the same time.
    passthrough : bool, default=False
        Whether the final estimator gets X, too; only where X has no keys.
    verbose : int, default=0
        How much the fits of the folds tell.

    Attributes
    ----------
    estimators_ : list of classifiers
        The members, fitted to all dialogues.
    named_estimators_ : Bunch
        The same by name.
    final_estimator_ : classifier
        The fitted final estimator.
    classes_ : ndarray of shape (n_classes,)
        The labels of the rows that have one.
    stack_method_ : list of str
        What each member is asked for.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the feature columns, if a member knows them.

    See Also
    --------
    DialogueVotingClassifier : Takes the mean, and trains each member once.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skmerc import CBERLClassifier, UtteranceClassifier
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.ensemble import DialogueStackingClassifier
    >>> X, y = make_conversations(12, random_state=0)
    >>> X.loc[::3, "dialogue__role"] = "context"
    >>> y = [None if i % 3 == 0 else label for i, label in enumerate(y)]
    >>> members = [
    ...     ("network", CBERLClassifier(hidden_size=8, max_epochs=1, random_state=0)),
    ...     ("linear", UtteranceClassifier(LogisticRegression())),
    ... ]
    >>> model = DialogueStackingClassifier(members, cv=2).fit(X, y)
    >>> model.predict_proba(X).shape  # every row is answered
    (193, 4)
    """

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Table, y: ArrayLike, **fit_params: Any) -> Self:
        """Fit the members, and the final estimator to what they answer.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues.
        y : array-like of shape (n_utterances,)
            Their emotions; those of context rows are ignored, and may be None.
        **fit_params : dict
            ``sample_weight`` of shape (n_utterances,), which goes to the final
            estimator and to all members, or with metadata routing to those that ask
            for it.

        Returns
        -------
        self : object
            The fitted ensemble.

        Raises
        ------
        ValueError
            If no row is labelled, the label of another row than context is missing, a
            member takes every row for labelled, a fold is without labelled rows, or
            `passthrough` is asked for on a table with keys.
        TypeError
            If weights are given to a member that takes none.
        """
        X = parse_table(X).data
        filled, weight = labels_to_learn(X, y)
        labelled = weight > 0
        self._refuse_keys_passed_through(X)
        changes: dict[str, Any] = {"final_estimator": OnRows(self._final(), labelled)}
        if self.cv != "prefit":
            changes["estimators"] = make_members(self.estimators, X)
            changes["cv"] = split_dialogues(self.cv, X, filled, labelled)
        learn_as(self, StackingClassifier, X, filled, changes, **fit_params)
        unwrap_members(self)
        self.final_estimator_: Any = self.final_estimator_.estimator_
        return self

    @_answered("predict")
    def predict(self, X: Table, **predict_params: Any) -> np.ndarray:
        """Predict the emotion of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues. Every row gets an answer, whatever its role.
        **predict_params : dict
            What ``predict`` of the final estimator takes besides.

        Returns
        -------
        ndarray of shape (n_utterances,)
            One of ``classes_`` for each.
        """
        check_is_fitted(self)
        return super().predict(X, **predict_params)

    @_answered("predict_proba")
    def predict_proba(self, X: Table) -> np.ndarray:
        """Give the probability of each emotion for each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes)
            What the final estimator says, in the order of ``classes_``.
        """
        check_is_fitted(self)
        return super().predict_proba(X)

    @_answered("decision_function")
    def decision_function(self, X: Table) -> np.ndarray:
        """Give the decision values of the final estimator for each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_classes)
            As the final estimator gives them.
        """
        check_is_fitted(self)
        return super().decision_function(X)

    def _final(self) -> Any:
        given = self.final_estimator
        return LogisticRegression() if given is None else given

    def _refuse_keys_passed_through(self, X: Table) -> None:
        if self.passthrough and parse_table(X).key_names:
            raise ValueError(
                "passthrough=True joins the answers of the members and X into one "
                "array of numbers, and X has keys, which are none. Leave it False, or "
                "stack on skmerc.frame.drop_keys(X)."
            )
