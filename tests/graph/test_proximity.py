"""Katz scores against the dense inverse, and the pairs they choose."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from systems import mostly_slow

from skmerc.graph import distant_pairs, katz_scores, window_edges

quick = settings(deadline=None, max_examples=40, database=None, derandomize=True)


def random_graph(lengths, window, share, seed=0):
    """Keep a share of a window's edges, each in one direction or in both."""
    edges = window_edges(lengths, window, window)
    generator = torch.Generator().manual_seed(seed)
    return edges[:, torch.rand(edges.shape[1], generator=generator) < share]


def adjacency(edges, n):
    matrix = torch.zeros(n, n, dtype=torch.float64)
    matrix[edges[0], edges[1]] = matrix[edges[1], edges[0]] = 1
    return matrix.fill_diagonal_(0)


def inverse(edges, lengths, attenuation=0.9):
    """The definition, (I - b A)^-1 - I, one dialogue at a time."""
    whole = adjacency(edges, int(lengths.sum()))
    end, blocks = 0, []
    for n in lengths.tolist():
        block, end = whole[end : end + n, end : end + n], end + n
        damping = attenuation / torch.linalg.eigvalsh(block)[-1].clamp(min=0.5)
        unit = torch.eye(n, dtype=torch.float64)
        blocks.append(torch.linalg.inv(unit - damping * block) - unit)
    return torch.block_diag(*blocks)


def dense(scores):
    """Bands as a matrix; what stands beyond the first and last utterance is 0."""
    n, width = len(scores), scores.shape[1] // 2
    wide = scores.new_zeros(n, n + 2 * width)
    columns = torch.arange(n)[:, None] + torch.arange(2 * width + 1)
    wide.scatter_(1, columns, scores)
    assert wide[:, :width].count_nonzero() == 0
    assert wide[:, n + width :].count_nonzero() == 0
    return wide[:, width : n + width].double()


def chain(n):
    lengths = torch.tensor([n])
    return window_edges(lengths, 1, 1), lengths


def normalised(edges, lengths):
    """Scores of pairs without an edge, relative to the largest of their dialogue."""
    scores = inverse(edges, lengths)
    scores[adjacency(edges, len(scores)) > 0] = 0
    scores.fill_diagonal_(0)
    dialogue = torch.arange(len(lengths)).repeat_interleave(lengths)
    largest = torch.stack([scores[dialogue == d].max() for d in range(len(lengths))])
    return scores / largest.clamp(min=1e-9)[dialogue, None]


@quick
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=4).map(torch.tensor),
    st.integers(0, 12),
    st.sampled_from([0.3, 0.7, 1.0]),
    st.integers(0, 99),
)
def test_scores_are_the_inverse(lengths, window, share, seed):
    edges = random_graph(lengths, window, share, seed)
    found, expected = dense(katz_scores(edges, lengths)), inverse(edges, lengths)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("share", [0.4, 1.0])
