"""What the package uses of other libraries that is not in their public interface.

A release that moves or renames one of these is answered here and nowhere else.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pickle import _Unpickler as PythonUnpickler
from typing import Any, TypeVar

from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils._param_validation import validate_params as _validate_params
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call as check_partial_fit_first_call,
)
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _num_samples as num_samples

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9 has no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for the mixin of estimators with callbacks."""

    def with_callbacks(method):  # type: ignore[no-untyped-def]
        """Return a method that fits, as it is."""
        return method


__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "Options",
    "PythonUnpickler",
    "StrOptions",
    "check_feature_names_in",
    "check_partial_fit_first_call",
    "check_sample_weight",
    "fit_context",
    "num_samples",
    "safe_indexing",
    "safe_split",
    "silent_on_torchvision",
    "step_is_checked",
    "validate_parameter_constraints",
    "validate_params",
    "with_callbacks",
]


_Function = TypeVar("_Function", bound=Callable[..., Any])


# Of scikit-learn's own decorators mypy knows nothing, and so of what they decorate.
def fit_context(
    *, prefer_skip_nested_validation: bool
) -> Callable[[_Function], _Function]:
    """Validate the parameters of an estimator before it is fitted."""
    return _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)


def validate_params(
    constraints: dict[str, Any], *, prefer_skip_nested_validation: bool
) -> Callable[[_Function], _Function]:
    """Validate the arguments of a function."""
    return _validate_params(
        constraints, prefer_skip_nested_validation=prefer_skip_nested_validation
    )


def step_is_checked() -> bool:
    """Whether the caller's attribute is asked for by scikit-learn's own pipeline.

    It does so when it checks its steps; that of imbalanced-learn checks them itself.
    """
    frame = sys._getframe(2)
    room, name = frame.f_globals.get("__name__"), frame.f_code.co_name
    return (room, name) == ("sklearn.pipeline", "_validate_steps")


@contextmanager
def silent_on_torchvision() -> Iterator[None]:
    """Let torch's export not tell that torchvision is absent, which nothing needs."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")

    def is_other(record: logging.LogRecord) -> bool:
        return "torchvision" not in record.getMessage()

    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def arrays_transformer(X: Any, y: Any) -> Any:
    """Make what gives imbalanced-learn's results the types of X and y.

    It is imported when it is used, since tables are read without imbalanced-learn.
    """
    from imblearn.utils._validation import ArraysTransformer

    return ArraysTransformer(X, y)
