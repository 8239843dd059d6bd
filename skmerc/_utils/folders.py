"""Folders that one fit at a time may use."""

import errno
import logging
import os

try:
    import fcntl
except ImportError:  # on Windows, where an open file cannot be made anew
    fcntl = None

_LOCK = ".epoch.lock"
# What file systems of some clusters say, which know no locks.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}
_logger = logging.getLogger(__name__)


def lock_folder(path):
    """Keep other fits out of a folder, which is made if it is not there.

    They may run in this process or in others. The handle of the lock is returned.
    """
    path.mkdir(parents=True, exist_ok=True)
    try:
        return _open_alone(path / _LOCK)
    except (BlockingIOError, FileExistsError):
        raise ValueError(
            f"{path} holds the checkpoint of a fit that is running. Wait for "
            "its end, or name another folder: each fit needs one of its own."
        ) from None


def unlock_folder(path, handle):
    """Let other fits in."""
    if fcntl:
        (path / _LOCK).unlink(missing_ok=True)  # before others can have it
    os.close(handle)


def _open_alone(path):
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
