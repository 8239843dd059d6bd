"""Warnings at the line of the user."""

import re
import sys
import warnings
from types import FrameType

_IN_BETWEEN = {"contextlib", "imblearn", "joblib", "skmerc", "sklearn", "skorch"}
_NUMBER = re.compile(r"\d+")


class _Message(str):
    """A text that equals those that differ from it in numbers alone.

    Python shows a warning once for each line and text. A conversation that goes on has
    other numbers at each turn, and would be warned of at each.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self._outline() == _NUMBER.sub("0", other)

    def __hash__(self) -> int:
        return hash(self._outline())

    def _outline(self) -> str:
        return _NUMBER.sub("0", self)


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn at the line that called this package, however deep inside this happens.

    Under Python's default filter a line is warned once of what differs in numbers only.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back and _is_in_between(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(_Message(message), category, stacklevel=level)


def _is_in_between(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__", "").partition(".")[0] in _IN_BETWEEN
