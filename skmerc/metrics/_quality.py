"""How well synthetic rows follow the distribution of real ones.

No single number tells it: a generator that copies the training rows has
perfect distances, and one that answers with a single good row has perfect
precision. Read the copy rate and the recall beside everything else.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import check_scoring
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmerc._utils.compat import HasMethods, validate_params
from skmerc._utils.types import RandomState, Table
from skmerc.metrics._distribution import (
    correlation_gap,
    feature_distance,
    frechet_distance,
)
from skmerc.metrics._neighbors import copy_rate, precision_recall_density_coverage
from skmerc.metrics._tables import (
    COUNT,
    FOLDS,
    FRACTION,
    TABLES,
    check_rows,
    check_tables,
)


@validate_params(
    {
        **TABLES,
        "estimator": [HasMethods(["fit", "predict"]), None],
        "cv": FOLDS,
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def two_sample_auc(
    real: Table,
    synthetic: Table,
    *,
    estimator: Any = None,
    cv: int = 5,
    random_state: RandomState = None,
) -> float:
    """Area under the ROC curve of telling synthetic rows from real ones.

    A classifier is trained to separate the two tables [1]_ and scored on rows
    that it has not seen.

    - 0.5: it does no better than guessing, so the tables look alike *to this
      classifier*. Logistic regression sees shifted means and nothing else;
      a wrong spread or shape escapes it, and a forest or a kernel machine as
      `estimator` asks for more.
    - 1.0: every synthetic row can be told from every real one.
    - Clearly below 0.5: the synthetic rows hang on this very sample of real
      ones. A row's twin, or a mean that is met too exactly, taught the
      classifier the wrong answer; look at :func:`copy_rate`.

    Parameters
    ----------
    real : array-like of shape (n_real, n_features)
        Real rows, without NaN. Key columns of a frame are dropped.
    synthetic : array-like of shape (n_synthetic, n_features)
        Synthetic rows, in the same form.
    estimator : classifier, default=None
        By default logistic regression on standardised features.
    cv : int, default=5
        Number of stratified folds, at most the rows of the smaller table.
    random_state : int, RandomState instance or None, default=None
        Deals the rows to the folds. It does not reach `estimator`.

    Returns
    -------
    float
        Mean over the folds.

    Raises
    ------
    ValueError
        If a table has fewer than `cv` rows.

    References
    ----------
    .. [1] Lopez-Paz, D. and Oquab, M. (2017). "Revisiting classifier
       two-sample tests". ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.metrics import two_sample_auc
    >>> rows = np.random.default_rng(0).normal(size=(200, 3))
    >>> two_sample_auc(rows[:100], rows[100:] + 9, random_state=0)
    1.0
    """
    real, synthetic = check_tables(real, synthetic)
    check_rows(real, synthetic, cv, f"cv={cv}: give fewer folds")
    if estimator is None:
        estimator = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    X = np.vstack([real, synthetic])
    y = np.repeat([0, 1], [len(real), len(synthetic)])
    folds = StratifiedKFold(cv, shuffle=True, random_state=random_state)
    scores = cross_val_score(
        estimator, X, y, cv=folds, scoring="roc_auc", error_score="raise"
    )
    return float(scores.mean())


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict"])],
        "X_synthetic": "no_validation",
        "y_synthetic": ["array-like"],
        "X_real": "no_validation",
        "y_real": ["array-like"],
        "scoring": [str, callable],
    },
    prefer_skip_nested_validation=True,
)
def train_on_synthetic_score(
    estimator: Any,
    X_synthetic: Table,
    y_synthetic: ArrayLike,
    X_real: Table,
    y_real: ArrayLike,
    *,
    scoring: str | Callable = "f1_macro",
) -> float:
    """Train on synthetic rows alone, test on real ones.

    What a recogniser can learn from the synthetic rows [1]_. Compare with the
    same estimator trained on as many real rows, and take test rows that the
    generator has not seen, or copying looks like skill.

    Parameters
    ----------
    estimator : estimator
        Cloned, then fitted on the synthetic rows.
    X_synthetic : {array-like, DataFrame} of shape (n_synthetic, n_features)
        Synthetic rows, given to the estimator as they are.
    y_synthetic : array-like of shape (n_synthetic,)
        Their labels. A class without any row here is never predicted there.
    X_real : {array-like, DataFrame} of shape (n_real, n_features)
        Real rows to test on.
    y_real : array-like of shape (n_real,)
        Their labels.
    scoring : str or callable, default="f1_macro"
        A scikit-learn scorer. Those of :mod:`skmerc.metrics` leave out
        context rows.

    Returns
    -------
    float
        Score of the fitted clone on the real rows.

    References
    ----------
    .. [1] Esteban, C., Hyland, S. L. and Rätsch, G. (2017). "Real-valued
       (medical) time series generation with recurrent conditional GANs".
       arXiv:1706.02633.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skmerc.metrics import train_on_synthetic_score
    >>> train_on_synthetic_score(
    ...     LogisticRegression(), [[-1.0], [1.0]], [0, 1], [[-2.0], [3.0]], [0, 1]
    ... )
    1.0
    """
    scorer = check_scoring(estimator, scoring=scoring)
    fitted = clone(estimator).fit(X_synthetic, y_synthetic)
    return float(scorer(fitted, X_real, y_real))


@validate_params(
    {
        **TABLES,
        "standardize": ["boolean"],
        "k": COUNT,
        "fraction": FRACTION,
        "cv": FOLDS,
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def sample_quality(
    real: Table,
    synthetic: Table,
    *,
    standardize: bool = True,
    k: int = 5,
    fraction: float = 0.1,
    cv: int = 5,
    random_state: RandomState = None,
) -> pd.Series:
    """All comparisons of two tables at once.

    Compare class by class: over all classes together, rows that carry the
    wrong emotion look real.

    Parameters
    ----------
    real : array-like of shape (n_real, n_features)
        Real rows, more than `k` and at least `cv`, without NaN. Key columns
        of a frame are dropped.
    synthetic : array-like of shape (n_synthetic, n_features)
        Synthetic rows, in the same form.
    standardize : bool, default=True
        Whether to scale both tables by the means and standard deviations of
        the real one, since the distances between rows mean little where the
        units of the features differ. Features that are constant in the real
        table, up to 1e-12 of the largest standard deviation, are centred
        only.
    k : int, default=5
        See :func:`precision_recall_density_coverage`.
    fraction : float, default=0.1
        See :func:`copy_rate`.
    cv : int, default=5
        See :func:`two_sample_auc`.
    random_state : int, RandomState instance or None, default=None
        See :func:`two_sample_auc`; nothing else is random.

    Returns
    -------
    Series
        ``feature_distance`` (mean over the features),
        ``feature_distance_max``, ``correlation_gap``, ``two_sample_auc``,
        ``frechet_distance``, ``precision``, ``recall``, ``density``,
        ``coverage`` and ``copy_rate``.

    See Also
    --------
    train_on_synthetic_score : What a classifier learns from synthetic rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.metrics import sample_quality
    >>> rows = np.random.default_rng(0).normal(size=(300, 4))
    >>> sample_quality(rows[:150], rows[150:], random_state=0).round(1)
    feature_distance        0.1
    feature_distance_max    0.2
    correlation_gap         0.1
    two_sample_auc          0.5
    frechet_distance        0.1
    precision               0.9
    recall                  1.0
    density                 1.0
    coverage                1.0
    copy_rate               0.0
    dtype: float64
    """
    real, synthetic = check_tables(real, synthetic)
    if standardize:
        real, synthetic = _in_real_units(real, synthetic)
    distance = feature_distance(real, synthetic)
    return pd.Series(
        {
            "feature_distance": distance.mean(),
            "feature_distance_max": distance.max(),
            "correlation_gap": correlation_gap(real, synthetic),
            "two_sample_auc": two_sample_auc(
                real, synthetic, cv=cv, random_state=random_state
            ),
            "frechet_distance": frechet_distance(real, synthetic),
            **precision_recall_density_coverage(real, synthetic, k=k),
            "copy_rate": copy_rate(real, synthetic, fraction=fraction),
        }
    )


def _in_real_units(real, synthetic):
    scaler = StandardScaler().fit(real)
    spread = np.sqrt(scaler.var_)
    # Embeddings may hold features of 1e-33 throughout; scaled, they would swamp all.
    scale = np.where(spread > 1e-12 * spread.max(), scaler.scale_, 1.0)
    return (real - scaler.mean_) / scale, (synthetic - scaler.mean_) / scale
