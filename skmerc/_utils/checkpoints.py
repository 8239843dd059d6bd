"""What checkpoints of all kinds share: one fit at a time, which is known again."""

import errno
import logging
import os
import re
from collections.abc import Iterable
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import joblib
import torch

from skmerc._utils.files import as_path
from skmerc._utils.warnings import warn_user
from skmerc.exceptions import OtherThreadsWarning

try:
    import fcntl
except ImportError:  # on Windows, where an open file cannot be made anew
    fcntl = None  # type: ignore[assignment]

_LOCK = ".epoch.lock"
# What file systems of some clusters say, which know no locks.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}
_logger = logging.getLogger(__name__)


class FitFolder:
    """A folder in which one fit at a time keeps files, beside those of the user.

    Inside a ``with`` block other fits are kept out, in this process and in others.
    Where it ends without an error, and training was not interrupted, what the fit has
    written is deleted.

    Parameters
    ----------
    path : str or Path
        The folder; made if it is not there.
    """

    unfinished: re.Pattern[str]
    """Names of files that a fit was writing when it was killed."""

    interrupted = False

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = as_path(path)
        self.written: set[str] = set()

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = _open_alone(self.path / _LOCK)
        except (BlockingIOError, FileExistsError):
            raise ValueError(
                f"{self.path} holds the checkpoint of a fit that is running. Wait for "
                "its end, or name another folder: each fit needs one of its own."
            ) from None
        return self

    def __exit__(self, error: type[BaseException] | None, *about: object) -> None:
        try:
            if error is None and not self.interrupted:
                self._clear()
        finally:
            if fcntl:
                (self.path / _LOCK).unlink(missing_ok=True)  # before others can have it
            os.close(self._lock)

    def _clear(self) -> None:
        """Delete what this fit has written, and nothing else."""
        for path in self.path.iterdir():
            ours = path.name in self.written or self.unfinished.fullmatch(path.name)
            if ours and path.is_file():
                path.unlink()


def _open_alone(path: Path) -> int:
    """Open a file that no other process and no other thread has open so."""
    if fcntl is None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_TEMPORARY
        return os.open(path, flags, 0o600)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                _logger.warning(
                    "%s lies where files cannot be locked: see to it that no other fit "
                    "uses the folder.",
                    path.parent,
                )
                return handle
            os.close(handle)
            raise
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)  # who had it has deleted it meanwhile


def fingerprint_of(
    estimator: Any, data: dict[str, Any], without: Iterable[str]
) -> dict[str, str]:
    """Hash, by name, everything that must agree where a fit goes on.

    Parameters
    ----------
    estimator : estimator
        All its parameters must agree, but for those `without`.
    data : dict
        What else must agree.
    without : collection of str
        Names of parameters that change no result.

    Raises
    ------
    ValueError
        If the fit could not be known again, or would draw other numbers.
    """
    from skmerc import __version__  # which stands behind all other imports

    if not isinstance(estimator.random_state, Integral):
        raise ValueError(
            "checkpoint needs an integer random_state, or a fit that is started "
            f"again would draw other numbers; it is {estimator.random_state!r}."
        )
    parts = estimator.get_params(deep=False) | data
    parts = {name: value for name, value in parts.items() if name not in without}
    parts["the version of torch"] = torch.__version__
    parts["the version of skmerc"] = __version__
    return {name: _hash(name, value) for name, value in parts.items()}


def check_same_fit(
    folder: Path, found: dict[str, str], fingerprint: dict[str, str], threads: int
) -> None:
    """Refuse the state of another fit, and warn if it had other numbers of threads."""
    names = found.keys() | fingerprint.keys()
    other = sorted(n for n in names if found.get(n) != fingerprint.get(n))
    if other:
        raise ValueError(
            f"{folder} holds the checkpoint of another fit, which "
            f"differs in {', '.join(other)}. Repeat that fit to go on, name "
            "another folder, or delete this one to begin anew."
        )
    now = torch.get_num_threads()
    if threads != now:
        warn_user(
            f"The fit in {folder} had {threads} threads before it was "
            f"interrupted, and has {now} now. Sums come out differently in their "
            "last digits, and with them the model; call "
            f"torch.set_num_threads({threads}) first for the same one.",
            OtherThreadsWarning,
        )


def _hash(name: str, value: Any) -> str:
    try:
        return joblib.hash(value)
    except Exception as error:
        raise ValueError(
            f"With a checkpoint a fit must be known again, and {name}={value!r} cannot "
            f"be pickled ({error}). Use what can, or checkpoint=None."
        ) from error
