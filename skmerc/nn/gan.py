"""The multimodal GAN that translates utterances into other emotions (CBERL).

The authors' figure fixes the parts: per modality a generator to the target class and
one back, per modality a discriminator of the target, one joint discriminator of the
returned modalities, and a classifier. Everything is conditional on the class, so that
one set of networks serves all classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skmerc._utils.random import Dropout, randn
from skmerc._utils.registry import storable

CLASS_SIZE = 32
_SLOPE = 0.2


def _mlp(*sizes: int, dropout: float = 0.0) -> nn.Sequential:
    """Stack layers of the given sizes, with an activation between any two."""
    layers: list[nn.Module] = []
    for size_in, size_out in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [nn.Linear(size_in, size_out), nn.LeakyReLU(_SLOPE)]
        layers += [Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


class ConditionalGenerator(nn.Module):
    r"""Translate one modality of utterances to a class.

    .. math:: G(x, c, \varepsilon) = x + \mathrm{MLP}(x, e_c, \varepsilon)

    Parameters
    ----------
    size : int
        Width of the modality.
    n_classes : int
        Number of classes.
    hidden_size : int, default=256
        Width of the two hidden layers.
    noise_size : int, default=0
        Width of the noise; the generator back needs none.
    """

    def __init__(
        self, size: int, n_classes: int, hidden_size: int = 256, noise_size: int = 0
    ) -> None:
        super().__init__()
        self.label = nn.Embedding(n_classes, CLASS_SIZE)
        width = size + CLASS_SIZE + noise_size
        self.change = _mlp(width, hidden_size, hidden_size, size)

    def forward(self, x: Tensor, label: Tensor, noise: Tensor | None = None) -> Tensor:
        """Translate (n, size) to the classes of shape (n,)."""
        parts = [x, self.label(label)] + ([] if noise is None else [noise])
        return x + self.change(torch.cat(parts, dim=1))


class ProjectionDiscriminator(nn.Module):
    """Score whether utterances are real ones of a class.

    The class enters by projection, :math:`w^T h + e_c^T h` (Miyato & Koyama 2018).

    Parameters
    ----------
    size : int
        Width of the modality.
    n_classes : int
        Number of classes; 0 for a discriminator that asks for none.
    hidden_size : int, default=256
        Width of the first hidden layer; the second has half of it.
    dropout : float, default=0.0
        Dropout after the hidden layers.
    """

    def __init__(
        self, size: int, n_classes: int, hidden_size: int = 256, dropout: float = 0.0
    ) -> None:
        super().__init__()
        half = max(1, hidden_size // 2)
        self.body = _mlp(size, hidden_size, half, half, dropout=dropout)
        self.activation = nn.LeakyReLU(_SLOPE)
        self.score = nn.Linear(half, 1)
        self.label = nn.Embedding(n_classes, half) if n_classes else None

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Score (n, size), given the classes (n,), with unbounded numbers (n,)."""
        hidden = self.activation(self.body(x))
        score = self.score(hidden).squeeze(1)
        if self.label is None:
            return score
        return score + (self.label(label) * hidden).mean(dim=1)


