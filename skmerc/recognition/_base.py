"""What all estimators of dialogues share: reading, training, embedding."""

import inspect
import os
from collections.abc import Callable
from contextlib import nullcontext
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skmerc._training import (
    FRACTION,
    CallbackHolder,
    DialogueDataset,
    Moments,
    check_net_settings,
    check_partial_missing,
    check_weight,
    draw_seed,
    drawing,
    hold_out,
    infer,
    refuse_nothing_to_learn,
    resolve_device,
    runs_code_of_others,
    summaries_of,
    warn_of_nearly_constant,
    warn_of_values_never_seen,
)
from skmerc._utils.compat import Interval, StrOptions, fit_context, with_callbacks
from skmerc._utils.divergence import refuse_infinite_answers
from skmerc._utils.fitting import all_or_nothing, of_one_fit
from skmerc._utils.locks import IMPORTING
from skmerc._utils.registry import PresetMixin
from skmerc._utils.types import Table
from skmerc.frame._columns import (
    CONTEXT,
    SYNTHETIC,
    UTTERANCE,
    VALIDATION,
    parse_table,
)
from skmerc.frame._conversations import (
    Conversations,
    blocks_asked,
    blocks_of,
    read_conversations,
)
from skmerc.frame._labels import refuse_context_alone
from skmerc.frame._warnings import (
    gaps_seen,
    keys_told,
    warn_of_joined_dialogues,
    warn_of_lost_keys,
    warn_of_single_turns,
    warn_of_torn_dialogues,
)
from skmerc.nn.base import DialogueLoss, DialogueNetwork
from skmerc.recognition._checks import most_speakers, plain

if TYPE_CHECKING:
    from skorch import NeuralNet

    from skmerc._training.nets import Checkpoint, FitTasks

COUNT = Interval(Integral, 1, None, closed="left")
NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
SHARE = Interval(Real, 0, 1, closed="left")
WINDOW = [Interval(Integral, -1, 2**31, closed="left"), None]
_UTTERANCES_IN_BATCH = 400
_LARGEST_BATCH = 0.1
"""Share of the dialogues: ten steps an epoch are few enough."""
_PATIENCE = 20
_ENOUGH_TO_STOP = 300
"""Utterances that tell epochs apart: over 300, a score of 0.6 is known to 0.03."""
_OTHER_SHAPE = (
    "{} since the last fit, so training cannot go on from its weights: change back "
    "what was changed, or fit with warm_start=False."
)


class TrainingData(NamedTuple):
    """What a fit learns from, and what it only scores.

    Attributes
    ----------
    table : Conversations
        The table.
    target : ndarray of shape (n_rows,) or (n_rows, n_labels)
        What the loss reads.
    weight, scored : ndarray of shape (n_rows,)
        Weights of the rows in the loss, and in the score that decides when to stop.
    """

    table: Conversations
    target: np.ndarray
    weight: np.ndarray
    scored: np.ndarray

    def parts(self) -> dict[str, Any]:
        """Return them by the names that checkpoints give them."""
        names = "X", "y", "sample_weight", "roles"
        return dict(zip(names, self, strict=True))

    def dataset(self, weight: np.ndarray) -> DialogueDataset:
        """Return the dialogues in which something has a weight."""
        sequences = self.table.sequences()
        used = np.add.reduceat(
            weight[sequences.rows] * sequences.owned, sequences.offsets[:-1]
        )
        kept = sequences.take(np.flatnonzero(used))
        # Losses and scores are weighted means, so that weights may have any size, and
        # those of rows times those of classes leave float32.
        return DialogueDataset(self.table, kept, self.target, weight / weight.max())


