"""What classifiers of dialogues share: classes, priors, heads, answers."""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn import config_context
from sklearn.base import ClassifierMixin, clone
from sklearn.ensemble import StackingClassifier
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets

from skmerc._training import draw_seed, infer
from skmerc._utils.compat import HasMethods, StrOptions, check_partial_fit_first_call
from skmerc._utils.fitting import all_or_nothing, of_one_fit
from skmerc._utils.types import Table
from skmerc.ensemble._members import has_method
from skmerc.frame._columns import parse_table
from skmerc.frame._labels import refuse_mixed, refuse_other_columns, shape_of
from skmerc.frame._warnings import warn_of_other_labels
from skmerc.recognition._base import NOT_NEGATIVE, TrainingData
from skmerc.recognition._checks import scored_rows, weight_parameter
from skmerc.recognition._imbalance import (
    SMALLEST,
    boost,
    prior_shift,
)
from skmerc.recognition._tasks import Classes


class DialogueClassifierMixin(ClassifierMixin):
    """What a :class:`DialogueEstimator` of emotions has besides."""

    head_: Any

    _parameter_constraints: dict = {
        "class_weight": [
            dict,
            StrOptions({"balanced", "sqrt", "effective"}),
            tuple,
            None,
        ],
        "logit_adjustment": [NOT_NEGATIVE],
        "head": [
            StrOptions({"boost"}),
            None,
            HasMethods(["fit", "predict_proba"]),
            StackingClassifier,  # which has that method once it is fitted
        ],
        "prior": [dict, StrOptions({"train", "uniform"}), None],
    }

    @all_or_nothing
    def partial_fit(
        self,
        X: Table,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one more pass over some dialogues, from where training stands.

        Nothing is held out; rows of role ``"validation"`` are scored. Features are
        standardised with the exact mean and deviation of what was learned from in all
        calls, and shares of classes are counted over all calls too, so that a table
        can come part by part, as from :func:`skmerc.datasets.iter_table`. A head is
        fitted on the utterances of the last call alone. A call that fails changes
        nothing.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows.
        y : array-like of shape (n_utterances,)
            Their emotions; where `fit` takes an indicator matrix, it may be one here.
        classes : array-like of shape (n_classes,), default=None
            All emotions that will ever come; needed at the first call, unless y is an
            indicator matrix.
        sample_weight : array-like of shape (n_utterances,), default=None
            Factor on the loss of each utterance.

        Returns
        -------
        self : object
            The classifier, trained for one more pass.
        """
        self._validate_params()
        if classes is not None:
            refuse_mixed(classes, "classes")
        if len(shape_of(y)) == 1:
            check_partial_fit_first_call(self, classes)
        known = getattr(self, "classes_", None)
        return self._fit(X, y, sample_weight, epochs=1, classes=known)

    def _task_of(
        self, y: np.ndarray, labelled: np.ndarray, before: Any, classes: Any
    ) -> Any:
        check_classification_targets(y)
        if before is None:
            found = np.unique(y[labelled]) if classes is None else classes
            before = Classes(found)
        self.classes_ = before.labels
        self._check_answers()
        return before

    def _check_answers(self) -> None:
        """Refuse a prior and a head now that could not be used after training."""
        if self.prior is not None:
            even = np.ones(len(self.classes_))
            prior_shift(self.prior, self.classes_, even, even)
        if self.head is None or self.head == "boost":
            return
        head = clone(self.head)
        if not has_method(head, "predict_proba"):
            raise ValueError(
                f"head={type(head).__name__} will have no predict_proba; give its "
                "final estimator one."
            )
        if hasattr(head, "_validate_params"):
            head._validate_params()

    def _check_weights(self, weight: np.ndarray) -> None:
        """Refuse weights that a head would leave out."""
        given, differ = self.head, np.ptp(weight[weight > 0]) > 0
        if given is None or given == "boost" or not differ or weight_parameter(given):
            return
        raise ValueError(
            f"head={type(given).__name__} takes no sample_weight, and utterances have "
            "weights that differ, by sample_weight or class_weight. Leave these out, "
            "or take a head that heeds them."
        )

    def _finish(self, data: TrainingData, rng: np.random.RandomState) -> None:
        self.class_prior_ = self._task.prior
        self._fit_head(data, rng)

    def _so_far(self, net: Any) -> dict | None:
        # A head learns after the network, and until then nothing stands in its place.
        return None if self.head is not None else super()._so_far(net) | {"head_": None}

    def _fit_head(self, data: TrainingData, rng: np.random.RandomState) -> None:
        self.head_ = None
        if self.head is None:
            return
        self._sums_votes = self.head == "boost"
        fit_head = self._boost if self._sums_votes else self._fit_given_head
        # Every fit passes these weights; they are not metadata that a user routes.
        with config_context(enable_metadata_routing=False):
            self.head_ = fit_head(data, rng)

    def _holds_out(self) -> bool:
        # The penalty of the head is chosen by dialogues that the network did not learn.
        boosts = self.head == "boost" and self.patience is not None
        return boosts or super()._holds_out()

    def _boost(self, data: TrainingData, rng: np.random.RandomState) -> Any:
        learned, left_out = self._embedded(data, data.weight), None
        if self.patience is not None and data.scored.any():
            left_out = self._embedded(data, data.scored)
        return boost(learned, left_out, draw_seed(rng))

    def _fit_given_head(self, data: TrainingData, rng: np.random.RandomState) -> Any:
        head = clone(self.head)
        if "random_state" in head.get_params():
            head.set_params(random_state=draw_seed(rng))
        embedding, target, weight = self._embedded(data, data.weight)
        name = weight_parameter(head)
        # Some take no weights, not even those that are all one.
        weights = {} if name is None or (weight == 1).all() else {name: weight}
        return head.fit(embedding, target, **weights)

    def _embedded(
        self, data: TrainingData, weight: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return embeddings, classes and weights of the rows that have a weight."""
        rows = data.table.select(weight > 0)
        # Other dialogues are left out, since they would change the rounding.
        shown = data.dataset(weight)
        embedding = infer(self.net_, shown, "embedding", torch.float64)[rows]
        return embedding, data.target[rows], weight[rows]

    @of_one_fit
    def predict_proba(self, X: Table) -> np.ndarray:
        """Probabilities of the emotions of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows. Every row gets an answer,
            whatever its role.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes)
            In the order of ``classes_``; after an indicator matrix, the probability
            that each emotion is there.
        """
        return self._probabilities(self._infer(self._read(X), self._answering))

    @property
    def _answering(self) -> str:
        """Name the output of the network that answers are made of."""
        return "logits" if self.head_ is None else "embedding"

    def _probabilities(self, output: np.ndarray) -> np.ndarray:
        """Turn that output into probabilities."""
        logits = output if self.head_ is None else self._ask_head(output)
        return self._task.predict_proba(logits + self._prior_shift())

    def _ask_head(self, embedding: np.ndarray) -> np.ndarray:
        p = np.zeros((len(embedding), len(self.classes_)))
        p[:, self.head_.classes_] = self.head_.predict_proba(embedding)
        logits = np.log(np.maximum(p, SMALLEST))
        if self._sums_votes:
            # scikit-learn takes the mean of the votes where SAMME has their sum, which
            # leaves all classes nearly equal.
            logits *= self.head_.estimator_weights_.sum()
        return logits

    def _prior_shift(self) -> np.ndarray | float:
        if self.prior is None:
            return 0.0
        task = self._task
        # A head learns from the utterances without an adjustment.
        learned = task.answered_prior if self.head_ is None else task.trained_prior
        return prior_shift(self.prior, task.labels, task.prior, learned)

    @of_one_fit
    def predict(self, X: Table) -> np.ndarray:
        """Emotion of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows.

        Returns
        -------
        ndarray of shape (n_utterances,) or (n_utterances, n_classes)
            The most probable of ``classes_``; after an indicator matrix, another.
        """
        p = self.predict_proba(X)
        return self._task.decode(p)

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
            Share of right answers; the papers' weighted average accuracy (WAA).
        """
        X = parse_table(X)
        refuse_other_columns(y, self.classes_)
        rows, y, weight = scored_rows(X, y, sample_weight)
        answers = self.predict(X)[rows]
        warn_of_other_labels(y, self.classes_)
        return float(accuracy_score(y, answers, sample_weight=weight))
