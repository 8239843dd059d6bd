"""Comparisons of the distributions of real and synthetic features."""

import numpy as np
from sklearn.utils import gen_batches

from skmerc._utils.compat import validate_params
from skmerc._utils.types import Table
from skmerc.metrics._tables import TABLES, check_rows, check_tables


@validate_params(TABLES, prefer_skip_nested_validation=True)
def feature_distance(real: Table, synthetic: Table) -> np.ndarray:
    """Two-sample Kolmogorov-Smirnov statistic of every feature.

    It is the largest vertical distance between the two empirical distribution
    functions: 0 where they agree, 1 where their ranges do not overlap. It is
    blind to how features hang together; see :func:`correlation_gap`.

    Parameters
    ----------
    real : array-like of shape (n_real, n_features)
        Real rows, without NaN. Key columns of a frame are dropped.
    synthetic : array-like of shape (n_synthetic, n_features)
        Synthetic rows, in the same form.

    Returns
    -------
    ndarray of shape (n_features,)
        Between 0 and 1. Two samples of one distribution differ by about
        ``0.87 * sqrt(1 / n_real + 1 / n_synthetic)`` by chance [1]_.

    References
    ----------
    .. [1] Smirnov, N. (1948). "Table for estimating the goodness of fit of
       empirical distributions". Annals of Mathematical Statistics 19(2).

    Examples
    --------
    >>> from skmerc.metrics import feature_distance
    >>> real = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]
    >>> synthetic = [[0.0, 8.0], [1.0, 8.0], [2.0, 9.0], [9.0, 9.0]]
    >>> feature_distance(real, synthetic)
    array([0.25, 1.  ])
    """
    real, synthetic = check_tables(real, synthetic)
    # Blocks of features bound the memory that the sorted copies take.
    blocks = gen_batches(real.shape[1], 64)
    return np.concatenate([_ks_statistic(real[:, b], synthetic[:, b]) for b in blocks])


@validate_params(TABLES, prefer_skip_nested_validation=True)
def correlation_gap(real: Table, synthetic: Table) -> float:
    """Mean absolute difference between the two correlation matrices.

    Parameters
    ----------
    real : array-like of shape (n_real, n_features)
        Real rows, without NaN. Key columns of a frame are dropped.
    synthetic : array-like of shape (n_synthetic, n_features)
        Synthetic rows, in the same form.

    Returns
    -------
    float
        Mean over all pairs of different features, between 0 and 2; 0 where
        there is one feature only. A feature that is constant in a table
        correlates with nothing there (0), so that a feature which only the
        generator holds constant costs what it misses.

    Examples
    --------
    >>> from skmerc.metrics import correlation_gap
    >>> rising, falling = [[0.0, 0.0], [1.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]
    >>> round(correlation_gap(rising, falling), 6)
    2.0
    """
    real, synthetic = check_tables(real, synthetic)
    n_pairs = real.shape[1] * (real.shape[1] - 1)
    gap = np.abs(_correlation(real) - _correlation(synthetic))
    return float(gap.sum() / max(n_pairs, 1))


@validate_params(TABLES, prefer_skip_nested_validation=True)
def frechet_distance(real: Table, synthetic: Table) -> float:
    r"""Fréchet distance between Gaussian fits of the two tables.

    .. math:: \|\mu_r - \mu_s\|^2
        + \operatorname{tr}\bigl(C_r + C_s - 2 (C_r C_s)^{1/2}\bigr)

    Parameters
    ----------
    real : array-like of shape (n_real, n_features)
        Real rows, at least two, without NaN. Key columns of a frame are
        dropped.
    synthetic : array-like of shape (n_synthetic, n_features)
        Synthetic rows, in the same form.

    Returns
    -------
    float
        At least 0, in squared units of the features: standardise them first
        where their units differ. This is the squared Wasserstein distance of
        the fits [1]_, on images known as FID [2]_.

    Raises
    ------
    ValueError
        If a table has fewer than two rows.

    Notes
    -----
    With centred rows A and B, scaled so that ``A.T @ A`` and ``B.T @ B`` are
    the covariances, the trace of the root is the sum of the singular values
    of ``A @ B.T``. This needs no matrix root, and is exact for fewer rows
    than features. The estimate is biased upwards for small tables, so compare
    only values taken at equal numbers of rows.

    References
    ----------
    .. [1] Dowson, D. C. and Landau, B. V. (1982). "The Fréchet distance
       between multivariate normal distributions". Journal of Multivariate
       Analysis 12(3).
    .. [2] Heusel, M. et al. (2017). "GANs trained by a two time-scale update
       rule converge to a local Nash equilibrium". NeurIPS.

    Examples
    --------
    >>> from skmerc.metrics import frechet_distance
    >>> frechet_distance([[-1.0], [0.0], [1.0]], [[0.0], [3.0], [6.0]])  # 9 + (3-1)**2
    13.0
    """
    real, synthetic = check_tables(real, synthetic)
    check_rows(real, synthetic, 2, "a covariance")
    roots = _covariance_root(real), _covariance_root(synthetic)
    cross = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    shift = real.mean(axis=0) - synthetic.mean(axis=0)
    distance = shift @ shift + sum((r**2).sum() for r in roots) - 2 * cross
    return max(float(distance), 0.0)


def _ks_statistic(real, synthetic):
    n, m = len(real), len(synthetic)
    values = np.concatenate([real, synthetic])
    order = np.argsort(values, axis=0)
    values = np.take_along_axis(values, order, axis=0)
    # Whole steps, m up and n down, keep the difference exact where it is 0.
    gap = np.abs(np.cumsum(np.where(order < n, m, -n), axis=0))
    gap[:-1][values[1:] == values[:-1]] = 0
    return gap.max(axis=0) / (n * m)


def _correlation(X):
    # Round-off leaves a constant column with a tiny spread that would pass for one.
    constant = (X == X[0]).all(axis=0)
    Z = np.where(constant, 0.0, X - X.mean(axis=0))
    norm = np.linalg.norm(Z, axis=0)
    Z /= np.where(norm > 0, norm, 1.0)
    correlation = Z.T @ Z
    np.fill_diagonal(correlation, 0.0)
    return correlation


def _covariance_root(X):
    centred = (X - X.mean(axis=0)) / np.sqrt(len(X) - 1)
    return np.linalg.qr(centred, mode="r") if len(X) > X.shape[1] else centred
