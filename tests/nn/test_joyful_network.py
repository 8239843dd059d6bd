"""JOYFUL's network on whole tables: who may influence whom, and how losses add up."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator
from systems import mostly_slow
from torch.nn import functional as F

from skmerc._training import DialogueDataset, fit_standardize
from skmerc.datasets import make_conversations
from skmerc.frame._columns import SYNTHETIC, synthetic_id
from skmerc.frame._conversations import read_conversations
from skmerc.losses import contrastive_loss, focal_loss
from skmerc.nn.joyful import JoyfulLoss, JoyfulNetwork, JoyfulOutput

TINY = {
    "global_fusion": True,
    "specific_fusion": True,
    "fusion_size": 12,
    "n_bases": 4,
    "smoothing": 0.2,
    "heads": 2,
    "context_layers": 1,
    "context_window": 256,
    "hidden_size": 8,
    "graph_layers": 1,
    "conv": "mean",
    "conv_params": None,
    "n_speakers": None,
    "window_past": 3,
    "window_future": 3,
    "augmentation_rate": 0.2,
    "feature_mask_rate": None,
    "edge_rate": None,
    "dropout": 0.3,
    "modality_dropout": 0.0,
}
LOSS = {
    "fusion_weight": 0.06,
    "contrast_weight": 0.3,
    "contrast": "paper",
    "temperature": 0.2,
    "batch_negatives": False,
}
STILL = {"dropout": 0.0, "augmentation_rate": 0.0}
PARTS = [
    {},
    {"conv": "rgcn", "n_speakers": 2},
    {"conv": "attention"},
    {"global_fusion": False},
    {"specific_fusion": False},
    {"global_fusion": False, "specific_fusion": False},
    {"fusion_size": None, "hidden_size": None, "graph_layers": 2},
    {"context_window": 2, "position": "rotary"},
    {"context_window": None, "window_past": None, "window_future": -1},
]


def read(X):
    return read_conversations(BaseEstimator(), X, reset=True)


def network(table, **settings):
    layer = fit_standardize(table.features, np.arange(len(table)))
    reader = {
        "mean": layer.mean.numpy(),
        "scale": layer.scale.numpy(),
        "active": True,
        "blocks": list(table.blocks.values()),
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return JoyfulNetwork(reader, 4, **(TINY | settings)).eval()


def make_loss(task="classes", **settings):
    return JoyfulLoss(task, **(LOSS | settings))


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="module")
def X():
    return make_conversations(5, n_turns=(1, 9), missing=0.2, random_state=0)[0]


@pytest.fixture(scope="module")
def augmented(X):
    """X and alternatives: in context, two at one turn, and standing alone."""
    sources = X.iloc[[0, 1, 1, 4, 9, 9, 12]].copy()
    features = list(X)[4:]
    noise = np.random.default_rng(0).normal(0, 9, (7, len(features)))
    sources[features] = sources[features].fillna(0) + noise.astype(np.float32)
    sources["dialogue__role"] = "synthetic"
    alone = sources["dialogue__id"].iloc[:2]
    sources.iloc[:2, 0] = [synthetic_id(name, k) for k, name in enumerate(alone)]
    return pd.concat([X, sources], ignore_index=True)


def dataset_of(table, target=None, weight=None):
    return DialogueDataset(table, table.sequences(), target, weight)


def whole_batch(table, target=None, weight=None):
    dataset = dataset_of(table, target, weight)
    return dataset.batch(np.arange(len(dataset)))


def answers(net, table):
    sequences = dataset_of(table).sequences
    with torch.no_grad():
        logits = net(**whole_batch(table)[0]).logits
    found = torch.zeros(len(table), logits.shape[1])
    found[sequences.rows[sequences.owned]] = logits[sequences.owned]
    return found


@pytest.mark.parametrize("parts", mostly_slow(PARTS), ids=str)
class TestWhoInfluencesWhom:
    def test_a_dialogue_answers_as_if_alone(self, parts, X):
        net = network(read(X), **parts)
        together = answers(net, read(X))
        for _, rows in X.groupby("dialogue__id"):
            alone = answers(net, read(rows))
            torch.testing.assert_close(together[rows.index], alone, atol=1e-6, rtol=0)

    def test_real_rows_answer_as_without_synthetic_ones(self, parts, X, augmented):
        net = network(read(X), **parts)
        expected, found = answers(net, read(X)), answers(net, read(augmented))
        torch.testing.assert_close(found[: len(X)], expected, atol=1e-6, rtol=0)

    def test_every_parameter_learns(self, parts, X):
        net = network(read(X), **(parts | {"dropout": 0.0})).train()
        inputs, answer = whole_batch(read(X))
        make_loss()(net(**inputs), answer).backward()
        assert all(p.grad is not None for p in net.parameters())
        assert all(p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("batch_negatives", mostly_slow([False, True]))
@pytest.mark.parametrize("contrast", mostly_slow(["paper", "grace", "supervised"]))
def test_no_loss_of_a_real_utterance_hangs_on_a_synthetic_one(
    contrast, batch_negatives, X, augmented
):
    table = read(augmented)
    net, sequences = network(table).train(), dataset_of(table).sequences
    inputs, answer = whole_batch(table)
    synthetic = torch.from_numpy(table.role[sequences.rows] == SYNTHETIC)
    criterion = make_loss(contrast=contrast, batch_negatives=batch_negatives)
    features = inputs["features"].nan_to_num(0.1).requires_grad_()

    def gradient(rows):
        weight = answer["weight"] * rows
        out = net(**(inputs | {"features": features}))
        loss = criterion(out, answer | {"weight": weight})
        return torch.autograd.grad(loss, features)[0].abs().sum(1)

    from_real, from_synthetic = gradient(~synthetic), gradient(synthetic)
    assert from_real[synthetic].max() == 0
    assert from_real[answer["copy"]].max() == 0
    assert from_real[~answer["copy"]].gt(0).all()
    assert from_synthetic[synthetic].gt(0).all()


@pytest.mark.parametrize("batch_negatives", [False, True])
def test_negatives_come_from_the_dialogue_or_from_the_batch(batch_negatives, X):
    table = read(X)
    net, (inputs, answer) = network(table).train(), whole_batch(table)
    views = [torch.randn(len(X), 8, requires_grad=True) for _ in range(2)]
    out = net(**inputs)._replace(view1=views[0], view2=views[1])
    first = inputs["sequence"] == inputs["sequence"][-1]
    criterion = make_loss(batch_negatives=batch_negatives, contrast="grace")
    criterion(out, answer | {"weight": first.float()}).backward()
    for view in views:
        assert view.grad[first].abs().sum() > 0
        assert (view.grad[~first].abs().sum() > 0) == batch_negatives


@pytest.mark.parametrize(
    "settings", mostly_slow([{}, {"contrast": "grace"}, {"focal_gamma": 2.0}]), ids=str
)
def test_dialogues_count_in_proportion_to_their_labelled_utterances(settings, X):
    rng = np.random.default_rng(0)
    weight, target = (
        rng.integers(0, 2, len(X)).astype(float),
        rng.integers(0, 4, len(X)),
    )
    net, criterion = network(read(X), **STILL), make_loss(**settings)
    together = criterion(*batch_loss_arguments(net, X, target, weight))
    total = 0
    for _, rows in X.groupby("dialogue__id"):
        own = weight[rows.index]
        loss = criterion(*batch_loss_arguments(net, rows, target[rows.index], own))
        total = total + loss * own.sum() / weight.sum()
    torch.testing.assert_close(total, together)


def batch_loss_arguments(net, X, target, weight):
    inputs, answer = whole_batch(read(X), target, weight)
    return net(**inputs), answer


class TestBothViews:
    def test_the_embedding_is_their_sum_and_is_classified(self, X):
        net, (inputs, _) = network(read(X), dropout=0.0).train(), whole_batch(read(X))
        out = net(**inputs)
        assert (out.view1 - out.view2).abs().max() > 1e-3
        torch.testing.assert_close(out.embedding, out.view1 + out.view2)
        torch.testing.assert_close(out.logits, net.classify(out.embedding))

    def test_without_augmentation_training_answers_as_inference(self, X):
        net, (inputs, _) = network(read(X), **STILL), whole_batch(read(X))
        training, inference = net.train()(**inputs), net.eval()(**inputs)
        torch.testing.assert_close(training.logits, inference.logits)
        torch.testing.assert_close(inference.embedding, 2 * inference.view1)

    def test_inference_repeats_exactly(self, X):
        net, (inputs, _) = network(read(X)), whole_batch(read(X))
        assert torch.equal(net(**inputs).logits, net(**inputs).logits)


class TestCausal:
    @pytest.mark.parametrize("parts", mostly_slow(PARTS[:5] + PARTS[7:8]), ids=str)
    def test_a_growing_dialogue_keeps_its_answers(self, parts, X):
        longest = X[X["dialogue__id"] == X["dialogue__id"].value_counts().index[0]]
        causal = network(read(X), **(parts | {"window_future": 0, "graph_layers": 2}))
        free = network(read(X), **(parts | {"window_future": 3}))
        whole, moved = answers(causal, read(longest)), 0
        for n in range(1, len(longest)):
            prefix = longest.iloc[:n]
            found = answers(causal, read(prefix))
            torch.testing.assert_close(found, whole[:n], atol=1e-5, rtol=0)
            change = answers(free, read(prefix)) - answers(free, read(longest))[:n]
            moved = max(moved, change.abs().max().item())
        assert moved > 1e-3

    def test_no_view_in_training_looks_ahead_either(self, X):
        talk = X[X["dialogue__id"] == X["dialogue__id"].value_counts().index[0]]
        net = network(read(X), window_future=0, augmentation_rate=0.6).train()
        inputs, _ = whole_batch(read(talk))
        features = inputs["features"].nan_to_num(0.1).requires_grad_()
        for row in (0, 3, len(talk) - 2):
            out = net(**(inputs | {"features": features}))
            [gradient] = torch.autograd.grad(out.logits[row].sum(), features)
            assert gradient[row + 1 :].abs().max() == 0


class TestLoss:
    answer = {
        "target": torch.tensor([0, 1, 2, 3, 0, 1]),
        "weight": torch.tensor([1.0, 2.0, 0.0, 1.0, 0.0, 4.0]),
        "copy": torch.zeros(6, dtype=torch.bool),
    }

    def output(self, n_outputs=4):
        sequence = torch.tensor([0, 0, 0, 1, 1, 1])
        view1, view2, fusion = torch.randn(6, 3), torch.randn(6, 3), torch.rand(6)
        logits = torch.randn(6, n_outputs)
        return JoyfulOutput(logits, view1 + view2, view1, view2, sequence, fusion)

    def weighted(self, values):
        return (values * self.answer["weight"]).sum() / 8

    @pytest.mark.parametrize("batch_negatives", [False, True])
    def test_supervised_contrast_knows_the_classes_of_the_weighted_alone(
        self, batch_negatives
    ):
        out, shown = self.output(), self.answer["weight"] > 0
        criterion = make_loss(contrast="supervised", batch_negatives=batch_negatives)
        group = torch.zeros(6) if batch_negatives else out.sequence
        expected = contrastive_loss(
            *(view[shown] for view in (out.view1, out.view2)),
            group[shown],
            form="supervised",
            weight=self.answer["weight"][shown],
            label=self.answer["target"][shown],
        )
        for hidden in (0, 3):
            target = torch.where(shown, self.answer["target"], hidden)
            criterion(out, self.answer | {"target": target})
            torch.testing.assert_close(criterion.terms["contrastive_loss"], expected)

    @pytest.mark.parametrize("contrast", ["paper", "grace"])
    def test_terms_add_up(self, contrast):
        out, weight = self.output(), self.answer["weight"]
        criterion = make_loss(
            fusion_weight=5, contrast_weight=3, contrast=contrast, focal_gamma=1.0
        )
        task = focal_loss(out.logits, self.answer["target"], 1.0, weight)
        contrasted = contrastive_loss(
            out.view1, out.view2, out.sequence, form=contrast, weight=weight
        )
        fusion = self.weighted(out.fusion_loss)
        loss = criterion(out, self.answer)
        torch.testing.assert_close(loss, task + 5 * fusion + 3 * contrasted)
        expected = {
            "task_loss": task,
            "fusion_loss": fusion,
            "contrastive_loss": contrasted,
        }
        assert criterion.terms.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(criterion.terms[name], value)

    @pytest.mark.parametrize(
        ("form", "hangs"), [("paper", False), ("grace", True), ("supervised", True)]
    )
    def test_temperature_is_not_that_of_the_paper(self, form, hangs):
        out = self.output()
        cold, warm = (
            make_loss(contrast=form, temperature=t)(out, self.answer) for t in (0.1, 2)
        )
        assert ((cold - warm).abs() > 1e-3) == hangs

    def test_without_a_weight_nothing_is_contrasted(self):
        criterion = make_loss(contrast_weight=0.0, fusion_weight=0.0)
        loss = criterion(self.output(), self.answer)
        torch.testing.assert_close(loss, criterion.terms["task_loss"])
        assert criterion.terms["contrastive_loss"] == 0

    @pytest.mark.parametrize("batch_negatives", [False, True])
    def test_rows_of_weight_0_teach_nothing(self, batch_negatives):
        out = self.output()
        parts = out.logits.requires_grad_(), out.fusion_loss.requires_grad_()
        make_loss(batch_negatives=batch_negatives)(out, self.answer).backward()
        for part in parts:
            rows = part.grad.reshape(6, -1).abs().sum(1) > 0
            assert rows.tolist() == [True, True, False, True, False, True]

    def test_a_batch_without_any_weight_gives_0(self):
        nobody = self.answer | {"weight": torch.zeros(6)}
        assert make_loss()(self.output(), nobody) == 0
        assert make_loss(contrast="supervised")(self.output(), nobody) == 0

    def test_label_sets_are_binary_cross_entropies(self):
        out, target = self.output(), torch.randint(2, (6, 4)).float()
        criterion = make_loss("label_sets")
        criterion(out, self.answer | {"target": target})
        p = out.logits.sigmoid()
        entropy = -(target * p.log() + (1 - target) * (1 - p).log())
        expected = self.weighted(entropy.mean(dim=1))
        torch.testing.assert_close(criterion.terms["task_loss"], expected)

    def test_values_are_absolute_errors(self):
        out, target = self.output(n_outputs=1), torch.randn(6)
        criterion = make_loss("values")
        criterion(out, self.answer | {"target": target})
        expected = self.weighted((out.logits[:, 0] - target).abs())
        torch.testing.assert_close(criterion.terms["task_loss"], expected)

    def test_label_smoothing_is_that_of_cross_entropy(self):
        out, target = self.output(), self.answer["target"]
        criterion = make_loss(label_smoothing=0.2)
        criterion(out, self.answer)
        each = F.cross_entropy(
            out.logits, target, reduction="none", label_smoothing=0.2
        )
        torch.testing.assert_close(criterion.terms["task_loss"], self.weighted(each))
