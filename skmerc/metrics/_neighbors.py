"""Comparisons of real and synthetic rows by their nearest neighbours."""

import numpy as np
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import Bunch

from skmerc._utils.compat import validate_params
from skmerc._utils.types import Table
from skmerc.metrics._tables import COUNT, FRACTION, TABLES, check_rows, check_tables


@validate_params({**TABLES, "k": COUNT}, prefer_skip_nested_validation=True)
def precision_recall_density_coverage(
    real: Table, synthetic: Table, *, k: int = 5
) -> Bunch:
    """Quality and variety of synthetic rows, measured with k-nearest-neighbour balls.

    Every row carries a ball that reaches to its k-th neighbour in its own
    table. Precision and density ask whether synthetic rows are plausible,
    recall and coverage whether they are as varied as the real ones.

    Parameters
    ----------
    real : array-like of shape (n_real, n_features)
        Real rows, more than `k`, without NaN. Key columns of a frame are
        dropped. Distances are Euclidean: standardise features whose units
        differ.
    synthetic : array-like of shape (n_synthetic, n_features)
        Synthetic rows, in the same form.
    k : int, default=5
        Neighbour that sets the radius; 5 as in [2]_.

    Returns
    -------
    Bunch
        A dict with attributes:

        - ``precision``: share of synthetic rows inside some real ball [1]_;
        - ``recall``: share of real rows inside some synthetic ball [1]_;
        - ``density``: mean number of real balls around a synthetic row,
          divided by k; about 1 for equal distributions, and above 1 where
          synthetic rows crowd where real ones do [2]_;
        - ``coverage``: share of real balls with a synthetic row inside [2]_.
          About ``1 - 2**-k`` for equal distributions and equally many rows.

    Raises
    ------
    ValueError
        If a table has no more than `k` rows.

    Notes
    -----
    An outlier among the real rows has a wide ball, which lifts precision;
    density and coverage were proposed because they resist it. Distances are
    computed in blocks within scikit-learn's ``working_memory``.

    References
    ----------
    .. [1] Kynkäänniemi, T. et al. (2019). "Improved precision and recall
       metric for assessing generative models". NeurIPS.
    .. [2] Naeem, M. F. et al. (2020). "Reliable fidelity and diversity
       metrics for generative models". ICML.

    Examples
    --------
    >>> from skmerc.metrics import precision_recall_density_coverage
    >>> real = [[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]]
    >>> one_mode = [[0.5], [1.5]]
    >>> precision_recall_density_coverage(real, one_mode, k=1)
    {'precision': 1.0, 'recall': 0.5, 'density': 2.0, 'coverage': 0.5}
    """
    real, synthetic = check_tables(real, synthetic)
    check_rows(real, synthetic, k + 1, f"k={k}: give a smaller k")
    real, synthetic = _centre(real, synthetic)
    real_radius = _radius(real, k)
    around = _count_balls(synthetic, real, real_radius)
    _, to_synthetic = _to_nearest(real, synthetic)
    return Bunch(
        precision=float((around > 0).mean()),
        recall=float((_count_balls(real, synthetic, _radius(synthetic, k)) > 0).mean()),
        density=float(around.mean() / k),
        coverage=float((to_synthetic <= real_radius).mean()),
    )


