"""Fits that count as a whole or not at all, and answers of one fit.

Both compute apart from what the process or other threads have set in torch and numpy.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from skmerc._utils.seeding import undisturbed

_Method = TypeVar("_Method", bound=Callable[..., Any])


def all_or_nothing(method: _Method) -> _Method:
    """Let a method that fits work on a copy, which takes the place of the estimator.

    Until it is done, other threads answer from the fit before, or pickle it; where it
    fails, that one stays.
    """

    @wraps(method)
    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        copy = copy_of(self)
        with undisturbed():
            result = method(copy, *args, **kwargs)
        self.__dict__ = vars(copy)
        return self if result is copy else result

    return cast(_Method, fit)


def of_one_fit(method: _Method) -> _Method:
    """Let a method that answers see one fit, though another may end meanwhile."""

    @wraps(method)
    def answer(self: Any, *args: Any, **kwargs: Any) -> Any:
        with undisturbed():
            return method(copy_of(self), *args, **kwargs)

    return cast(_Method, answer)


def copy_of(estimator: Any) -> Any:
    """Copy an estimator that shares all it holds."""
    copy = object.__new__(type(estimator))
    copy.__dict__ = vars(estimator).copy()
    return copy
