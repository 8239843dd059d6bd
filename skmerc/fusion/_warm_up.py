"""Divergences of the joint autoencoder that grow to their weights."""

from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback


class WarmUp(Callback):
    """Let the divergences grow linearly to their weights.

    Parameters
    ----------
    epochs : int
        Number of epochs over which they do.
    beta : float
        Weight of the divergence from the prior, whose share goes into the history.
    done : int, default=0
        Number of these epochs that were made before.
    """

    def __init__(self, epochs: int, beta: float, done: int = 0) -> None:
        self.epochs, self.beta, self.done = epochs, beta, done

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Set the weights of an epoch."""
        share = min(1.0, (self.done + len(net.history)) / max(self.epochs, 1))
        net.criterion_.warm(share)
        net.history.record("beta", share * self.beta)
