"""What classifiers of dialogues share: classes, priors, heads, answers."""

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from sklearn import config_context
from sklearn.base import ClassifierMixin, clone
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import has_fit_parameter

from skmerc._training import CLASSES, ReadClasses, draw_seed, infer
from skmerc._utils.compat import (
    HasMethods,
    StrOptions,
    check_partial_fit_first_call,
    fit_context,
)
from skmerc._utils.fitting import all_or_nothing, of_one_fit
from skmerc.frame._columns import CONTEXT, UTTERANCE, parse_table
from skmerc.frame._labels import refuse_mixed, shape_of
from skmerc.recognition._checks import scored_rows
from skmerc.recognition._dialogue_estimator import DialogueEstimator
from skmerc.recognition._imbalance import (
    SMALLEST,
    boosting_head,
    class_factor,
    prior_shift,
)


class DialogueClassifier(ClassifierMixin, DialogueEstimator):
    """Base of the classifiers of dialogues; subclasses build the network."""

    _parameter_constraints: dict = {
        **DialogueEstimator._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "head": [StrOptions({"boost"}), None, HasMethods(["fit", "predict_proba"])],
        "prior": [dict, StrOptions({"train", "uniform"}), None],
    }

    @fit_context(prefer_skip_nested_validation=False)
    @all_or_nothing
    def fit(self, X, y, sample_weight=None):
        """Train the network, then the head on its embeddings.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows; see the guide to X. Without keys
            every row is a dialogue of its own.
        y : array-like of shape (n_utterances,)
            Their emotions; those of context rows are ignored.
        sample_weight : array-like of shape (n_utterances,), default=None
            Factor on the loss of each utterance.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If X holds infinity, text or broken keys, or no row is left to learn from.
        DivergenceError
            If training leaves the finite numbers.

        Warns
        -----
        InterruptedTrainingWarning
            If training is interrupted by the user once an epoch is finished; before
            that, the interrupt is passed on.
        """
        return self._fit(X, y, sample_weight)

    @all_or_nothing
    def partial_fit(self, X, y, classes=None, sample_weight=None):
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
        return self._fit(X, y, sample_weight, passes=1, classes=known)

    def _encode(self, y, table, resume, classes=None):
        """Index of each row's class; context rows may hold anything."""
        check_classification_targets(y)
        labelled = table.role != CONTEXT
        classes = self.classes_ if resume else classes
        classes = np.unique(y[labelled]) if classes is None else classes
        unknown = labelled & ~np.isin(y, classes)
        if unknown.any():
            raise ValueError(
                f"Label {y[unknown].tolist()[0]!r} in row "
                f"{np.flatnonzero(unknown)[0]} is not among the classes of the first "
                f"fit: {classes.tolist()}."
            )
        self.classes_ = classes
        self._check_answers()
        return np.where(labelled, np.searchsorted(classes, y), 0).clip(
            max=len(classes) - 1
        )

    def _check_answers(self):
        """Refuse a prior and a head now that could not be used after training."""
        if self.prior is not None:
            even = np.ones(len(self.classes_))
            prior_shift(self.prior, self.classes_, even, even)
        if self.head is None or self.head == "boost":
            return
        head = clone(self.head)
        if hasattr(head, "_validate_params"):
            head._validate_params()

    def _measure(self):
        return CLASSES._replace(reading=ReadClasses(self.classes_))

    def _kinds(self, target):
        return target

    def _factor(self, target, weight):
        mass = self._total("given", self._mass(target, weight))
        return class_factor(self.class_weight, self.classes_, mass)[target]

    def _frequency(self, target, weight):
        mass = self._total("trained", self._mass(target, weight))
        return (mass / mass.sum() + 1e-3)[target]

    def _mass(self, target, weight):
        """Weight of each class."""
        return np.bincount(target, weight, minlength=len(self.classes_))

    def _finish(self, table, target, weight, rng):
        self._record_priors(table, target)
        self._fit_head(table, target, weight, rng)

    def _record_priors(self, table, target):
        """Class shares that the network was trained with, and the real ones."""
        trained = self._totals["trained"]
        real = table.learnable & (table.role == UTTERANCE)
        counted = self._total("real", self._mass(target, real))
        counted = counted if counted.any() else trained
        self._trained_prior = trained / trained.sum()
        self.class_prior_ = counted / counted.sum()

    def _fit_head(self, table, target, weight, rng):
        self.head_ = None
        if self.head is None:
            return
        rows = table.select(weight > 0)
        boost = self.head == "boost"
        head = boosting_head(weight[rows].sum()) if boost else clone(self.head)
        if "random_state" in head.get_params():
            head.set_params(random_state=draw_seed(rng))
        weights = {"sample_weight": weight[rows]}
        if not has_fit_parameter(head, "sample_weight"):
            weights = {}
        # Held-out dialogues stay outside, so that they move not even a rounding.
        learned = self._dataset(table, table.sequences(), target, weight)
        embedding = infer(self.net_, learned, "embedding", torch.float64)[rows]
        # These weights come with every fit; they are nothing that a user routes.
        with config_context(enable_metadata_routing=False):
            self.head_ = head.fit(embedding, target[rows], **weights)

    @of_one_fit
    def predict_proba(self, X):
        """Probabilities of the emotions of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows. Every row gets an answer,
            whatever its role.

        Returns
        -------
        ndarray of shape (n_utterances, n_classes)
            In the order of ``classes_``.
        """
        return self._proba(self._read(X))

    def _proba(self, table):
        if self.head_ is None:
            log_p = log_softmax(self._infer(table, "logits"), axis=1)
        else:
            embedding = self._infer(table, "embedding")
            known = self.head_.predict_proba(embedding)
            p = np.zeros((len(table), len(self.classes_)))
            p[:, self.head_.classes_] = known
            log_p = np.log(np.maximum(p, SMALLEST))
        return softmax(log_p + self._prior_shift(), axis=1)

    def _prior_shift(self):
        if self.prior is None:
            return 0.0
        real, trained = self.class_prior_, self._trained_prior
        return prior_shift(self.prior, self.classes_, real, trained)

    @of_one_fit
    def predict(self, X):
        """Emotion of each utterance.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows.

        Returns
        -------
        ndarray of shape (n_utterances,)
            The most probable of ``classes_``.
        """
        chosen = self.predict_proba(X).argmax(axis=1)
        return self.classes_[chosen]

    def score(self, X, y, sample_weight=None):
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
        rows, y, weight = scored_rows(X, y, sample_weight)
        answers = self.predict(X)[rows]
        return float(accuracy_score(y, answers, sample_weight=weight))
