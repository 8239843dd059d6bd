"""Graph layers over the utterances of dialogues."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch_geometric.utils import degree, scatter, softmax

from skmerc._utils.random import Dropout
from skmerc.graph._edges import N_RELATIONS
from skmerc.graph._messages import edge_products, edge_sums


class RelationalAttention(nn.Module):
    r"""Attention over the window, with a transformation per relation.

    .. math:: h_i = \sum_{r} \sum_{j \in N_r(i)} \alpha_{ij} W_r c_j
        + \alpha_{ii} W_0 c_i, \qquad
        \alpha_{ij} = \mathrm{softmax}_j \left(
        \frac{(Q c_i)^\top K c_j}{\sqrt{d}} + b_r \right)

    This is DialogueGCN's edge attention and relational sum [1]_ in one step, with
    heads, a scale and a learned preference for relations. No layer of torch-geometric
    has both the attention and the transformation per relation.

    Parameters
    ----------
    in_size, out_size : int
        Width of an utterance before and after.
    heads : int, default=4
        Number of attention heads; must divide `out_size`.
    dropout : float, default=0.0
        Share of attention weights dropped in training.
    n_relations : int, default=5
        Number of relations.

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
        self,
        in_size: int,
        out_size: int,
        heads: int = 4,
        dropout: float = 0.0,
        n_relations: int = N_RELATIONS,
    ) -> None:
        super().__init__()
        if out_size % heads:
            raise ValueError(f"heads={heads} does not divide out_size={out_size}.")
        self.heads, self.n_relations = heads, n_relations
        self.query_key = nn.Linear(in_size, 2 * out_size)
        self.value = nn.Linear(in_size, n_relations * out_size, bias=False)
        self.preference = nn.Parameter(torch.zeros(n_relations, heads))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, edge_index: Tensor, relation: Tensor) -> Tensor:
        """Pass messages: (n, in_size) to (n, out_size)."""
        n = x.shape[0]
        query, key = self.query_key(x).view(n, 2, self.heads, -1).unbind(1)
        value = self.value(x).view(n * self.n_relations, self.heads, -1)
        source, target = edge_index
        score = edge_products(query, key, target, source) / math.sqrt(key.shape[-1])
        weight = softmax(score + self.preference[relation], target, num_nodes=n)
        row = source * self.n_relations + relation
        return edge_sums(self.dropout(weight), value, row, target, n).flatten(1)

    def to_last(self, x: Tensor, relation: Tensor) -> Tensor:
        """Pass messages to the last utterance alone, with the numbers of `forward`.

        Parameters
        ----------
        x : Tensor of shape (n, in_size)
            Utterances of one dialogue.
        relation : Tensor of shape (n,) or (n - 1,)
            Relation to the last utterance of each one, or of each but itself.

        Returns
        -------
        Tensor of shape (1, out_size)
            What the last utterance hears.
        """
        # What is linear is done once for all of them: keys go to the query, and
        # utterances are weighed before they are transformed.
        sources, shape = x[: len(relation)], (self.heads, -1, x.shape[1])
        to_query, to_key = self.query_key.weight.view(2, *shape)
        start, bias = self.query_key.bias.view(2, self.heads, -1)
        query = to_query @ x[-1] + start
        asked = (query[:, None] @ to_key).squeeze(1)
        score = (sources @ asked.T + (query * bias).sum(-1)) / math.sqrt(query.shape[1])
        weight = (score + self.preference[relation]).softmax(0)
        kinds = one_hot(relation, self.n_relations).to(x.dtype)
        shares = (kinds[:, :, None] * weight[:, None]).flatten(1)
        means = (shares.T @ sources).view(self.n_relations, self.heads, -1, 1)
        to_value = self.value.weight.view(self.n_relations, *shape)
        return (to_value @ means).sum(0).view(1, -1)


class RelationalConvolution(nn.Module):
    r"""Weighted sum of what neighbours say, with a transformation per relation.

    .. math:: h_i = \sum_r \sum_{j \in N_r(i)} \frac{a_{ij}}{|N_r(i)|} W_r x_j,
        \qquad W_r = \sum_b s_{rb} V_b

    The first layer of DialogueGCN [1]_, in which an utterance is a neighbour of itself
    by a relation of its own. The transformations of relations share bases [2]_, so that
    rare relations learn from frequent ones. Edges have weights, which ``RGCNConv`` of
    torch-geometric does not take.

    Parameters
    ----------
    in_size, out_size : int
        Width of an utterance before and after.
    n_relations : int
        Number of relations.
    n_bases : int, default=30
        Number of bases at most; no more than relations are made.

    References
    ----------
    .. [1] D. Ghosal et al., "DialogueGCN: A graph convolutional neural network for
       emotion recognition in conversation", EMNLP 2019.
    .. [2] M. Schlichtkrull et al., "Modeling relational data with graph convolutional
       networks", ESWC 2018.

    Examples
    --------
    >>> import torch
    >>> from skmerc.graph import (
    ...     RelationalConvolution,
    ...     speaker_relations,
    ...     window_edges,
    ... )
    >>> edges = window_edges(torch.tensor([5, 2]))
    >>> relations = speaker_relations(edges, torch.tensor([0, 1, 0, 1, 1, 0, 1]))
    >>> weights = torch.ones(edges.shape[1])
    >>> convolve = RelationalConvolution(8, 16, n_relations=5)
    >>> convolve(torch.randn(7, 8), edges, relations, weights).shape
    torch.Size([7, 16])
    """

    def __init__(
        self, in_size: int, out_size: int, n_relations: int, n_bases: int = 30
    ) -> None:
        super().__init__()
        n_bases = min(n_bases, n_relations)
        self.bases = nn.Parameter(torch.empty(n_bases, in_size, out_size))
        self.shares = nn.Parameter(torch.empty(n_relations, n_bases))
        for base in (*self.bases, self.shares):
            nn.init.xavier_uniform_(base)

    def forward(
        self, x: Tensor, edge_index: Tensor, relation: Tensor, weight: Tensor
    ) -> Tensor:
        """Pass messages: (n, in_size) to (n, out_size)."""
        n, n_relations = x.shape[0], len(self.shares)
        group = edge_index[1] * n_relations + relation
        weight = weight / degree(group, n * n_relations)[group]
        of_relation = torch.einsum("rb,bio->rio", self.shares, self.bases)
        value = torch.einsum("ni,rio->nro", x, of_relation).flatten(0, 1)
        row = edge_index[0] * n_relations + relation
        return edge_sums(weight, value, row, edge_index[1], n)


