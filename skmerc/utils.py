"""What tools ask of a package of estimators."""

import inspect
from typing import Any, Literal

from imblearn.base import SamplerMixin
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    TransformerMixin,
)

import skmerc

__all__ = ["all_estimators"]

_KINDS = {
    "classifier": ClassifierMixin,
    "regressor": RegressorMixin,
    "sampler": SamplerMixin,
    "transformer": TransformerMixin,
}


def all_estimators(
    type_filter: Literal["classifier", "regressor", "sampler", "transformer"]
    | list[str]
    | None = None,
) -> list[tuple[str, Any]]:
    """List the estimators of this package, as scikit-learn lists its own.

    Parameters
    ----------
    type_filter : {"classifier", "regressor", "sampler", "transformer"} or list of \
            such str, default=None
        The kinds to list; an estimator may be of several. By default all are listed.

    Returns
    -------
    estimators : list of tuples
        Name and class of each, in the order of names.

    Raises
    ------
    ValueError
        If there is no such kind.

    See Also
    --------
    sklearn.utils.discovery.all_estimators : Those of scikit-learn.

    Examples
    --------
    >>> from skmerc.utils import all_estimators
    >>> [name for name, _ in all_estimators("regressor")]
    ['JoyfulRegressor']
    """
    named = [type_filter] if isinstance(type_filter, str) else type_filter
    unknown = [kind for kind in named or [] if kind not in _KINDS]
    if unknown:
        raise ValueError(
            f"type_filter names {unknown[0]!r}; give some of {', '.join(_KINDS)}."
        )
    wanted = BaseEstimator if named is None else tuple(_KINDS[kind] for kind in named)
    found = {name: getattr(skmerc, name) for name in sorted(skmerc.__all__)}
    return [
        (name, thing)
        for name, thing in found.items()
        if inspect.isclass(thing)
        and issubclass(thing, BaseEstimator)
        and issubclass(thing, wanted)
    ]
