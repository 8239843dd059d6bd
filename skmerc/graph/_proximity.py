"""Proximity beyond the edges: the Katz index, for many dialogues at once."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from skmerc.graph._augment import by_target
from skmerc.graph._edges import dialogue_of

_LANCZOS_STEPS = 64  # errors below 1e-5 on chains of 200, the slowest to settle
_ROUNDING = 1e-4  # scores that differ by less, as a share, count as equal


def katz_scores(
    edge_index: Tensor,
    lengths: Tensor,
    attenuation: float = 0.9,
    tolerance: float = 1e-3,
) -> Tensor:
    r"""Score every pair of utterances by the walks between them (Katz index).

    .. math:: S = \sum_{l \geq 1} (b A)^l = (I - b A)^{-1} - I, \qquad
        b = \frac{\mathrm{attenuation}}{\lambda_{\max}(A)}

    A is the adjacency of one dialogue, in which an edge counts both ways and
    self-loops do not [1]_. The series ends where all that is left out is smaller than
    `tolerance`. Scores are kept as bands, as wide as the longest walk reaches, so that
    memory is linear in the number of utterances where edges come from a window.

    Parameters
    ----------
    edge_index : Tensor of shape (2, n_edges)
        Source and target of each edge; no edge crosses dialogues.
    lengths : Tensor of shape (n_dialogues,)
        Number of utterances of each dialogue; dialogues stand one after another.
    attenuation : float, default=0.9
        Weight of a step relative to the largest for which the series converges,
        between 0 and 1. With the default, pairs two and three steps apart on a chain
        score at least half of the largest, as in JOYFUL's example.
    tolerance : float, default=1e-3
        Bound on the sum of the walks left out.

    Returns
    -------
    scores : Tensor of shape (n_utterances, 2 * width + 1)
        Column k of row i is the score of utterances i and i + k - width; 0 where the
        latter is not of the dialogue. Pairs further apart than `width` score less
        than `tolerance`.

    Raises
    ------
    ValueError
        If `attenuation` is not between 0 and 1.

    References
    ----------
    .. [1] L. Katz, "A new status index derived from sociometric analysis",
       Psychometrika 18, 1953.

    Examples
    --------
    >>> import torch
    >>> from skmerc.graph import katz_scores, window_edges
    >>> lengths = torch.tensor([3])
    >>> katz_scores(window_edges(lengths, past=1, future=1), lengths).round(decimals=1)
    tensor([[0.0000, 0.0000, 2.1000, 3.3000, 2.1000],
            [0.0000, 3.3000, 4.3000, 3.3000, 0.0000],
            [2.1000, 3.3000, 2.1000, 0.0000, 0.0000]])
    """
    if not 0 < attenuation < 1:
        raise ValueError(f"attenuation={attenuation} is not between 0 and 1.")
    dialogue, furthest = dialogue_of(lengths), int(lengths.max()) - 1
    step = _damped_adjacency(edge_index, lengths, attenuation)
    walks = torch.ones(len(step), 1, device=step.device)
    scores = torch.zeros_like(walks)
    while (unsettled := _left_out(walks, lengths, attenuation) > tolerance).any():
        # A dialogue ends on its own, whatever its batch mates still need.
        walks = walks * unsettled[dialogue, None]
        for _ in range(2):
            walks = _multiply(step, walks, furthest)
            further = (walks.shape[1] - scores.shape[1]) // 2
            scores = pad(scores, (further, further)) + walks
    return scores


def distant_pairs(
    edge_index: Tensor,
    lengths: Tensor,
    threshold: float = 0.5,
    attenuation: float = 0.9,
) -> Tensor:
    """Find the pairs without an edge that many short walks connect.

    These are the candidates of JOYFUL's global proximity [1]_: pairs whose Katz index
    reaches a share of the largest among the pairs of their dialogue without an edge.

    Parameters
    ----------
    edge_index : Tensor of shape (2, n_edges)
        Source and target of each edge; no edge crosses dialogues.
    lengths : Tensor of shape (n_dialogues,)
        Number of utterances of each dialogue; dialogues stand one after another.
    threshold : float, default=0.5
        Share of the largest score that a pair needs; the default is JOYFUL's.
    attenuation : float, default=0.9
        See :func:`katz_scores`.

    Returns
    -------
    pairs : Tensor of shape (2, n_pairs)
        Source and target, both ways, ordered by target, then source. An edge in
        either direction rules out a pair.

    Raises
    ------
    ValueError
        If `attenuation` is not between 0 and 1.

    References
    ----------
    .. [1] D. Li et al., "Joyful: Joint modality fusion and graph contrastive learning
       for multimodal emotion recognition", EMNLP 2023.

    Examples
    --------
    >>> import torch
    >>> from skmerc.graph import distant_pairs, window_edges
    >>> lengths = torch.tensor([4, 2])
    >>> distant_pairs(window_edges(lengths, past=1, future=1), lengths)
    tensor([[2, 3, 3, 0, 0, 1],
            [0, 0, 1, 2, 3, 3]])
    """
    # The largest of these scores is 0.2 in windows of 8, and 0.07 in windows of 30.
    scores = katz_scores(edge_index, lengths, attenuation, tolerance=1e-4)
    adjacency = _adjacency(edge_index, lengths)
    width, reach = scores.shape[1] // 2, adjacency.shape[1] // 2
    scores[:, width] = 0
    scores[:, width - reach : width + reach + 1][adjacency > 0] = 0
    # Half of the band, and a little below the threshold, so that rounding cannot tell
    # a pair from its mirror image, nor from another of the same score.
    ahead = scores[:, width:]
    largest = _largest_of(ahead.amax(1), lengths).repeat_interleave(lengths)
    near = (ahead > 0) & (ahead >= (1 - _ROUNDING) * threshold * largest[:, None])
    first, step = near.nonzero().T
    pairs = torch.stack([first, first + step])
    return by_target(torch.cat([pairs, pairs.flip(0)], dim=1))


def _adjacency(edge_index: Tensor, lengths: Tensor) -> Tensor:
    """Bands of the symmetric adjacency without self-loops, as of the scores."""
    source, target = edge_index
    distance = source - target
    reach = int(distance.abs().max()) if len(distance) else 0
    bands = torch.zeros(int(lengths.sum()), 2 * reach + 1, device=lengths.device)
    bands[target, reach + distance] = 1
    bands[source, reach - distance] = 1
    bands[:, reach] = 0
    return bands


def _damped_adjacency(
    edge_index: Tensor, lengths: Tensor, attenuation: float
) -> Tensor:
    adjacency = _adjacency(edge_index, lengths)
    largest = _largest_eigenvalue(adjacency, lengths)
    damping = torch.where(largest > 0, attenuation / largest, 0.0).float()
    return adjacency * damping.repeat_interleave(lengths)[:, None]


def _left_out(walks: Tensor, lengths: Tensor, attenuation: float) -> Tensor:
    """Bound the sum of all walks longer than these, in each dialogue.

    An even power of a symmetric matrix X is a square, so that by Cauchy and Schwarz
    no entry of X^(l + k) exceeds the largest on the diagonal of X^l times the norm of
    X to the power of k, and that norm is `attenuation`.
    """
    diagonal = walks[:, walks.shape[1] // 2]
    return _largest_of(diagonal, lengths) * attenuation / (1 - attenuation)


def _largest_of(x: Tensor, lengths: Tensor) -> Tensor:
    """Largest of each dialogue's values, which are not negative."""
    largest = x.new_zeros(len(lengths))
    return largest.scatter_reduce(0, dialogue_of(lengths), x, "amax")


