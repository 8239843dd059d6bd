"""What the classifiers of dialogues share: reading, training, answering."""

from numbers import Integral, Real

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    has_fit_parameter,
)

from skmerc._columns import CONTEXT, UTTERANCE, VALIDATION
from skmerc._conversations import read_conversations
from skmerc._training import (
    DialogueDataset,
    check_partial_missing,
    draw_seed,
    fit_standardize_on_real,
    hold_out,
    infer,
    make_net,
    resolve_device,
    seeded,
)
from skmerc.frame import read_keys
from skmerc.recognition._imbalance import (
    SMALLEST,
    boosting_head,
    class_factor,
    prior_shift,
)

COUNT = Interval(Integral, 1, None, closed="left")
NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
SHARE = Interval(Real, 0, 1, closed="left")


class DialogueClassifier(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClassifierMixin, BaseEstimator
):
    """Base of the classifiers of dialogues; subclasses build the network.

    A subclass defines ``_network(conversations, standardize)``, which returns the
    class of its network and the parameters for it, and ``_objective()``, the same
    for its loss.
    """

    _parameter_constraints: dict = {
        "modalities": [dict, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "head": [StrOptions({"boost"}), None, HasMethods(["fit", "predict_proba"])],
        "prior": [dict, StrOptions({"train", "uniform"}), None],
        "standardize": ["boolean"],
        "partial_nan": [StrOptions({"mean", "error"})],
        "optimizer": [callable],
        "lr": [POSITIVE],
        "weight_decay": [NOT_NEGATIVE],
        "batch_size": [COUNT],
        "max_epochs": [COUNT],
        "patience": [COUNT, None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "callbacks": [list, None],
        "net_params": [dict, None],
        "device": [str],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _fit(self, X, y, sample_weight):
        resume = self.warm_start and hasattr(self, "net_")
        table, y = read_conversations(
            self, X, y, reset=not resume, modalities=self.modalities
        )
        check_partial_missing(
            table, self.partial_nan, getattr(self, "feature_names_in_", None)
        )
        weight = _check_sample_weight(
            sample_weight, table.features, dtype=np.float64, ensure_non_negative=True
        )
        target = self._encode(y, table, resume)
        rng = check_random_state(self.random_state)
        weight, scored = self._divide(table, target, weight, rng)
        if not resume:
            rows = table.select(weight > 0)
            self._standardize = fit_standardize_on_real(
                table, rows, weight, active=self.standardize
            )
        self._train(table, target, weight, scored, draw_seed(rng), resume)
        self._record_priors(table, target, weight)
        self._fit_head(table, target, weight, rng)
        return self

    def _encode(self, y, table, resume):
        """Index of each row's class; context rows may hold anything."""
        check_classification_targets(y)
        labelled = table.role != CONTEXT
        if not labelled.any():
            raise ValueError("All rows have the role 'context'; none has a label.")
        classes = self.classes_ if resume else np.unique(y[labelled])
        unknown = labelled & ~np.isin(y, classes)
        if unknown.any():
            raise ValueError(
                f"Label {y[unknown][0]!r} in row {np.flatnonzero(unknown)[0]} is not "
                f"among the classes of the first fit: {list(classes)}."
            )
        self.classes_ = classes
        return np.where(labelled, np.searchsorted(classes, y), 0).clip(
            max=len(classes) - 1
        )

    def _divide(self, table, target, weight, rng):
        """Weights of the rows to learn from, and of those that are only scored."""
        learnable = table.learnable
        scored = table.role == VALIDATION
        rows = np.flatnonzero(learnable & (weight > 0))
        if not len(rows):
            raise ValueError(
                "No row is left to learn from: all are context, held out for "
                "validation, or of sample weight 0."
            )
        if self.patience is not None and not scored.any():
            out = hold_out(table, rows, target, self.validation_fraction, rng)
            scored = out & learnable & (table.role == UTTERANCE)
            learnable = learnable & ~out
        factor = class_factor(
            self.class_weight, self.classes_, target, weight * learnable
        )
        return weight * factor * learnable, weight * scored

    def _train(self, table, target, weight, scored, seed, resume):
        sequences = table.sequences()
        mass = np.bincount(target, weight, minlength=len(self.classes_))
        frequency = (mass / mass.sum() + 1e-3)[target]
        training = self._dataset(table, sequences, target, weight, frequency)
        validation = None
        if scored.any():
            validation = self._dataset(table, sequences, target, scored, frequency)
        device = resolve_device(self.device)
        with seeded(seed, device):
            net = self._make_net(table, validation, device, seed)
            net.initialize()
            if resume:
                net.module_.load_state_dict(self.net_.module_.state_dict())
            net.partial_fit(training, None)
        self.net_ = net
        self.history_ = [_summary(epoch) for epoch in net.history]
        self.n_iter_ = len(net.history)

    @staticmethod
    def _dataset(table, sequences, target, weight, frequency=None):
        used = np.add.reduceat(
            weight[sequences.rows] * sequences.owned, sequences.offsets[:-1]
        )
        kept = sequences.take(np.flatnonzero(used))
        return DialogueDataset(table, kept, target, weight, frequency)

    def _make_net(self, table, validation, device, seed):
        network, settings = self._network(table)
        objective, loss_settings = self._objective()
        given = {f"module__{name}": value for name, value in settings.items()}
        given |= {f"criterion__{name}": value for name, value in loss_settings.items()}
        given |= {
            "optimizer": self.optimizer,
            "optimizer__weight_decay": self.weight_decay,
            "lr": self.lr,
            "batch_size": self.batch_size,
            "max_epochs": self.max_epochs,
            "callbacks": clone(self.callbacks or [], safe=False),
            "device": str(device),
            "verbose": int(self.verbose),
        }
        return make_net(
            network,
            objective,
            validation=validation,
            patience=self.patience,
            seed=seed,
            **(given | (self.net_params or {})),
        )

    def _reader_settings(self, table):
        """Parameters of the network's first layer."""
        return {
            "mean": self._standardize.mean.cpu().numpy(),
            "scale": self._standardize.scale.cpu().numpy(),
            "active": self._standardize.active,
            "blocks": list(table.blocks.values()),
        }

    def _record_priors(self, table, target, weight):
        """Class shares that the network was trained with, and the real ones."""
        n_classes = len(self.classes_)
        trained = np.bincount(target, weight, minlength=n_classes)
        real = table.learnable & (table.role == UTTERANCE)
        counted = np.bincount(target[real], minlength=n_classes)
        counted = counted if counted.sum() else trained
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
        embedding = infer(self.net_, learned, "embedding")[rows]
        self.head_ = head.fit(embedding, target[rows], **weights)

    def _infer(self, table, output):
        return infer(self.net_, DialogueDataset(table, table.sequences()), output)

    def _read(self, X):
        check_is_fitted(self, "net_")
        table = read_conversations(self, X, reset=False, modalities=self.modalities)
        check_partial_missing(
            table, self.partial_nan, getattr(self, "feature_names_in_", None)
        )
        return table

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
        table = self._read(X)
        if self.head_ is None:
            log_p = log_softmax(self._infer(table, "logits").astype(float), axis=1)
        else:
            known = self.head_.predict_proba(self._infer(table, "embedding"))
            p = np.zeros((len(table), len(self.classes_)))
            p[:, self.head_.classes_] = known
            log_p = np.log(np.maximum(p, SMALLEST))
        return softmax(log_p + self._prior_shift(), axis=1)

    def _prior_shift(self):
        if self.prior is None:
            return 0.0
        real, trained = self.class_prior_, self._trained_prior
        return prior_shift(self.prior, self.classes_, real, trained)

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

    def transform(self, X):
        """Embed each utterance in its context.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows.

        Returns
        -------
        ndarray of shape (n_utterances, 2 * hidden_size)
            Embeddings without keys, for plots, retrieval or other classifiers.
        """
        return self._infer(self._read(X), "embedding")

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
        answers = self.predict(X)
        labelled = (read_keys(X)["dialogue__role"] != "context").to_numpy()
        if not labelled.any():
            raise ValueError("All rows have the role 'context'; none can be scored.")
        right = answers[labelled] == np.asarray(y)[labelled]
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight)[labelled]
        return float(np.average(right, weights=sample_weight))

    @property
    def _n_features_out(self):
        return self.net_.module_.embedding_size

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.non_deterministic = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _summary(epoch):
    hidden = ("batches", "event_")
    return {
        name: value
        for name, value in epoch.items()
        if not name.startswith(hidden) and not name.endswith(("_best", "_batch_count"))
    }
