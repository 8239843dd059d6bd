"""Batches of dialogues, their loader, and answers in the caller's order."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator

from skmerc._training import DialogueDataset, DialogueLoader, infer
from skmerc.frame import make_frame
from skmerc.frame._conversations import read_conversations

ROLES = ["utterance", "utterance", "context", "utterance", "synthetic", "utterance"]


@pytest.fixture
def conversations():
    X = make_frame(
        {"text": np.arange(12.0).reshape(6, 2)},
        dialogue=list("abaaab"),
        turn=[2, 0, 1, 0, 2, 1],
        speaker=list("xyxzxy"),
        role=ROLES,
    )
    return read_conversations(BaseEstimator(), X, reset=True)


@pytest.fixture
def dataset(conversations):
    target = np.array([5, 4, 3, 2, 1, 0])
    weight = np.array([1.0, 2.0, 0.0, 0.5, 3.0, 1.0])
    mask_weight = np.linspace(0.1, 0.6, 6)
    return DialogueDataset(
        conversations, conversations.sequences(), target, weight, mask_weight
    )


def test_a_batch_gathers_rows_and_takes_loss_where_they_are_owned(dataset):
    inputs, answer = dataset.batch(np.array([1, 0]))
    rows = [1, 5, 3, 2, 0, 3, 2, 4]
    assert inputs["features"][:, 0].tolist() == [2.0 * row for row in rows]
    assert inputs["sequence"].tolist() == [0, 0, 1, 1, 1, 2, 2, 2]
    speakers = ["xyxzxy"[row] for row in rows]
    same = inputs["speaker"][:, None] == inputs["speaker"]
    assert same.tolist() == [[a == b for b in speakers] for a in speakers]
    torch.testing.assert_close(
        inputs["mask_weight"],
        torch.tensor([0.2, 0.6, 0.4, 0.3, 0.1, 0.4, 0.3, 0.5]),
    )
    assert answer["target"].tolist() == [5 - row for row in rows]
    assert answer["weight"].tolist() == [2.0, 1.0, 0.5, 0.0, 1.0, 0.0, 0.0, 3.0]


def test_floats_are_float32_and_the_table_is_not_touched(conversations, dataset):
    before = conversations.features.copy()
    inputs, answer = dataset.batch(np.arange(2))
    for values in (inputs["features"], inputs["mask_weight"], answer["weight"]):
        assert values.dtype == torch.float32
    inputs["features"].zero_()
    np.testing.assert_array_equal(conversations.features, before)


def test_memory_mapped_tables_are_read_without_a_warning():
    block = np.ones((3, 2), np.float32)
    block.setflags(write=False)
    conversations = read_conversations(BaseEstimator(), block, reset=True)
    DialogueDataset(conversations, conversations.sequences()).batch(np.arange(3))


def test_every_weight_counts_once(dataset):
    weights = [answer["weight"].sum() for _, answer in DialogueLoader(dataset, 2)]
    assert sum(weights).item() == dataset.weight.sum()


def test_an_item_is_a_dialogue_with_its_copies(dataset):
    assert len(dataset) == 2
    inputs, _ = dataset[0]
    assert inputs["features"][:, 0].tolist() == [6.0, 4.0, 0.0, 6.0, 4.0, 8.0]


def test_isolated_synthetic_utterances_come_with_their_source_too(conversations):
    alone = np.where(conversations.role == 3, 7, conversations.dialogue)
    dataset = DialogueDataset(
        replace(conversations, dialogue=alone),
        replace(conversations, dialogue=alone).sequences(),
    )
    inputs, _ = dataset[0]
    assert inputs["features"][:, 0].tolist() == [6.0, 4.0, 0.0, 8.0]


class TestLoader:
    @staticmethod
    def orders(n_passes, batch_size=3, **settings):
        table = read_conversations(BaseEstimator(), np.c_[0:20.0], reset=True)
        dataset = DialogueDataset(table, table.sequences())
        loader = DialogueLoader(dataset, batch_size, **settings)
        passes = [list(loader) for _ in range(n_passes)]
        assert {len(batches) for batches in passes} == {len(loader)}
        return [
            torch.cat([inputs["features"][:, 0] for inputs, _ in batches]).tolist()
            for batches in passes
        ]

    def test_each_pass_has_an_order_of_its_own_and_each_run_the_same(self):
        first, second = self.orders(2, shuffle=True, seed=3)
        assert first != second
        assert sorted(first) == sorted(second) == list(range(20))
        assert [first, second] == self.orders(2, shuffle=True, seed=3)
        assert first != self.orders(1, shuffle=True, seed=4)[0]
        assert [second] == self.orders(1, shuffle=True, seed=3, passed=1)

    def test_without_shuffling_the_order_is_that_of_the_table(self):
        assert self.orders(1) == [list(range(20))]

    @pytest.mark.parametrize(("size", "n_batches"), [(1, 20), (3, 7), (20, 1), (50, 1)])
    def test_number_of_batches(self, size, n_batches):
        table = read_conversations(BaseEstimator(), np.c_[0:20.0], reset=True)
        loader = DialogueLoader(DialogueDataset(table, table.sequences()), size)
        assert len(loader) == len(list(loader)) == n_batches

    def test_global_generators_are_untouched(self, global_state_untouched):
        with global_state_untouched():
            self.orders(2, shuffle=True)


class Echo(torch.nn.Module):
    def forward(self, features, sequence, speaker):
        return SimpleNamespace(same=features, mode=features * 0 + self.training)


class TestInfer:
    net = SimpleNamespace(module_=Echo(), batch_size=2, device="cpu")

    def test_answers_come_in_the_callers_order(self, conversations):
        dataset = DialogueDataset(conversations, conversations.sequences())
        found = infer(self.net, dataset, "same")
        np.testing.assert_array_equal(found, conversations.features)

    def test_the_module_answers_in_evaluation_and_goes_back(self, conversations):
        dataset = DialogueDataset(conversations, conversations.sequences())
        for training in (True, False):
            self.net.module_.train(training)
            assert not infer(self.net, dataset, "mode").any()
            assert self.net.module_.training == training

    def test_rows_that_no_sequence_owns_are_0(self, conversations):
        some = conversations.sequences().take(np.array([2]))
        found = infer(self.net, DialogueDataset(conversations, some), "same")
        np.testing.assert_array_equal(found[4], conversations.features[4])
        assert not found[[0, 1, 2, 3, 5]].any()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_portions_are_successive_dialogues_of_about_so_many_utterances(size):
    lengths = np.array([2, 1, 4, 1, 1, 7, 3])
    X = make_frame(
        {"text": np.zeros((lengths.sum(), 1))},
        dialogue=np.repeat(list("abcdefg"), lengths),
    )
    table = read_conversations(BaseEstimator(), X, reset=True)
    dataset = DialogueDataset(table, table.sequences())
    portions = list(dataset.portions(size))
    assert np.concatenate(portions).tolist() == list(range(7))
    held = [lengths[portion].sum() for portion in portions]
    assert all(n < size + lengths.max() for n in held)
    # No two neighbours would go together.
    assert all(a + b > size for a, b in itertools.pairwise(held))