class DialogueEstimator(
    PresetMixin,
    CallbackHolder,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Base of what is trained on whole dialogues, by skorch, row by row.

    A subclass names its network and its loss, which take the parameters of the
    estimator that have the same names, and tells the task, which is what y says.
    """

    _task: Any
    _moments: Moments
    history_: list[dict]
    # Number of epochs whose mean score on held-out dialogues decides when to stop.
    _window = 1
    _parameter_constraints: dict = {
        "modalities": [dict, None],
        "standardize": ["boolean"],
        "partial_nan": [StrOptions({"mean", "error"})],
        "optimizer": [callable],
        "lr": [POSITIVE],
        "weight_decay": [NOT_NEGATIVE],
        "batch_size": [COUNT, StrOptions({"auto"})],
        "max_epochs": [COUNT],
        "patience": [COUNT, StrOptions({"auto"}), None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "callbacks": [list, None],
        "net_params": [dict, None],
        "device": [str],
        "checkpoint": [str, os.PathLike, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @property
    def _answering(self) -> str:
        """Name the output of the network that answers are made of."""
        return "logits"

    @fit_context(prefer_skip_nested_validation=False)
    @all_or_nothing
    @with_callbacks
    def fit(
        self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train the network on whole dialogues.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues, in any order of rows; see the guide to X. Without keys
            every row is a dialogue of its own.
        y : array-like of shape (n_utterances,) or (n_utterances, n_classes)
            Their emotions, an indicator matrix where JoyfulClassifier shall find
            several in an utterance, or the scores that a regressor learns; those of
            context rows are ignored.
        sample_weight : array-like of shape (n_utterances,), default=None
            Factor on the loss of each utterance.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If X holds infinity, text or broken keys, or no row is left to learn from.
        DivergenceError
            If training leaves the finite numbers.

        Warns
        -----
        NoDialogueWarning
            If X is a table in which every dialogue has one turn, and there are many.
        IdFeatureWarning
            If whole numbers among the features are named like an id.
        InterruptedTrainingWarning
            If training is interrupted by the user once an epoch is finished; before
            that, the interrupt is passed on.
        """
        return self._fit(X, y, sample_weight)

    def _fit(
        self,
        X: Table,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        *,
        epochs: int | None = None,
        classes: Any = None,
    ) -> Self:
        """Fit, or go on for a number of epochs from where the last fit ended."""
        with IMPORTING:
            from skmerc._training.nets import Checkpoint, FitTasks, check_parallel

            self._network_and_loss()

        check_parallel(self)
        check_net_settings(self)
        tasks = None if epochs else FitTasks.of(self, X, y, sample_weight)
        resume = hasattr(self, "net_") and bool(self.warm_start or epochs)
        table, y, weight = self._read_labelled(X, y, sample_weight, reset=not resume)
        rng = check_random_state(self.random_state)
        data = self._prepare(table, y, weight, rng, resume, epochs, classes)
        seed = draw_seed(rng)
        kept = nullcontext()
        if not epochs:
            start = self.net_ if resume else None
            kept = Checkpoint.of(self, data.parts() | {"random_state": seed}, start)
        with kept as checkpoint:
            self._train(data, seed, resume, epochs, checkpoint, tasks)
            self._finish(data, rng)
        if tasks:
            tasks.end()
        return self

    def _read_labelled(
        self, X: Table, y: ArrayLike, sample_weight: ArrayLike | None, reset: bool
    ) -> tuple[Conversations, np.ndarray, np.ndarray]:
        """Read a table, its labels and weights."""
        parsed = parse_table(X)
        checks = {"modalities": self.modalities} | self._y_checks(y)
        table, labels = read_conversations(self, parsed, y, reset=reset, **checks)
        if reset:
            warn_of_single_turns(parsed.data, table)
            self._keys_told = keys_told(parsed)
        else:
            self._refuse_other_blocks()
        names = getattr(self, "feature_names_in_", None)
        check_partial_missing(table, self.partial_nan, names)
        is_synthetic = table.role == SYNTHETIC
        weight = check_weight(sample_weight, table.features, is_synthetic)
        refuse_context_alone(table.role == CONTEXT)
        return table, labels, weight

    def _refuse_other_blocks(self) -> None:
        """Refuse to go on with modalities that the network does not read."""
        asked, read = (
            [(name, np.r_[where].tolist()) for name, where in blocks.items()]
            for blocks in (blocks_asked(self), blocks_of(self))
        )
        if asked != read:
            raise ValueError(_OTHER_SHAPE.format("modalities has changed"))

    def _prepare(
        self,
        table: Conversations,
        y: np.ndarray,
        weight: np.ndarray,
        rng: np.random.RandomState,
        resume: bool,
        epochs: int | None,
        classes: Any,
    ) -> TrainingData:
        """Learn classes, their shares and scales from a table before training."""
        labelled = table.role != CONTEXT
        before = self._task if resume else None
        if before and not epochs:
            before = before.forget_counts()
        task = self._task_of(y, labelled, before, classes)
        target = task.encode(y, labelled)
        kinds = task.stratify(target)
        learned, scored = self._divide(table, kinds, weight, rng, hold=not epochs)
        real = learned & (weight > 0) & (table.role == UTTERANCE)
        task, factor = task.weigh(
            target,
            weight * learned,
            real,
            getattr(self, "class_weight", None),
            getattr(self, "logit_adjustment", 0.0),
        )
        learned = weight * factor * learned
        if not learned.any():
            raise ValueError("No row is left to learn from: all have class weight 0.")
        scored = weight * factor * scored
        scored[scored > 0] *= task.validation_factor(target[scored > 0])
        self._check_weights(learned)
        if not resume:
            read = np.isin(table.dialogue, table.dialogue[learned > 0])
            self._n_speakers = self._count_speakers(table, read)
        if epochs or not resume:
            self._learn_scales(table, learned, further=resume)
            task = task.learn_scale(target, table.select(learned > 0), learned)
        self._task, self._gaps = task, gaps_seen(table)
        return TrainingData(table, task.scale(target), learned, scored)

    def _y_checks(self, y: ArrayLike) -> dict:
        """Return arguments of scikit-learn's check of y."""
        return {}

    def _network_and_loss(self) -> tuple[type[DialogueNetwork], type[DialogueLoss]]:
        """Import their classes, and torch-geometric with them, which takes seconds."""
        raise NotImplementedError

    def _task_of(
        self, y: np.ndarray, labelled: np.ndarray, before: Any, classes: Any
    ) -> Any:
        """Tell what y says, after the task of the last fit if training goes on."""
        raise NotImplementedError

    def _count_speakers(self, table: Conversations, rows: np.ndarray) -> int | None:
        """Count the speakers that relations tell apart, None where they do not."""
        pairs = getattr(self, "relations", None) == "pairs"
        return most_speakers(table, rows) if pairs else None

    def _check_weights(self, weight: np.ndarray) -> None:
        """Refuse weights of rows that could not be heeded after training."""

    def _divide(
        self,
        table: Conversations,
        kinds: np.ndarray,
        weight: np.ndarray,
        rng: np.random.RandomState,
        hold: bool,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Tell which rows are learned from, and which are only scored."""
        learnable = table.learnable
        scored = table.role == VALIDATION
        rows = np.flatnonzero(learnable & (weight > 0))
        refuse_nothing_to_learn(rows)
        if hold and self._holds_out() and not scored.any():
            fraction = self.validation_fraction or FRACTION
            out = hold_out(table, rows, kinds, fraction, rng)
            scored = out & learnable & (table.role == UTTERANCE)
            learnable = learnable & ~out
        return learnable, scored

    def _holds_out(self) -> bool:
        """Whether dialogues are held out where the table marks none."""
        asked = self.patience != "auto" or self.validation_fraction is not None
        return asked and self.patience is not None

    def _stops_after(self, scored: np.ndarray) -> int | None:
        """Number of epochs without a better score to stop after, None for no stop."""
        if self.patience != "auto":
            return self.patience
        asked = self.validation_fraction is not None
        enough = np.count_nonzero(scored) >= _ENOUGH_TO_STOP
        return _PATIENCE if asked or enough else None

    def _learn_scales(
        self, table: Conversations, weight: np.ndarray, further: bool
    ) -> None:
        """Take means and deviations from the real rows that were learned from."""
        rows = table.select(weight > 0)
        real = rows[table.role[rows] != SYNTHETIC]
        known = Moments.of(table.features, real, weight[real])
        self._moments = known = self._moments + known if further else known
        if not known.weight.any():
            known = Moments.of(table.features, rows, weight[rows])
        warn_of_nearly_constant(known, table, getattr(self, "feature_names_in_", None))
        self._standardize = known.standardize(self.standardize, table.blocks.values())

    def _finish(self, data: TrainingData, rng: np.random.RandomState) -> None:
        """Fit what is built on the trained network."""

    def _pretrain(self, net: "NeuralNet", training: DialogueDataset, seed: int) -> None:
        """Train parts of the network beforehand."""

    def _train(
        self,
        data: TrainingData,
        seed: int,
        resume: bool,
        epochs: int | None,
        checkpoint: "Checkpoint | None",
        tasks: "FitTasks | None",
    ) -> None:
        """Train on the data from the start, or from the last fit."""
        from skmerc._training.nets import train_net, without_accelerator

        training = data.dataset(data.weight)
        network, _ = self._network_and_loss()
        if "mask_weight" in inspect.signature(network.forward).parameters:
            training.mask_weight = self._mask_weight(data)
        validation = data.dataset(data.scored) if data.scored.any() else None
        device = resolve_device(self.device)
        before = self.history_ if resume and epochs else []

        def prepare(net: "NeuralNet") -> None:
            if resume:
                self._take_over(net, optimizer=bool(epochs))
            else:
                self._pretrain(net, training, seed)

        seed += len(before)  # or each further pass would draw what the last one drew
        with drawing(seed, device):
            parts = data, training, validation
            net = self._make_net(*parts, device, seed, epochs, tasks)
            train_net(
                net,
                training,
                checkpoint=checkpoint,
                prepare=prepare,
                watched=runs_code_of_others(self),
            )
        self.net_ = without_accelerator(net)
        self.history_ = summaries_of(net.history, before)
        self.n_iter_ = len(self.history_)

    def _mask_weight(self, data: TrainingData) -> np.ndarray:
        """Frequency of each row's class, and the mean one where there is no label."""
        weight, known = self._task.frequency(data.target), data.weight > 0
        return np.where(known, weight, weight[known].mean())

    def _take_over(self, net: "NeuralNet", optimizer: bool) -> None:
        state, new = self.net_.module_.state_dict(), net.module_.state_dict()
        state |= {name: new[name] for name in new if ".standardize." in name}
        try:
            net.module_.load_state_dict(state)
        except RuntimeError as error:
            changed = "Parameters that shape the network have changed"
            raise ValueError(_OTHER_SHAPE.format(changed)) from error
        if optimizer:
            # The state of the old optimiser goes with the current settings.
            state = self.net_.optimizer_.state_dict()
            state["param_groups"] = net.optimizer_.state_dict()["param_groups"]
            net.optimizer_.load_state_dict(state)

    def _n_in_batch(self, training: DialogueDataset) -> int:
        """Choose the number of dialogues in a batch."""
        if self.batch_size != "auto":
            return self.batch_size
        n_utterances = len(training.sequences.rows)
        share = min(_UTTERANCES_IN_BATCH / n_utterances, _LARGEST_BATCH)
        return max(1, round(share * len(training)))

    def _make_net(
        self,
        data: TrainingData,
        training: DialogueDataset,
        validation: DialogueDataset | None,
        device: torch.device,
        seed: int,
        epochs: int | None,
        tasks: "FitTasks | None",
    ) -> "NeuralNet":
        from skmerc._training.nets import make_net

        network, objective = self._network_and_loss()
        reader = self._standardize.settings | {
            "blocks": list(data.table.blocks.values())
        }
        given = {
            "n_outputs": self._task.n_outputs,
            "n_speakers": self._n_speakers,
            "reader": reader,
        }
        module = parameters_of(self, network, given)
        given = {"task": self._task.kind, "logit_shift": self._task.logit_shift}
        loss = parameters_of(self, objective, given)
        settings = {f"module__{name}": value for name, value in module.items()}
        settings |= {f"criterion__{name}": value for name, value in loss.items()}
        settings |= {
            "optimizer": self.optimizer,
            "optimizer__weight_decay": self.weight_decay,
            "lr": self.lr,
            "batch_size": self._n_in_batch(training),
            "max_epochs": epochs or self.max_epochs,
            "callbacks": self._callbacks(epochs),
            "device": str(device),
            "verbose": int(self.verbose),
        }
        return make_net(
            network,
            objective,
            measure=self._task,
            validation=validation,
            patience=None if epochs else self._stops_after(data.scored),
            window=self._window,
            ema_decay=getattr(self, "ema_decay", 0.0),
            tasks=tasks,
            seed=seed,
            standardized=self.standardize,
            name=type(self).__name__,
            **(settings | self._net_settings()),
        )

    def _infer(self, table: Conversations, output: str | Callable) -> np.ndarray:
        # In single precision answers would move with the batch and the processor in
        # the seventh digit, and with them near ties, trees and steep heads.
        dataset = DialogueDataset(table, table.sequences())
        answers = infer(self.net_, dataset, output, torch.float64)
        refuse_infinite_answers(answers)
        return answers

    def _read(self, X: Table) -> Conversations:
        check_is_fitted(self, "net_")
        given = parse_table(X)
        table = read_conversations(self, given, reset=False)
        warn_of_lost_keys(given, getattr(self, "_keys_told", ()))
        warn_of_joined_dialogues(table)
        if "dialogue__id" in given.key_names:  # or it was told that there is none
            warn_of_torn_dialogues(table, getattr(self, "_gaps", None))
        self._check_cells(table)
        return table

    def _check_cells(self, table: Conversations) -> None:
        """Refuse missing cells or warn of them, and of values unseen in training."""
        names = getattr(self, "feature_names_in_", None)
        check_partial_missing(table, self.partial_nan, names)
        warn_of_values_never_seen(table, self._standardize, names)

    @of_one_fit
    def transform(self, X: Table) -> np.ndarray:
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
    def _n_features_out(self) -> int:
        return self.net_.module_.embedding_size

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.non_deterministic = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def parameters_of(estimator: Any, part: type, given: dict) -> dict[str, Any]:
    """Take from an estimator what a network or a loss names, besides what is given."""
    known = estimator.get_params(deep=False) | given
    names = inspect.signature(part).parameters
    return {name: plain(known[name]) for name in names if name in known}
