"""Settings that hold for all estimators: how much they tell while they work."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral
from typing import Any

__all__ = ["config_context", "get_config", "set_config"]

_VERBOSE: ContextVar[int] = ContextVar("_VERBOSE", default=0)


def get_config() -> dict[str, Any]:
    """Tell the settings of this thread.

    Returns
    -------
    dict
        The settings by name: ``"verbose"``.

    See Also
    --------
    set_config : Change them.
    config_context : Change them for a block.

    Examples
    --------
    >>> import skmerc
    >>> skmerc.get_config()
    {'verbose': 0}
    """
    return {"verbose": _VERBOSE.get()}


def set_config(*, verbose: int | None = None) -> None:
    """Change settings of this thread.

    Like those of :func:`sklearn.set_config` they hold in the thread that sets them;
    a new thread or process begins with the defaults.

    Parameters
    ----------
    verbose : int or None, default=None
        Whether all estimators show progress bars, from 1 on. Of this number and the
        parameter `verbose` of an estimator the larger one counts, since its default
        of 0 cannot be told from a 0 that was given. None leaves it as it is.

    Raises
    ------
    ValueError
        If `verbose` is no whole number from 0.

    See Also
    --------
    config_context : The same for a block.

    Examples
    --------
    >>> import skmerc
    >>> skmerc.set_config(verbose=1)
    >>> skmerc.get_config()
    {'verbose': 1}
    >>> skmerc.set_config(verbose=0)
    """
    if verbose is None:
        return
    if not isinstance(verbose, Integral) or verbose < 0:
        raise ValueError(f"verbose is {verbose!r}; give a whole number from 0.")
    _VERBOSE.set(int(verbose))


@contextmanager
def config_context(*, verbose: int | None = None) -> Iterator[None]:
    """Change settings for a block.

    Parameters
    ----------
    verbose : int or None, default=None
        As in :func:`set_config`.

    Yields
    ------
    None
        Nothing.

    See Also
    --------
    set_config : Change them until further notice.

    Examples
    --------
    >>> import skmerc
    >>> with skmerc.config_context(verbose=1):  # a whole pipeline shows what it does
    ...     skmerc.get_config()
    {'verbose': 1}
    """
    before = _VERBOSE.get()
    set_config(verbose=verbose)
    try:
        yield
    finally:
        _VERBOSE.set(before)
