"""Warnings at the line of the user."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import FrameType

_IN_BETWEEN = {"contextlib", "imblearn", "joblib", "skmerc", "sklearn", "skorch"}

_TOLD: ContextVar[tuple[set, str] | None] = ContextVar("told", default=None)


@contextmanager
def each_once(told: set, where: str = "") -> Iterator[None]:
    """Let warnings of this package come once per kind: those in `told` came before.

    They begin with `where`. Other threads are not concerned.
    """
    token = _TOLD.set((told, where))
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
    once = _TOLD.get()
    if once is not None:
        told, where = once
        if category in told:
            return
        told.add(category)
        message = where + message
    frame, level = sys._getframe(1), 2
    while frame.f_back and _is_in_between(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_in_between(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] in _IN_BETWEEN
