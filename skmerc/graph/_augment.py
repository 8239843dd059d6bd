"""Random changes of features and edges, for many dialogues at once."""

import torch
from torch import Tensor

from skmerc._utils.random import randint, randperm
from skmerc.graph._edges import dialogue_of, ranges


def mask_features(x: Tensor, rate: float) -> Tensor:
    """Set the same randomly drawn features of all utterances to zero.

    One mask serves all rows, as in GRACE [1]_ and in JOYFUL's feature masking.

    Parameters
    ----------
    x : Tensor of shape (n_utterances, n_features)
        Utterances; not changed.
    rate : float
        Share of features, rounded to a whole number of them; JOYFUL's is 0.2.

    Returns
    -------
    masked : Tensor of shape (n_utterances, n_features)
        A copy of `x`, through which the gradient of the other features flows.

    References
    ----------
    .. [1] Y. Zhu et al., "Deep graph contrastive representation learning", ICML
       workshop 2020.

    Examples
    --------
    >>> import torch
    >>> from skmerc.graph import mask_features
    >>> mask_features(torch.ones(3, 5), rate=0.4).sum(1)
    tensor([3., 3., 3.])
    """
    n_features = x.shape[-1]
    drawn = randperm(n_features, x.device)[: round(rate * n_features)]
    return x.index_fill(-1, drawn, 0)


def perturb_edges(
    edge_index: Tensor, lengths: Tensor, rate: float, *, backward_only: bool = False
) -> Tensor:
    """Replace a share of every dialogue's edges by pairs that no edge connects.

    As many edges are added as are removed, among the pairs that had none. Self-loops
    stay. Relations belong to the edges that were given: compute them anew for the
    result.

    Parameters
    ----------
    edge_index : Tensor of shape (2, n_edges)
        Source and target of each edge, each edge once; not changed.
    lengths : Tensor of shape (n_dialogues,)
        Number of utterances of each dialogue; dialogues stand one after another.
    rate : float
        Share of a dialogue's edges other than self-loops, rounded to a whole number
        of them; JOYFUL's is 0.2.
    backward_only : bool, default=False
        Whether an added edge must come from an earlier utterance, as causal models
        need.

    Returns
    -------
    perturbed : Tensor of shape (2, n_edges)
        Source and target, ordered by target, then source. There are fewer edges only
        where a dialogue has fewer free pairs than edges to add, as short ones do whose
        utterances are all connected.

    Notes
    -----
    The free pairs of a dialogue are numbered around a circle, which is turned at random
    and cut into as many equal parts as edges are to be added; one pair is drawn from
    each part. The pairs are distinct by construction, all have the same chance, and
    memory is needed for the edges alone.

    Examples
    --------
    >>> import torch
    >>> from skmerc.graph import perturb_edges, window_edges
    >>> lengths = torch.tensor([9, 4])
    >>> edges = window_edges(lengths, past=2, future=2)
    >>> edges.shape, perturb_edges(edges, lengths, rate=0.2).shape
    (torch.Size([2, 53]), torch.Size([2, 53]))
    """
    loop = edge_index[0] == edge_index[1]
    edges = edge_index[:, ~loop]
    dialogue = dialogue_of(lengths)[edges[1]]
    count = _share(rate, torch.bincount(dialogue, minlength=len(lengths)))
    kept = edges[:, ~_draw(dialogue, count)]
    added = _draw_free_pairs(edges, lengths, count, backward_only)
    return by_target(torch.cat([edge_index[:, loop], kept, added], dim=1))


