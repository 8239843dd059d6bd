"""Convolutions of torch-geometric in JOYFUL's graph."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from systems import mostly_slow
from torch_geometric import nn as pyg

from skmerc import JoyfulClassifier, JoyfulRegressor
from skmerc.datasets import make_conversations
from skmerc.exceptions import UntrustedTypeError
from skmerc.nn.joyful_graph import JoyfulGraph
from skmerc.persistence import export_model, load_model, save_model

SMALL = {"hidden_size": 8, "fusion_size": 8, "heads": 2, "max_epochs": 1}
FITTING = [
    (pyg.GATv2Conv, {"heads": 2, "concat": False, "dropout": 0.3}),
    (pyg.TransformerConv, {"heads": 2, "concat": False, "dropout": 0.3}),
    (pyg.SAGEConv, {}),
    (pyg.RGCNConv, {"num_bases": 2}),
]


@pytest.fixture(scope="module")
def table():
    return make_conversations(n_dialogues=12, n_turns=5, random_state=0)


def classifier(conv, params=None, **changes):
    settings = SMALL | {"patience": None, "random_state": 0} | changes
    return JoyfulClassifier(conv=conv, conv_params=params, **settings)


class WithoutEdges(pyg.MessagePassing):
    def __init__(self, in_channels, out_channels):
        super().__init__()

    def forward(self, x):
        return x


class Own(pyg.SAGEConv):
    """Of nobody's list."""


@pytest.mark.parametrize(("conv", "params"), mostly_slow(FITTING))
def test_they_train_repeat_clone_and_are_saved(conv, params, table, tmp_path):
    X, y = table
    model = classifier(conv, params).fit(X, y)
    state = torch.get_rng_state()
    again = clone(model).fit(X, y)
    assert torch.equal(torch.get_rng_state(), state)
    answers = model.predict_proba(X)
    assert np.array_equal(again.predict_proba(X), answers)
    assert any(isinstance(m, conv) for m in model.net_.module_.modules())
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(X), answers)
    assert loaded.get_params()["conv"] is conv
    with pytest.raises(ValueError, match=f"conv={conv.__name__} cannot be exported"):
        export_model(model, tmp_path / "model.onnx")


@pytest.mark.slow
def test_a_regressor_takes_them_too(table):
    X, y = table
    model = JoyfulRegressor(conv=pyg.SAGEConv, patience=None, **SMALL)
    assert np.isfinite(model.fit(X, np.arange(len(y)) / len(y)).predict(X)).all()


def test_relations_are_told_to_those_that_ask():
    graph = JoyfulGraph(6, 8, conv=(pyg.RGCNConv, {}))
    x, edges = torch.randn(3, 6), torch.tensor([[0, 1], [1, 2]])
    sequence = torch.zeros(3, dtype=torch.long)
    alike, apart = torch.tensor([0, 0, 0]), torch.tensor([0, 1, 2])
    assert not torch.equal(
        graph(x, edges, alike, sequence), graph(x, edges, apart, sequence)
    )


@pytest.mark.parametrize(
    ("conv", "params", "message"),
    mostly_slow(
        [
            (dict, None, "is no convolution of torch-geometric"),
            (pyg.GATv2Conv, {"heads": 2}, r"the shape \(16,\) in place of \(8,\)"),
            (pyg.SAGEConv, {"rate": 1}, "SAGEConv .* does not fit"),
            (pyg.EdgeConv, None, "EdgeConv .* does not fit"),
            (WithoutEdges, None, "WithoutEdges .* does not fit"),
            ("mean", {"heads": 2}, "conv='mean' takes none"),
        ]
    ),
)
def test_what_does_not_fit_is_refused(conv, params, message, table):
    with pytest.raises(ValueError, match=message):
        classifier(conv, params).fit(*table)


@pytest.mark.slow
def test_classes_of_others_are_loaded_where_they_are_trusted_alone(table, tmp_path):
    model = classifier(Own).fit(*table)
    save_model(model, tmp_path / "model")
    with pytest.raises(UntrustedTypeError, match=r"test_foreign_convolutions\.Own"):
        load_model(tmp_path / "model")
    loaded = load_model(tmp_path / "model", trusted=[Own])
    assert np.array_equal(loaded.predict(table[0]), model.predict(table[0]))
