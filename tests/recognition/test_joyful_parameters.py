"""What JOYFUL's parameters do, what they refuse, and the presets."""

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import check_param_validation
from systems import mostly_slow
from test_joyful_classifier import SMALL, weights_of
from torch_geometric.nn import GATConv

from skmerc import JoyfulClassifier, JoyfulRegressor
from skmerc.datasets import make_conversations
from skmerc.frame._conversations import read_conversations
from skmerc.recognition import _joyful_estimator
from skmerc.recognition._base import parameters_of

# Every parameter, with a value that changes answers, and what it takes to do so.
CHANGES = [
    {"modalities": {"all": slice(0, 32)}},
    {"global_fusion": False},
    {"specific_fusion": False},
    {"global_fusion": False, "specific_fusion": False},
    {"fusion_size": None},
    {"n_bases": 3},
    {"smoothing": 3.0},
    {"context_layers": 2},
    {"heads": 4},
    {"context_window": 1},
    {"hidden_size": None},
    {"graph_layers": 2},
    {"conv": "rgcn"},
    {"conv": "mean"},
    {"relations": "pairs", "conv": "rgcn"},
    {"relations": "pairs", "conv": "attention"},
    {"window_past": 1},
    {"window_future": 0},
    {"window_past": None, "window_future": -1},
    {"dropout": 0.0},
    {"modality_dropout": 0.5},
    {"augmentation_rate": 0.5},
    {"feature_mask_rate": 0.5},
    {"edge_rate": 0.5},
    {"conv_params": {"heads": 2, "concat": False}, "conv": GATConv},
    {"fusion_weight": 1.0},
    {"contrast_weight": 0.0},
    {"contrast": "grace"},
    {"contrast": "supervised"},
    {"contrast": "supervised", "batch_negatives": True},
    {"temperature": 0.5, "contrast": "grace"},
    {"batch_negatives": True},
    {"training": "two-phase"},
    {"focal_gamma": 2.0},
    {"label_smoothing": 0.2},
    {"class_weight": "balanced"},
    {"class_weight": "sqrt"},
    {"class_weight": "effective"},
    {"class_weight": ("effective", 0.9)},
    {"logit_adjustment": 1.0},
    {"head": "boost"},
    {"head": LogisticRegression(max_iter=1000)},
    {"prior": "train", "class_weight": "balanced"},
    {"standardize": False},
    {"optimizer": torch.optim.SGD},
    {"lr": 1e-2},
    {"schedule": None},
    {"weight_decay": 1.0},
    {"batch_size": 2},
    {"max_epochs": 4, "patience": None},
    {"patience": 1},
    {"validation_fraction": 0.4},
    {"net_params": {"module__position": "rotary"}},
    {"random_state": 1},
]


@pytest.fixture(scope="module")
def table():
    return make_conversations(16, n_turns=(4, 9), random_state=0)


@pytest.fixture(scope="module")
def fitted(table):
    return JoyfulClassifier(**SMALL).fit(*table)


@pytest.mark.parametrize("change", mostly_slow(CHANGES), ids=str)
def test_each_parameter_changes_answers_and_repeats_exactly(table, fitted, change):
    X, y = table
    model = JoyfulClassifier(**(SMALL | change)).fit(X, y)
    answers = model.predict_proba(X)
    np.testing.assert_allclose(answers.sum(axis=1), 1)
    others = [fitted.predict_proba(X)]
    if len(change) > 1:  # the first alone makes a difference, too
        rest = dict(list(change.items())[1:])
        others.append(JoyfulClassifier(**(SMALL | rest)).fit(X, y).predict_proba(X))
    for other in others:
        assert np.abs(answers - other).max() > 1e-6
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), answers)


def test_without_a_fusion_there_is_no_first_phase(table):
    settings = SMALL | {"global_fusion": False, "specific_fusion": False}
    joint = JoyfulClassifier(**settings).fit(*table)
    phases = JoyfulClassifier(**settings, training="two-phase").fit(*table)
    X = table[0]
    np.testing.assert_array_equal(phases.predict_proba(X), joint.predict_proba(X))
    assert phases.first_phase_loss_ == []


def test_the_loss_of_the_first_phase_is_told_and_falls(table):
    settings = SMALL | {"training": "two-phase", "max_epochs": 8}
    losses = JoyfulClassifier(**settings).fit(*table).first_phase_loss_
    assert len(losses) == 4
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("kind", [JoyfulClassifier, JoyfulRegressor])
def test_wrong_values_are_refused_by_name(kind):
    check_param_validation(kind.__name__, kind())


