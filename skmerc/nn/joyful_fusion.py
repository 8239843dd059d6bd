"""JOYFUL's two fusions: modalities in their dialogue, and modalities on one basis."""

import inspect
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skmerc._utils.random import Dropout, randn
from skmerc.graph._edges import ranges
from skmerc.nn.blocks import show_blocks
from skmerc.nn.transformer import DialogueTransformer


class GlobalFusion(nn.Module):
    r"""Represent utterances by their modalities side by side, in their dialogue.

    Each modality is projected, :math:`z_m = f_m(x_m)`; a transformer over the dialogue
    turns their concatenation :math:`z` into :math:`\hat z` (JOYFUL [1]_, section B1).
    The loss keeps what was said, and keeps to the topic (Eqs. 1, 2):

    .. math:: L = \lVert \hat z_i - z_i \rVert^2 + \lVert \hat z_i - c_{i-1} \rVert^2,
        \qquad c_i = \frac{\sum_{k \le i} e^{\eta k} \hat z_k}
        {\sum_{k \le i} e^{\eta k}}

    both as means over dimensions. The paper leaves out the denominator of the topic
    vector, which then outgrows any utterance.

    Parameters
    ----------
    widths : list of int
        Number of features of each modality.
    size : int or None
        Width of the representation, shared out evenly among the modalities; None
        keeps the width of each. Rounded up to a multiple of `heads`.
    smoothing : float, default=0.2
        The factor :math:`\eta`: how fast a topic is forgotten.
    topic_gradient : bool, default=False
        Whether the topic vector is learned from, too.
    detach_targets : bool, default=False
        Whether the projections are left out of the reconstruction's gradient.
    dropout : float, default=0.3
        Dropout of the features, and in the transformer.
    **transformer
        Parameters of :class:`skmerc.nn.transformer.DialogueTransformer`.

    References
    ----------
    .. [1] D. Li et al., "Joyful: Joint modality fusion and graph contrastive learning
       for multimodal emotion recognition", EMNLP 2023.
    """

    def __init__(
        self,
        widths: list[int],
        size: int | None,
        *,
        heads: int = 8,
        dropout: float = 0.3,
        smoothing: float = 0.2,
        topic_gradient: bool = False,
        detach_targets: bool = False,
        **transformer: Any,
    ) -> None:
        super().__init__()
        widths_out = share_width(widths, size, heads)
        self.smoothing, self.topic_gradient = smoothing, topic_gradient
        self.detach_targets = detach_targets
        self.size = sum(widths_out)
        self.project = nn.ModuleList(
            _projection(width, share, dropout)
            for width, share in zip(widths, widths_out, strict=True)
        )
        self.transformer = DialogueTransformer(
            self.size, heads=heads, dropout=dropout, **transformer
        )
        self.widths = widths_out

    def forward(
        self, blocks: list[Tensor], present: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return representations (n, size), and in training the loss of each (n,)."""
        z = _project(self.project, blocks, present)
        code = self.transformer(z, lengths)
        if not self.training:
            return code, torch.zeros_like(code[:, 0])
        there = torch.cat(
            [
                seen[:, None].expand(-1, width)
                for seen, width in zip(present.unbind(1), self.widths, strict=True)
            ],
            dim=1,
        )
        target = z.detach() if self.detach_targets else z
        loss = _mean_square(code - target, there)
        with torch.set_grad_enabled(self.topic_gradient and torch.is_grad_enabled()):
            topic, started = topic_before(code, lengths, self.smoothing)
        return code, loss + started * (code - topic).square().mean(dim=1)


class SpecificFusion(nn.Module):
    r"""Represent each modality of an utterance as a mixture of shared basis vectors.

    .. math:: \tilde z_m = f_m(x_m) W_m, \quad \tilde B = B W_b, \quad
        \hat z_m = \mathrm{softmax}(s(\tilde z_m, \tilde B)) \tilde B

    (JOYFUL [1]_, section B2, Eqs. 3 to 6), with the mean square of
    :math:`\hat z - z` as loss (Eq. 7).

    Parameters
    ----------
    widths : list of int
        Number of features of each modality.
    size : int
        Width of each modality's representation; 460 in the paper.
    n_bases : int, default=64
        Number of basis vectors, which the paper does not tell.
    similarity : {"scaled", "dot", "cosine"}, default="scaled"
        The score :math:`s`: the inner product over :math:`\sqrt{d}`, as it is (Eq. 4),
        or the cosine over 0.1 (the paper's text).
    dropout : float, default=0.0
        Dropout of the features.
    detach_targets : bool, default=False
        Whether the projections are left out of the reconstruction's gradient.

    References
    ----------
    .. [1] D. Li et al., "Joyful: Joint modality fusion and graph contrastive learning
       for multimodal emotion recognition", EMNLP 2023.
    """

    def __init__(
        self,
        widths: list[int],
        size: int,
        *,
        n_bases: int = 64,
        similarity: str = "scaled",
        dropout: float = 0.0,
        detach_targets: bool = False,
    ) -> None:
        super().__init__()
        if similarity not in ("scaled", "dot", "cosine"):
            raise ValueError(
                f"similarity={similarity!r} is unknown; use 'scaled', 'dot' or "
                "'cosine'."
            )
        self.similarity, self.detach_targets = similarity, detach_targets
        self.size = size * len(widths)
        self.project = nn.ModuleList(
            _projection(width, size, dropout) for width in widths
        )
        self.enter = nn.ModuleList(nn.Linear(size, size, bias=False) for _ in widths)
        self.basis = nn.Parameter(randn(n_bases, size))
        self.enter_basis = nn.Linear(size, size, bias=False)

    def forward(self, blocks: list[Tensor], present: Tensor) -> tuple[Tensor, Tensor]:
        """Return representations (n, size), and in training the loss of each (n,)."""
        z = _project(self.project, blocks, present)
        basis = self.enter_basis(self.basis)
        parts = zip(self.enter, z.chunk(len(blocks), dim=1), strict=True)
        mixed = [
            self._scores(enter(part), basis).softmax(1) @ basis for enter, part in parts
        ]
        there = present.repeat_interleave(self.basis.shape[1], dim=1)
        code = torch.cat(mixed, dim=1) * there
        if not self.training:
            return code, torch.zeros_like(code[:, 0])
        target = z.detach() if self.detach_targets else z
        return code, _mean_square(code - target, there)

    def step(self, blocks: list[Tensor], present: Tensor) -> Tensor:
        """Represent one utterance, without entering all basis vectors: (1, size)."""
        if self.similarity == "cosine":  # whose norms are those of entered vectors
            return self(blocks, present)[0]
        parts = _project(self.project, blocks, present).chunk(len(blocks), dim=1)
        pairs = zip(self.enter, parts, strict=True)
        z = torch.cat([enter(part) for enter, part in pairs])
        scores = self._scores(z @ self.enter_basis.weight, self.basis)
        mixed = self.enter_basis(scores.softmax(1) @ self.basis)
        return mixed.view(1, -1) * present.repeat_interleave(mixed.shape[1], dim=1)

    def _scores(self, z: Tensor, basis: Tensor) -> Tensor:
        if self.similarity == "cosine":
            return F.normalize(z) @ F.normalize(basis).T / 0.1
        scale = math.sqrt(z.shape[1]) if self.similarity == "scaled" else 1.0
        return z @ basis.T / scale


class JoyfulFusion(nn.Module):
    """Both fusions side by side, either, or the modalities as they are.

    Parameters
    ----------
    widths : list of int
        Number of features of each modality.
    size : int or None
        Width of each of the two representations, rounded up to a multiple of the heads
        and of the number of modalities; None is the number of features.
    global_fusion, specific_fusion : bool, default=True
        Which of the two there are.
    n_bases, similarity, dropout, detach_targets
        See :class:`SpecificFusion`.
    **global_settings
        Parameters of :class:`GlobalFusion`.
    """

    def __init__(
        self,
        widths: list[int],
        size: int | None,
        *,
        global_fusion: bool = True,
        specific_fusion: bool = True,
        n_bases: int = 64,
        similarity: str = "scaled",
        dropout: float = 0.3,
        detach_targets: bool = False,
        **global_settings: Any,
    ) -> None:
        super().__init__()
        _refuse_unknown(global_settings)
        self.in_dialogue = self.on_basis = None
        if global_fusion:
            self.in_dialogue = GlobalFusion(
                widths,
                size,
                dropout=dropout,
                detach_targets=detach_targets,
                **global_settings,
            )
        if specific_fusion:
            share = -(-(size or sum(widths)) // len(widths))
            self.on_basis = SpecificFusion(
                widths,
                share,
                n_bases=n_bases,
                similarity=similarity,
                dropout=dropout,
                detach_targets=detach_targets,
            )
            self.norm = nn.LayerNorm(self.on_basis.size)
        sizes = [part.size for part in (self.in_dialogue, self.on_basis) if part]
        self.size = sum(sizes) or sum(widths)

    def forward(
        self, blocks: list[Tensor], present: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return node features (n, size), and the loss L_mf of each utterance."""
        codes, loss = [], torch.zeros_like(present[:, 0], dtype=torch.float32)
        if self.in_dialogue:
            code, part = self.in_dialogue(blocks, present, lengths)
            codes, loss = [code], loss + part
        if self.on_basis:
            code, part = self.on_basis(blocks, present)
            # Mixtures of many vectors are short, and would hardly count beside others.
            codes, loss = [*codes, self.norm(code)], loss + part
        return torch.cat(codes or show_blocks(blocks, present), dim=1), loss

    def step(
        self, blocks: list[Tensor], present: Tensor, state: tuple | None
    ) -> tuple[Tensor, tuple | None]:
        """Fuse the next utterance of one dialogue, which hears the past alone.

        Parameters
        ----------
        blocks : list of Tensor of shape (1, width)
            Its modalities.
        present : Tensor of shape (1, n_modalities)
            Which of them are there.
        state : tuple or None
            What the last call returned; None at the beginning of the dialogue.

        Returns
        -------
        node : Tensor of shape (1, size)
            The features of its node.
        state : tuple or None
            What the transformer over the dialogue remembers.
        """
        codes = []
        if self.in_dialogue:
            z = _project(self.in_dialogue.project, blocks, present)
            code, state = self.in_dialogue.transformer.step(z, state)
            codes.append(code)
        if self.on_basis:
            codes.append(self.norm(self.on_basis.step(blocks, present)))
        return torch.cat(codes or show_blocks(blocks, present), dim=1), state


def _refuse_unknown(settings: dict) -> None:
    """Refuse misspelt names also where there is no fusion that would read them."""
    parts = (GlobalFusion, DialogueTransformer)
    known = {name for part in parts for name in inspect.signature(part).parameters}
    for name in settings.keys() - known:
        raise TypeError(
            f"The fusion has no parameter {name!r}; it has {', '.join(sorted(known))}."
        )


def share_width(widths: list[int], size: int | None, heads: int) -> list[int]:
    """Width of each modality: its own, or an even share, in all a multiple of `heads`.

    Parameters
    ----------
    widths : list of int
        Number of features of each modality.
    size : int or None
        Width to share out evenly; None keeps what each has.
    heads : int
        What the sum is rounded up to a multiple of.

    Returns
    -------
    list of int
        The widths; the first ones are larger by one where the sum does not divide.
    """
    shares = list(widths)
    if size is not None:
        shares = [max(size // len(widths), 1)] * len(widths)
    total = sum(widths) if size is None else max(size, len(widths))
    missing = -(-total // heads) * heads - sum(shares)
    each, more = divmod(missing, len(widths))
    return [share + each + (i < more) for i, share in enumerate(shares)]


def topic_before(x: Tensor, lengths: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    r"""Compute the topic vector that stands before each utterance.

    It is the exponential moving average of the utterances so far, with decay
    :math:`e^{-\eta}` and bias correction.

    Parameters
    ----------
    x : Tensor of shape (n, size)
        Utterances, dialogue after dialogue.
    lengths : Tensor of shape (n_dialogues,)
        Number of utterances of each dialogue.
    smoothing : float
        The factor :math:`\eta`; 0 gives the mean of what was said, infinity the
        utterance before.

    Returns
    -------
    topic : Tensor of shape (n, size)
        The topic vectors, 0 at the start of a dialogue.
    started : Tensor of shape (n,)
        Whether an utterance has one before it.
    """
    turn = ranges(0, lengths)
    decay, shift = math.exp(-smoothing), 1
    total, weight = x, torch.ones_like(x[:, :1])
    # A prefix sum by doubling: each step sums over twice as many utterances.
    while shift < int(lengths.max()):
        before = (turn >= shift)[:, None].float() * decay**shift
        total = total + before * total.roll(shift, 0)
        weight = weight + before * weight.roll(shift, 0)
        shift *= 2
    started = turn > 0
    return (total / weight).roll(1, 0) * started[:, None], started


def _projection(width: int, size: int, dropout: float) -> nn.Module:
    return nn.Sequential(Dropout(dropout), nn.Linear(width, size), nn.ReLU())


def _project(
    projections: nn.ModuleList, blocks: list[Tensor], present: Tensor
) -> Tensor:
    """Project each modality, 0 where it is missing, and put them side by side."""
    parts = zip(projections, blocks, present.unbind(1), strict=True)
    return torch.cat(
        [project(block) * there[:, None] for project, block, there in parts], dim=1
    )


def _mean_square(error: Tensor, there: Tensor) -> Tensor:
    """Average the squares over the dimensions of modalities that are there."""
    total = (error.square() * there).sum(dim=1)
    return total / there.sum(dim=1).clamp(min=1)
