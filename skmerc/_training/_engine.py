"""The skorch net behind the estimators, its callbacks, and inference."""

from inspect import signature
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.utils import noop

from skmerc._training._averaging import WeightAverage
from skmerc._training._batches import DialogueDataset, DialogueLoader
from skmerc._training._callback_checks import check_callbacks
from skmerc._training._callbacks import names_of
from skmerc._training._inference import infer
from skmerc._training._interruption import FinishedEpochs, was_stopped
from skmerc._training._measures import BEST_EPOCH, Measure
from skmerc._training._net import DialogueNet, ScoredRows
from skmerc._training._parallel import ParallelNet
from skmerc._training._tasks import EpochTasks
from skmerc._utils.divergence import refuse_divergence
from skmerc._utils.progress import is_shown, progress, title
from skmerc.losses import weighted_mean


class LossTerms(Callback):
    """Write the mean of each term of the criterion into the history.

    Batches count alike, or by the ``weight`` of the criterion where it has one.
    """

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget the epoch before."""
        self.batches: list[dict] = []
        self.weights: list[torch.Tensor] = []

    def on_batch_end(
        self, net: NeuralNet, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Collect the terms of a training batch."""
        if training:
            self.batches.append(dict(net.criterion_.terms))
            self.weights.append(getattr(net.criterion_, "weight", torch.tensor(1.0)))

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Write the means."""
        for name in self.batches[0] if self.batches else ():
            values = torch.stack([terms[name] for terms in self.batches])
            weights = torch.stack(self.weights).to(values.device)
            mean = weighted_mean(values, weights)
            net.history.record(name, float(mean))
        self.batches, self.weights = [], []


class ValidationScore(Callback):
    """Score held-out utterances after every epoch.

    The dataset is let go of when training ends, so that no fitted net carries data. The
    mean of the monitored score over `window` epochs is written too, if more than one.
    """

    best_rank_, best_epoch_ = None, 0

    def __init__(
        self, dataset: DialogueDataset, measure: Measure, window: int = 1
    ) -> None:
        self.dataset: Any = dataset
        self.measure, self.window = measure, window

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Write the scores into the history."""
        dataset = self.dataset
        rows = np.flatnonzero(dataset.weight)
        answers = infer(net, dataset, self.measure.output)[rows]
        target, weight = dataset.target[rows], dataset.weight[rows]
        scores = self.measure.score(answers, target, weight)
        for name, value in getattr(net, "agree", dict)(scores).items():
            self._record(net, name, value)
        if self.window > 1:
            latest = net.history[-self.window :, self.measure.monitor]
            self._record(net, _mean_of(self.measure), float(np.mean(latest)))
        self._note_best(net, answers)

    def _note_best(self, net: NeuralNet, answers: np.ndarray) -> None:
        """Write which epoch is the best so far.

        As long as a network gives all utterances one answer, its score stays as it is,
        and only its loss shows that it learns.
        """
        score = net.history[-1, _monitored(self.measure, self.window)]
        sign = -1 if self.measure.lower_is_better else 1
        loss = 0.0
        if self.measure.is_constant(answers):
            loss = net.history[-1].get("valid_loss", 0.0)
        # A mean of equal scores may differ from them in its last digits, which are not
        # those behind the point: errors have the unit of y.
        rank = float(f"{sign * score:.9g}"), -loss
        if self.best_rank_ is None or rank > self.best_rank_:
            self.best_rank_, self.best_epoch_ = rank, len(net.history)
        net.history.record(BEST_EPOCH, self.best_epoch_)

    def _record(self, net: NeuralNet, name: str, value: float) -> None:
        """Write a score, and whether it is the best so far, as skorch does."""
        sign = 1 if self.measure.is_lower_better(name) else -1
        before = [e[name] for e in net.history[:-1] if name in e]
        net.history.record(name, value)
        best = all(sign * value < sign * other for other in before)
        net.history.record(f"{name}_best", best)

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Let go of the data."""
        self.dataset = None


class RefuseDivergence(Callback):
    """Look after each epoch whether there is something to go on from."""

    def __init__(self, standardized: bool) -> None:
        self.standardized = standardized

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Refuse an epoch of numbers that are not finite."""
        latest = net.history[-1]
        names = [*net.criterion_.terms, "train_loss", "valid_loss"]
        terms = {name: latest[name] for name in names if name in latest}
        refuse_divergence(
            terms, len(net.history), net.lr, net.module_, standardized=self.standardized
        )


class LetGo(Callback):
    """Let go of schedules of the learning rate, and of the weights of the best epoch.

    Schedules hold the optimiser. In both may be weights on a GPU, which skorch does not
    look for there: a pickle could not be read where there is none.
    """

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Let go of them."""
        for name, callback in net.callbacks_:
            if isinstance(callback, LRScheduler):
                callback.lr_scheduler_ = None
            if isinstance(callback, EarlyStopping) and name in net.own_:
                callback.best_model_weights_ = None


class EpochProgress(Callback):
    """A progress bar over epochs with the latest scores and the best one so far.

    Parameters
    ----------
    name : str
        What the estimator is called.
    monitor : str
        The score of which the best is told.
    """

    def __init__(self, name: str, monitor: str) -> None:
        self.name, self.monitor = name, monitor

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Open the bar."""
        self.bar = progress(
            owner=self.name,
            step="training",
            verbose=True,
            total=net.max_epochs,
            unit="epoch",
        )

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Move the bar."""
        names = ("train_loss", "valid_loss", "valid_weighted_f1", "valid_mae")
        latest = {name: net.history[-1].get(name) for name in names}
        latest = {name: value for name, value in latest.items() if value is not None}
        best = net.history[-1].get(BEST_EPOCH)
        if best:
            score = net.history[best - 1][self.monitor]
            latest["best"] = f"{score:.3g} (epoch {best})"
        self.bar.set_postfix(latest, refresh=False)
        self.bar.update(len(net.history) - self.bar.n)

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Close the bar, which is full unless training was broken off."""
        if self.bar.n < self.bar.total:
            stopped = was_stopped(net)
            if stopped:
                self.bar.total = self.bar.n
            self.bar.set_description(title(self.name, self._end(net, stopped)))
        self.bar.close()
        self.bar = None

    def _end(self, net: NeuralNet, stopped: bool) -> str:
        """Say why training ended before the last epoch."""
        if not stopped:
            return "interrupted"
        best = net.history[-1].get(BEST_EPOCH)
        return "stopped early" + (f", best epoch {best}" if best else "")


