"""Edges between the utterances of a dialogue, for many dialogues at once."""

import torch
from torch import Tensor

#: Number of relations: same speaker or another, before or after, and the utterance
#: itself.
N_RELATIONS = 5
"""Same or other speaker, from the past or the future, and the utterance itself."""


def dialogue_of(lengths: Tensor) -> Tensor:
    """Tell the number of the dialogue of each utterance: 0, 0, 1, ..."""
    dialogue = torch.arange(len(lengths), device=lengths.device)
    return dialogue.repeat_interleave(lengths)


def lengths_of(sequence: Tensor) -> Tensor:
    """Count the utterances of each dialogue; an exported network reads only one."""
    if torch.compiler.is_exporting():
        return sequence.new_full((1,), sequence.shape[0])
    return sequence.bincount()


def ranges(starts: Tensor | int, lengths: Tensor) -> Tensor:
    """Concatenate ``arange(start, start + length)`` for all pairs of both."""
    shift = (starts - (lengths.cumsum(0) - lengths)).repeat_interleave(lengths)
    return torch.arange(len(shift), device=lengths.device) + shift


def turns_near(turn: Tensor, past: int | None, future: int | None) -> Tensor:
    """Tell which turns (columns) are in the window of which (rows): (n, n)."""
    gap = turn[:, None] - turn
    near = torch.ones_like(gap, dtype=torch.bool)
    if past is not None and past >= 0:
        near = near & (gap <= past)
    if future is not None and future >= 0:
        near = near & (gap >= -future)
    return near


def window_edges(
    lengths: Tensor, past: int | None = 10, future: int | None = 10
) -> Tensor:
    """Connect every utterance with those in a window around it, and with itself.

    Parameters
    ----------
    lengths : Tensor of shape (n_dialogues,)
        Number of utterances of each dialogue; dialogues stand one after another.
    past, future : int or None, default=10
        Number of utterances before and after that send to an utterance; None or -1
        means all of the dialogue. The default is DialogueGCN's.

    Returns
    -------
    edge_index : Tensor of shape (2, n_edges)
        Source and target of each edge, ordered by target, then source.

    Examples
    --------
    >>> import torch
    >>> from skmerc.graph import window_edges
    >>> window_edges(torch.tensor([3, 1]), past=1, future=0)
    tensor([[0, 0, 1, 1, 2, 3],
            [0, 1, 1, 2, 2, 3]])
    """
    if torch.compiler.is_exporting():
        turn = torch.arange(lengths.sum().item(), device=lengths.device)
        return turns_near(turn, past, future).nonzero().T.flip(0)
    ends = lengths.cumsum(0)
    node = torch.arange(int(lengths.sum()), device=lengths.device)
    first = (ends - lengths).repeat_interleave(lengths)
    last = ends.repeat_interleave(lengths) - 1
    if past is not None and past >= 0:
        first = torch.maximum(first, node - int(past))
    if future is not None and future >= 0:
        last = torch.minimum(last, node + int(future))
    counts = last - first + 1
    return torch.stack([ranges(first, counts), node.repeat_interleave(counts)])


def speaker_relations(edge_index: Tensor, speaker: Tensor) -> Tensor:
    """Tell the relation of each edge: who speaks, and in which direction.

    Only equality of speakers counts, so that speakers never seen before are
    welcome (DialogueGCN's relation types, reduced from pairs of speakers).

    Parameters
    ----------
    edge_index : Tensor of shape (2, n_edges)
        Source and target of each edge.
    speaker : Tensor of shape (n_utterances,)
        Code of the speaker of each utterance.

    Returns
    -------
    relation : Tensor of shape (n_edges,)
        0 and 1: the same speaker's past and future, 2 and 3: another speaker's
        past and future, 4: the utterance itself.

    Examples
    --------
    >>> import torch
    >>> from skmerc.graph import speaker_relations, window_edges
    >>> edges = window_edges(torch.tensor([2]))
    >>> speaker_relations(edges, torch.tensor([0, 1])).tolist()
    [4, 3, 2, 4]
    """
    source, target = edge_index
    other = (speaker[source] != speaker[target]).long()
    relation = 2 * other + (source > target).long()
    return torch.where(source == target, N_RELATIONS - 1, relation)


def speaker_pairs(
    edge_index: Tensor, speaker: Tensor, sequence: Tensor, n_speakers: int
) -> Tensor:
    """Tell which speakers an edge connects, and in which direction.

    Speakers are numbered in the order in which they first speak in their dialogue,
    so that speakers never seen before are welcome (the relation types of
    DialogueGCN and of JOYFUL's released code: pair and direction).

    Parameters
    ----------
    edge_index : Tensor of shape (2, n_edges)
        Source and target of each edge.
    speaker : Tensor of shape (n_utterances,)
        Code of the speaker of each utterance.
    sequence : Tensor of shape (n_utterances,)
        Number of the dialogue of each utterance: 0, 0, 1, ...
    n_speakers : int
        How many speakers are told apart; those who join later count as the last.

    Returns
    -------
    relation : Tensor of shape (n_edges,)
        One of ``2 * n_speakers ** 2``: twice the number of the pair, and 1 more where
        the source comes from the future.

    Examples
    --------
    >>> import torch
    >>> from skmerc.graph import speaker_pairs, window_edges
    >>> edges = window_edges(torch.tensor([2]))
    >>> speaker_pairs(edges, torch.tensor([7, 3]), torch.tensor([0, 0]), 2).tolist()
    [0, 5, 2, 6]
    """
    return numbered_pairs(
        edge_index, _order_of_appearance(speaker, sequence), n_speakers
    )


def numbered_pairs(edge_index: Tensor, number: Tensor, n_speakers: int) -> Tensor:
    """Relations as :func:`speaker_pairs`, of speakers numbered by appearance."""
    number = number.clamp(max=n_speakers - 1)
    source, target = edge_index
    pair = number[source] * n_speakers + number[target]
    return 2 * pair + (source > target).long()


def last_turns(x: Tensor, n: int | None) -> Tensor:
    """Keep the last n turns, or all where n is None or -1."""
    return x if n is None or n < 0 else x[max(0, len(x) - n) :]


def edges_to_last(n: int, itself: bool, device: torch.device) -> Tensor:
    """Connect the last of n utterances with all of them, or with the others."""
    source = torch.arange(n if itself else n - 1, device=device)
    return torch.stack([source, torch.full_like(source, n - 1)])


def _order_of_appearance(speaker: Tensor, sequence: Tensor) -> Tensor:
    if torch.compiler.is_exporting():
        first = (speaker[:, None] == speaker).long().argmax(dim=1)
        turn = torch.arange(speaker.shape[0], device=speaker.device)
        return ((first == turn).long().cumsum(0) - 1)[first]
    voices, voice = torch.stack([sequence, speaker]).unique(dim=1, return_inverse=True)
    node = torch.arange(len(speaker), device=speaker.device)
    first = torch.full_like(voices[0], len(speaker))
    first = first.scatter_reduce(0, voice, node, "amin")
    order = torch.empty_like(first)
    order[first.argsort()] = torch.arange(len(first), device=first.device)
    # Dialogues stand one after another, so the voices of those before come first.
    voices_before = voices[0].bincount().cumsum(0) - voices[0].bincount()
    return (order - voices_before[voices[0]])[voice]