@validate_params({**TABLES, "fraction": FRACTION}, prefer_skip_nested_validation=True)
def copy_rate(real: Table, synthetic: Table, *, fraction: float = 0.1) -> float:
    """Share of synthetic rows that (almost) repeat a real row.

    A synthetic row is a copy if its distance to the nearest real row is at
    most `fraction` of the distance of that real row to its own nearest
    neighbour. The real rows thus set the scale, place by place: where they
    are sparse, a row must be nearer to one of them than they are to each
    other by the same factor. Exact repetitions always count.

    Parameters
    ----------
    real : array-like of shape (n_real, n_features)
        Real rows, at least two, without NaN: those that the generator was
        trained on. Key columns of a frame are dropped. Distances are
        Euclidean: standardise features whose units differ.
    synthetic : array-like of shape (n_synthetic, n_features)
        Synthetic rows, in the same form.
    fraction : float, default=0.1
        Between 0 (exact repetitions only) and 1.

    Returns
    -------
    float
        Between 0 and 1. Fresh rows of the same distribution fall this close
        to a real row with a probability of about
        ``fraction**n_features`` at most: nothing in high dimension, a tenth
        with one feature. Compare with the rate of held-out real rows.

    Raises
    ------
    ValueError
        If `real` has fewer than two rows.

    Notes
    -----
    A test of data copying on the same idea, with held-out rows as the
    yardstick, is in [1]_.

    References
    ----------
    .. [1] Meehan, C., Chaudhuri, K. and Dasgupta, S. (2020). "A
       non-parametric test to detect data-copying in generative models".
       AISTATS.

    Examples
    --------
    >>> from skmerc.metrics import copy_rate
    >>> real = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    >>> copy_rate(real, [[1.0, 0.0], [0.0, 0.05], [0.5, 0.5], [3.0, 3.0]])
    0.5
    """
    real, synthetic = check_tables(real, synthetic)
    if len(real) < 2:
        raise ValueError(
            "real has 1 row, whose nearest neighbour is needed as a yardstick: give "
            "at least 2."
        )
    real, synthetic = _centre(real, synthetic)
    nearest, distance = _to_nearest(synthetic, real)
    return float((distance <= fraction * _spacing(real)[nearest]).mean())


def nearest_rows(rows, table):
    """Find the nearest row of a table for each row, the first of several as near."""
    return _to_nearest(rows, table)[0]


def _centre(real, synthetic):
    # Euclidean distances by matrix products lose digits far from the origin, to which
    # one row that lies far away would bring all the others from a mean.
    centre = np.median(real, axis=0)
    return real - centre, synthetic - centre


def _to_nearest(rows, table):
    """Find the first nearest row of a table for each row, and the smallest distance.

    Matrix products are fast and lose digits, and each processor rounds them in its own
    way. So they tell which rows come into question, of which the distances are computed
    once more, from differences: that of equal rows is 0 exactly.
    """

    def look_closer(D, start):
        block = rows[start : start + len(D)]
        norm = np.linalg.norm(block, axis=1)
        reach = np.hypot(D.min(axis=1) * (1 + 1e-6), 1e-6 * norm)
        found = [
            _first(row, table, np.flatnonzero(distance <= limit))
            for row, distance, limit in zip(block, D, reach, strict=True)
        ]
        nearest, distance = zip(*found, strict=True)
        return np.array(nearest), np.array(distance)

    chunks = pairwise_distances_chunked(rows, table, reduce_func=look_closer)
    nearest, distance = zip(*chunks, strict=True)
    return np.concatenate(nearest), np.concatenate(distance)


def _first(row, table, candidates):
    """First of the candidates that are nearest to a row, and the smallest distance."""
    difference = np.subtract(table[candidates], row, dtype=np.float64)
    distance = np.linalg.norm(difference, axis=1)
    smallest = distance.min()
    # As near is what the rounding of the rows themselves would make as near.
    rounding = 32 * np.finfo(np.float64).eps * (smallest + np.linalg.norm(row))
    return candidates[(distance <= smallest + rounding).argmax()], smallest


def _spacing(table, k=1):
    """Distance of each row to its k-th neighbour."""
    neighbors = NearestNeighbors(n_neighbors=k).fit(table)
    nearest = neighbors.kneighbors(return_distance=False)[:, -1]
    return np.linalg.norm(table - table[nearest], axis=1)


def _radius(table, k):
    # A row on the rim is inside, whatever round-off says.
    return _spacing(table, k) * (1 + 1e-9) + 1e-7 * np.linalg.norm(table, axis=1)


def _count_balls(rows, centres, radius):
    chunks = pairwise_distances_chunked(
        rows, centres, reduce_func=lambda D, start: (D <= radius).sum(axis=1)
    )
    return np.concatenate(list(chunks))
