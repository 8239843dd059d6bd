"""From the table's features to one block per modality."""

import numpy as np
import torch
from torch import Tensor, nn

from skmerc.nn.standardize import Standardize


class BlockReader(nn.Module):
    """Standardise raw features and take the modalities apart.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_features,)
        Of the training rows, as in :class:`Standardize`.
    active : bool
        Whether to standardise, or to fill missing cells only.
    blocks : list of slice or array of int
        Columns of each modality.
    """

    def __init__(self, mean: np.ndarray, scale: np.ndarray, active: bool, blocks: list):
        super().__init__()
        self.standardize = Standardize(mean, scale, active)
        every = torch.arange(len(mean))
        self.columns = [every[where] for where in blocks]

    @property
    def widths(self) -> list[int]:
        """Number of features of each modality."""
        return [len(columns) for columns in self.columns]

    def forward(self, features: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the blocks, 0 where missing, and a mask (n, n_modalities)."""
        missing, values = features.isnan(), self.standardize(features)
        present = [~missing[:, where].all(dim=1) for where in self.columns]
        blocks = [
            values[:, where] * there[:, None]
            for where, there in zip(self.columns, present, strict=True)
        ]
        return blocks, torch.stack(present, dim=1)


def hide_modalities(present: Tensor, rate: float) -> Tensor:
    """Hide modalities at random, as if they were missing.

    Parameters
    ----------
    present : Tensor of shape (n, n_modalities)
        Which modalities are there.
    rate : float
        Probability that one of them is hidden. An utterance that would lose
        everything keeps everything.

    Returns
    -------
    Tensor of shape (n, n_modalities)
        Which modalities are shown.
    """
    if not rate:
        return present
    shown = present & (torch.rand(present.shape, device=present.device) >= rate)
    return torch.where(shown.any(dim=1, keepdim=True), shown, present)
