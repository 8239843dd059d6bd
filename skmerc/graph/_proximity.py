"""Proximity beyond the edges: the Katz index."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.lib.stride_tricks import as_strided
from scipy.linalg import eig_banded, solveh_banded
from scipy.sparse import diags
from scipy.sparse.linalg import eigsh
from torch import Tensor
from torch.nn.functional import pad

from skmerc.graph._augment import by_target
from skmerc.graph._edges import dialogue_of

_BLOCK = 128  # utterances of a long dialogue whose scores are solved for at once
_LONG = 1000  # utterances from which on Lanczos's method is faster
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
    self-loops do not [1]_. The inverse is solved for, and kept as bands as wide as
    scores reach `tolerance`, so that time and memory are linear in the number of
    utterances where edges come from a window.

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
        Bound on the error of a score, and on those left out.

    Returns
    -------
    scores : Tensor of shape (n_utterances, 2 * width + 1)
        Column k of row i is the score of utterances i and i + k - width; 0 where the
        latter is not of the dialogue. Pairs further apart than `width` score less
        than `tolerance`.

    Raises
    ------
    ValueError
        If `attenuation` is not between 0 and 1, or `tolerance` is not positive.

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
    if not tolerance > 0:
        raise ValueError(f"tolerance={tolerance} is not positive.")
    dialogue = dialogue_of(lengths)[edge_index[1]]
    starts = lengths.cumsum(0) - lengths
    edges = (edge_index - starts[dialogue])[:, dialogue.argsort()].cpu()
    n_edges = dialogue.bincount(minlength=len(lengths)).tolist()
    bands = [
        torch.from_numpy(part)
        for n, own in zip(lengths.tolist(), edges.split(n_edges, dim=1), strict=True)
        for part in _scores_of_dialogue(own.numpy(), n, attenuation, tolerance)
    ]
    width = max(part.shape[1] for part in bands) // 2
    wide = [pad(part, (width - part.shape[1] // 2,) * 2) for part in bands]
    return torch.cat(wide).to(edge_index.device)


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
    width = scores.shape[1] // 2
    row = torch.cat([edge_index[1], edge_index[0]])
    column = width + torch.cat([edge_index[0], edge_index[1]]) - row
    inside = (column >= 0) & (column <= 2 * width)
    scores[row[inside], column[inside]] = 0
    # Half of the band without the diagonal, and a little below the threshold, so that
    # rounding cannot tell a pair from its mirror image, nor from another of the same
    # score.
    ahead = scores[:, width + 1 :]
    best = pad(ahead, (0, 1)).amax(1)
    dialogue = dialogue_of(lengths)
    largest = best.new_zeros(len(lengths)).scatter_reduce(0, dialogue, best, "amax")
    enough = (1 - _ROUNDING) * threshold * largest[dialogue, None]
    first, step = ((ahead > 0) & (ahead >= enough)).nonzero().T
    pairs = torch.stack([first, first + step + 1])
    return by_target(torch.cat([pairs, pairs.flip(0)], dim=1))


def _scores_of_dialogue(
    edges: np.ndarray, n: int, attenuation: float, tolerance: float
) -> Iterator[np.ndarray]:
    """Yield bands of the scores of one dialogue, some rows at a time.

    Walks from a block that leave its surroundings, `margin` utterances each way, are
    so long that all of them together stay below `tolerance`.
    """
    distance = np.abs(edges[0] - edges[1])
    reach = distance.max(initial=0)
    lower = np.zeros((reach + 1, n))
    lower[distance, edges.min(axis=0, initial=n)] = 1
    lower[0] = 0
    if not lower.any():
        yield np.zeros((n, 1), np.float32)
        return
    matrix = lower * (-attenuation / _largest_eigenvalue(lower))
    matrix[0] = 1
    steps = math.log(tolerance * (1 - attenuation)) / math.log(attenuation)
    margin = min(reach * max(math.ceil(steps), 1), n - 1)
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        first, last = max(start - margin, 0), min(stop + margin, n)
        own, place = np.arange(stop - start), np.arange(start - first, stop - first)
        unit = np.zeros((last - first, stop - start))
        unit[place, own] = 1
        scores = solveh_banded(matrix[:, first:last], unit, lower=True) - unit
        scores = np.pad(scores.T.astype(np.float32), ((0, 0), (margin, margin)))
        # The next row holds the same utterance one place further to the left.
        row, cell = scores.strides
        around = as_strided(
            scores[:, place[0] :], (len(own), 2 * margin + 1), (row + cell, cell)
        )
        yield around if margin == n - 1 else _trim(around, tolerance)


def _trim(bands: np.ndarray, tolerance: float) -> np.ndarray:
    middle = bands.shape[1] // 2
    reached = np.flatnonzero((bands >= tolerance).any(axis=0))
    width = min(np.abs(reached - middle).max(initial=0) + 1, middle)
    return bands[:, middle - width : middle + width + 1]


def _largest_eigenvalue(lower: np.ndarray) -> float:
    """Largest eigenvalue of a symmetric matrix, given as its lower bands."""
    n = lower.shape[1]
    if n <= _LONG:
        last = {"select": "i", "select_range": (n - 1, n - 1)}
        return eig_banded(lower, lower=True, eigvals_only=True, **last)[0]
    bands = [band[: n - k] for k, band in enumerate(lower)]
    below = diags(bands, offsets=-np.arange(len(lower)), format="csr")
    # A constant vector to start from, since leading eigenvectors have no negative
    # entries.
    settings = {"k": 1, "which": "LA", "v0": np.ones(n), "ncv": 64, "tol": 1e-4}
    return eigsh(below + below.T, return_eigenvectors=False, **settings)[0]
