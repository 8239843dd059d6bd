"""Fits that count as a whole or not at all, and answers of one fit.

Both compute apart from what the process or other threads have set in torch.
"""

from functools import wraps

from skmerc._utils.seeding import undisturbed


def all_or_nothing(method):
    """Let a method that fits work on a copy, which takes the place of the estimator.

    Until it is done, other threads answer from the fit before, or pickle it; where it
    fails, that one stays.
    """

    @wraps(method)
    def fit(self, *args, **kwargs):
        copy = copy_of(self)
        with undisturbed():
            result = method(copy, *args, **kwargs)
        self.__dict__ = vars(copy)
        return self if result is copy else result

    return fit


def of_one_fit(method):
    """Let a method that answers see one fit, though another may end meanwhile."""

    @wraps(method)
    def answer(self, *args, **kwargs):
        with undisturbed():
            return method(copy_of(self), *args, **kwargs)

    return answer


def copy_of(estimator):
    """Copy an estimator that shares all it holds."""
    copy = object.__new__(type(estimator))
    copy.__dict__ = vars(estimator).copy()
    return copy