def make_net(
    module: Any,
    criterion: Any,
    *,
    measure: Measure,
    validation: DialogueDataset | None = None,
    patience: int | None = None,
    window: int = 1,
    ema_decay: float = 0.0,
    tasks: Any = None,
    seed: int = 0,
    standardized: bool = True,
    name: str = "network",
    **settings: Any,
) -> NeuralNet:
    """Build the skorch net that trains a module on dialogues.

    Parameters
    ----------
    module : Module
        The network, initialised.
    criterion : Module
        The joint loss, with a dict ``terms``.
    measure : Measure
        How held-out dialogues are scored.
    validation : DialogueDataset, optional
        Held-out dialogues that decide when to stop.
    patience : int, optional
        Epochs without a better score after which training stops; the weights of
        the best epoch are restored. None trains to the end.
    window : int, default=1
        Number of epochs whose mean score is meant by that.
    ema_decay : float, default=0.0
        Decay of the :class:`WeightAverage` that is scored and kept; 0 for the weights
        themselves.
    tasks : FitTasks, optional
        What tells callbacks of scikit-learn of each epoch.
    seed : int
        Seed of the order of dialogues.
    standardized : bool, default=True
        Whether features are, which is told where training diverges.
    name : str, default="network"
        What stands in front of the progress bar.
    **settings
        Anything else that a skorch net takes, `callbacks` and `verbose` included; with
        an ``accelerator`` several processes train the net together.
    """
    of_user = list(settings.get("callbacks") or [])
    check_callbacks(
        of_user, measure.names(window), validation is not None, measure.readable
    )
    callbacks = [("loss_terms", LossTerms())]
    if ema_decay:
        callbacks.append(("weight_average", WeightAverage(ema_decay)))
    if validation is not None:
        score = ValidationScore(validation, measure, window)
        callbacks.append(("validation_score", score))
    callbacks.append(("divergence", RefuseDivergence(standardized)))
    callbacks.append(("finished_epochs", FinishedEpochs()))
    if validation is not None and patience is not None:
        callbacks.append(("early_stopping", _early_stopping(patience)))
    if is_shown(settings.get("verbose", 0)):
        bar = EpochProgress(name, _monitored(measure, window))
        callbacks.append(("progress", bar))
    if tasks is not None:
        callbacks.append(("tasks", EpochTasks(tasks)))
    callbacks.append(("let_go", LetGo()))
    taken = names_of(of_user)
    own = [(f"{n}_of_skmerc" if n in taken else n, cb) for n, cb in callbacks]
    settings["callbacks"] = own + of_user
    defaults = {
        "train_split": None,
        "iterator_train": DialogueLoader,
        "iterator_train__shuffle": True,
        "iterator_train__seed": seed,
        "iterator_valid": DialogueLoader,
    }
    settings = _without_decay(settings)
    if settings.get("optimizer") in (torch.optim.Adam, torch.optim.AdamW):
        defaults["optimizer__fused"] = True  # one call for each weight, not a dozen
    for name in {"print_log", "valid_loss"} - taken:
        defaults[f"callbacks__{name}"] = None
    kind = DialogueNet
    if "accelerator" in settings:
        kind, settings["device"] = ParallelNet, None  # which the accelerator knows
    net = kind(module, criterion=criterion, **(defaults | settings))
    net.rows_, net.own_ = ScoredRows(measure, validation), tuple(n for n, _ in own)
    return net


def _without_decay(settings: dict) -> dict:
    """Leave out a weight decay of 0 where the optimizer knows none."""
    optimizer, decay = settings.get("optimizer"), "optimizer__weight_decay"
    if optimizer is None or decay not in settings:
        return settings
    try:
        signature(optimizer).bind_partial(weight_decay=settings[decay])
    except TypeError:
        if settings[decay]:
            name = getattr(optimizer, "__name__", repr(optimizer))
            raise ValueError(
                f"optimizer={name} takes no weight decay, and weight_decay="
                f"{settings[decay]}; set weight_decay=0, or take another optimizer."
            ) from None
        settings = {k: v for k, v in settings.items() if k != decay}
    return settings


def _mean_of(measure: Measure) -> str:
    return f"{measure.monitor}_mean"


def _monitored(measure: Measure, window: int) -> str:
    return measure.monitor if window == 1 else _mean_of(measure)


def _early_stopping(patience: int) -> EarlyStopping:
    return EarlyStopping(
        monitor=BEST_EPOCH,
        lower_is_better=False,
        patience=patience,
        threshold=0,
        load_best=True,
        sink=noop,
    )
