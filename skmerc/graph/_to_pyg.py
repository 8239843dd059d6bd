"""Dialogues as graphs of torch-geometric, for networks of one's own."""

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from torch_geometric.data import Data

from skmerc._utils.types import Table
from skmerc.frame._columns import CONTEXT
from skmerc.frame._conversations import (
    NO_LABELS,
    Conversations,
    Sequences,
    read_conversations,
)
from skmerc.graph._edges import speaker_relations, window_edges


def to_pyg(
    X: Table,
    y: ArrayLike | None = None,
    *,
    window_past: int | None = 10,
    window_future: int | None = 10,
) -> list[Data]:
    """Make one graph of torch-geometric for each dialogue of a table.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_utterances, n_columns)
        Whole dialogues, in any order of rows; see the guide to X. Without keys every
        row is a dialogue of its own.
    y : array-like of shape (n_utterances,), default=None
        Emotions, or scores, which are numbers with a fraction.
    window_past, window_future : int or None, default=10
        Number of utterances before and after that send to an utterance; None or -1
        means all of the dialogue. The default is DialogueGCN's.

    Returns
    -------
    list of torch_geometric.data.Data
        The graphs, dialogues in the order of their sorted ids. ``x`` holds features in
        the order of turns, NaN where missing; ``edge_index`` and ``edge_type`` are
        those of :func:`window_edges` and :func:`speaker_relations`; ``speaker`` is a
        code, and ``row`` the place of each utterance in X. ``y`` holds the place of
        each emotion among the sorted ones, -1 for utterances of role ``"context"``, or
        the scores, NaN for those. A dialogue with synthetic utterances comes once more
        with these in the place of their sources; ``owned`` is True for the utterances
        that are not in another graph.

    Raises
    ------
    ValueError
        If X holds infinity, text or broken keys, or a label is missing in a row that
        is no context.

    Notes
    -----
    Networks of this package do not train on these graphs, since batches are gathered
    from the table several times faster: ``pytest -n 0 -p benchmark -m benchmark -k
    batches tests/benchmarks/test_speed.py`` compares both.

    Examples
    --------
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.graph import to_pyg
    >>> X, y = make_conversations(n_dialogues=12, n_turns=5, random_state=0)
    >>> graphs = to_pyg(X, y, window_past=1, window_future=0)
    >>> len(graphs), graphs[0].num_nodes, graphs[0].num_edges
    (12, 5, 9)
    """
    labels = NO_LABELS if y is None else y
    found = read_conversations(BaseEstimator(), X, labels, reset=True)
    table, target = (found, None) if y is None else (found[0], _target(*found))
    sequences = table.sequences()
    ends = sequences.offsets[1:]
    return [
        _graph(
            table, target, sequences, slice(end - n, end), window_past, window_future
        )
        for end, n in zip(ends, sequences.lengths, strict=True)
    ]


def _target(table: Conversations, y: ArrayLike) -> np.ndarray:
    """Turn labels into numbers, with -1 or NaN where there is none."""
    context = table.role == CONTEXT
    y = np.asarray(y)
    # Beside a missing one, numbers of classes are of a type for fractions, too.
    if y.dtype.kind == "f" and (y[~context] % 1 != 0).any():
        return np.where(context, np.nan, y).astype(np.float32)
    classes = np.unique(y[~context])
    return np.where(context, -1, np.searchsorted(classes, y))


def _graph(
    table: Conversations,
    target: np.ndarray | None,
    sequences: Sequences,
    here: slice,
    past: int | None,
    future: int | None,
) -> Data:
    rows = sequences.rows[here]
    # The process may have another default device, and the rest is made of arrays.
    length = torch.tensor([len(rows)], device="cpu")
    edges = window_edges(length, past, future)
    speaker = torch.from_numpy(table.speaker[rows])
    parts = {
        "x": torch.from_numpy(table.features[rows].astype(np.float32)),
        "edge_index": edges,
        "edge_type": speaker_relations(edges, speaker),
        "speaker": speaker,
        "row": torch.from_numpy(rows),
        "owned": torch.from_numpy(sequences.owned[here]),
    }
    if target is not None:
        parts["y"] = torch.from_numpy(target[rows])
    return Data(**parts)