def add_distant_edges(
    edge_index: Tensor, lengths: Tensor, candidates: Tensor, rate: float
) -> Tensor:
    """Add randomly drawn candidates to the edges (JOYFUL's global proximity).

    Parameters
    ----------
    edge_index : Tensor of shape (2, n_edges)
        Source and target of each edge; not changed.
    lengths : Tensor of shape (n_dialogues,)
        Number of utterances of each dialogue; dialogues stand one after another.
    candidates : Tensor of shape (2, n_pairs)
        Source and target of pairs without an edge, as :func:`distant_pairs` finds
        them.
    rate : float
        Number of edges to add, as a share of a dialogue's edges other than
        self-loops, rounded, and no more than it has candidates; JOYFUL's is 0.2.

    Returns
    -------
    extended : Tensor of shape (2, n_more_edges)
        All edges given and those added, ordered by target, then source.

    Examples
    --------
    >>> import torch
    >>> from skmerc.graph import add_distant_edges, distant_pairs, window_edges
    >>> lengths = torch.tensor([9, 4])
    >>> edges = window_edges(lengths, past=2, future=2)
    >>> candidates = distant_pairs(edges, lengths)
    >>> add_distant_edges(edges, lengths, candidates, rate=0.2).shape
    torch.Size([2, 61])
    """
    dialogue = dialogue_of(lengths)
    source, target = edge_index
    n_edges = torch.bincount(dialogue[target[source != target]], minlength=len(lengths))
    drawn = _draw(dialogue[candidates[1]], _share(rate, n_edges))
    return by_target(torch.cat([edge_index, candidates[:, drawn]], dim=1))


def by_target(edge_index: Tensor) -> Tensor:
    """Order edges by target, then source, as :func:`window_edges` gives them."""
    source, target = edge_index
    edge_index = edge_index[:, source.argsort()]
    return edge_index[:, edge_index[1].argsort(stable=True)]


def _share(rate: float, number: Tensor) -> Tensor:
    # Double precision gives the same as round(rate * number) in Python.
    return (rate * number.double()).round().long()


def _draw(group: Tensor, count: Tensor) -> Tensor:
    """Mark `count` members of each group at random, or all where there are fewer."""
    order = randperm(len(group), group.device)
    order = order[group[order].argsort(stable=True)]
    rank = ranges(0, torch.bincount(group, minlength=len(count)))
    drawn = torch.empty_like(group, dtype=torch.bool)
    drawn[order] = rank < count[group[order]]
    return drawn


def _draw_free_pairs(
    edges: Tensor, lengths: Tensor, count: Tensor, backward_only: bool
) -> Tensor:
    """Draw `count` pairs of each dialogue that no edge connects, or all there are."""
    dialogue, place = dialogue_of(lengths), ranges(0, lengths)
    # Pairs are numbered through all dialogues, by target, then source.
    n_sources = place if backward_only else (lengths - 1)[dialogue]
    ends = n_sources.cumsum(0)
    if backward_only:
        edges = edges[:, edges[0] < edges[1]]
    source, target = edges
    number = (ends - n_sources)[target] + place[source] - (source > target).long()
    taken = number.sort().values
    n_pairs = torch.zeros_like(lengths).index_add(0, dialogue, n_sources)
    n_free = n_pairs - torch.bincount(dialogue[target], minlength=len(lengths))
    rank = _draw_ranks(n_free, torch.minimum(count, n_free))
    # Each taken number moves the free ones behind it up by one.
    free_before = taken - torch.arange(len(taken), device=taken.device)
    number = rank + torch.searchsorted(free_before, rank, right=True)
    target = torch.searchsorted(ends, number, right=True)
    source = number - (ends - n_sources)[target]
    source = source + (source >= place[target]).long()
    return torch.stack([target - place[target] + source, target])


def _draw_ranks(n_free: Tensor, count: Tensor) -> Tensor:
    """Turn each dialogue's circle of ranks, and draw one in each of `count` parts."""
    turn = _integers_below(n_free.clamp(min=1)).repeat_interleave(count)
    free, parts = n_free.repeat_interleave(count), count.repeat_interleave(count)
    part = ranges(0, count)
    low, high = part * free // parts, (part + 1) * free // parts
    rank = (low + _integers_below(high - low) + turn) % free
    return (n_free.cumsum(0) - n_free).repeat_interleave(count) + rank


def _integers_below(high: Tensor) -> Tensor:
    # A fraction times `high` would not do, since the rounded product may reach `high`.
    return randint(2**62, high.shape, high.device) % high