@pytest.mark.parametrize("kind", [JoyfulClassifier, JoyfulRegressor])
def test_every_parameter_is_tried_and_described(kind):
    names = set(kind().get_params(deep=False))
    elsewhere = {"partial_nan", "callbacks", "device", "verbose"}
    elsewhere |= {"checkpoint", "warm_start"}
    assert names <= {next(iter(change)) for change in CHANGES} | elsewhere
    text, *_ = kind.__doc__.split("Attributes\n")
    assert not [name for name in names if name not in text]
    assert "{{" not in text


@pytest.mark.parametrize("then", mostly_slow(["", "partial_fit", "warm_start"]))
def test_after_the_first_phase_the_fusion_stays_as_it_is(table, monkeypatch, then):
    X, y = table
    kept, passes_of_fusion = [], []

    def spy(net, dataset, passes, **settings):
        before = torch.nn.utils.parameters_to_vector(net.module_.classify.parameters())
        losses = train(net, dataset, passes, **settings)
        parts = net.module_.fusion, net.module_.classify
        kept[:] = [torch.nn.utils.parameters_to_vector(p.parameters()) for p in parts]
        assert torch.equal(kept[1], before)
        passes_of_fusion.append(passes)
        return losses

    train = _joyful_estimator.train_fusion
    monkeypatch.setattr(_joyful_estimator, "train_fusion", spy)
    model = JoyfulClassifier(**SMALL, training="two-phase").fit(X, y)
    if then == "partial_fit":
        model.partial_fit(X, y)
    if then == "warm_start":
        model.set_params(warm_start=True).fit(X, y)
    assert passes_of_fusion == [2]
    assert torch.equal(weights_of(model, "fusion"), kept[0])
    assert (weights_of(model, "classify") - kept[1]).abs().max() > 1e-3


def test_the_seed_orders_the_dialogues_of_both_phases(table, monkeypatch):
    seeds = []
    monkeypatch.setattr(
        _joyful_estimator,
        "train_fusion",
        lambda *net, seed, **settings: seeds.append(seed) or [],
    )
    for seed in (0, 0, 1):
        settings = SMALL | {"random_state": seed, "training": "two-phase"}
        JoyfulClassifier(**settings).fit(*table)
    assert seeds[0] == seeds[1] != seeds[2]


@pytest.mark.parametrize("kind", [JoyfulClassifier, JoyfulRegressor])
class TestPresets:
    def network(self, kind, name):
        widths = {"audio": 100, "text": 768, "visual": 512}
        X, _ = make_conversations(1, n_turns=6, modalities=widths, random_state=0)
        model = kind.from_preset(name)
        table = read_conversations(BaseEstimator(), X, reset=True)
        n_speakers = model._count_speakers(table, np.ones(6, bool))
        reader = {"mean": np.zeros(1380), "scale": np.ones(1380)}
        reader["blocks"] = list(table.blocks.values())
        given = {"reader": reader, "n_outputs": 4, "n_speakers": n_speakers}
        network, _ = model._network_and_loss()
        settings = parameters_of(model, network, given)
        with torch.device("meta"):
            return network(**settings)

    def test_the_paper_s_widths(self, kind):
        net = self.network(kind, "paper")
        assert net.fusion.in_dialogue.size == net.fusion.on_basis.size == 1380
        assert net.fusion.on_basis.basis.shape[1] == 460
        assert net.graph.layers[0].combine.weight.shape == (2760, 5520)
        assert len(net.graph.layers) == 1

    def test_the_released_settings(self, kind):
        net = self.network(kind, "released")
        transformer = net.fusion.in_dialogue.transformer
        shapes = {tuple(p.shape) for p in transformer.layers[0].parameters()}
        assert {(2048, 1024), (1024, 2048)} <= shapes
        assert (len(transformer.layers), transformer.head_size) == (4, 128)
        assert len(net.graph.layers) == 2
        assert net.graph.layers[1].combine.weight.shape == (100, 200)
        assert (net.views.mask_rate, net.views.edge_rate) == (0.25, 0.1)

    def test_the_notes_tell_where_the_released_network_is_another(self, kind):
        notes = JoyfulClassifier.__doc__.split("Notes\n")[1]
        width = self.network(kind, "released").fusion.size
        assert "It is not the released network" in notes
        assert f"1,024 wide ({width:,} here)" in " ".join(notes.split())

    def test_they_take_changes_and_unknown_ones_are_named(self, kind):
        assert kind.from_preset("paper", lr=0.5).lr == 0.5
        with pytest.raises(ValueError, match="'best'; there is paper, released"):
            kind.from_preset("best")
