"""The utterances that a sampler learns from and starts from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from skmerc._training import fit_standardize
from skmerc._utils.types import Table
from skmerc.nn.gan import MultimodalGAN
from skmerc.sampling._adversarial import Utterances

_CHUNK = 8192


class Pool:
    """The rows of a table that have a modality at all, as the networks see them.

    Parameters
    ----------
    table : Table
        The table.
    standardize : bool
        Whether features are standardised.
    device : torch.device
        Where the tensors are.

    Attributes
    ----------
    rows : ndarray of shape (n,)
        Their rows in the table.
    classes : ndarray of shape (n_classes,)
        The classes, which the codes of labels index.
    sizes : list of int
        Widths of the modalities.
    utterances : Utterances
        The features, modality after modality, zero where missing.
    """

    def __init__(self, table: Table, standardize: bool, device: torch.device) -> None:
        conversations, rows = table.conversations, table.rows
        present = conversations.present[rows]
        self.rows = rows[present.any(axis=1)]
        self.classes = np.unique(table.y[rows])
        self.device, self.dtype = device, conversations.features.dtype
        positions = np.arange(conversations.features.shape[1])
        blocks = [positions[where] for where in conversations.blocks.values()]
        self.sizes = [len(block) for block in blocks]
        self.order = np.concatenate(blocks)
        self.standardize = fit_standardize(
            conversations.features[:, self.order],
            self.rows,
            active=standardize,
            blocks=np.split(np.arange(len(self.order)), np.cumsum(self.sizes)[:-1]),
        ).to(device)
        present = present[present.any(axis=1)]
        self.missing = ~np.repeat(present, self.sizes, axis=1)
        self.labels = np.searchsorted(self.classes, table.y[self.rows])
        self.utterances = Utterances(
            self._see(conversations.features[self.rows][:, self.order]),
            torch.as_tensor(present, dtype=torch.float32, device=device),
            torch.as_tensor(self.labels, device=device),
        )

    def _see(self, features: np.ndarray) -> torch.Tensor:
        x = torch.as_tensor(features, dtype=torch.float32, device=self.device)
        missing = torch.as_tensor(self.missing, device=self.device)
        return self.standardize(x).masked_fill(missing, 0.0)

    def codes(self, labels: ArrayLike) -> torch.Tensor:
        """Codes of classes, each of which must have an utterance to learn from."""
        codes = np.searchsorted(self.classes, np.asarray(labels))
        for code in np.setdiff1d(codes, self.labels):
            raise ValueError(
                f"Class {self.classes[code]!r} shall be over-sampled, but all its "
                "utterances lack every modality. Leave it out of sampling_strategy."
            )
        return torch.as_tensor(codes, device=self.device)

    def restore(self, features: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Return translations of `chosen` to the columns and units of the table."""
        x = torch.as_tensor(features, device=self.device)
        values = self.standardize.inverse(x).cpu().numpy().astype(self.dtype)
        values[self.missing[chosen]] = np.nan
        restored = np.empty_like(values)
        restored[:, self.order] = values
        return restored


class RoundRobin:
    """Take candidates in random order, none again before all were taken.

    Parameters
    ----------
    candidates : ndarray of shape (n_candidates,)
        What is taken.
    rng : RandomState
        Draws the order.
    """

    def __init__(self, candidates: np.ndarray, rng: np.random.RandomState) -> None:
        self.order, self.taken = rng.permutation(candidates), 0

    def take(self, n: int) -> np.ndarray:
        """Take the next `n`."""
        places = np.arange(self.taken, self.taken + n) % len(self.order)
        self.taken += n
        return self.order[places]


@dataclass(frozen=True)
class Draws:
    """Translations, the pool's utterances they come from, and what they are worth."""

    features: np.ndarray
    chosen: np.ndarray
    probability: np.ndarray

    def __len__(self) -> int:
        return len(self.chosen)

    def take(self, which: np.ndarray) -> "Draws":
        """Keep some draws."""
        return Draws(self.features[which], self.chosen[which], self.probability[which])

    @staticmethod
    def join(parts: Sequence["Draws"]) -> "Draws":
        """Put draws one after another."""
        names = ("features", "chosen", "probability")
        return Draws(*(np.concatenate([getattr(p, n) for p in parts]) for n in names))

    @staticmethod
    def make(
        gan: MultimodalGAN, pool: Pool, chosen: np.ndarray, target: int
    ) -> "Draws":
        """Translate the chosen utterances of a pool to a class."""
        translated, probability = [], []
        for part in torch.as_tensor(chosen, device=pool.device).split(_CHUNK):
            source = pool.utterances.take(part)
            label = torch.full_like(source.label, target)
            x, p = gan.sample(source.x, source.present, label)
            translated.append(x.cpu().numpy())
            probability.append(p.cpu().numpy())
        return Draws(np.concatenate(translated), chosen, np.concatenate(probability))


def fill_quota(
    gan: MultimodalGAN,
    pool: Pool,
    anchors: RoundRobin,
    target: int,
    number: int,
    *,
    gate: float,
    max_draws: int,
) -> tuple[Draws, float]:
    """Draw translations to a class until enough pass the gate, or rounds are up.

    Returns
    -------
    filled : Draws
        Exactly `number`: those that passed, then the best of the others.
    rate : float
        Share of all draws that passed.
    """
    accepted, rejected, n_drawn, lacking = [], [], 0, number
    for _ in range(max_draws):
        draws = Draws.make(gan, pool, anchors.take(lacking), target)
        passed = draws.probability >= gate
        accepted.append(draws.take(passed))
        rejected.append(draws.take(~passed))
        n_drawn += lacking
        lacking -= int(passed.sum())
        if not lacking:
            break
    others = Draws.join(rejected)
    best = np.argsort(-others.probability, kind="stable")[:lacking]
    filled = Draws.join([*accepted, others.take(best)])
    return filled, float((number - lacking) / n_drawn)
