"""JOYFUL's graph network and the two augmented views that it encodes."""

import inspect
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from skmerc._utils.random import Dropout
from skmerc.graph import (
    N_RELATIONS,
    NeighborMean,
    RelationalAttention,
    add_distant_edges,
    distant_pairs,
    mask_features,
    perturb_edges,
    speaker_pairs,
    speaker_relations,
    window_edges,
)
from skmerc.graph._edges import edges_to_last, numbered_pairs, ranges

_HEADS = 4


class JoyfulLayer(nn.Module):
    r"""One layer of the graph network (JOYFUL, equations 9 and 10).

    .. math:: h_i \leftarrow \mathrm{ReLU}(W [h_i \oplus a_i])

    with :math:`a_i` what the neighbours say.

    Parameters
    ----------
    in_size, size : int
        Width of an utterance before and after.
    aggregate : Module
        Makes messages (n, size) of utterances, edges and relations.
    """

    def __init__(self, in_size: int, size: int, aggregate: nn.Module) -> None:
        super().__init__()
        self.aggregate = aggregate
        self.combine = nn.Linear(in_size + size, size)

    def forward(self, x: Tensor, edges: Tensor, relation: Tensor) -> Tensor:
        """Encode utterances: (n, in_size) to (n, size)."""
        heard = self.aggregate(x, edges, relation)
        return self.combine(torch.cat([x, heard], dim=1)).relu()

    def last(self, x: Tensor, relation: Tensor) -> Tensor:
        """Encode the last utterance, which hears those before it: (1, size)."""
        aggregate: Any = self.aggregate
        heard = aggregate.to_last(x, relation)
        return self.combine(torch.cat([x[-1:], heard], dim=1)).relu()


class ForeignConvolution(nn.Module):
    """A layer of torch-geometric in the place of ours.

    It is built as ``kind(in_size, size, **params)``, and called with utterances and
    edges. Where its constructor takes ``num_relations``, or its call ``edge_type``, it
    is told of the relations, too.

    Parameters
    ----------
    kind : type
        A subclass of :class:`torch_geometric.nn.MessagePassing`, such as
        :class:`torch_geometric.nn.GATv2Conv`.
    params : dict
        Further parameters of it.
    in_size, size : int
        Width of an utterance before and after.
    n_relations : int
        Number of relations.

    Raises
    ------
    ValueError
        If `kind` is no such class, cannot be built or called so, or gives another
        width.
    """

    def __init__(
        self, kind: type[Any], params: dict, in_size: int, size: int, n_relations: int
    ) -> None:
        super().__init__()
        if not (isinstance(kind, type) and issubclass(kind, MessagePassing)):
            raise ValueError(
                f"conv={kind!r} is no convolution of torch-geometric: give a subclass "
                "of torch_geometric.nn.MessagePassing, 'mean', 'rgcn' or 'attention'."
            )
        if "num_relations" in inspect.signature(kind).parameters:
            params = {"num_relations": n_relations} | params
        self.typed = "edge_type" in inspect.signature(kind.forward).parameters
        try:
            self.layer = kind(in_size, size, **params)
            found = self._shape_of_answer(in_size)
        except Exception as error:  # whatever the code of others raises
            raise ValueError(
                f"conv={kind.__name__} with conv_params={params} does not fit. It is "
                f"built as {kind.__name__}({in_size}, {size}, **conv_params) and "
                "called with utterances and edges "
                f"({type(error).__name__}: {error})."
            ) from error
        if found not in (None, (2, size)):
            raise ValueError(
                f"conv={kind.__name__} with conv_params={params} gives utterances of "
                f"the shape {found[1:]} in place of ({size},). Several heads, for "
                "example, must be averaged: conv_params={'concat': False}."
            )

    def _shape_of_answer(self, in_size: int) -> tuple[int, ...] | None:
        if torch.get_default_device().type == "meta":  # nothing can be computed there
            return None
        x, edges = torch.zeros(2, in_size), torch.tensor([[0], [1]])
        training = self.layer.training
        with torch.no_grad():
            answer = self.eval()(x, edges, torch.zeros(1, dtype=torch.long))
        self.train(training)
        return tuple(answer.shape)

    def forward(self, x: Tensor, edges: Tensor, relation: Tensor) -> Tensor:
        """Pass messages: (n, in_size) to (n, size)."""
        known = {"edge_type": relation} if self.typed else {}
        return self.layer(x, edges, **known)


