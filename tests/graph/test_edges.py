"""Window edges and relations, against edges found one by one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skmerc.graph import N_RELATIONS, speaker_relations, window_edges

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=5)
WINDOW = st.one_of(st.none(), st.integers(-1, 10))


def one_by_one(lengths, past, future):
    edges, start = [], 0
    for n in lengths:
        for target in range(n):
            for source in range(n):
                near = past in (None, -1) or target - source <= past
                near &= future in (None, -1) or source - target <= future
                if near:
                    edges.append((start + source, start + target))
        start += n
    return edges


@quick
@given(LENGTHS, WINDOW, WINDOW)
def test_edges_are_those_found_one_by_one_and_in_that_order(lengths, past, future):
    edges = window_edges(torch.tensor(lengths), past, future)
    assert list(map(tuple, edges.T.tolist())) == one_by_one(lengths, past, future)


@quick
@given(st.integers(1, 40), st.integers(0, 45))
def test_number_of_edges(n, w):
    expected = n + 2 * sum(n - d for d in range(1, min(w, n - 1) + 1))
    assert window_edges(torch.tensor([n]), w, w).shape == (2, expected)
    assert window_edges(torch.tensor([n]), -1, -1).shape == (2, n * n)


@quick
@given(LENGTHS, WINDOW, WINDOW)
def test_no_edge_crosses_dialogues(lengths, past, future):
    dialogue = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    source, target = window_edges(torch.tensor(lengths), past, future)
    assert torch.equal(dialogue[source], dialogue[target])


def test_relations_by_hand():
    edges = window_edges(torch.tensor([3]))
    found = speaker_relations(edges, torch.tensor([5, 2, 5]))
    assert found.view(3, 3).tolist() == [
        [4, 3, 1],  # to the first: itself, another's future, the own future
        [2, 4, 3],
        [0, 2, 4],
    ]


@quick
@given(LENGTHS, st.data())
def test_relations_follow_the_definition_and_not_the_names(lengths, data):
    n = sum(lengths)
    speaker = torch.tensor(
        data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    )
    renamed = torch.tensor(data.draw(st.permutations(range(4))))[speaker]
    edges = window_edges(torch.tensor(lengths))
    relations = speaker_relations(edges, speaker)
    assert torch.equal(relations, speaker_relations(edges, renamed))
    assert relations.max() < N_RELATIONS
    for (source, target), relation in zip(
        edges.T.tolist(), relations.tolist(), strict=True
    ):
        same = speaker[source] == speaker[target]
        past = source < target
        names = {(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}
        assert relation == (4 if source == target else names[bool(same), past])


@pytest.mark.parametrize("past", [0, 2])
def test_there_is_always_the_utterance_itself(past):
    source, target = window_edges(torch.tensor([4, 1]), past, 0)
    assert sorted(source[source == target].tolist()) == [0, 1, 2, 3, 4]
    assert (source <= target).all()
