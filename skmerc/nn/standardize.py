"""Standardisation as the first layer of a network."""

import numpy as np
import torch
from torch import Tensor, nn

from skmerc._utils.registry import storable

CLIP = 10.0
"""Standard deviations beyond which a feature is clipped."""


@storable
class Standardize(nn.Module):
    """Fill missing cells with the training mean, shift, scale and clip.

    Weights that were trained on one value alone can say nothing of others, so that
    columns that did not vary are read as their mean, whatever they hold.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_features,)
        What missing cells are filled with and shifted by, and the divisor.
    active : bool
        Whether to shift, scale and clip, or to fill only.
    seen, varied : ndarray of bool of shape (n_features,), optional
        Whether a training row had a value, and whether two had different ones; by
        default all.
    """

    mean: Tensor
    scale: Tensor
    seen: Tensor
    varied: Tensor

    def __init__(
        self,
        mean: np.ndarray,
        scale: np.ndarray,
        active: bool = True,
        seen: np.ndarray | None = None,
        varied: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self.active = active
        self.register_buffer("mean", _copied(mean, torch.float32))
        self.register_buffer("scale", _copied(scale, torch.float32))
        for name, known in {"seen": seen, "varied": varied}.items():
            told = np.ones(len(mean), bool) if known is None else known
            self.register_buffer(name, _copied(told, torch.bool), persistent=False)

    @property
    def settings(self) -> dict:
        """What it is built from again when a saved model is loaded."""
        names = ("mean", "scale", "seen", "varied")
        known = {name: getattr(self, name).cpu().numpy().copy() for name in names}
        return known | {"active": self.active}

    def forward(self, x: Tensor) -> Tensor:
        """Standardise features of shape (n, n_features)."""
        x = torch.where(torch.isnan(x) | ~self.varied, self.mean, x)
        if not self.active:
            return x
        return x.sub_(self.mean).div_(self.scale).clamp_(-CLIP, CLIP)

    def inverse(self, x: Tensor) -> Tensor:
        """Return to the units of the table; what was clipped stays clipped."""
        return x * self.scale + self.mean if self.active else x


def _copied(values: np.ndarray, dtype: torch.dtype) -> Tensor:
    """Copy values into a tensor.

    Torch moves tensors to shared memory where a model is sent to another process, and
    what has no memory of its own is left without any.
    """
    return torch.as_tensor(values, dtype=dtype).clone()