class JoyfulGraph(nn.Module):
    """Layers of a graph network over the windows of dialogues.

    Parameters
    ----------
    in_size, size : int
        Width of an utterance before the first layer, and after each.
    layers : int, default=1
        Number of layers.
    conv : {"mean", "rgcn", "attention"}, or pair of type and dict, default="mean"
        How messages are aggregated: by :class:`skmerc.graph.NeighborMean`, of all
        neighbours (the paper's) or of each relation apart (a relational graph
        convolution, as in the released code), by
        :class:`skmerc.graph.RelationalAttention`, or by a layer of torch-geometric,
        given as its class and its parameters; see :class:`ForeignConvolution`.
    n_speakers : int or None, default=None
        Number of speakers whose pairs are relations; None tells only the same
        speaker from others.
    dropout : float, default=0.0
        Dropout before each layer.
    """

    def __init__(
        self,
        in_size: int,
        size: int,
        *,
        layers: int = 1,
        conv: str | tuple[type, dict] = "mean",
        n_speakers: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.n_speakers = n_speakers
        n_relations = 2 * n_speakers**2 if n_speakers else N_RELATIONS
        sizes = [in_size, *[size] * layers]
        self.layers = nn.ModuleList(
            JoyfulLayer(d, size, _aggregation(conv, d, size, n_relations))
            for d in sizes[:-1]
        )
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Tensor, edges: Tensor, speaker: Tensor, sequence: Tensor
    ) -> Tensor:
        """Encode utterances: (n, in_size) to (n, size)."""
        if self.n_speakers:
            relation = speaker_pairs(edges, speaker, sequence, self.n_speakers)
        else:
            relation = speaker_relations(edges, speaker)
        for layer in self.layers:
            x = layer(self.dropout(x), edges, relation)
        return x

    def step(
        self, x: Tensor, before: tuple | None, speaker: Tensor
    ) -> tuple[Tensor, tuple]:
        """Encode the next utterance of one dialogue, which hears the past alone.

        Parameters
        ----------
        x : Tensor of shape (1, in_size)
            The utterance.
        before : tuple of Tensor of shape (n, width), or None
            What each layer has read of the n turns before that are in the window;
            None at the beginning of the dialogue.
        speaker : Tensor of shape (n + 1,)
            Speakers of these turns and of the utterance, numbered in the order in
            which they first speak.

        Returns
        -------
        code : Tensor of shape (1, size)
            The utterance in its context.
        read : tuple of Tensor of shape (n + 1, width)
            What each layer has read of all these turns.
        """
        edges = edges_to_last(len(speaker), itself=False, device=x.device)
        if self.n_speakers:
            relation = numbered_pairs(edges, speaker, self.n_speakers)
        else:
            relation = speaker_relations(edges, speaker)
        read = []
        layers: Any = self.layers
        for layer, past in zip(layers, before or (None,) * len(layers), strict=True):
            seen = x if past is None else torch.cat([past, x])
            x = layer.last(seen, relation)
            read.append(seen)
        return x, tuple(read)


def _aggregation(conv: Any, in_size: int, size: int, n_relations: int) -> nn.Module:
    if conv == "mean":
        return NeighborMean(in_size, size)
    if conv == "rgcn":
        return NeighborMean(in_size, size, n_relations)
    if conv != "attention":
        kind, params = conv
        return ForeignConvolution(kind, params, in_size, size, n_relations)
    return RelationalAttention(
        in_size, size, math.gcd(_HEADS, size), n_relations=n_relations
    )


class TwoViews(nn.Module):
    """Two augmented views of a batch of dialogues, encoded by one graph network.

    View 1 has features masked and edges perturbed, view 2 features masked and distant
    edges added (JOYFUL's best pair).

    Parameters
    ----------
    rate : float, default=0.2
        Share of features masked, of edges moved, and of edges added (the paper's p).
    window_past, window_future : int or None, default=6
        Window of the graph. Where the future is 0, no view looks ahead either.
    feature_mask_rate, edge_rate : float or None, default=None
        Share of features, and of edges, where they differ from `rate`.
    """

    def __init__(
        self,
        rate: float = 0.2,
        window_past: int | None = 6,
        window_future: int | None = 6,
        *,
        feature_mask_rate: float | None = None,
        edge_rate: float | None = None,
    ) -> None:
        super().__init__()
        self.rate, self.window = rate, (window_past, window_future)
        self.mask_rate = rate if feature_mask_rate is None else feature_mask_rate
        self.edge_rate = rate if edge_rate is None else edge_rate
        self.causal = window_future == 0
        self._far_of_length: dict[int, Tensor] = {}

    def forward(
        self,
        graph: JoyfulGraph,
        x: Tensor,
        lengths: Tensor,
        speaker: Tensor,
        sequence: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Encode both views, which are the same at inference."""
        edges = self.edges(lengths)
        if not self.training or not (self.mask_rate or self.edge_rate):
            view = graph(x, edges, speaker, sequence)
            return view, view
        rate, far = self.edge_rate, self.far_pairs(lengths)
        edges1 = perturb_edges(edges, lengths, rate, backward_only=self.causal)
        edges2 = add_distant_edges(edges, lengths, far, rate)
        # Both views go through the layers at once, as dialogues of one larger batch.
        both = graph(
            torch.cat([mask_features(x, self.mask_rate) for _ in range(2)]),
            torch.cat([edges1, edges2 + len(x)], dim=1),
            speaker.repeat(2),
            torch.cat([sequence, sequence + len(lengths)]),
        )
        return both.chunk(2)

    def edges(self, lengths: Tensor) -> Tensor:
        """Windows without the utterance itself, which layers add on their own."""
        edges = window_edges(lengths, *self.window)
        return edges[:, edges[0] != edges[1]]

    def far_pairs(self, lengths: Tensor) -> Tensor:
        """Candidates for distant edges, found once for each length of a dialogue."""
        kinds, kind = lengths.unique(return_inverse=True)
        found = [self._far(length) for length in kinds.tolist()]
        counts = lengths.new_tensor([pairs.shape[1] for pairs in found])
        wanted = counts[kind]
        at = ranges((counts.cumsum(0) - counts)[kind], wanted)
        starts = (lengths.cumsum(0) - lengths).repeat_interleave(wanted)
        return torch.cat(found, dim=1).to(lengths.device)[:, at] + starts

    def _far(self, length: int) -> Tensor:
        if length not in self._far_of_length:
            lengths = torch.tensor([length])
            pairs = distant_pairs(self.edges(lengths), lengths)
            kept = (pairs[0] < pairs[1]) | (not self.causal)
            self._far_of_length[length] = pairs[:, kept]
        return self._far_of_length[length]

    def __getstate__(self) -> dict:
        # A fitted model need not carry it, since it is computed again where needed.
        return super().__getstate__() | {"_far_of_length": {}}
