"""Votes of classifiers of dialogues, some rows of which have no label."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.ensemble import VotingClassifier

from skmerc._utils.compat import fit_context
from skmerc._utils.fitting import all_or_nothing
from skmerc._utils.registry import storable
from skmerc._utils.types import Table
from skmerc.ensemble._members import (
    LabelledScoreMixin,
    labels_to_learn,
    learn_as,
    make_members,
    unwrap_members,
)
from skmerc.frame._columns import parse_table


@storable
class DialogueVotingClassifier(LabelledScoreMixin, VotingClassifier):
    """Votes of several classifiers of dialogues, beside rows without a label.

    It is :class:`~sklearn.ensemble.VotingClassifier` for a table with rows of role
    ``"context"``: its members get the table and the labels with their gaps, and no
    label is made up. Without such rows it does what its parent does.

    Parameters
    ----------
    estimators : list of (str, estimator) tuples
        The members: classifiers of skmerc, pipelines and searches that end in one, and
        any other classifier of single rows inside :class:`skmerc.UtteranceClassifier`.
        A member that is ``"drop"`` is left out.
    voting : {"hard", "soft"}, default="hard"
        Whether the majority of their answers counts, or the mean of their
        probabilities; the latter is the better one for networks.
    weights : array-like of shape (n_estimators,), default=None
        Weights of the members; all 1 by default.
    n_jobs : int, default=None
        Number of members that are fitted at the same time.
    flatten_transform : bool, default=True
        Whether ``transform`` gives one row of probabilities for each utterance.
    verbose : bool, default=False
        Whether to print how long each member took.

    Attributes
    ----------
    estimators_ : list of classifiers
        The fitted members.
    named_estimators_ : Bunch
        The same by name.
    classes_ : ndarray of shape (n_classes,)
        The labels of the rows that have one.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the feature columns, if a member knows them.

    See Also
    --------
    DialogueStackingClassifier : Learns how to weigh the members.
    skmerc.UtteranceClassifier : Any classifier of single rows as a member.

    Examples
    --------
    >>> from skmerc import CBERLClassifier
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.ensemble import DialogueVotingClassifier
    >>> X, y = make_conversations(12, random_state=0)
    >>> X.loc[::3, "dialogue__role"] = "context"
    >>> y = [None if i % 3 == 0 else label for i, label in enumerate(y)]
    >>> network = CBERLClassifier(hidden_size=8, max_epochs=1, random_state=0)
    >>> other = CBERLClassifier(hidden_size=8, max_epochs=1, random_state=1)
    >>> members = [("first", network), ("second", other)]
    >>> model = DialogueVotingClassifier(members, voting="soft").fit(X, y)
    >>> model.predict_proba(X).shape  # every row is answered
    (193, 4)
    """

    @fit_context(prefer_skip_nested_validation=False)
    @all_or_nothing
    def fit(self, X: Table, y: ArrayLike, **fit_params: Any) -> Self:
        """Fit the members.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues.
        y : array-like of shape (n_utterances,)
            Their emotions; those of context rows are ignored, and may be None.
        **fit_params : dict
            ``sample_weight`` of shape (n_utterances,), which goes to all members, or
            with metadata routing to those that ask for it.

        Returns
        -------
        self : object
            The fitted ensemble.

        Raises
        ------
        ValueError
            If no row is labelled, the label of another row than context is missing, a
            member takes every row for labelled, or one that is fitted already, in a
            :class:`~sklearn.frozen.FrozenEstimator`, knows other classes.
        TypeError
            If weights are given to a member that takes none.
        """
        X = parse_table(X).data
        filled, _ = labels_to_learn(X, y)
        changes = {"estimators": make_members(self.estimators, X)}
        learn_as(self, VotingClassifier, X, filled, changes, **fit_params)
        unwrap_members(self)
        self._refuse_other_classes()
        return self

    def _refuse_other_classes(self) -> None:
        """Refuse members, fitted before, that do not know the classes of y."""
        for name, member in self.named_estimators_.items():
            known = getattr(member, "classes_", None)
            if known is None or _speaks_codes(member, self.classes_):
                continue
            if np.asarray(known).tolist() != self.classes_.tolist():
                raise ValueError(
                    f"{name!r} was fitted before to the classes "
                    f"{np.asarray(known).tolist()}, and y holds "
                    f"{self.classes_.tolist()}. Leave it out, or vote on a table that "
                    "has the same classes."
                )

    def _predict(self, X: Any) -> np.ndarray:
        # The parent counts votes by the numbers of the classes, which it has fitted its
        # members to; one that was fitted before answers with the classes themselves.
        answers = [
            answer
            if _speaks_codes(member, self.classes_)
            else self.le_.transform(answer)
            for member in self.estimators_
            for answer in [member.predict(X)]
        ]
        return np.asarray(answers).T


def _speaks_codes(member: Any, classes: np.ndarray) -> bool:
    """Whether a member knows classes by their numbers in the ensemble."""
    known = getattr(member, "classes_", None)
    return known is None or np.asarray(known).tolist() == list(range(len(classes)))
