"""The skorch net behind the estimators, its callbacks, and inference."""

from copy import deepcopy

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping
from skorch.utils import noop
from tqdm.auto import tqdm

from skmerc._training._batches import DialogueLoader
from skmerc._training._interruption import FinishedEpochs
from skmerc._training._measures import CLASSES


class LossTerms(Callback):
    """Write the mean of each term of the criterion into the history."""

    def on_epoch_begin(self, net, **kwargs):
        """Forget the epoch before."""
        self.batches = []

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        """Collect the terms of a training batch."""
        if training:
            self.batches.append(dict(net.criterion_.terms))

    def on_epoch_end(self, net, **kwargs):
        """Write the means."""
        for name in self.batches[0] if self.batches else ():
            values = torch.stack([terms[name] for terms in self.batches])
            net.history.record(name, float(values.mean()))
        self.batches = []


class ValidationScore(Callback):
    """Score held-out utterances after every epoch.

    Parameters
    ----------
    dataset : DialogueDataset
        The held-out dialogues; rows of weight 0 are context. Let go of when
        training ends, so that no fitted net carries data.
    measure : Measure
        The scores.
    """

    def __init__(self, dataset, measure=CLASSES):
        self.dataset, self.measure = dataset, measure

    def on_epoch_end(self, net, **kwargs):
        """Write the scores into the history."""
        dataset = self.dataset
        rows = np.flatnonzero(dataset.weight)
        logits = infer(net, dataset, "logits")[rows]
        target, weight = dataset.target[rows], dataset.weight[rows]
        for name, value in self.measure.score(logits, target, weight).items():
            net.history.record(name, value)

    def on_train_end(self, net, **kwargs):
        """Let go of the data."""
        self.dataset = None


class EpochProgress(Callback):
    """A progress bar over epochs with the latest scores."""

    def on_train_begin(self, net, **kwargs):
        """Open the bar."""
        self.bar = tqdm(total=net.max_epochs, unit="epoch")

    def on_epoch_end(self, net, **kwargs):
        """Move the bar."""
        names = ("train_loss", "valid_loss", "valid_weighted_f1", "valid_mae")
        latest = {name: net.history[-1].get(name) for name in names}
        latest = {name: value for name, value in latest.items() if value is not None}
        self.bar.set_postfix(latest)
        self.bar.update(len(net.history) - self.bar.n)

    def on_train_end(self, net, **kwargs):
        """Close the bar."""
        self.bar.close()
        self.bar = None


def make_net(
    module,
    criterion,
    *,
    validation=None,
    measure=CLASSES,
    patience=None,
    seed=0,
    **settings,
):
    """Build the skorch net that trains a module on dialogues.

    Parameters
    ----------
    module : Module
        The network, initialised.
    criterion : Module
        The joint loss, with a dict ``terms``.
    validation : DialogueDataset, optional
        Held-out dialogues that decide when to stop.
    measure : Measure
        How they are scored.
    patience : int, optional
        Epochs without a better score after which training stops; the weights of
        the best epoch are restored. None trains to the end.
    seed : int
        Seed of the order of dialogues.
    **settings
        Anything else that a skorch net takes, `callbacks` and `verbose` included.
    """
    callbacks = [("loss_terms", LossTerms())]
    if validation is not None:
        callbacks.append(("validation_score", ValidationScore(validation, measure)))
    callbacks.append(("finished_epochs", FinishedEpochs()))
    if validation is not None and patience is not None:
        callbacks.append(("early_stopping", _early_stopping(patience, measure)))
    if settings.get("verbose"):
        callbacks.append(("progress", EpochProgress()))
    settings["callbacks"] = callbacks + list(settings.get("callbacks") or [])
    defaults = {
        "train_split": None,
        "iterator_train": DialogueLoader,
        "iterator_train__shuffle": True,
        "iterator_train__seed": seed,
        "iterator_valid": DialogueLoader,
        "callbacks__print_log": None,
        "callbacks__valid_loss": None,
    }
    return NeuralNet(module, criterion=criterion, **(defaults | settings))


def _early_stopping(patience, measure):
    return EarlyStopping(
        monitor=measure.monitor,
        lower_is_better=measure.lower_is_better,
        patience=patience,
        threshold=0,
        load_best=True,
        sink=noop,
    )


@torch.no_grad()
def infer(net, dataset, output, dtype=None):
    """Compute one output of the network for every row of the table.

    In another type of float where `dtype` is given, such as double precision. Returns
    an array of shape (n_rows, d); rows that no sequence owns are 0.
    """
    module = net.module_ if dtype is None else deepcopy(net.module_).to(dtype)
    training = module.training
    module.eval()
    result = None
    for inputs, _ in DialogueLoader(dataset, net.batch_size):
        moved = {name: value.to(net.device) for name, value in inputs.items()}
        values = getattr(module(**moved), output).cpu().numpy()
        result = [] if result is None else result
        result.append(values)
    module.train(training)
    return _per_row(dataset, np.concatenate(result))


def _per_row(dataset, values):
    sequences = dataset.sequences
    result = np.zeros((len(dataset.conversations), values.shape[1]), values.dtype)
    result[sequences.rows[sequences.owned]] = values[sequences.owned]
    return result