@pytest.mark.parametrize("window", [1, 2, 6, 8, 199])
@pytest.mark.parametrize("n", [110, 200])
def test_scores_of_long_dialogues_are_the_inverse(n, window, share):
    lengths = torch.tensor([n, 3])
    edges = random_graph(lengths, window, share)
    scores = katz_scores(edges, lengths)
    assert scores.shape[1] <= 2 * n - 1
    torch.testing.assert_close(
        dense(scores), inverse(edges, lengths), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("tolerance", [0.1, 1e-2, 1e-4])
@pytest.mark.parametrize("window", [1, 8])
@pytest.mark.parametrize("attenuation", [0.5, 0.9, 0.97])
def test_no_more_is_left_out_than_tolerated(tolerance, window, attenuation):
    lengths = torch.tensor([40])
    edges = window_edges(lengths, window, window)
    found = dense(katz_scores(edges, lengths, attenuation, tolerance))
    left_out = inverse(edges, lengths, attenuation) - found
    assert -2e-5 < left_out.min()  # rounding
    assert left_out.max() < tolerance + 2e-5


def test_scores_fall_with_distance_on_a_chain():
    scores = dense(katz_scores(*chain(20)))
    torch.testing.assert_close(scores, scores.T, atol=1e-6, rtol=0)
    for i in range(20):
        assert (scores[i, i + 1 :].diff() < 0).all()
    orders = scores[10, 12:15] / scores.triu(2).max()
    expected = torch.tensor([1.0, 0.64, 0.41], dtype=torch.float64)
    torch.testing.assert_close(orders, expected, atol=0.005, rtol=0)


def test_what_no_walk_connects_scores_nothing():
    lengths = torch.tensor([6, 3, 1])
    edges, _ = chain(6)
    edges = edges[:, (edges[0] < 3) == (edges[1] < 3)]  # the middle edge is cut
    scores = dense(katz_scores(edges, lengths))
    assert (scores[:3, :3] > 0).all()
    assert (scores[3:6, 3:6] > 0).all()
    assert scores[:3, 3:].count_nonzero() == 0
    assert scores[6:].count_nonzero() == 0  # a dialogue without edges, and one alone


def test_loops_and_the_direction_of_edges_do_not_count():
    lengths = torch.tensor([7, 4])
    both = window_edges(lengths, 2, 2)
    backward = both[:, both[0] < both[1]]
    for find in (katz_scores, distant_pairs):
        assert torch.equal(find(backward, lengths), find(both, lengths))


def test_scores_do_not_depend_on_batch_mates():
    lengths = torch.tensor([40, 9, 120])
    together = dense(katz_scores(window_edges(lengths, 3, 3), lengths))
    for n, end in zip(lengths, lengths.cumsum(0), strict=True):
        alone = dense(katz_scores(window_edges(n[None], 3, 3), n[None]))
        found = together[end - n : end, end - n : end]
        torch.testing.assert_close(found, alone, atol=1e-6, rtol=0)


def test_bands_are_as_wide_as_walks_reach_in_a_long_dialogue():
    lengths = torch.tensor([3000])
    scores = katz_scores(window_edges(lengths, 6, 6), lengths)
    assert scores.shape[0] == 3000
    assert scores.shape[1] < 700
    assert (scores[:, 0] < 1e-3).all()


def test_nothing_reaches_a_tolerance_above_all_scores():
    lengths = torch.tensor([300])
    scores = katz_scores(window_edges(lengths, 1, 1), lengths, tolerance=20.0)
    assert scores.shape[0] == 300


@pytest.mark.parametrize("window", mostly_slow([1, 2]))
def test_a_dialogue_of_20000_turns_has_no_wider_bands(window):
    shapes = []
    for n in (2_000, 20_000):
        lengths = torch.tensor([n])
        shapes.append(katz_scores(window_edges(lengths, window, window), lengths).shape)
    assert shapes[1] == (20_000, shapes[0][1])
    assert shapes[0][1] < 300


@pytest.mark.slow
def test_walks_across_the_blocks_of_a_long_dialogue_count():
    lengths = torch.tensor([1300])
    for window in (1, 2):
        edges = random_graph(lengths, window, 0.9)
        found = dense(katz_scores(edges, lengths, tolerance=1e-4))
        expected = inverse(edges, lengths)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("tolerance", [0, -1, float("nan")])
def test_tolerance_is_positive(tolerance):
    with pytest.raises(ValueError, match="is not positive"):
        katz_scores(*chain(4), tolerance=tolerance)


@pytest.mark.parametrize("attenuation", [0, 1, -0.5])
def test_attenuation_keeps_the_series_finite(attenuation):
    for find in (katz_scores, distant_pairs):
        with pytest.raises(ValueError, match="is not between 0 and 1"):
            find(*chain(4), attenuation=attenuation)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
@pytest.mark.parametrize(("window", "share"), [(1, 1), (8, 1), (8, 0.5), (60, 0.3)])
def test_distant_pairs_are_those_of_the_inverse(window, share, threshold):
    lengths = torch.tensor([48, 1, 13, 2])
    edges = random_graph(lengths, window, share)
    score = normalised(edges, lengths)
    source, target = distant_pairs(edges, lengths, threshold)
    found = torch.zeros_like(score, dtype=torch.bool)
    found[target, source] = True
    clear = (score - threshold).abs() > 5e-3
    assert torch.equal(found[clear], (score >= threshold)[clear])
    assert found.any()
    assert torch.equal(found, found.T)
    # Ordered by target, then source, each pair once.
    assert torch.equal(torch.stack([source, target]), found.nonzero().T.flip(0))


@pytest.mark.parametrize("threshold", [0.5, 1.0])
def test_rounding_cannot_tell_pairs_of_equal_score(threshold):
    """A dialogue read from its end has the same pairs, whatever a kernel rounds."""
    n = 48
    pairs = distant_pairs(
        window_edges(torch.tensor([n]), 8, 8), torch.tensor([n]), threshold
    )
    mirrored = (n - 1 - pairs).T.tolist()
    assert sorted(mirrored) == sorted(pairs.T.tolist())


def test_how_many_pairs_the_paper_s_window_gives():
    lengths = torch.tensor([48])
    edges = window_edges(lengths, 8, 8)
    assert (edges[0] != edges[1]).sum() == 696
    assert distant_pairs(edges, lengths).shape == (2, 502)


@pytest.mark.parametrize(("attenuation", "orders"), [(0.9, [2, 3]), (0.5, [2])])
def test_orders_that_pass_on_a_chain(attenuation, orders):
    source, target = distant_pairs(*chain(20), attenuation=attenuation)
    assert (source - target).abs().unique().tolist() == orders


def test_where_all_are_adjacent_there_are_no_distant_pairs():
    lengths = torch.tensor([5, 1, 2])
    assert distant_pairs(window_edges(lengths), lengths).shape == (2, 0)
    nothing = torch.zeros(2, 0, dtype=torch.long)
    assert distant_pairs(nothing, lengths).shape == (2, 0)
