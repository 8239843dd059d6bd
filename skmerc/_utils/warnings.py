"""Warnings at the line of the user."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import FrameType

_IN_BETWEEN = {"contextlib", "imblearn", "joblib", "skmerc", "sklearn", "skorch"}

_TOLD: ContextVar[set | None] = ContextVar("told", default=None)


@contextmanager
def each_once(told: set) -> Iterator[None]:
    """Let warnings of this package come once per kind: those in `told` came before.

    Other threads are not concerned.
    """
    token = _TOLD.set(told)
    try:
        yield
    finally:
        _TOLD.reset(token)


class _Everything(set):
    def __contains__(self, kind: object) -> bool:
        return True


def in_silence() -> AbstractContextManager:
    """Let no warning of this package come, in this thread."""
    return each_once(_Everything())


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line that called this package, however deep inside this happens."""
    told = _TOLD.get()
    if told is not None:
        if category in told:
            return
        told.add(category)
    frame, level = sys._getframe(1), 2
    while frame.f_back and _is_in_between(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_in_between(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] in _IN_BETWEEN
