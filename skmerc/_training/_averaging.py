"""Answers by the average of the latest weights."""

from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor


class WeightAverage(Callback):
    r"""Keep an exponential moving average of the weights, and answer with it.

    After step t the average is :math:`m_t = d_t m_{t-1} + (1 - d_t) w_t` with
    :math:`d_t = \min(d, (1 + t) / (10 + t))`, so that it forgets the untrained weights
    soon. It is in the module from the end of an epoch to the beginning of the next:
    scores, checkpoints and the fitted net are its.

    Parameters
    ----------
    decay : float
        The bound d.
    """

    # What training goes on from while the average is in the module.
    learned_: dict[str, Tensor] | None = None

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Start from the weights that are there."""
        self.average_: Any = _copy(net)
        self.steps_ = 0

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Go on from what the last step has made."""
        if self.learned_ is not None:
            net.module_.load_state_dict(self.learned_)
        self.learned_ = None

    def on_batch_end(
        self, net: NeuralNet, training: bool = False, **kwargs: Any
    ) -> None:
        """Move the average towards the weights of this step."""
        if not training:
            return
        self.steps_ += 1
        decay = min(self.decay, (1 + self.steps_) / (10 + self.steps_))
        for name, weight in net.module_.state_dict().items():
            if weight.is_floating_point():
                self.average_[name].lerp_(weight, 1 - decay)
            else:
                self.average_[name].copy_(weight)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Put the average in the place of the weights."""
        self.learned_ = _copy(net)
        net.module_.load_state_dict(self.average_)

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Answer with the average, also where an epoch was broken off."""
        if self.learned_ is None:
            net.module_.load_state_dict(self.average_)
        self.learned_ = self.average_ = None


def _copy(net: NeuralNet) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in net.module_.state_dict().items()}
