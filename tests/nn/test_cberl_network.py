"""CBERL's network on whole tables: who may influence whom, and how losses add up."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator
from systems import mostly_slow

from skmerc._training import DialogueDataset, fit_standardize
from skmerc.datasets import make_conversations
from skmerc.frame._columns import SYNTHETIC, synthetic_id
from skmerc.frame._conversations import read_conversations
from skmerc.losses import focal_loss
from skmerc.nn import cberl
from skmerc.nn.blocks import BlockReader, hide_modalities
from skmerc.nn.cberl import CBERLLoss, CBERLNetwork, Recognition

FUSIONS = ["concat", "djvae", "djvae_latent"]
SMALL = {
    "fusion": "concat",
    "latent_size": 6,
    "beta": 0.003,
    "gamma": 0.0003,
    "posterior": "joint",
    "modality_dropout": 0.0,
    "hidden_size": 8,
    "bidirectional": True,
    "lstm_layers": 2,
    "graph_layers": 1,
    "heads": 4,
    "window_past": 3,
    "window_future": 10,
    "dropout": 0.4,
    "mask_rate": 0.3,
    "mask": "node",
    "mask_exponent": 2.0,
}
LOSS = {
    "focal_gamma": 2.0,
    "reconstruction_weight": 0.5,
    "fusion_weight": 1.0,
    "label_smoothing": 0.0,
}


def read(X):
    return read_conversations(BaseEstimator(), X, reset=True)


def reader_of(table):
    layer = fit_standardize(table.features, np.arange(len(table)))
    return {
        "mean": layer.mean.numpy(),
        "scale": layer.scale.numpy(),
        "active": True,
        "blocks": list(table.blocks.values()),
    }


def network(table, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CBERLNetwork(reader_of(table), 4, **(SMALL | settings)).eval()


def make_loss(**settings):
    return CBERLLoss(**(LOSS | settings))


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="module")
def X():
    return make_conversations(5, n_turns=(1, 7), missing=0.2, random_state=0)[0]


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


def whole_batch(table):
    dataset = DialogueDataset(table, table.sequences())
    return dataset.batch(np.arange(len(dataset)))


def in_batch(table):
    """The sequences of the whole batch, in its order."""
    return DialogueDataset(table, table.sequences()).sequences


def per_row(table, values):
    sequences = in_batch(table)
    found = torch.zeros(len(table), values.shape[1])
    found[sequences.rows[sequences.owned]] = values[sequences.owned]
    return found


def answers(net, table):
    with torch.no_grad():
        out = net(**whole_batch(table)[0])
    return per_row(table, out.logits), per_row(table, out.embedding)


@pytest.mark.parametrize("fusion", FUSIONS)
class TestSyntheticNeighbours:
    def test_real_rows_answer_as_without_them(self, fusion, X, augmented):
        plain, more = read(X), read(augmented)
        net = network(plain, fusion=fusion)
        for one, other in zip(answers(net, plain), answers(net, more), strict=True):
            torch.testing.assert_close(one, other[: len(X)], atol=1e-6, rtol=0)
            assert other[len(X) :].abs().sum(1).gt(0).all()

    def test_no_gradient_leads_from_real_rows_to_synthetic_ones(
        self, fusion, X, augmented
    ):
        table = read(augmented)
        net, (inputs, _) = network(table, fusion=fusion), whole_batch(table)
        inputs["features"] = inputs["features"].nan_to_num(0.1).requires_grad_()
        out = net(**inputs)
        sequences = in_batch(table)
        synthetic = table.role[sequences.rows] == SYNTHETIC
        answering = sequences.owned & ~synthetic
        for values in (out.logits, out.embedding):
            (gradient,) = torch.autograd.grad(
                values[answering].square().sum(), inputs["features"], retain_graph=True
            )
            assert gradient[synthetic].abs().max() == 0
            assert gradient[answering].abs().sum(1).gt(0).all()

    def test_synthetic_rows_do_read_their_neighbours(self, fusion, X, augmented):
        table = read(augmented)
        net, (inputs, _) = network(table, fusion=fusion), whole_batch(table)
        inputs["features"] = inputs["features"].nan_to_num(0.1).requires_grad_()
        sequences = in_batch(table)
        copies = np.repeat(
            np.add.reduceat(sequences.owned, sequences.offsets[:-1]), sequences.lengths
        )
        only_shown = ~sequences.owned & (copies > 0)
        assert only_shown.any()
        net(**inputs).logits[sequences.owned].sum().backward()
        assert inputs["features"].grad[only_shown].abs().sum() > 0


@pytest.mark.parametrize("fusion", mostly_slow(FUSIONS))
def test_a_dialogue_answers_as_if_alone(fusion, X):
    table = read(X)
    net = network(table, fusion=fusion)
    together, _ = answers(net, table)
    for _, rows in X.groupby("dialogue__id"):
        alone, _ = answers(net, read(rows))
        torch.testing.assert_close(together[rows.index], alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("fusion", mostly_slow(FUSIONS))
def test_the_order_of_rows_means_nothing(fusion, X):
    net = network(read(X), fusion=fusion)
    order = np.random.default_rng(0).permutation(len(X))
    shuffled, _ = answers(net, read(X.iloc[order]))
    expected, _ = answers(net, read(X))
    torch.testing.assert_close(shuffled, expected[order], atol=1e-6, rtol=0)


def test_names_of_speakers_mean_nothing_but_turns_of_the_floor_do(X):
    net = network(read(X))
    names = {"A": "Zoe", "B": "Adam"}
    renamed = X.assign(dialogue__speaker=X["dialogue__speaker"].map(names))
    expected, _ = answers(net, read(X))
    torch.testing.assert_close(answers(net, read(renamed))[0], expected)
    monologue, _ = answers(net, read(X.assign(dialogue__speaker="A")))
    assert (monologue - expected).abs().max() > 1e-3


class TestBlockReader:
    def reader(self, **settings):
        given = {
            "mean": np.array([1.0, 2.0, 3.0]),
            "scale": np.array([1.0, 2.0, 1.0]),
            "active": True,
            "blocks": [slice(0, 1), np.array([2, 1])],
        }
        return BlockReader(**(given | settings))

    features = torch.tensor(
        [[2.0, 4.0, 5.0], [torch.nan, 4.0, torch.nan], [3.0, torch.nan, torch.nan]]
    )

    def test_blocks_and_the_mask(self):
        blocks, present = self.reader()(self.features)
        assert blocks[0].tolist() == [[1], [0], [2]]
        assert blocks[1].tolist() == [[2, 1], [0, 1], [0, 0]]
        assert present.tolist() == [[True, True], [False, True], [True, False]]
        assert self.reader().widths == [1, 2]

    def test_a_missing_block_is_0_even_where_nothing_is_shifted(self):
        blocks, _ = self.reader(active=False)(self.features)
        assert blocks[0].tolist() == [[2], [0], [3]]
        assert blocks[1].tolist() == [[5, 4], [3, 4], [0, 0]]


class TestHiding:
    def test_it_never_hides_everything_and_shows_nothing_new(self):
        whole = torch.ones(4000, 2, dtype=torch.bool)
        lacking = torch.tensor([[False, True]]).expand(100, 2)
        nothing = torch.zeros(100, 2, dtype=torch.bool)
        shown = hide_modalities(torch.cat([whole, lacking, nothing]), 0.7)
        assert shown[:4000].any(dim=1).all()
        # Both are kept by luck (0.3 * 0.3) or because both would go (0.7 * 0.7).
        both = shown[:4000].all(dim=1).float().mean().item()
        assert both == pytest.approx(0.58, abs=0.03)
        assert torch.equal(shown[4000:4100], lacking)
        assert not shown[4100:].any()

    def test_without_a_rate_nothing_is_hidden_or_drawn(self, global_state_untouched):
        present = torch.rand(50, 3) > 0.5
        with global_state_untouched():
            assert torch.equal(hide_modalities(present, 0.0), present)

    @pytest.mark.parametrize("fusion", mostly_slow(FUSIONS))
    def test_what_is_hidden_is_not_recognised(self, fusion, X, monkeypatch):
        rates = []

        def hide_audio(present, rate):
            rates.append(rate)
            return present & torch.tensor([True, rate == 0, True])

        monkeypatch.setattr(cberl, "hide_modalities", hide_audio)
        table = read(X)
        audio = table.blocks["audio"]
        net = network(table, fusion=fusion, modality_dropout=0.5, dropout=0.0)
        inputs, _ = whole_batch(table)
        inputs["features"] = inputs["features"].nan_to_num(0.1)
        for training in (True, False):
            features = inputs["features"].clone().requires_grad_()
            net.train(training)(
                **(inputs | {"features": features})
            ).logits.sum().backward()
            assert (features.grad[:, audio] == 0).all() == training
            assert features.grad[:, table.blocks["text"]].any()
        assert rates == [0.5, 0.0]


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_missing_modality_is_not_its_mean(fusion, X):
    table = read(X)
    net = network(table, fusion=fusion, posterior="joint")
    inputs, _ = whole_batch(table)
    audio = table.blocks["audio"]
    lacking, mean = inputs["features"].clone(), inputs["features"].clone()
    lacking[:, audio] = torch.nan
    mean[:, audio] = net.reader.standardize.mean[audio]
    with torch.no_grad():
        one = net(**(inputs | {"features": lacking})).logits
        other = net(**(inputs | {"features": mean})).logits
    assert one.isfinite().all()
    assert (one - other).abs().max() > 1e-4


@pytest.mark.parametrize("fusion", FUSIONS)
def test_an_utterance_may_lack_everything(fusion, X):
    table = read(X)
    features = table.features.copy()
    features[:3] = np.nan
    logits, _ = answers(
        network(table, fusion=fusion), dataclasses.replace(table, features=features)
    )
    assert logits.isfinite().all()


class TestTraining:
    @pytest.mark.parametrize("fusion", mostly_slow(FUSIONS))
    @pytest.mark.parametrize("mask", mostly_slow(["node", "neighbor", "class_aware"]))
    def test_every_parameter_learns(self, fusion, mask, X):
        table = read(X)
        net = network(table, fusion=fusion, mask=mask, mask_rate=0.5).train()
        inputs, answer = whole_batch(table)
        make_loss()(net(**inputs), answer).backward()
        idle = {name for name, p in net.named_parameters() if p.grad is None}
        assert not idle
        assert all(p.grad.isfinite().all() for p in net.parameters())

    def test_extra_losses_are_taken_in_training_alone(self, X):
        table = read(X)
        net, (inputs, _) = network(table, fusion="djvae"), whole_batch(table)
        out = net(**inputs)
        assert not out.reconstruction_error.any()
        assert not out.fusion_loss.any()
        out = net.train()(**inputs)
        assert out.reconstruction_error.any()
        assert out.fusion_loss.any()

    def test_without_a_mask_nothing_is_reconstructed(self, X):
        table = read(X)
        net = network(table, mask_rate=0.0).train()
        inputs, answer = whole_batch(table)
        out = net(**inputs)
        assert not out.reconstruction_error.any()
        loss = make_loss()
        loss(out, answer)
        assert loss.terms["reconstruction_loss"] == 0

    def test_what_is_restored_is_the_context_before_dropout(self, X, monkeypatch):
        seen = []

        def restore(self, x, edges, relation, masked, sequence, target):
            seen.append((x, target))
            return torch.zeros(len(x))

        kind = cberl.MaskedGraphEncoder
        monkeypatch.setattr(kind, "reconstruction_error", restore)
        table = read(X)
        network(table, dropout=0.5).train()(**whole_batch(table)[0])
        ((x, target),) = seen
        kept = x != 0
        torch.testing.assert_close(x[kept], 2 * target[kept])
        assert target[~kept].any()

    @pytest.mark.slow
    def test_class_aware_masks_follow_the_frequency(self, X):
        table = read(X)
        net = network(table, mask="class_aware", mask_rate=0.2, dropout=0.0).train()
        inputs, _ = whole_batch(table)
        rare = torch.arange(len(X)) % 2 == 0
        inputs["mask_weight"] = torch.where(rare, 1e-4, 1.0)
        several = inputs["sequence"].bincount()[inputs["sequence"]] > 2
        masked = sum((net(**inputs).reconstruction_error > 0).int() for _ in range(50))
        assert masked[~rare & several].sum() > 50 * masked[rare & several].sum()


class TestLoss:
    def recognition(self, n=6, requires_grad=True):
        parts = torch.randn(n, 4), torch.rand(n) + 0.1, torch.rand(n)
        logits, error, fusion = (p.requires_grad_(requires_grad) for p in parts)
        return Recognition(logits, torch.zeros(n, 2), error, fusion)

    answer = {
        "target": torch.tensor([0, 1, 2, 3, 0, 1]),
        "weight": torch.tensor([1.0, 2.0, 0.0, 1.0, 0.0, 4.0]),
        "copy": torch.zeros(6, dtype=torch.bool),
    }

    def test_terms_add_up(self):
        out = self.recognition(requires_grad=False)
        out.reconstruction_error[[0, 5]] = 0
        loss = make_loss(focal_gamma=1.0, reconstruction_weight=3, fusion_weight=5)
        weight, error = self.answer["weight"], out.reconstruction_error
        focal = focal_loss(out.logits, self.answer["target"], 1.0, weight)
        hidden = (2 * error[1] + error[3]) / 3
        fusion = (out.fusion_loss * weight).sum() / 8
        expected = focal + 3 * hidden + 5 * fusion
        torch.testing.assert_close(loss(out, self.answer), expected)
        assert loss.terms["focal_loss"] == focal
        torch.testing.assert_close(loss.terms["reconstruction_loss"], hidden)
        torch.testing.assert_close(loss.terms["fusion_loss"], fusion)

    @pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
    def test_divergences_count_for_the_share_they_were_warmed_to(self, share):
        out = self.recognition(requires_grad=False)
        out = out._replace(divergence=torch.rand(6))
        loss, weight = make_loss(), self.answer["weight"]
        loss.warm(share)
        loss(out, self.answer)
        each = out.fusion_loss + share * out.divergence
        expected = (each * weight).sum() / 8
        torch.testing.assert_close(loss.terms["fusion_loss"], expected)

    def test_synthetic_rows_are_recognised_and_not_restored(self):
        out, copy = self.recognition(), torch.arange(6) > 2
        make_loss()(out, self.answer | {"copy": copy}).backward()
        recognised = out.logits.grad.abs().sum(1) > 0
        assert recognised.tolist() == [True, True, False, True, False, True]
        restored = out.reconstruction_error.grad != 0
        assert restored.tolist() == [True, True, False, False, False, False]

    def test_rows_of_weight_0_teach_nothing(self):
        out = self.recognition()
        make_loss()(out, self.answer).backward()
        for part in (out.logits, out.reconstruction_error, out.fusion_loss):
            rows = part.grad.reshape(6, -1).abs().sum(1) > 0
            assert rows.tolist() == [True, True, False, True, False, True]

    def test_a_batch_without_any_weight_gives_0(self):
        nobody = self.answer | {"weight": torch.zeros(6)}
        loss = make_loss()(self.recognition(), nobody)
        assert loss.item() == 0
        loss.backward()


@torch.no_grad()
@pytest.mark.parametrize("fusion", ["djvae", "djvae_latent"])
def test_modalities_go_around_the_code_or_not(fusion, X):
    table = read(X)
    net, (inputs, _) = network(table, fusion=fusion), whole_batch(table)
    net.vae.joint.weight.zero_()  # the code tells nothing any more
    other = inputs | {"features": inputs["features"].roll(1, 0)}
    same = torch.allclose(net(**inputs).logits, net(**other).logits)
    assert same == (fusion == "djvae_latent")


def test_weights_of_the_divergences_are_those_given(X):
    table = read(X)
    found = []
    for beta, gamma in ((1.0, 0.0), (0.0, 1.0), (0.5, 2.0)):
        net = network(table, fusion="djvae", beta=beta, gamma=gamma).train()
        torch.manual_seed(1)
        found.append(net(**whole_batch(table)[0]).divergence)
    prior, unimodal, both = found
    assert prior.gt(0).all()
    torch.testing.assert_close(both, 0.5 * prior + 2.0 * unimodal)


@pytest.mark.slow
@torch.no_grad()
def test_without_the_second_direction_nothing_later_is_heard(X):
    longest = X["dialogue__id"].value_counts().index[0]
    talk = X[X["dialogue__id"] == longest].reset_index(drop=True)
    ahead = []
    for bidirectional in (False, True):
        settings = {"window_future": 0, "graph_layers": 2}
        net = network(read(X), bidirectional=bidirectional, **settings)
        whole, _ = answers(net, read(talk))
        prefixes = [answers(net, read(talk[:n]))[0] for n in range(1, len(talk))]
        ahead.append(max((p - whole[: len(p)]).abs().max() for p in prefixes))
    assert ahead[0] < 1e-5 < ahead[1]
