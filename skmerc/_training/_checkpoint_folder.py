"""The files of a checkpoint: whose they are, and how they are read and let go of."""

import errno
import hashlib
import io
import logging
import os
import re
from pathlib import Path

import numpy as np
import torch

from skmerc._utils.files import write_atomically
from skmerc._utils.warnings import warn_user
from skmerc.datasets.formats._budget import Budget
from skmerc.datasets.formats._files import check_file
from skmerc.datasets.formats.pickles._unpickle import unpack
from skmerc.exceptions import DamagedCheckpointWarning

try:
    import fcntl
except ImportError:  # on Windows, where an open file cannot be made anew
    fcntl = None

_DIGEST_SIZE = hashlib.sha256().digest_size
_KEPT = 2
_MAGIC = b"state of a fit of skmerc\n"
_STRANGE = (b"PK", b"\x80")  # how files of torch and pickles begin
_LOCK = ".epoch.lock"
# What file systems of some clusters say, which know no locks.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}
_OURS = re.compile(r"epoch-\d{6,}\.pt")
_UNFINISHED = re.compile(r"\.epoch-\d{6,}\.pt\.[0-9a-f]+\.tmp")

_logger = logging.getLogger(__name__)


class CheckpointFolder:
    """A folder in which one fit at a time keeps its state, beside files of the user.

    Parameters
    ----------
    path : str or Path
        The folder; made if it is not there.
    """

    def __init__(self, path):
        self.path, self.written = Path(path), set()

    def lock(self):
        """Keep other fits out, in this process and in others, until it is unlocked."""
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self.handle = _open_alone(self.path / _LOCK)
        except OSError as error:
            if not isinstance(error, BlockingIOError | FileExistsError):
                raise
            raise ValueError(
                f"{self.path} holds the checkpoint of a fit that is running. Wait for "
                "its end, or name another folder: each fit needs one of its own."
            ) from None

    def unlock(self):
        """Let other fits in."""
        if fcntl:
            (self.path / _LOCK).unlink(missing_ok=True)  # before others can have it
        os.close(self.handle)

    def read(self):
        """Yield names and states of the epochs that are whole, the newest first."""
        for path in self._files():
            state = self._read(path)
            if state is not None:
                yield path.name, state

    def write(self, number, state):
        """Write the state of an epoch, and let go of the one before the last."""
        content = io.BytesIO()
        torch.save(state, content)
        digest = hashlib.sha256(content.getbuffer()).digest()
        path = self.path / f"epoch-{number:06}.pt"
        content = _MAGIC + digest + content.getvalue()
        write_atomically(path, content, follow=False)
        self.written.add(path.name)
        for old in self._own()[_KEPT:]:
            old.unlink()

    def clear(self):
        """Delete what this fit has written, and nothing else."""
        for path in self._own():
            path.unlink()
        for path in self.path.iterdir():
            if _UNFINISHED.fullmatch(path.name) and path.is_file():
                path.unlink()

    def _files(self):
        """Those with the name of an epoch, the newest first."""
        names = filter(_OURS.fullmatch, os.listdir(self.path))
        order = sorted(names, key=lambda name: int(name[6:-3]), reverse=True)
        return [self.path / name for name in order]

    def _own(self):
        return [path for path in self._files() if path.name in self.written]

    def _read(self, path):
        """The state in a file, or None where it is not what was written."""
        try:
            check_file(path)
        except (OSError, ValueError) as error:
            _warn(str(error).rstrip("."))
            return None
        content = path.read_bytes()
        if content.startswith(_STRANGE):
            raise ValueError(
                f"{path} was not written by a fit, and would be written over. Move it, "
                "or name another folder."
            )
        content = content.removeprefix(_MAGIC)
        digest, content = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
        if hashlib.sha256(content).digest() != digest:
            _warn(f"{path} is damaged")
            return None
        try:
            state = unpack(io.BytesIO(content), content, Budget(len(content)))
            return dict(_tensors(state))
        except Exception as error:
            raise ValueError(
                f"{path} is no checkpoint of this package ({type(error).__name__}: "
                f"{error}). Nothing of it has run; delete it, or name another folder."
            ) from error


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


def _warn(fault):
    warn_user(
        f"{fault}; training goes on from the file before it, or from the start where "
        "there is none.",
        DamagedCheckpointWarning,
    )


def _tensors(thing):
    if isinstance(thing, np.ndarray):
        return torch.from_numpy(thing.copy())
    if isinstance(thing, dict):
        return {key: _tensors(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return type(thing)(map(_tensors, thing))
    return thing
