"""From the table's features to one block per modality."""

from typing import Any

import torch
from torch import Tensor, nn

from skmerc._utils.random import rand
from skmerc.nn.standardize import Standardize


class BlockReader(nn.Module):
    """Standardise raw features and take the modalities apart.

    Parameters
    ----------
    blocks : list of slice or array of int
        Columns of each modality, of which one at least must have been seen in training
        and be there for the modality to be there.
    **known
        Of the training rows, as in :class:`~skmerc.nn.standardize.Standardize`.
    """

    def __init__(self, blocks: list, **known: Any) -> None:
        super().__init__()
        self.standardize = Standardize(**known)
        every = torch.arange(len(self.standardize.mean))
        self.widths = [len(every[where]) for where in blocks]
        """Number of features of each modality."""
        # A slice is a view, where other indices make a copy.
        self.columns = [
            where if isinstance(where, slice) else every[where] for where in blocks
        ]

    def forward(self, features: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the blocks, 0 where missing, and a mask (n, n_modalities)."""
        missing = features.isnan() | ~self.standardize.seen
        values = self.standardize(features)
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
    shown = present & (rand(present.shape, device=present.device) >= rate)
    return torch.where(shown.any(dim=1, keepdim=True), shown, present)


def show_blocks(blocks: list[Tensor], shown: Tensor) -> list[Tensor]:
    """Set the blocks to 0 in the utterances where their modality is not shown."""
    pairs = zip(blocks, shown.unbind(1), strict=True)
    return [block * there[:, None] for block, there in pairs]
