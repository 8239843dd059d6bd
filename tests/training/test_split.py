"""Dialogues held out inside fit."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from systems import mostly_slow

from skmerc._training import hold_out
from skmerc.frame import make_frame
from skmerc.frame._columns import SYNTHETIC, synthetic_id
from skmerc.frame._conversations import read_conversations


def table(n_dialogues=20, length=8, synthetic=()):
    """Dialogues, with synthetic rows appended: (source dialogue, number or None)."""
    ids = [str(i) for i in np.repeat(np.arange(n_dialogues), length)]
    turn = [*np.tile(np.arange(length), n_dialogues), *np.zeros(len(synthetic), int)]
    role = ["utterance"] * len(ids) + ["synthetic"] * len(synthetic)
    for source, number in synthetic:
        ids.append(str(source) if number is None else synthetic_id(source, number))
    block = {"text": np.zeros((len(ids), 1))}
    X = make_frame(block, dialogue=ids, turn=turn, role=role)
    return read_conversations(BaseEstimator(), X, reset=True)


def draw(conversations, target=None, rows=None, fraction=0.25, seed=0):
    n = len(conversations)
    target = np.zeros(n, int) if target is None else target
    rows = np.arange(n) if rows is None else rows
    rng = np.random.RandomState(seed)
    return hold_out(conversations, rows, target, fraction, rng)


@pytest.mark.parametrize("seed", range(5))
def test_whole_dialogues_are_held_out(seed):
    out = draw(table(), seed=seed).reshape(20, 8)
    assert (out.all(axis=1) == out.any(axis=1)).all()
    assert out.any(axis=1).sum() == 5


def test_a_seed_repeats_and_another_differs():
    np.testing.assert_array_equal(draw(table()), draw(table()))
    assert (draw(table(), seed=0) != draw(table(), seed=1)).any()


@pytest.mark.parametrize("seed", range(10))
def test_synthetic_rows_follow_their_source(seed):
    synthetic = [(i, None) for i in range(20)] + [(i, 7 * i) for i in range(20)]
    out = draw(table(synthetic=synthetic), seed=seed)
    dialogues = out[:160].reshape(20, 8).any(axis=1)
    assert dialogues.any()
    np.testing.assert_array_equal(out[160:180], dialogues)
    np.testing.assert_array_equal(out[180:], dialogues)


@pytest.mark.parametrize("seed", mostly_slow(range(20)))
def test_no_class_is_taken_away(seed):
    conversations = table()
    rng = np.random.default_rng(seed)
    target = np.zeros(160, int)
    # One class in a single dialogue, one in two, one wherever it falls.
    target[0] = 1
    target[[8, 16]] = 2
    target[rng.choice(np.arange(24, 160), 5)] = 3
    out = draw(conversations, target, fraction=0.6, seed=seed)
    assert set(target[~out]) == {0, 1, 2, 3}
    assert not out[0]
    assert out.any()


def test_a_class_that_lies_in_held_out_dialogues_alone_is_given_back():
    conversations = table()
    out = draw(conversations)
    target = np.where(out, 1, 0)
    assert not draw(conversations, target).any()


def test_labels_of_other_rows_do_not_count():
    conversations = table()
    out = draw(conversations)
    target = np.zeros(160, int)
    first = np.flatnonzero(out)[0]
    target[first] = 1
    rows = np.delete(np.arange(160), first)
    np.testing.assert_array_equal(draw(conversations, target, rows), out)


def test_dialogues_that_teach_nothing_are_not_drawn():
    rows = np.arange(80)
    out = draw(table(), rows=rows, fraction=0.4)
    assert out[:80].sum() == 4 * 8
    assert not out[80:].any()


@pytest.mark.parametrize(("n_dialogues", "held_out"), [(9, 0), (10, 1)])
def test_few_dialogues_are_all_needed(n_dialogues, held_out):
    out = draw(table(n_dialogues, length=30), fraction=0.1)
    assert out.sum() == 30 * held_out


@pytest.mark.parametrize(("length", "held_out"), [(29, 0), (30, 1)])
def test_a_score_over_few_utterances_is_not_worth_them(length, held_out):
    out = draw(table(10, length), fraction=0.1)
    assert out.sum() == length * held_out


def test_only_what_is_scored_counts_as_utterances():
    synthetic = [(i, None) for i in range(10)] * 2
    assert not draw(table(10, 29, synthetic), fraction=0.1).any()


def test_isolated_alternatives_are_no_dialogues_of_their_own():
    conversations = table(9, synthetic=[(i, 0) for i in range(9)])
    assert (conversations.role == SYNTHETIC).sum() == 9
    assert not draw(conversations, fraction=0.5).any()
