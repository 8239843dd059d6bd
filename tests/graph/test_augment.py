"""Augmentations keep to what they promise, dialogue by dialogue."""

from contextlib import contextmanager

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from systems import mostly_slow

from skmerc.graph import (
    add_distant_edges,
    distant_pairs,
    mask_features,
    perturb_edges,
    speaker_relations,
    window_edges,
)

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=5).map(torch.tensor)
WINDOW = st.integers(0, 12)
RATE = st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0])


@contextmanager
def seeded(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def pairs(edges):
    return list(map(tuple, edges.T.tolist()))


def of_each_dialogue(edges, lengths):
    """Set of the edges of each dialogue, without self-loops; none may cross."""
    found = [set() for _ in lengths]
    dialogue = torch.arange(len(lengths)).repeat_interleave(lengths).tolist()
    for source, target in pairs(edges):
        assert dialogue[source] == dialogue[target]
        if source != target:
            found[dialogue[target]].add((source, target))
    return found


def assert_ordered_and_distinct(edges):
    by_target = [(target, source) for source, target in pairs(edges)]
    assert by_target == sorted(set(by_target))


def loops(edges):
    return edges[0, edges[0] == edges[1]].tolist()


def augmentations(edges, lengths):
    candidates = distant_pairs(edges, lengths)
    yield lambda: perturb_edges(edges, lengths, 0.5)
    yield lambda: perturb_edges(edges, lengths, 0.5, backward_only=True)
    yield lambda: add_distant_edges(edges, lengths, candidates, 0.2)
    x = torch.ones(len(edges), 8)
    yield lambda: mask_features(x, 0.5)


@pytest.mark.parametrize(("width", "rate"), [(10, 0.2), (7, 0.5), (5, 0), (5, 1)])
def test_the_same_features_of_all_utterances_are_masked(width, rate):
    x = torch.arange(1.0, 3 * width + 1).view(3, width).requires_grad_()
    with seeded(0):
        masked = mask_features(x, rate)
    hidden = (masked == 0).all(0)
    assert hidden.sum() == round(rate * width)
    assert torch.equal(masked[:, ~hidden], x[:, ~hidden])
    masked.sum().backward()
    assert torch.equal(x.grad, (~hidden).float().expand(3, width))


def test_masks_differ_from_call_to_call():
    with seeded(0):
        masks = torch.stack([mask_features(torch.ones(1, 10), 0.2) for _ in range(300)])
    share = (masks == 0).float().mean((0, 1))
    torch.testing.assert_close(share, torch.full((10,), 0.2), atol=0.1, rtol=0)


def test_inputs_stay_as_they_were_and_seeds_decide():
    lengths = torch.tensor([9, 1, 5])
    edges = window_edges(lengths, 2, 2)
    before = edges.clone(), lengths.clone()
    for augment in augmentations(edges, lengths):
        results = []
        for seed in (0, 0, 1):
            with seeded(seed):
                results.append(augment())
        assert torch.equal(results[0], results[1])
        assert not torch.equal(results[0], results[2])
    assert torch.equal(edges, before[0])
    assert torch.equal(lengths, before[1])


@pytest.mark.slow
@quick
@given(LENGTHS, WINDOW, WINDOW, RATE, st.integers(0, 99))
def test_perturbation_replaces_a_share_of_each_dialogue(
    lengths, past, future, rate, seed
):
    edges = window_edges(lengths, past, future)
    with seeded(seed):
        perturbed = perturb_edges(edges, lengths, rate)
    assert loops(perturbed) == loops(edges)
    assert_ordered_and_distinct(perturbed)
    before, after = (of_each_dialogue(e, lengths) for e in (edges, perturbed))
    for n, old, new in zip(lengths.tolist(), before, after, strict=True):
        count = round(rate * len(old))
        assert len(old - new) == count
        assert len(new - old) == min(count, n * (n - 1) - len(old))


@quick
@given(LENGTHS, WINDOW, RATE, st.integers(0, 99))
def test_perturbation_can_keep_the_future_out(lengths, past, rate, seed):
    edges = window_edges(lengths, past, 0)
    with seeded(seed):
        perturbed = perturb_edges(edges, lengths, rate, backward_only=True)
    assert perturbed.shape[1] <= edges.shape[1]
    assert (perturbed[0] <= perturbed[1]).all()
    assert_ordered_and_distinct(perturbed)


def test_backward_only_concerns_the_edges_added():
    lengths = torch.tensor([30, 20])
    edges = window_edges(lengths, 2, 2)
    with seeded(0):
        perturbed = perturb_edges(edges, lengths, 0.3, backward_only=True)
    assert perturbed.shape == edges.shape
    added = set(pairs(perturbed)) - set(pairs(edges))
    assert len(added) > 30
    assert all(source < target for source, target in added)
    assert (perturbed[0] > perturbed[1]).sum() > 30


def test_where_too_few_pairs_are_free_all_are_added():
    lengths = torch.tensor([5, 3])
    edges = window_edges(lengths, 2, 2)  # of 20 pairs 14, and all 6
    with seeded(0):
        perturbed = perturb_edges(edges, lengths, 1.0)
    first, second = of_each_dialogue(perturbed, lengths)
    assert len(first) == 20 - 14
    assert len(second) == 0


@pytest.mark.parametrize(("window", "rate"), [(1, 1 / 3), (1, 1), (2, 0.5)])
def test_every_edge_and_every_free_pair_has_the_same_chance(window, rate):
    n_copies = 3000
    lengths = torch.full((n_copies,), 4)
    edges = window_edges(lengths, window, window)
    with seeded(0):
        source, target = perturb_edges(edges, lengths, rate)
    share = torch.bincount(4 * (source % 4) + target % 4, minlength=16) / n_copies
    n_edges = edges.shape[1] / n_copies - 4
    come = min(rate * n_edges / (12 - n_edges), 1)
    distance = (torch.arange(4)[:, None] - torch.arange(4)).abs()
    expected = torch.where(distance <= window, 1 - rate, come)
    expected.fill_diagonal_(1)
    torch.testing.assert_close(share.view(4, 4), expected, atol=0.04, rtol=0)


@pytest.mark.parametrize("backward_only", mostly_slow([False, True]))
def test_counts_are_exact_in_dialogues_of_20000(backward_only):
    lengths = torch.tensor([20000, 3, 20000])
    edges = window_edges(lengths, 1, 1)
    with seeded(0):
        perturbed = perturb_edges(edges, lengths, 0.2, backward_only=backward_only)
    assert perturbed.shape == edges.shape
    assert perturbed.unique(dim=1).shape == edges.shape
    dialogue = torch.arange(3).repeat_interleave(lengths)
    assert torch.equal(dialogue[perturbed[0]], dialogue[perturbed[1]])
    distance = (perturbed[0] - perturbed[1]).abs()
    assert (distance > 1).sum() > 0.199 * (len(edges[0]) - len(dialogue))
    assert 6000 < distance[distance > 1].double().mean() < 7333  # a third of 20000


def test_relations_are_those_of_the_edges_that_came():
    lengths = torch.tensor([9, 6])
    speaker = torch.arange(15) % 2
    edges = window_edges(lengths, 2, 2)
    old = speaker_relations(edges, speaker)
    with seeded(0):
        perturbed = perturb_edges(edges, lengths, 0.5)
    new = speaker_relations(perturbed, speaker)
    assert not torch.equal(new, old)  # the list of the old edges would be wrong
    everything = window_edges(torch.tensor([15]), -1, -1)
    relation = speaker_relations(everything, speaker).view(15, 15)
    assert torch.equal(new, relation[perturbed[1], perturbed[0]])


@pytest.mark.slow
@quick
@given(LENGTHS, st.integers(0, 3), RATE, st.integers(0, 99))
def test_distant_edges_come_on_top(lengths, window, rate, seed):
    edges = window_edges(lengths, window, window)
    candidates = distant_pairs(edges, lengths)
    with seeded(seed):
        extended = add_distant_edges(edges, lengths, candidates, rate)
    assert loops(extended) == loops(edges)
    assert_ordered_and_distinct(extended)
    sets = (of_each_dialogue(e, lengths) for e in (edges, candidates, extended))
    for old, eligible, new in zip(*sets, strict=True):
        assert old <= new
        assert new - old <= eligible
        assert len(new - old) == min(round(rate * len(old)), len(eligible))
