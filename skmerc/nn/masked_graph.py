"""Multi-task graph network: classification and masked reconstruction share it."""

from typing import Any

import torch
from torch import Tensor, nn

from skmerc._utils.random import Dropout, rand
from skmerc.graph import RelationalAttention
from skmerc.graph._edges import dialogue_of, ranges
from skmerc.losses import scaled_cosine_error

REPLACED = 0.1
"""Share of masked utterances shown as another one (GraphMAE: 0.05 to 0.1)."""


class MaskedGraphEncoder(nn.Module):
    """Graph encoder that also learns to restore hidden utterances (CBERL's MGNN).

    Parameters
    ----------
    size : int
        Width of an utterance, kept by every layer.
    layers : int, default=2
        Number of residual layers of relational attention.
    heads : int, default=4
        Attention heads per layer.
    dropout : float, default=0.0
        Dropout after each layer.
    mode : {"node", "neighbor", "class_aware"}, default="node"
        What masking hides: an utterance's features ("node", GraphMAE), or the
        utterance as a sender of messages ("neighbor", the paper's words);
        "class_aware" is "node" with utterances drawn in proportion to the
        frequency of their class.
    exponent : float, default=2.0
        Power of the scaled cosine error.
    """

    def __init__(
        self,
        size: int,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
        mode: str = "node",
        exponent: float = 2.0,
    ) -> None:
        super().__init__()
        self.mode, self.exponent = mode, exponent
        self.layers = nn.ModuleList(
            RelationalAttention(size, size, heads, dropout) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in range(layers))
        self.dropout = Dropout(dropout)
        self.token = nn.Parameter(torch.zeros(size))
        self.decoder = RelationalAttention(size, size, heads)

    def forward(self, x: Tensor, edge_index: Tensor, relation: Tensor) -> Tensor:
        """Encode utterances: (n, size) to (n, size)."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = x + self.dropout(layer(norm(x), edge_index, relation).relu())
        return x

    def step(
        self, x: Tensor, before: tuple | None, relation: Tensor
    ) -> tuple[Tensor, tuple]:
        """Encode the next utterance of one dialogue, which hears the past alone.

        Parameters
        ----------
        x : Tensor of shape (1, size)
            The utterance.
        before : tuple of Tensor of shape (n, size), or None
            What each layer has read of the n turns before that are in the window;
            None at the beginning of the dialogue.
        relation : Tensor of shape (n + 1,)
            Relations of these turns, and of the utterance itself, to it.

        Returns
        -------
        code : Tensor of shape (1, size)
            The utterance in its context.
        read : tuple of Tensor of shape (n + 1, size)
            What each layer has read of all these turns.
        """
        read = []
        known = before or (x[:0],) * len(self.layers)
        layers: Any = self.layers
        for layer, norm, past in zip(layers, self.norms, known, strict=True):
            seen = torch.cat([past, norm(x)])
            x = x + layer.to_last(seen, relation).relu()
            read.append(seen)
        return x, tuple(read)

    def reconstruction_error(
        self,
        x: Tensor,
        edge_index: Tensor,
        relation: Tensor,
        masked: Tensor,
        sequence: Tensor,
        target: Tensor | None = None,
    ) -> Tensor:
        """Hide the masked utterances, restore them, and tell the error of each.

        Parameters
        ----------
        x : Tensor of shape (n, size)
            Utterances.
        edge_index : Tensor of shape (2, n_edges)
            Source and target of each edge.
        relation : Tensor of shape (n_edges,)
            Relation of each edge.
        masked : Tensor of shape (n,)
            Which utterances are hidden.
        sequence : Tensor of shape (n,)
            Number of the dialogue of each utterance: 0, 0, 1, ...
        target : Tensor of shape (n, size), optional
            What shall be restored, without gradient: utterances before dropout, say.
            By default `x`.

        Returns
        -------
        Tensor of shape (n,)
            Scaled cosine error, 0 where an utterance was not hidden.
        """
        shown, edges, types = x, edge_index, relation
        if self.mode == "neighbor":
            sender, hearer = edge_index
            kept = ~masked[sender] | (sender == hearer)
            edges, types = edge_index[:, kept], relation[kept]
        else:
            shown = torch.where(masked[:, None], self._disguise(x, sequence), x)
        codes = self(shown, edges, types)
        codes = torch.where(masked[:, None], self.token, codes)
        restored = self.decoder(codes, edge_index, relation)
        target = (x if target is None else target).detach()
        error = scaled_cosine_error(restored, target, self.exponent)
        return torch.where(masked, error, 0.0)

    def _disguise(self, x: Tensor, sequence: Tensor) -> Tensor:
        # Another utterance of the same dialogue: those of others, and synthetic ones
        # in copies, must not reach it.
        noise = rand(len(x), dtype=torch.float64, device=x.device)
        others = x.detach()[_next_of_sequence((sequence + noise).argsort(), sequence)]
        replaced = rand(len(x), 1, device=x.device) < REPLACED
        return torch.where(replaced, others, self.token)


def _next_of_sequence(order: Tensor, sequence: Tensor) -> Tensor:
    """Tell who follows each one in an order of its dialogue, the first after the last.

    So nobody of a dialogue of two or more stands for itself.
    """
    ends = torch.ones_like(order, dtype=torch.bool)
    ends[:-1] = sequence[order[1:]] != sequence[order[:-1]]
    begins = ends.roll(1)
    following = order.roll(-1)
    following[ends] = order[begins]
    return torch.empty_like(order).scatter_(0, order, following)


def draw_mask(lengths: Tensor, rate: float, weight: Tensor | None = None) -> Tensor:
    """Draw the same share of every dialogue's utterances.

    Parameters
    ----------
    lengths : Tensor of shape (n_dialogues,)
        Number of utterances of each dialogue.
    rate : float
        Share to draw, rounded down; at least one where there are two or more
        utterances, none where there is one.
    weight : Tensor of shape (n_utterances,), optional
        Positive weights in proportion to which utterances are drawn.

    Returns
    -------
    Tensor of shape (n_utterances,)
        True where an utterance was drawn.
    """
    # The nudge keeps a share such as 0.59 of 100 from rounding down to 58.
    count = (lengths.float() * rate + 1e-4).floor().long().clamp(min=1)
    count = torch.where((lengths > 1) & bool(rate > 0), count, 0)
    dialogue = dialogue_of(lengths)
    # The largest of log(weight) + Gumbel noise are a weighted draw without
    # replacement.
    noise = rand(len(dialogue), device=lengths.device)
    # Double precision avoids ties between logarithms; ties in the draw itself are
    # broken by position, whatever the order in which a processor sorts.
    key = -(-noise.double().clamp(1e-12, 1 - 1e-7).log()).log()
    key = key if weight is None else key + weight.double().log()
    order = key.argsort(descending=True, stable=True)
    order = order[dialogue[order].argsort(stable=True)]
    rank = torch.empty_like(order)
    rank[order] = ranges(0, lengths)
    return rank < count[dialogue]
