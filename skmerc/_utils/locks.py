"""Locks that a forked child finds free."""

import os
from threading import RLock
from typing import Any
from weakref import WeakSet

_LOCKS: WeakSet = WeakSet()


class Turn:
    """A lock for one thread at a time, which may take it again.

    A process that forks while one of its threads holds a lock leaves it locked in the
    child, where nobody will ever let it go; there this one is renewed.
    """

    def __init__(self) -> None:
        self.renew()
        _LOCKS.add(self)

    def renew(self) -> None:
        """Forget who holds it."""
        self._lock = RLock()

    def __enter__(self) -> "Turn":
        self._lock.acquire()
        return self

    def __exit__(self, *error: Any) -> None:
        self._lock.release()


LOADING = Turn()
"""Held while libraries load or trace a model, which switch the whole process."""
IMPORTING = Turn()
"""Held while a first fit imports its libraries. A fork waits for it: what is half
imported would stay so in the child, and whoever asked for it would wait for ever."""


def _wait_for_imports() -> None:
    IMPORTING.__enter__()


def _go_on() -> None:
    IMPORTING.__exit__()


def _renew_all() -> None:
    for lock in _LOCKS:
        lock.renew()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(
        before=_wait_for_imports, after_in_parent=_go_on, after_in_child=_renew_all
    )