def _multiply(step: Tensor, walks: Tensor, furthest: int) -> Tensor:
    """Multiply banded matrices: row i of the product adds up rows around i."""
    n, columns = step.shape
    reach, width = columns // 2, walks.shape[1] // 2
    wider = min(width + reach, furthest)
    padded = pad(walks, (2 * reach, 2 * reach, reach, reach))
    # The view `around[i, o, k]` is the walk from i + o - reach to i + k - wider: one
    # row further on, the same utterance stands one column further to the left.
    row, first = padded.shape[1], 3 * reach + width - wider
    around = padded.as_strided((n, columns, 2 * wider + 1), (row, row - 1, 1), first)
    return torch.bmm(step[:, None], around)[:, 0]


def _largest_eigenvalue(adjacency: Tensor, lengths: Tensor) -> Tensor:
    """Largest eigenvalue of each dialogue, by Lanczos's method.

    Power iteration needs more than a thousand steps for what these 64 find.
    """
    diagonal, beside = _lanczos(adjacency.double(), lengths)
    tridiagonal = torch.diag_embed(diagonal) + torch.diag_embed(beside, -1)
    return torch.linalg.eigvalsh(tridiagonal)[:, -1]


def _lanczos(adjacency: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Diagonal, and what stands beside it, of one tridiagonal matrix per dialogue."""
    dialogue, columns = dialogue_of(lengths), adjacency.shape[1]

    def total(x: Tensor) -> Tensor:
        return x.new_zeros(len(lengths)).index_add(0, dialogue, x)

    # Constant, since leading eigenvectors of an adjacency have no negative entries.
    vector = lengths.double().rsqrt()[dialogue]
    last, diagonal, beside = vector, [], [total(0 * vector)]
    for _ in range(min(_LANCZOS_STEPS, int(lengths.max()))):
        around = pad(vector, (columns // 2, columns // 2)).unfold(0, columns, 1)
        image = (adjacency * around).sum(1) - beside[-1][dialogue] * last
        diagonal.append(total(vector * image))
        image = image - diagonal[-1][dialogue] * vector
        beside.append(total(image**2).sqrt())
        # Zeros follow where no direction is left.
        last, vector = vector, image / beside[-1][dialogue].clamp(min=1e-30)
    return torch.stack(diagonal, dim=1), torch.stack(beside, dim=1)[:, 1:-1]
