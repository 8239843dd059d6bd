"""Graph layers over the utterances of dialogues."""

import math

import torch
from torch import Tensor, nn
from torch_geometric.utils import scatter, softmax

from skmerc.graph._edges import N_RELATIONS


class RelationalAttention(nn.Module):
    r"""Attention over the window, with a transformation per relation.

    .. math:: h_i = \sum_{r} \sum_{j \in N_r(i)} \alpha_{ij} W_r c_j
        + \alpha_{ii} W_0 c_i, \qquad
        \alpha_{ij} = \mathrm{softmax}_j \left(
        \frac{(Q c_i)^\top K c_j}{\sqrt{d}} + b_r \right)

    This is DialogueGCN's edge attention and relational sum [1]_ in one step, with
    heads, a scale and a learned preference for relations.

    Parameters
    ----------
    in_size, out_size : int
        Width of an utterance before and after.
    heads : int, default=4
        Number of attention heads; must divide `out_size`.
    dropout : float, default=0.0
        Share of attention weights dropped in training.

    References
    ----------
    .. [1] D. Ghosal et al., "DialogueGCN: A graph convolutional neural network for
       emotion recognition in conversation", EMNLP 2019.

    Examples
    --------
    >>> import torch
    >>> from skmerc.graph import RelationalAttention, speaker_relations, window_edges
    >>> edges = window_edges(torch.tensor([5, 2]))
    >>> relations = speaker_relations(edges, torch.tensor([0, 1, 0, 1, 1, 0, 1]))
    >>> RelationalAttention(8, 16)(torch.randn(7, 8), edges, relations).shape
    torch.Size([7, 16])
    """

    def __init__(
        self, in_size: int, out_size: int, heads: int = 4, dropout: float = 0.0
    ):
        super().__init__()
        if out_size % heads:
            raise ValueError(f"heads={heads} does not divide out_size={out_size}.")
        self.heads = heads
        self.query_key = nn.Linear(in_size, 2 * out_size)
        self.value = nn.Linear(in_size, N_RELATIONS * out_size, bias=False)
        self.preference = nn.Parameter(torch.zeros(N_RELATIONS, heads))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, edge_index: Tensor, relation: Tensor) -> Tensor:
        """Pass messages: (n, in_size) to (n, out_size)."""
        source, target = edge_index
        n = len(x)
        query, key = self.query_key(x).view(n, 2, self.heads, -1).unbind(1)
        score = (query[target] * key[source]).sum(-1) / math.sqrt(query.shape[-1])
        weight = softmax(score + self.preference[relation], target, num_nodes=n)
        value = self.value(x).view(n * N_RELATIONS, self.heads, -1)
        message = value[source * N_RELATIONS + relation]
        message = self.dropout(weight)[..., None] * message
        return scatter(message, target, dim_size=n, reduce="sum").flatten(1)
