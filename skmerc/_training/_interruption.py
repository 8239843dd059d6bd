"""Training that the user breaks off."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping

from skmerc._training._batches import DialogueDataset
from skmerc._training._checkpoint import Checkpoint
from skmerc._training._tasks import EpochTasks
from skmerc._utils.random import redirected
from skmerc._utils.threads import threads_for
from skmerc._utils.warnings import warn_user
from skmerc.exceptions import InterruptedTrainingWarning


class FinishedEpochs(Callback):
    """Count the epochs that were begun, and those trained and scored to their end."""

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Start with none."""
        self.begun_ = self.number_ = 0

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Count one that may not end."""
        self.begun_ += 1

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Count one more."""
        self.number_ += 1


def train_net(
    net: NeuralNet,
    dataset: DialogueDataset,
    *,
    checkpoint: Checkpoint | None = None,
    prepare: Callable[[NeuralNet], None] | None = None,
    watched: bool = False,
) -> None:
    """Initialise a net and train it, until the user breaks it off.

    A checkpoint knows of epochs that were trained before; `prepare` is called with the
    net before it is trained. Where code of others takes part, which is `watched`, what
    it draws is redirected. The files of the checkpoint stay where training was broken
    off, other than by early stopping; before the first epoch is finished, the interrupt
    is passed on.
    """
    with redirected():
        net.initialize()
    with threads_for(net.module_):
        done = checkpoint.attach(net) if checkpoint else 0
        if prepare is not None:
            prepare(net)
        planned = net.max_epochs  # which a callback may set to something else
        with redirected() if watched else nullcontext():
            net.partial_fit(dataset, None, epochs=planned - done)
    net.module_.eval()
    counted = next(cb for _, cb in net.callbacks_ if isinstance(cb, FinishedEpochs))
    finished = counted.number_
    if finished == planned or was_stopped(net):
        return
    if not finished:
        raise KeyboardInterrupt
    if counted.begun_ > finished:
        del net.history[-1:]
    if checkpoint:
        checkpoint.folder.interrupted = True
    warn_user(
        f"Training was interrupted in epoch {finished + 1} of {planned}. The "
        "model is fitted, and is what it had learned until then.",
        InterruptedTrainingWarning,
    )


def was_stopped(net: NeuralNet) -> bool:
    """Whether a callback has ended the training of a net, as it is there to do."""
    return any(_stopped(callback) for _, callback in net.callbacks_)


def _stopped(callback: Any) -> bool:
    if isinstance(callback, EpochTasks):
        return callback.stopped_
    is_stopper = isinstance(callback, EarlyStopping)
    return is_stopper and callback.misses_ >= callback.patience
