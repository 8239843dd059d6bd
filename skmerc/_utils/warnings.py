"""Warnings at the line of the user."""

import sys
import warnings
from types import FrameType

_IN_BETWEEN = {"contextlib", "imblearn", "joblib", "skmerc", "sklearn", "skorch"}


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line that called this package, however deep inside this happens."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and _is_in_between(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_in_between(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] in _IN_BETWEEN
