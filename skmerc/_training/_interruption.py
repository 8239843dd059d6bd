"""Training that the user breaks off."""

from skorch.callbacks import Callback, EarlyStopping

from skmerc._utils.warnings import warn_user
from skmerc.exceptions import InterruptedTrainingWarning


class FinishedEpochs(Callback):
    """Count the epochs that were begun, and those trained and scored to their end."""

    def on_train_begin(self, net, **kwargs):
        """Start with none."""
        self.begun_ = self.number_ = 0

    def on_epoch_begin(self, net, **kwargs):
        """Count one that may not end."""
        self.begun_ += 1

    def on_epoch_end(self, net, **kwargs):
        """Count one more."""
        self.number_ += 1


def drop_unfinished_epoch(net):
    """Take an epoch that was broken off out of the history of a net.

    Returns
    -------
    bool
        Whether training was broken off, other than by early stopping.

    Raises
    ------
    KeyboardInterrupt
        If not even one epoch was finished.
    """
    counted = next(cb for _, cb in net.callbacks_ if isinstance(cb, FinishedEpochs))
    finished = counted.number_
    if finished == net.max_epochs or any(_stopped(cb) for _, cb in net.callbacks_):
        return False
    if not finished:
        raise KeyboardInterrupt
    if counted.begun_ > finished:
        del net.history[-1:]
    return True


def _stopped(callback):
    is_stopper = isinstance(callback, EarlyStopping)
    return is_stopper and callback.misses_ >= callback.patience


def warn_of_interruption(n_finished, max_epochs):
    """Tell that a model has learned less than it should."""
    warn_user(
        f"Training was interrupted in epoch {n_finished + 1} of {max_epochs}. The "
        "model is fitted, and is what it had learned until then.",
        InterruptedTrainingWarning,
    )
