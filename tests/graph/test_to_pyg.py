"""Dialogues as graphs of torch-geometric."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch_geometric.loader import DataLoader

from skmerc.datasets import make_conversations
from skmerc.frame import drop_keys
from skmerc.graph import speaker_relations, to_pyg, window_edges


@pytest.fixture(scope="module")
def table():
    X, y = make_conversations(6, n_turns=(1, 5), missing=0.3, random_state=0)
    order = np.random.default_rng(0).permutation(len(X))
    return X.iloc[order].reset_index(drop=True), y[order]


def test_each_dialogue_is_a_graph_in_the_order_of_its_turns(table):
    X, y = table
    graphs = to_pyg(X, y, window_past=2, window_future=1)
    classes = np.unique(y)
    for (_, part), graph in zip(X.groupby("dialogue__id"), graphs, strict=True):
        rows = part.sort_values("dialogue__turn").index
        assert graph.row.tolist() == rows.tolist()
        expected = drop_keys(X).to_numpy(np.float32)[rows]
        np.testing.assert_array_equal(graph.x.numpy(), expected)
        assert classes[graph.y.numpy()].tolist() == y[rows].tolist()
        edges = window_edges(torch.tensor([len(rows)]), 2, 1)
        assert torch.equal(graph.edge_index, edges)
        assert torch.equal(graph.edge_type, speaker_relations(edges, graph.speaker))
        assert graph.owned.all()
        voices = part.loc[rows, "dialogue__speaker"].to_numpy()
        same = voices[:, None] == voices
        assert (same == (graph.speaker[:, None] == graph.speaker).numpy()).all()


def test_its_loaders_batch_them(table):
    graphs = to_pyg(*table)
    (batch,) = DataLoader(graphs, batch_size=len(graphs))
    assert batch.num_graphs == 6
    assert batch.num_nodes == len(table[0])


def test_context_has_no_label(table):
    X, y = table
    context = np.arange(len(X)) % 3 == 0
    X = X.assign(dialogue__role=np.where(context, "context", "utterance"))
    labels = y.astype(object)
    labels[context] = None
    scores = np.where(context, np.nan, np.arange(len(X)) / 2)
    for target, is_unknown in ((labels, lambda v: v < 0), (scores, np.isnan)):
        for graph in to_pyg(X, target):
            unknown = is_unknown(graph.y.numpy())
            assert unknown.tolist() == context[graph.row.numpy()].tolist()


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_table_of_context_alone_has_no_label(table, missing):
    X = table[0].assign(dialogue__role="context")
    graphs = to_pyg(X, [missing] * len(X))
    assert {label for graph in graphs for label in graph.y.tolist()} == {-1}


def test_numbers_of_classes_stay_classes_beside_context(table):
    X, _ = table
    number = np.arange(len(X)) % 3
    X = X.assign(dialogue__role=np.where(number == 0, "context", "utterance"))
    for gap in (None, np.nan):
        labels = [gap if n == 0 else int(n) for n in number]
        for graph in to_pyg(X, labels):
            assert graph.y.tolist() == (number[graph.row.numpy()] - 1).tolist()


def test_synthetic_utterances_stand_in_a_copy_of_their_dialogue(table):
    X, y = table
    first = X.index[X["dialogue__turn"] == 0][:1]
    ids = X.loc[first, "dialogue__id"]
    made = X.loc[first].assign(
        dialogue__id=ids + "#synthetic0", dialogue__role="synthetic"
    )
    both = pd.concat([X, made], ignore_index=True)
    graphs = to_pyg(both, np.append(y, y[first]))
    assert len(graphs) == 7
    assert sum(graph.owned.sum() for graph in graphs) == len(both)


def test_without_keys_every_row_is_a_graph(table):
    X = drop_keys(table[0])
    graphs = to_pyg(X)
    assert [graph.num_nodes for graph in graphs] == [1] * len(X)
    assert "y" not in graphs[0]
