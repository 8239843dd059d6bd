"""The joint variational autoencoder (DJVAE) that fuses modalities."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmerc._utils.random import randn
from skmerc._utils.registry import storable
from skmerc.losses import kl_between_normals, kl_to_standard_normal, weighted_mean
from skmerc.nn.base import DialogueLoss
from skmerc.nn.blocks import BlockReader, hide_modalities

_LOG_VAR_BOUND = 8.0


class Fused(NamedTuple):
    """What :class:`JointVAE` makes of n utterances with M modalities.

    Parameters
    ----------
    code : Tensor of shape (n, latent_size)
        A draw from the posterior in training, its mean in evaluation.
    mean, log_var : Tensor of shape (n, latent_size)
        The posterior given all modalities that are there.
    unimodal_mean, unimodal_log_var : Tensor of shape (M, n, latent_size)
        The posterior given one modality; without meaning where that is missing.
    reconstructions : list of Tensor of shape (n, widths[m])
        The modalities decoded from the code.
    """

    code: Tensor
    mean: Tensor
    log_var: Tensor
    unimodal_mean: Tensor
    unimodal_log_var: Tensor
    reconstructions: list[Tensor]


class LossTerms(NamedTuple):
    """The terms of the variational loss.

    Parameters
    ----------
    reconstruction : Tensor of shape (n,)
        Mean squared errors, summed over modalities.
    prior : Tensor of shape (n,)
        Divergence of the posterior from the standard normal, in nats.
    unimodal : Tensor of shape (n,)
        Divergences of the posterior from the unimodal ones, summed, in nats.
    """

    reconstruction: Tensor
    prior: Tensor
    unimodal: Tensor


def product_of_experts(
    means: Tensor, log_vars: Tensor, present: Tensor
) -> tuple[Tensor, Tensor]:
    r"""Multiply normal experts and the standard normal prior.

    .. math:: \sigma^{-2} = 1 + \sum_m \sigma_m^{-2}, \qquad
        \mu = \sigma^2 \sum_m \sigma_m^{-2} \mu_m

    over the experts that are present (Wu & Goodman 2018 [1]_).

    Parameters
    ----------
    means, log_vars : Tensor of shape (M, n, d)
        Mean and logarithm of the variance of each expert.
    present : Tensor of shape (n, M)
        Which experts take part.

    Returns
    -------
    mean : Tensor of shape (n, d)
        Of the product.
    log_var : Tensor of shape (n, d)
        Logarithm of its variance.

    References
    ----------
    .. [1] M. Wu, N. Goodman, "Multimodal generative models for scalable
       weakly-supervised learning", NeurIPS 2018.

    Examples
    --------
    >>> import torch
    >>> from skmerc.nn.vae import product_of_experts
    >>> means = torch.tensor([[[0.0]], [[2.0]]])
    >>> present = torch.tensor([[True, True]])
    >>> mean, log_var = product_of_experts(means, torch.zeros(2, 1, 1), present)
    >>> round(mean.item(), 4), round((-log_var).exp().item(), 4)
    (0.6667, 3.0)
    """
    precision = (-log_vars).exp() * present.T[:, :, None]
    total = 1 + precision.sum(dim=0)
    return (precision * means).sum(dim=0) / total, -total.log()


@storable
class JointVAE(nn.Module):
    r"""Variational autoencoder with one code for all modalities of an utterance.

    The loss of an utterance is

    .. math:: L = \sum_m \frac{1}{d_m} \lVert x_m - \hat x_m \rVert^2
        + \beta\, KL(q \,\Vert\, N(0, I)) + \gamma \sum_m KL(q \,\Vert\, q_m)

    over the modalities m that are there, with q the posterior given all of them
    and :math:`q_m` that given one; the last term is that of JMVAE (Suzuki et al.
    2016 [1]_).

    Parameters
    ----------
    widths : list of int
        Number of features of each modality.
    hidden_size : int, default=256
        Width of the one hidden layer of encoders and decoders.
    latent_size : int, default=128
        Width of the code.
    posterior : {"joint", "poe"}, default="joint"
        How modalities make one posterior: a layer over their concatenated
        encodings, which is told which of them are there, or the product of
        unimodal experts and the prior (Wu & Goodman 2018 [2]_). A missing modality
        is 0 to the first, so it learns what that means only where modalities are
        missing, or hidden, in training; the second leaves the expert out. Without
        any modality both give the prior.

    Notes
    -----
    The reconstruction error is a mean over features and the divergences are sums
    over the code. For a linear network a direction of the standardised features of
    a single modality is therefore kept only if its variance exceeds
    :math:`\beta d_m / 2`: with :math:`\beta = 1` none of a real table does.

    References
    ----------
    .. [1] M. Suzuki, K. Nakayama, Y. Matsuo, "Joint multimodal learning with deep
       generative models", arXiv:1611.01891, 2016.
    .. [2] M. Wu, N. Goodman, "Multimodal generative models for scalable
       weakly-supervised learning", NeurIPS 2018.

    Examples
    --------
    >>> import torch
    >>> from skmerc.nn.vae import JointVAE
    >>> vae = JointVAE([5, 3], latent_size=2).eval()
    >>> blocks = [torch.ones(4, 5), torch.ones(4, 3)]
    >>> present = torch.ones(4, 2, dtype=torch.bool)
    >>> fused = vae(blocks, present)
    >>> fused.code.shape
    torch.Size([4, 2])
    >>> vae.loss(fused, blocks, present, beta=0.001, gamma=0.0001).shape
    torch.Size([4])
    """

    def __init__(
        self,
        widths: list[int],
        *,
        hidden_size: int = 256,
        latent_size: int = 128,
        posterior: str = "joint",
    ) -> None:
        super().__init__()
        if posterior not in ("joint", "poe"):
            raise ValueError(
                f"posterior={posterior!r} is unknown; use 'joint' or 'poe'."
            )
        self.latent_size = latent_size
        self.encoders = nn.ModuleList(
            nn.Sequential(nn.Linear(width, hidden_size), nn.ReLU()) for width in widths
        )
        self.experts = nn.ModuleList(
            nn.Linear(hidden_size, 2 * latent_size) for _ in widths
        )
        self.joint: Any = None
        if posterior == "joint":
            self.joint = nn.Linear(len(widths) * (hidden_size + 1), 2 * latent_size)
        self.decoders = nn.ModuleList(
            nn.Sequential(
                nn.Linear(latent_size, hidden_size),
                nn.ReLU(),
                nn.Linear(hidden_size, width),
            )
            for width in widths
        )

    def forward(self, blocks: list[Tensor], present: Tensor) -> Fused:
        """Fuse modalities.

        Parameters
        ----------
        blocks : list of Tensor of shape (n, widths[m])
            Standardised features, 0 where missing.
        present : Tensor of shape (n, M)
            Which modalities the posterior may see.

        Returns
        -------
        Fused
            The code is a draw from the posterior in training and its mean in
            evaluation; the reconstructions are those of the code.
        """
        encoded = [encode(x) for encode, x in zip(self.encoders, blocks, strict=True)]
        experts = [
            _split(head(h)) for head, h in zip(self.experts, encoded, strict=True)
        ]
        means, log_vars = (torch.stack(part) for part in zip(*experts, strict=True))
        if self.joint is None:
            mean, log_var = product_of_experts(means, log_vars, present)
        else:
            mean, log_var = self._joint_posterior(encoded, present)
        code = mean
        if self.training:
            noise = randn(mean.shape, dtype=mean.dtype, device=mean.device)
            code = mean + (0.5 * log_var).exp() * noise
        return Fused(code, mean, log_var, means, log_vars, self.decode(code))

    def _joint_posterior(
        self, encoded: list[Tensor], present: Tensor
    ) -> tuple[Tensor, Tensor]:
        seen = present.to(encoded[0].dtype)
        parts = [h * seen[:, [m]] for m, h in enumerate(encoded)]
        mean, log_var = _split(self.joint(torch.cat([*parts, seen], dim=1)))
        known = present.any(dim=1, keepdim=True)
        return mean * known, log_var * known

    def decode(self, code: Tensor) -> list[Tensor]:
        """Reconstruct all modalities.

        Parameters
        ----------
        code : Tensor of shape (n, latent_size)
            Codes.

        Returns
        -------
        list of Tensor of shape (n, widths[m])
            Standardised features.
        """
        return [decode(code) for decode in self.decoders]

    @staticmethod
    def terms(fused: Fused, blocks: list[Tensor], present: Tensor) -> LossTerms:
        """Compute the terms of the loss.

        Parameters
        ----------
        fused : Fused
            What the network made of these blocks.
        blocks : list of Tensor of shape (n, widths[m])
            Standardised features, 0 where missing.
        present : Tensor of shape (n, M)
            Which modalities count.

        Returns
        -------
        LossTerms
            Unweighted.
        """
        reconstruction = _over_present(
            [
                ((x - y) ** 2).mean(dim=1)
                for x, y in zip(blocks, fused.reconstructions, strict=True)
            ],
            present,
        )
        unimodal = _over_present(
            [
                kl_between_normals(fused.mean, fused.log_var, mean, log_var)
                for mean, log_var in zip(
                    fused.unimodal_mean, fused.unimodal_log_var, strict=True
                )
            ],
            present,
        )
        prior = kl_to_standard_normal(fused.mean, fused.log_var)
        return LossTerms(reconstruction, prior, unimodal)

    def loss(
        self,
        fused: Fused,
        blocks: list[Tensor],
        present: Tensor,
        *,
        beta: float,
        gamma: float,
    ) -> Tensor:
        """Variational loss of each utterance.

        Parameters
        ----------
        fused : Fused
            What the network made of these blocks.
        blocks : list of Tensor of shape (n, widths[m])
            Standardised features, 0 where missing.
        present : Tensor of shape (n, M)
            Which modalities shall be reconstructed. They may be more than
            :meth:`forward` was shown, which then learns to infer the hidden ones.
        beta, gamma : float
            Weights of the divergences.

        Returns
        -------
        Tensor of shape (n,)
            Losses.
        """
        terms = self.terms(fused, blocks, present)
        return terms.reconstruction + beta * terms.prior + gamma * terms.unimodal


class FusionOutput(NamedTuple):
    """What :class:`FusionNetwork` makes of n utterances with M modalities.

    Parameters
    ----------
    fused : Fused
        Codes, posteriors and reconstructions.
    blocks : list of Tensor of shape (n, widths[m])
        The standardised modalities, 0 where missing.
    present : Tensor of shape (n, M)
        Which modalities are there.
    logits : Tensor of shape (n, n_classes)
        Unnormalised log-probabilities of the classes; no columns without classes.
    """

    fused: Fused
    blocks: list[Tensor]
    present: Tensor
    logits: Tensor

    @property
    def mean(self) -> Tensor:
        """The means of the posterior."""
        return self.fused.mean

    @property
    def mean_and_blocks(self) -> Tensor:
        """The means and the modalities behind them, NaN where missing."""
        pairs = zip(self.blocks, self.present.unbind(1), strict=True)
        kept = [torch.where(there[:, None], x, torch.nan) for x, there in pairs]
        return torch.cat([self.mean, *kept], dim=1)

    @property
    def terms_and_logits(self) -> Tensor:
        """The :class:`LossTerms` and the logits behind them, (n, 3 + n_classes)."""
        terms = JointVAE.terms(self.fused, self.blocks, self.present)
        return torch.cat([torch.stack(terms, dim=1), self.logits], dim=1)


@storable
class FusionNetwork(nn.Module):
    """Standardise, hide modalities in training, fuse, and tell classes by the code.

    Parameters
    ----------
    reader : dict
        Parameters of the :class:`~skmerc.nn.blocks.BlockReader`.
    n_classes : int
        Number of classes that a layer on the code tells apart; 0 for no such layer.
    modality_dropout : float
        Probability in training that a modality is hidden from the encoder.
    **vae
        Parameters of the :class:`JointVAE`, but for its widths.
    """

    def __init__(
        self, reader: dict, n_classes: int, modality_dropout: float, **vae: Any
    ) -> None:
        super().__init__()
        self.reader, self.modality_dropout = BlockReader(**reader), modality_dropout
        self.vae = JointVAE(self.reader.widths, **vae)
        self.classify = None
        if n_classes:
            self.classify = nn.Linear(self.vae.latent_size, n_classes)

    def forward(self, features: Tensor, **others: Tensor) -> FusionOutput:
        """Fuse utterances, each by itself.

        Parameters
        ----------
        features : Tensor of shape (n, n_features)
            Raw features, NaN where missing.
        **others : Tensor
            What else is known of the utterances, which is not read.

        Returns
        -------
        FusionOutput
            The code and what it costs.
        """
        blocks, present = self.reader(features)
        hidden = self.modality_dropout if self.training else 0.0
        fused = self.vae(blocks, hide_modalities(present, hidden))
        code = fused.code
        logits = code[:, :0] if self.classify is None else self.classify(code)
        return FusionOutput(fused, blocks, present, logits)


@storable
class FusionLoss(DialogueLoss):
    r"""The variational loss, and cross-entropy on the code where there are classes.

    Parameters
    ----------
    beta, gamma : float
        Weights of the divergences from the prior and from the unimodal posteriors.
    classification_weight : float
        Weight of the cross-entropy.
    """

    def __init__(self, beta: float, gamma: float, classification_weight: float) -> None:
        super().__init__()
        self.beta, self.gamma = beta, gamma
        self.factors = {"classification": classification_weight}
        self.warm(1.0)

    def warm(self, share: float) -> None:
        """Let the divergences count for a share of their weights."""
        self.factors |= {"prior": share * self.beta, "unimodal": share * self.gamma}

    def losses(self, output: FusionOutput, answer: dict) -> dict[str, Tensor]:
        """Compute the terms over the utterances, of which some may have no class."""
        weight, target = answer["weight"], answer["target"]
        self.weight = weight.sum()
        *terms, logits = output.terms_and_logits.tensor_split([1, 2, 3], dim=1)
        means = [weighted_mean(values[:, 0], weight) for values in terms]
        found = dict(zip(LossTerms._fields, means, strict=True))
        if logits.shape[1]:
            loss = F.cross_entropy(logits, target.clamp(min=0), reduction="none")
            found["classification"] = weighted_mean(loss, weight * (target >= 0))
        return found


def _split(statistics: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_var = statistics.chunk(2, dim=1)
    return mean, log_var.clamp(-_LOG_VAR_BOUND, _LOG_VAR_BOUND)


def _over_present(values: list[Tensor], present: Tensor) -> Tensor:
    stacked = torch.stack(values, dim=1)
    return torch.where(present, stacked, 0).sum(dim=1)
