"""What the joint autoencoder adds to the training that all networks share."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skmerc._training import DialogueDataset, Measure
from skmerc.frame._conversations import Conversations, Sequences
from skmerc.nn.vae import FusionLoss, FusionNetwork, LossTerms

_DRAWS = 16


def rows_of(
    table: Conversations,
    weight: np.ndarray | None = None,
    target: np.ndarray | None = None,
) -> DialogueDataset:
    """Make a dataset in which each utterance of some weight stands alone."""
    weight = np.ones(len(table)) if weight is None else weight
    rows = table.select(weight > 0)
    number = np.zeros(len(table), np.int64)
    number[rows] = np.arange(len(rows))
    alone = Sequences(rows, np.arange(len(rows) + 1), np.ones(len(rows), bool))
    return DialogueDataset(replace(table, group=number), alone, target, weight)


class FusionMeasure(Measure):
    """Scores held-out utterances by the loss at its full weights.

    Parameters
    ----------
    objective : FusionLoss
        The loss.
    has_classes : bool
        Whether there are labels.
    """

    lower_is_better = True
    output = "terms_and_logits"
    readable = False

    def __init__(self, objective: FusionLoss, has_classes: bool) -> None:
        self.objective = objective
        terms = [*LossTerms._fields, *(["classification"] if has_classes else [])]
        self.parts = tuple(f"valid_{name}" for name in terms)

    def score(
        self, answers: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> dict[str, float]:
        """Return the loss and its terms."""
        output = SimpleNamespace(terms_and_logits=torch.from_numpy(answers))
        answer = {
            "target": torch.from_numpy(target),
            "weight": torch.from_numpy(weight),
        }
        loss = self.objective(output, answer)
        found = {"loss": loss, **self.objective.terms}
        return {f"valid_{name}": float(value) for name, value in found.items()}


def lower_bound(network: FusionNetwork, inputs: dict, beta: float) -> Tensor:
    """Return the evidence lower bound with fixed draws from the posterior."""
    vae, (blocks, present) = network.vae, network.reader(inputs["features"])
    fused = vae(blocks, present)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(
        _DRAWS, vae.latent_size, generator=generator, dtype=torch.float64
    )
    error: Any = 0.0
    for draw in noise.to(fused.mean.device):
        code = fused.mean + (0.5 * fused.log_var).exp() * draw
        drawn = fused._replace(reconstructions=vae.decode(code))
        terms = vae.terms(drawn, blocks, present)
        error = error + terms.reconstruction / _DRAWS
    return -error - beta * terms.prior
