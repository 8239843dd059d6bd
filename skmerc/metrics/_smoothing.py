"""How alike the representations of the utterances of a dialogue have become."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.preprocessing import normalize
from sklearn.utils import check_array, check_consistent_length

from skmerc._utils.compat import validate_params
from skmerc._utils.types import Table
from skmerc.frame import drop_keys
from skmerc.frame._per_row import read_groups


@validate_params(
    {"embedding": ["array-like"], "groups": ["array-like", None]},
    prefer_skip_nested_validation=True,
)
def mean_average_distance(embedding: Table, groups: ArrayLike | None = None) -> float:
    r"""Mean cosine distance of an utterance to the others: low if over-smoothed.

    Every layer of a graph network moves the utterances of a dialogue towards each
    other. With :math:`D_{ij} = 1 - \cos(h_i, h_j)` and :math:`m_i` rows in the group
    of row i, the measure (MAD of Chen et al. [1]_) is

    .. math:: \frac1n \sum_i \frac{1}{m_i - 1} \sum_{j \ne i} D_{ij}

    Parameters
    ----------
    embedding : array-like of shape (n_samples, n_features)
        Representations, without NaN. Key columns of a frame are dropped.
    groups : array-like of shape (n_samples,), default=None
        Dialogue of each row, in any order; distances are taken inside a dialogue,
        and rows alone in theirs are left out. One group by default.

    Returns
    -------
    float
        Between 0, where all vectors of a group point the same way, and 2; near 1
        for random directions.

    Raises
    ------
    ValueError
        If no group has two rows, or if `groups` has another length or gaps.

    Notes
    -----
    A zero vector has no direction; its distance to any row is 1, as in
    :func:`sklearn.metrics.pairwise.cosine_distances`. The formula of [1]_ divides by
    the number of distances above 0 only; here equal vectors count with theirs.

    Time and memory grow with the rows and not with their pairs, since the mean
    distance in a group is the variance of its vectors after scaling to length 1.

    References
    ----------
    .. [1] Chen, D. et al. (2020). "Measuring and relieving the over-smoothing problem
       for graph neural networks from the topological view". AAAI.

    Examples
    --------
    >>> from skmerc.metrics import mean_average_distance
    >>> embedding = [[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [1.0, 0.0]]
    >>> mean_average_distance(embedding)
    0.5
    >>> mean_average_distance(embedding, groups=["a", "a", "b", "b"])
    0.5
    """
    embedding = check_array(
        drop_keys(embedding), dtype=np.float64, input_name="embedding"
    )
    groups = np.zeros(len(embedding)) if groups is None else read_groups(groups)
    check_consistent_length(embedding, groups)
    _, group, size = np.unique(groups, return_inverse=True, return_counts=True)
    if size.max() < 2:
        raise ValueError(
            f"No group of the {len(size)} has two rows, between which there would be a "
            "distance: give at least two rows of one."
        )
    return float(_distances(embedding, group, size)[size[group] > 1].mean())


def _distances(embedding, group, size):
    """Numbers whose sum over a group is that of the mean distances of its rows."""
    unit = normalize(embedding)
    centre = np.zeros((len(size), unit.shape[1]))
    np.add.at(centre, group, unit)
    centre /= size[:, None]
    deviation = ((unit - centre[group]) ** 2).sum(axis=1)
    # The deviations give zero vectors half the distance to others and none to
    # each other.
    return deviation * (size / np.maximum(size - 1, 1))[group] + ~unit.any(axis=1)