@storable
class MultimodalGAN(nn.Module):
    """Generators, discriminators and classifier over M modalities.

    All tensors of features hold the modalities one after another, standardised, with
    zeros where a modality is missing.

    Parameters
    ----------
    sizes : sequence of int
        Widths of the modalities.
    n_classes : int
        Number of classes.
    hidden_size : int, default=256
        Width of the hidden layers.
    noise_size : int, default=16
        Width of the noise that the modalities of an utterance share.
    dropout : float, default=0.0
        Dropout in the discriminators and the classifier.

    Attributes
    ----------
    low, high : Tensor of shape (sum of sizes,)
        The range in which :meth:`sample` holds its features; unbounded at first.

    Examples
    --------
    >>> import torch
    >>> from skmerc.nn.gan import MultimodalGAN
    >>> gan = MultimodalGAN([4, 2], n_classes=3)
    >>> x, present = torch.zeros(5, 6), torch.ones(5, 2)
    >>> target = torch.tensor([0, 1, 2, 1, 0])
    >>> translated = gan.translate(x, present, target, gan.draw_noise(5))
    >>> gan.score_target(translated, target).shape
    torch.Size([5, 2])
    """

    low: Tensor
    high: Tensor

    def __init__(
        self,
        sizes: Sequence[int],
        n_classes: int,
        hidden_size: int = 256,
        noise_size: int = 16,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        # What it is built from again when a saved model is loaded.
        self.settings = {
            "sizes": list(sizes),
            "n_classes": n_classes,
            "hidden_size": hidden_size,
            "noise_size": noise_size,
            "dropout": dropout,
        }
        self.sizes, self.noise_size = list(sizes), noise_size
        total = sum(sizes)
        self.to_target = nn.ModuleList(
            ConditionalGenerator(size, n_classes, hidden_size, noise_size)
            for size in sizes
        )
        self.to_source = nn.ModuleList(
            ConditionalGenerator(size, n_classes, hidden_size) for size in sizes
        )
        self.of_target = nn.ModuleList(
            ProjectionDiscriminator(size, n_classes, hidden_size, dropout)
            for size in sizes
        )
        self.of_source = ProjectionDiscriminator(total, 0, hidden_size, dropout)
        self.classifier = _mlp(total, hidden_size, n_classes, dropout=dropout)
        self.register_buffer("low", torch.full((total,), -torch.inf))
        self.register_buffer("high", torch.full((total,), torch.inf))

    def generator_parameters(self) -> list[nn.Parameter]:
        """Weights of the generators in both directions."""
        return [*self.to_target.parameters(), *self.to_source.parameters()]

    def discriminator_parameters(self) -> list[nn.Parameter]:
        """Weights of everything that learns from real utterances to tell."""
        parts = (self.of_target, self.of_source, self.classifier)
        return [weight for part in parts for weight in part.parameters()]

    def draw_noise(self, n: int) -> Tensor:
        """Draw standard normal noise of shape (n, noise_size)."""
        return randn(n, self.noise_size, device=self.low.device)

    def translate(
        self, x: Tensor, present: Tensor, target: Tensor, noise: Tensor
    ) -> Tensor:
        """Translate utterances to the target classes.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            The utterances.
        present : Tensor of shape (n, M)
            1 where a modality is there, 0 where it is missing.
        target : Tensor of shape (n,)
            The classes.
        noise : Tensor of shape (n, noise_size)
            What makes two translations of an utterance differ.

        Returns
        -------
        Tensor of shape (n, n_features)
            The translations, zero where the modality is missing.
        """
        return self._by_modality(self.to_target, x, present, target, noise)

    def go_back(self, translated: Tensor, present: Tensor, label: Tensor) -> Tensor:
        """Return translations (n, n_features) to the classes they came from."""
        return self._by_modality(self.to_source, translated, present, label, None)

    def _by_modality(
        self,
        networks: nn.ModuleList,
        x: Tensor,
        present: Tensor,
        label: Tensor,
        noise: Tensor | None,
    ) -> Tensor:
        parts = x.split(self.sizes, dim=1)
        pairs = zip(networks, parts, strict=True)
        changed = torch.cat([net(x_m, label, noise) for net, x_m in pairs], dim=1)
        return changed * self.spread(present)

    def spread(self, values: Tensor) -> Tensor:
        """Repeat values per modality (n, M) for its features (n, n_features)."""
        sizes = torch.tensor(self.sizes, device=values.device)
        return values.repeat_interleave(sizes, dim=1, output_size=sum(self.sizes))

    def score_target(self, x: Tensor, label: Tensor) -> Tensor:
        """Score each modality as a real one of its class: (n, M)."""
        parts = zip(self.of_target, x.split(self.sizes, dim=1), strict=True)
        return torch.stack([net(x_m, label) for net, x_m in parts], dim=1)

    @torch.no_grad()
    def sample(
        self, x: Tensor, present: Tensor, target: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Translate with fresh noise, inside the range of the training data.

        Returns
        -------
        translated : Tensor of shape (n, n_features)
            The translations.
        probability : Tensor of shape (n,)
            What the classifier gives to the target classes.
        """
        translated = self.translate(x, present, target, self.draw_noise(len(x)))
        translated = translated.clamp(self.low, self.high) * self.spread(present)
        probability = self.classifier(translated).softmax(dim=1)
        return translated, probability.gather(1, target[:, None]).squeeze(1)
