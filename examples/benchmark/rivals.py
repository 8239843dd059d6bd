"""Rivals of CBERL's generator: two densities of each class to draw utterances from.

They are over-samplers of imbalanced-learn; :class:`skmerc.DialogueSampler` keeps keys.
"""

import numpy as np
import torch
from imblearn.over_sampling.base import BaseOverSampler
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from torch import nn

# What a class needs for each component, and how many directions a component has.
PER_COMPONENT = 20
WIDTH = 32


class DensitySampler(BaseOverSampler):
    """Draws from what `_learn` makes of the standardised features and classes."""

    def __init__(self, sampling_strategy="auto", random_state=None):
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state

    def _fit_resample(self, X, y):
        rng = check_random_state(self.random_state)
        scaler = StandardScaler().fit(X)
        draw = self._learn(scaler.transform(X).astype(np.float64), y, rng)
        wanted = {label: n for label, n in self.sampling_strategy_.items() if n}
        new = [scaler.inverse_transform(draw(label, n)) for label, n in wanted.items()]
        labels = np.repeat(np.array(list(wanted), dtype=y.dtype), list(wanted.values()))
        more = np.vstack([X, *new]).astype(X.dtype)
        return more, np.concatenate([y, labels])


class MixtureSampler(DensitySampler):
    """A Gaussian mixture for each class, in the principal directions of all classes."""

    def __init__(self, sampling_strategy="auto", n_components=4, random_state=None):
        super().__init__(sampling_strategy, random_state)
        self.n_components = n_components

    def _learn(self, X, y, rng):
        pca = PCA(min(WIDTH, *X.shape), random_state=rng).fit(X)
        codes = pca.transform(X)

        def draw(label, number):
            own = codes[y == label]
            size = max(1, min(self.n_components, len(own) // PER_COMPONENT))
            mixture = GaussianMixture(size, reg_covar=1e-3, random_state=rng)
            mixture.fit(own if len(own) > 1 else own.repeat(2, axis=0))
            return pca.inverse_transform(mixture.sample(number)[0])

        return draw


class ConditionalVAESampler(DensitySampler):
    """A variational autoencoder whose encoder and decoder are told the class."""

    def __init__(
        self,
        sampling_strategy="auto",
        latent_size=WIDTH,
        hidden_size=256,
        max_epochs=100,
        random_state=None,
    ):
        super().__init__(sampling_strategy, random_state)
        self.latent_size = latent_size
        self.hidden_size = hidden_size
        self.max_epochs = max_epochs

    def _learn(self, X, y, rng):
        classes, codes = np.unique(y, return_inverse=True)
        torch.manual_seed(rng.randint(2**31))
        x = torch.from_numpy(np.clip(X, -10, 10).astype(np.float32))
        told = nn.functional.one_hot(torch.from_numpy(codes)).float()
        width, known = x.shape[1], len(classes)
        encoder = _layers(width + known, self.hidden_size, 2 * self.latent_size)
        decoder = _layers(self.latent_size + known, self.hidden_size, width)
        self._train(encoder, decoder, x, told)

        @torch.no_grad()
        def draw(label, number):
            z = torch.randn(number, self.latent_size)
            one = np.eye(known, dtype=np.float32)[[list(classes).index(label)] * number]
            return decoder(torch.cat([z, torch.from_numpy(one)], dim=1)).numpy()

        return draw

    def _train(self, encoder, decoder, x, told):
        weights = [*encoder.parameters(), *decoder.parameters()]
        optimizer = torch.optim.Adam(weights, 1e-3)
        for _ in range(self.max_epochs):
            for rows in torch.randperm(len(x)).split(128):
                given = told[rows]
                mean, log_variance = encoder(torch.cat([x[rows], given], 1)).chunk(2, 1)
                z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
                error = (decoder(torch.cat([z, given], 1)) - x[rows]).square().sum(1)
                divergence = mean.square() + log_variance.exp() - 1 - log_variance
                loss = (error + divergence.sum(1)).mean() / 2
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()


def _layers(width, hidden, out):
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, out))