class NeighborMean(nn.Module):
    r"""Mean of what the neighbours say, of each relation apart.

    .. math:: a_i = \sum_r \frac{1}{|N_r(i)|} \sum_{j \in N_r(i)} V_r h_j

    With one relation it is the aggregation of JOYFUL [1]_ (Eq. 9), with the mean of
    GraphSAGE [2]_, which it cites; with several that of a relational graph
    convolution [3]_, as in JOYFUL's released code. Without neighbours it is 0. The
    numbers are those of ``SAGEConv`` and ``RGCNConv`` of torch-geometric. It is one
    product with a sparse matrix, since a ``MessagePassing`` layer with the same numbers
    keeps a message for each edge and took 1.4 to 2.8 times as long; ``pytest -n 0
    -p benchmark -m benchmark -k convolution tests/benchmarks/test_speed.py`` compares.

    Parameters
    ----------
    in_size, out_size : int
        Width of an utterance before and after.
    n_relations : int, default=1
        Number of relations; with one, those of the edges are not looked at.

    References
    ----------
    .. [1] D. Li et al., "Joyful: Joint modality fusion and graph contrastive learning
       for multimodal emotion recognition", EMNLP 2023.
    .. [2] W. Hamilton et al., "Inductive representation learning on large graphs",
       NeurIPS 2017.
    .. [3] M. Schlichtkrull et al., "Modeling relational data with graph convolutional
       networks", ESWC 2018.

    Examples
    --------
    >>> import torch
    >>> from skmerc.graph import NeighborMean, window_edges
    >>> edges = window_edges(torch.tensor([5, 2]))
    >>> NeighborMean(8, 16)(torch.randn(7, 8), edges).shape
    torch.Size([7, 16])
    """

    def __init__(self, in_size: int, out_size: int, n_relations: int = 1) -> None:
        super().__init__()
        self.n_relations = n_relations
        self.value = nn.Linear(in_size, n_relations * out_size, bias=False)

    def forward(
        self, x: Tensor, edge_index: Tensor, relation: Tensor | None = None
    ) -> Tensor:
        """Pass messages: (n, in_size) to (n, out_size)."""
        n, kinds = x.shape[0], self.n_relations
        if kinds == 1:
            kind = torch.zeros_like(edge_index[0])
        elif relation is None:
            raise ValueError(
                f"The layer tells {kinds} relations apart and was given none; pass "
                "`relation`, a number for each edge."
            )
        else:
            kind = relation
        source, target = edge_index * kinds + kind
        share = 1 / degree(target, n * kinds, x.dtype)[target]
        value = self.value(x).view(n * kinds, -1)
        if torch.compiler.is_exporting():  # other runtimes have no sparse product
            sent = share[:, None] * value[source]
            return scatter(sent, edge_index[1], dim_size=n, reduce="sum")
        # A product with a sparse matrix does not hold a message for each edge. Checks
        # are switched off explicitly, because torch warns on a GPU otherwise.
        with torch.sparse.check_sparse_tensor_invariants(False):
            mean = torch.sparse_coo_tensor(
                torch.stack([edge_index[1], source]), share, (n, n * kinds)
            )
            return torch.sparse.mm(mean, value)

    def to_last(self, x: Tensor, relation: Tensor) -> Tensor:
        """Pass messages to the last utterance alone, with the numbers of `forward`.

        Parameters
        ----------
        x : Tensor of shape (n, in_size)
            Utterances of one dialogue.
        relation : Tensor of shape (n,) or (n - 1,)
            Relation to the last utterance of each one, or of each but itself.

        Returns
        -------
        Tensor of shape (1, out_size)
            What the last utterance hears.
        """
        kind = relation if self.n_relations > 1 else torch.zeros_like(relation)
        turn = torch.arange(len(kind), device=x.device)
        value = self.value(x[: len(kind)]).unflatten(1, (self.n_relations, -1))
        share = 1 / kind.bincount(minlength=self.n_relations)[kind].to(x.dtype)
        return (share[:, None] * value[turn, kind]).sum(0, keepdim=True)
