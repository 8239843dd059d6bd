"""The adversarial game: batches, losses of the two players, and their steps."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from skmerc._utils.divergence import refuse_divergence
from skmerc._utils.progress import progress
from skmerc._utils.random import rand, randint
from skmerc.losses import adversarial_loss, weighted_mean
from skmerc.nn.gan import MultimodalGAN

DIVERSITY_WEIGHT = 10.0
"""Weight of what lacks to the distance that is asked between two translations."""


@dataclass(frozen=True)
class Weights:
    """Form of the adversarial loss, and weights of the generators' other terms.

    `diversity` is the mean distance asked between two translations of an utterance.
    """

    adversarial: str = "least_squares"
    cycle: float = 10.0
    identity: float = 0.0
    classification: float = 1.0
    diversity: float = 0.0


@dataclass(frozen=True)
class Utterances:
    """Standardised utterances with their labels and the modalities they have."""

    x: Tensor
    present: Tensor
    label: Tensor

    def take(self, rows: Tensor) -> "Utterances":
        """Keep some rows."""
        return Utterances(self.x[rows], self.present[rows], self.label[rows])


@dataclass(frozen=True)
class Batch:
    """Source utterances, the classes they shall have, and real ones of these."""

    source: Utterances
    real: Utterances
    noise: Tensor

    @property
    def target(self) -> Tensor:
        """The class that each source utterance is translated to."""
        return self.real.label


@dataclass(frozen=True)
class Fakes:
    """Translations of a batch, and what came back from them."""

    translated: Tensor
    returned: Tensor

    def detach(self) -> "Fakes":
        """Cut the way back to the generators."""
        return Fakes(self.translated.detach(), self.returned.detach())


class ClassBalancedBatches:
    """Draw batches in which all source classes, and all targets, are equally likely.

    Parameters
    ----------
    utterances : Utterances
        The training rows, of which every class among `targets` has one at least.
    targets : Tensor of shape (n_targets,)
        The classes to be augmented.
    batch_size : int
        Number of source utterances.
    """

    def __init__(
        self, utterances: Utterances, targets: Tensor, batch_size: int
    ) -> None:
        self.utterances, self.targets = utterances, targets
        self.batch_size = batch_size
        self.order = utterances.label.argsort(stable=True)
        self.counts = torch.bincount(utterances.label)
        self.starts = self.counts.cumsum(0) - self.counts
        self.classes = self.counts.nonzero().squeeze(1)

    def draw(self, gan: MultimodalGAN) -> Batch:
        """Draw a batch."""
        label = self._choose(self.classes)
        target = self._choose(self.targets)
        return Batch(
            self.utterances.take(self._rows(label)),
            self.utterances.take(self._rows(target)),
            gan.draw_noise(self.batch_size),
        )

    def _choose(self, classes: Tensor) -> Tensor:
        return classes[randint(len(classes), (self.batch_size,), torch.device("cpu"))]

    def _rows(self, label: Tensor) -> Tensor:
        # The draw is made on the CPU, whose stream is the same wherever the net is.
        share = rand(len(label), dtype=torch.float64).to(label.device)
        return self.order[self.starts[label] + (share * self.counts[label]).long()]


def make_fakes(gan: MultimodalGAN, batch: Batch) -> Fakes:
    """Translate the source utterances to their targets and back."""
    source = batch.source
    translated = gan.translate(source.x, source.present, batch.target, batch.noise)
    return Fakes(translated, gan.go_back(translated, source.present, source.label))


def discriminator_terms(
    gan: MultimodalGAN, batch: Batch, fakes: Fakes, weights: Weights
) -> dict[str, Tensor]:
    """Losses of the discriminators and the classifier; the fakes are detached."""
    fakes, source, real = fakes.detach(), batch.source, batch.real
    target = _over_modalities(
        gan.score_target(real.x, real.label), real.present, True, weights
    ) + _over_modalities(
        gan.score_target(fakes.translated, batch.target), source.present, False, weights
    )
    joint = adversarial_loss(
        gan.of_source(source.x), True, weights.adversarial
    ) + adversarial_loss(gan.of_source(fakes.returned), False, weights.adversarial)
    classification = F.cross_entropy(gan.classifier(source.x), source.label)
    return {
        "discriminator_target": target,
        "discriminator_source": joint,
        "classifier_real": classification,
    }


def generator_terms(
    gan: MultimodalGAN, batch: Batch, fakes: Fakes, weights: Weights
) -> dict[str, Tensor]:
    """Weighted losses of the generators."""
    source = batch.source
    scores = gan.score_target(fakes.translated, batch.target)
    terms = {
        "generator_target": _over_modalities(
            scores, source.present, True, weights, generator=True
        ),
        "generator_source": adversarial_loss(
            gan.of_source(fakes.returned), True, weights.adversarial, generator=True
        ),
        "cycle": weights.cycle
        * _distances(gan, fakes.returned, source.x, source.present).sum(),
        "classifier_returned": weights.classification
        * F.cross_entropy(gan.classifier(fakes.returned), source.label),
        "classifier_translated": weights.classification
        * F.cross_entropy(gan.classifier(fakes.translated), batch.target),
    }
    if weights.diversity:
        noise = gan.draw_noise(len(source.x))
        with torch.no_grad():
            other = gan.translate(source.x, source.present, batch.target, noise)
        apart = _distances(gan, fakes.translated, other, source.present)
        # The distance is asked for up to a bound, since rewarding it without one drives
        # the features to infinity.
        terms["diversity"] = DIVERSITY_WEIGHT * F.relu(weights.diversity - apart).sum()
    if weights.identity:
        same = gan.translate(source.x, source.present, source.label, batch.noise)
        apart = _distances(gan, same, source.x, source.present)
        terms["identity"] = weights.identity * apart.sum()
    return terms


def _over_modalities(
    scores: Tensor,
    present: Tensor,
    real: bool,
    weights: Weights,
    generator: bool = False,
) -> Tensor:
    return sum(  # type: ignore[return-value]  # there is a modality at least
        adversarial_loss(score, real, weights.adversarial, generator, weight)
        for score, weight in zip(scores.T, present.T, strict=True)
    )


def _distances(gan: MultimodalGAN, x: Tensor, other: Tensor, present: Tensor) -> Tensor:
    """Average the absolute differences of each modality over the rows that have it."""
    differences = (x - other).abs().split(gan.sizes, dim=1)
    means = [
        weighted_mean(difference.mean(dim=1), weight)
        for difference, weight in zip(differences, present.T, strict=True)
    ]
    return torch.stack(means)


class Game:
    """The two players with their optimisers.

    Parameters
    ----------
    gan : MultimodalGAN
        The networks.
    weights : Weights
        The losses.
    lr : float
        Learning rate of both.
    """

    def __init__(self, gan: MultimodalGAN, weights: Weights, lr: float) -> None:
        self.gan, self.weights, self.lr = gan, weights, lr
        adam: dict[str, Any] = {"lr": lr, "betas": (0.5, 0.999), "fused": True}
        self.generators = torch.optim.Adam(gan.generator_parameters(), **adam)
        self.discriminators = torch.optim.Adam(gan.discriminator_parameters(), **adam)

    def discriminate(self, batch: Batch, fakes: Fakes) -> dict[str, Tensor]:
        """Step of the discriminators and the classifier."""
        terms = discriminator_terms(self.gan, batch, fakes, self.weights)
        return self._step(self.discriminators, terms)

    def generate(self, batch: Batch, fakes: Fakes) -> dict[str, Tensor]:
        """Step of the generators."""
        weights = self.gan.discriminator_parameters()
        for weight in weights:
            weight.requires_grad_(False)
        terms = generator_terms(self.gan, batch, fakes, self.weights)
        terms = self._step(self.generators, terms)
        for weight in weights:
            weight.requires_grad_(True)
        return terms

    def _step(
        self, optimizer: torch.optim.Optimizer, terms: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        optimizer.zero_grad()
        total: Any = sum(terms.values())
        total.backward()
        optimizer.step()
        return {name: term.detach() for name, term in terms.items()}


def play(
    game: Game,
    batches: ClassBalancedBatches,
    n_steps: int,
    *,
    steps_per_epoch: int,
    standardized: bool = True,
    name: str = "GAN",
    verbose: int = 0,
) -> list[dict[str, float]]:
    """Train, and return the history: one dict of floats per epoch.

    `name` stands in front of the progress bar.
    """
    history, epoch = [], []
    steps = progress(
        range(n_steps), owner=name, step="training", verbose=verbose, unit="step"
    )
    for step in steps:
        batch = batches.draw(game.gan)
        fakes = make_fakes(game.gan, batch)
        terms = game.discriminate(batch, fakes) | game.generate(batch, fakes)
        epoch.append(terms | _health(batch, fakes))
        if len(epoch) == steps_per_epoch or step == n_steps - 1:
            history.append(_summary(epoch))
            refuse_divergence(
                history[-1], len(history), game.lr, game.gan, standardized=standardized
            )
            epoch = []
    return history


@torch.no_grad()
def _health(batch: Batch, fakes: Fakes) -> dict[str, Tensor]:
    """Measure how far translations are from their sources, and how much they vary."""
    translated, real = fakes.translated, batch.real.x
    return {
        "change": (translated - batch.source.x).abs().mean(),
        "spread": _spread(translated) / _spread(real).clamp(1e-6),
    }


def _spread(x: Tensor) -> Tensor:
    # Tensor.std over rows takes ten times as long.
    return (x - x.mean(dim=0)).square().mean(dim=0).sqrt().mean()


def _summary(epoch: list[dict[str, Tensor]]) -> dict[str, float]:
    return {
        name: torch.stack([terms[name] for terms in epoch]).mean().item()
        for name in epoch[0]
    }
