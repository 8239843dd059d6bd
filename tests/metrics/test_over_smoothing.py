import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_distances
from systems import mostly_slow

from skmerc.frame import make_frame
from skmerc.metrics import mean_average_distance


def _normal(n_rows, n_features=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, n_features))


def _brute_force(X, groups):
    """Mean over the rows of the mean distance to the others of their group."""
    of_rows = []
    for i, group in enumerate(groups):
        others = [j for j, other in enumerate(groups) if other == group and j != i]
        if others:
            of_rows.append(cosine_distances(X[[i]], X[others]).mean())
    return np.mean(of_rows)


@pytest.mark.parametrize(
    ("vectors", "expected"),
    [
        ([[3.0, 1.0]] * 5, 0),
        ([[3.0, 1.0], [6.0, 2.0]], 0),
        ([[1.0, 2.0], [-2.0, -4.0]], 2),
        (np.diag([1.0, 5.0, 0.1]), 1),
        ([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], 2 / 3),
    ],
    ids=["equal", "parallel", "opposite", "orthogonal", "one apart"],
)
def test_by_hand(vectors, expected):
    assert mean_average_distance(vectors) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("n_groups", mostly_slow([1, 3, 25]))
def test_it_equals_brute_force(n_groups):
    X = _normal(60) + 1
    X[[3, 4, 20, 40]] = 0
    groups = np.random.default_rng(1).integers(n_groups, size=60)
    expected = _brute_force(X, groups)
    assert mean_average_distance(X, groups) == pytest.approx(expected)


def test_zero_vectors_are_at_distance_1():
    assert mean_average_distance(np.zeros((3, 2))) == 1
    assert mean_average_distance([[0.0, 0.0], [1.0, 2.0]]) == pytest.approx(1)


def test_the_order_of_rows_and_the_names_of_groups_are_irrelevant():
    X, groups = _normal(60), np.arange(60) % 7
    order = np.random.default_rng(1).permutation(60)
    names = [f"dialogue {group}" for group in groups[order]]
    assert mean_average_distance(X[order], names) == pytest.approx(
        mean_average_distance(X, groups)
    )


def test_a_row_alone_in_its_group_is_left_out():
    X = _normal(6)
    expected = mean_average_distance(X[:5])
    assert mean_average_distance(X, [0] * 5 + [1]) == pytest.approx(expected)


def test_small_distances_keep_their_digits():
    X = np.ones((2, 2)) + np.array([[0, 0], [1e-9, -1e-9]])
    assert mean_average_distance(X) == pytest.approx(5e-19, rel=1e-6)


def test_smoothing_lowers_it():
    X = _normal(50)
    smooth = [mean_average_distance(X + k * X.mean(axis=0)) for k in (0, 10, 100, 1e4)]
    assert smooth == sorted(smooth, reverse=True)
    assert smooth[-1] < 1e-3


def test_key_columns_of_a_frame_are_no_features():
    X = _normal(6)
    frame = make_frame({"text": X}, dialogue=["a"] * 3 + ["b"] * 3)
    expected = mean_average_distance(X)
    assert mean_average_distance(frame) == pytest.approx(expected, rel=1e-6)


def test_memory_does_not_grow_with_the_pairs():
    # A matrix of all pairs would take 80 GB.
    assert mean_average_distance(_normal(100_000, 3)) == pytest.approx(1, abs=0.01)


def test_bad_input_is_refused():
    X = _normal(3)
    with pytest.raises(ValueError, match="No group of the 3 has two rows"):
        mean_average_distance(X, ["a", "b", "c"])
    with pytest.raises(ValueError, match="No group of the 1 has two rows"):
        mean_average_distance(X[:1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        mean_average_distance(X, [0, 0])
    with pytest.raises(ValueError, match="embedding contains NaN"):
        mean_average_distance(np.full((2, 2), np.nan))


def test_groups_with_gaps_are_refused():
    with pytest.raises(ValueError, match="groups is missing in 2 rows, first in row 2"):
        mean_average_distance(np.eye(4), ["a", "a", None, None])
