"""What all estimators of dialogues share: reading, training, embedding."""

import os
from contextlib import nullcontext
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skmerc._training import (
    CallbackHolder,
    Checkpoint,
    DialogueDataset,
    Moments,
    check_net_settings,
    check_parallel,
    check_partial_missing,
    check_weight,
    draw_seed,
    drawing,
    hold_out,
    infer,
    make_net,
    redirected,
    resolve_device,
    runs_code_of_others,
    summary_of,
    train_net,
    warn_of_values_never_seen,
    without_accelerator,
)
from skmerc._utils.divergence import refuse_infinite_answers
from skmerc._utils.fitting import of_one_fit
from skmerc.frame._columns import CONTEXT, SYNTHETIC, UTTERANCE, VALIDATION
from skmerc.frame._conversations import read_conversations
from skmerc.recognition._checks import plain
from skmerc.recognition._totals import TotalsHolder

COUNT = Interval(Integral, 1, None, closed="left")
NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
SHARE = Interval(Real, 0, 1, closed="left")
WINDOW = [Interval(Integral, -1, 2**31, closed="left"), None]


class DialogueEstimator(
    TotalsHolder,
    CallbackHolder,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Base of what is trained on whole dialogues, by skorch, row by row.

    A subclass defines ``_network(table)``, which returns the class of its network and
    the parameters for it, ``_objective()``, the same for its loss, ``_encode``, which
    turns y into what the loss reads, and ``_measure``, which scores the network's
    answers for held-out rows; the rest has defaults.
    """

    _presets: dict = {}
    # Number of passes whose mean score on held-out dialogues decides when to stop.
    _span = 1
    _parameter_constraints: dict = {
        "modalities": [dict, None],
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
        "checkpoint": [str, os.PathLike, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _fit(self, X, y, sample_weight, *, passes=None, **encoding):
        """Fit, or go on for a number of passes from where the last fit ended."""
        check_parallel(self)
        check_net_settings(self)
        resume = hasattr(self, "net_") and bool(self.warm_start or passes)
        checks = self._y_checks(y)
        table, y = read_conversations(
            self, X, y, reset=not resume, modalities=self.modalities, **checks
        )
        check_partial_missing(
            table, self.partial_nan, getattr(self, "feature_names_in_", None)
        )
        weight = check_weight(sample_weight, table.features)
        if not (table.role != CONTEXT).any():
            raise ValueError("All rows have the role 'context'; none has a label.")
        target = self._encode(y, table, resume, **encoding)
        self._begin_totals(resume, passes)
        rng = check_random_state(self.random_state)
        weight, scored = self._divide(table, target, weight, rng, hold=not passes)
        if not resume:
            self._start(table, target, weight)
        if passes or not resume:
            self._learn_scales(table, target, weight)
        target = self._scale(target)
        seed = draw_seed(rng)
        checkpoint = None
        if self.checkpoint is not None and not passes:
            data = {"X": table, "y": target, "sample_weight": weight, "roles": scored}
            start = self.net_ if resume else None
            checkpoint = Checkpoint.of(self, data | {"random_state": seed}, start)
        with checkpoint or nullcontext():
            data = table, target, weight
            interrupted = self._train(*data, scored, seed, resume, passes, checkpoint)
            self._finish(*data, rng)
            if checkpoint and not interrupted:
                checkpoint.remove()
        return self

    def _y_checks(self, y):
        """Arguments of scikit-learn's check of y."""
        return {}

    def _divide(self, table, target, weight, rng, hold):
        """Weights of the rows to learn from, and of those that are only scored."""
        learnable = table.learnable
        scored = table.role == VALIDATION
        rows = np.flatnonzero(learnable & (weight > 0))
        if not len(rows):
            raise ValueError(
                "No row is left to learn from: all are context, held out for "
                "validation, or of sample weight 0."
            )
        if hold and self.patience is not None and not scored.any():
            kinds = self._kinds(target)
            out = hold_out(table, rows, kinds, self.validation_fraction, rng)
            scored = out & learnable & (table.role == UTTERANCE)
            learnable = learnable & ~out
        factor = self._factor(target, weight * learnable)
        if not (weight * factor * learnable).any():
            raise ValueError("No row is left to learn from: all have class weight 0.")
        return weight * factor * learnable, weight * factor * scored

    def _start(self, table, target, weight):
        """Take from the data what the network is built with."""

    def _learn_scales(self, table, target, weight):
        """Take means and deviations from the real rows that were learned from."""
        rows = table.select(weight > 0)
        real = rows[table.role[rows] != SYNTHETIC]
        known = self._total("X", Moments.of(table.features, real, weight[real]))
        if not known.weight.any():
            known = Moments.of(table.features, rows, weight[rows])
        self._standardize = known.standardize(self.standardize)

    def _scale(self, target):
        """Bring targets to the scale on which the network learns them."""
        return target

    def _kinds(self, target):
        """What must not be held out altogether: nothing, or the classes."""
        return np.zeros(len(target), int)

    def _factor(self, target, weight):
        """Factor on the loss of each row."""
        return np.ones(len(target))

    def _frequency(self, target, weight):
        """Positive frequency of what each row is, for masks that follow it."""
        return np.ones(len(target))

    def _finish(self, table, target, weight, rng):
        """Fit what stands on the trained network."""

    def _pretrain(self, net, training):
        """Train parts of the network beforehand."""

    def _train(self, table, target, weight, scored, seed, resume, passes, checkpoint):
        """Train; return whether the user has broken it off."""
        sequences = table.sequences()
        frequency = self._frequency(target, weight)
        training = self._dataset(table, sequences, target, weight, frequency)
        validation = None
        if scored.any():
            validation = self._dataset(table, sequences, target, scored, frequency)
        device = resolve_device(self.device)
        before = self.history_ if resume and passes else []
        seed += len(before)  # or each further pass would draw what the last one drew
        with drawing(seed, device):
            net = self._make_net(table, training, validation, device, seed, passes)
            with redirected():
                net.initialize()
            done = checkpoint.attach(net) if checkpoint else 0
            if resume:
                self._take_over(net, optimizer=bool(passes))
            else:
                self._pretrain(net, training)
            watched = runs_code_of_others(self)
            interrupted = train_net(net, training, done=done, watched=watched)
        self.net_ = without_accelerator(net)
        epochs = enumerate(net.history, start=len(before) + 1)
        self.history_ = before + [summary_of(epoch, number) for number, epoch in epochs]
        self.n_iter_ = len(self.history_)
        return interrupted

    def _take_over(self, net, optimizer):
        state, new = self.net_.module_.state_dict(), net.module_.state_dict()
        state |= {name: new[name] for name in new if ".standardize." in name}
        try:
            net.module_.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(
                "Parameters that shape the network have changed since the last fit, "
                "so training cannot go on from its weights: change them back, or fit "
                "with warm_start=False."
            ) from error
        if optimizer:
            # What it remembers, with the settings of today.
            state = self.net_.optimizer_.state_dict()
            state["param_groups"] = net.optimizer_.state_dict()["param_groups"]
            net.optimizer_.load_state_dict(state)

    @staticmethod
    def _dataset(table, sequences, target, weight, frequency=None):
        used = np.add.reduceat(
            weight[sequences.rows] * sequences.owned, sequences.offsets[:-1]
        )
        kept = sequences.take(np.flatnonzero(used))
        return DialogueDataset(table, kept, target, weight, frequency)

    def _n_in_batch(self, training):
        """Number of dialogues in a batch."""
        return self.batch_size

    def _make_net(self, table, training, validation, device, seed, passes):
        network, settings = self._network(table)
        objective, loss_settings = self._objective()
        given = {f"module__{name}": plain(value) for name, value in settings.items()}
        given |= {f"criterion__{name}": value for name, value in loss_settings.items()}
        given |= {
            "optimizer": self.optimizer,
            "optimizer__weight_decay": self.weight_decay,
            "lr": self.lr,
            "batch_size": self._n_in_batch(training),
            "max_epochs": passes or self.max_epochs,
            "callbacks": self._callbacks(passes),
            "device": str(device),
            "verbose": int(self.verbose),
        }
        return make_net(
            network,
            objective,
            validation=validation,
            measure=self._measure(),
            patience=None if passes else self.patience,
            window=self._span,
            seed=seed,
            standardized=self.standardize,
            **(given | self._net_settings()),
        )

    def _reader_settings(self, table):
        """Parameters of the network's first layer."""
        return self._standardize.settings | {"blocks": list(table.blocks.values())}

    def _infer(self, table, output):
        # In single precision answers would move with the batch and the processor in
        # the seventh digit, and with them near ties, trees and steep heads.
        dataset = DialogueDataset(table, table.sequences())
        answers = infer(self.net_, dataset, output, torch.float64)
        refuse_infinite_answers(answers)
        return answers

    def _read(self, X):
        check_is_fitted(self, "net_")
        table = read_conversations(self, X, reset=False, modalities=self.modalities)
        names = getattr(self, "feature_names_in_", None)
        check_partial_missing(table, self.partial_nan, names)
        warn_of_values_never_seen(table, self._standardize, names)
        return table

    @classmethod
    def from_preset(cls, name, **changes):
        """Make an estimator with published settings.

        Parameters
        ----------
        name : str
            Name of a preset; the notes of the class list them.
        **changes
            Parameters that differ from the preset.

        Returns
        -------
        object
            The estimator, not fitted.

        Raises
        ------
        ValueError
            If there is no such preset.
        """
        if name not in cls._presets:
            known = ", ".join(cls._presets)
            raise ValueError(f"No preset {name!r}; there is {known}.")
        return cls(**(cls._presets[name] | changes))

    @of_one_fit
    def transform(self, X):
        """Embed each utterance in its context.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows.

        Returns
        -------
        ndarray of shape (n_utterances, n_embedded)
            Embeddings without keys, for plots, retrieval or other estimators.
        """
        return self._infer(self._read(X), "embedding").astype(np.float32)

    @property
    def _n_features_out(self):
        return self.net_.module_.embedding_size

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.non_deterministic = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
