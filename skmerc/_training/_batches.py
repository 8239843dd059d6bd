"""Batches of whole dialogues, gathered from the table by index."""

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Dataset

from skmerc.frame._columns import SYNTHETIC
from skmerc.frame._conversations import Conversations, Sequences, offsets_of, ranges

Batch = tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]
"""What a network reads of some dialogues, and what its loss reads."""


class DialogueDataset(Dataset):
    """Sequences of utterances with their targets; an item is one dialogue.

    Copies with synthetic utterances come with the dialogue that they were made from,
    so that augmentation changes neither the number of steps in an epoch nor the real
    utterances that meet in a step.

    Parameters
    ----------
    conversations : Conversations
        The table, of which nothing is copied.
    sequences : Sequences
        The dialogues to read, and copies of them with synthetic utterances.
    target : ndarray of shape (n_rows,), optional
        Index of the class, or value, of each row of the table.
    weight : ndarray of shape (n_rows,), optional
        Factor on the loss of each row; 0 for rows that are only context.
    mask_weight : ndarray of shape (n_rows,), optional
        How much more readily each row is hidden in training than others; a network
        gets it only where it is given.
    """

    def __init__(
        self,
        conversations: Conversations,
        sequences: Sequences,
        target: np.ndarray | None = None,
        weight: np.ndarray | None = None,
        mask_weight: np.ndarray | None = None,
    ) -> None:
        n_rows = len(conversations)
        group = conversations.group[sequences.rows[sequences.offsets[:-1]]]
        counts = np.unique(group, return_counts=True)[1]
        self.conversations, self.starts = conversations, offsets_of(counts)
        self.sequences = sequences.take(group.argsort(kind="stable"))
        self.target = np.zeros(n_rows, np.int64) if target is None else target
        self.weight = np.ones(n_rows) if weight is None else weight
        self.mask_weight = mask_weight

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> Batch:
        return self.batch(np.array([index]))

    def batch(self, which: np.ndarray) -> Batch:
        """Gather the dialogues `which`: network inputs, and what the loss reads."""
        starts = self.starts[which]
        sequences = self.sequences.take(ranges(starts, self.starts[which + 1] - starts))
        rows, owned = sequences.rows, sequences.owned
        number = np.repeat(np.arange(len(sequences)), sequences.lengths)
        synthetic = self.conversations.role[rows] == SYNTHETIC
        inputs = {
            "features": self._tensor(self.conversations.features[rows]),
            "sequence": torch.from_numpy(number),
            "speaker": torch.from_numpy(self.conversations.speaker[rows]),
        }
        if self.mask_weight is not None:
            inputs["mask_weight"] = self._tensor(self.mask_weight[rows])
        answer = {
            "target": torch.from_numpy(self.target[rows]),
            "weight": self._tensor(self.weight[rows] * owned),
            "copy": torch.from_numpy(np.bincount(number, synthetic)[number] > 0),
        }
        return inputs, answer

    def portions(self, n_utterances: int) -> Iterator[np.ndarray]:
        """Yield the numbers of successive dialogues, of about so many utterances."""
        ends = self.sequences.offsets[self.starts[1:]]
        last = np.flatnonzero(np.diff((ends - 1) // n_utterances)) + 1
        yield from np.split(np.arange(len(self)), last)

    def dialogue_weights(self) -> np.ndarray:
        """Sum the weights in each dialogue: array of shape (n_dialogues,)."""
        sequences = self.sequences
        weight = self.weight[sequences.rows] * sequences.owned
        return np.add.reduceat(weight, sequences.offsets[self.starts[:-1]])

    @staticmethod
    def _tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.float32, copy=False))


class DialogueLoader:
    """Iterate over a :class:`DialogueDataset` in batches of dialogues.

    Parameters
    ----------
    dataset : DialogueDataset
        What to read.
    batch_size : int
        Number of dialogues in a batch.
    shuffle : bool, default=False
        Whether each pass has an order of its own.
    seed : int, default=0
        Seed of these orders.
    passed : int, default=0
        Number of passes that were made before, whose orders are skipped.
    """

    def __init__(
        self,
        dataset: DialogueDataset,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        passed: int = 0,
    ) -> None:
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.rng = np.random.default_rng(seed)
        for _ in range(passed):
            self._order()

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.dataset.batch, self.batches())

    def batches(self) -> Iterator[np.ndarray]:
        """Yield the numbers of the dialogues of each batch."""
        order = self._order()
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]

    def _order(self) -> np.ndarray:
        order = np.arange(len(self.dataset))
        if self.shuffle:
            self.rng.shuffle(order)
        return order
