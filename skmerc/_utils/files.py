"""Files that are either whole or not there."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile

from skmerc._utils.types import FilePath

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_NAMELESS = getattr(os, "O_TMPFILE", None)
# Of the file's own name in that of the unfinished one, which must not be too long.
_CHARACTERS = 40


def as_path(path: FilePath) -> Path:
    """Path that a user gives, in which ``~`` is the home folder, as in pandas."""
    return Path(os.path.expanduser(path))


def write_atomically(path: FilePath, content: bytes, *, follow: bool = True) -> None:
    """Write bytes so that a reader finds the old file or the new one, whole.

    Any number of threads, processes and machines may write to one path; the last one
    to finish wins. Permissions are those that a plain write would give. Nothing is left
    behind where writing fails, and hardly ever where the process is killed.

    Parameters
    ----------
    path : str or Path
        The file, in a folder that is there.
    content : bytes
        What it shall hold.
    follow : bool, default=True
        Whether the file that a link leads to is written, and a pipe or a device is
        written to, as a plain write does. If not, either is replaced.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path = as_path(path)
    path = Path(os.path.realpath(path)) if follow else path
    if follow and path.exists() and not path.is_file():
        path.write_bytes(content)  # which also tells that it is a folder
        return
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "No such folder", str(path.parent))
    mode = _mode_of(path) if follow else None
    unfinished = path.with_name(f".{path.name[:_CHARACTERS]}.{token_hex(8)}.tmp")
    try:
        if not _write_without_name(unfinished, content, mode):
            _write(os.open(unfinished, _NEW, 0o666), content, mode)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def refuse_unwritable(path: FilePath) -> None:
    """Raise the error of `write_atomically` before there is anything to write.

    Parameters
    ----------
    path : str or Path
        The file, in a folder that is there.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    target = Path(os.path.realpath(as_path(path)))
    try:
        if target.exists() and not target.is_file():
            return
        _mode_of(target)
        with TemporaryFile(dir=target.parent):
            pass
    except OSError as error:  # whose own path is that of a file nobody has named
        raise OSError(error.errno, error.strerror, str(path)) from error


def _mode_of(path: Path) -> int | None:
    """Permissions of a file that may be written, None where there is no file."""
    if not path.exists():
        return None
    os.close(os.open(path, os.O_WRONLY))  # refused where a plain write is
    return path.stat().st_mode & 0o777


def _write(handle: int, content: bytes, mode: int | None) -> None:
    with open(handle, "wb") as file:
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(handle, mode)
        file.write(content)
        file.flush()
        os.fsync(handle)


def _write_without_name(path: Path, content: bytes, mode: int | None) -> bool:
    """Write a file that has no name before it is whole; return whether that works.

    The system deletes it where the process is killed. Not all file systems can do it.
    """
    if _NAMELESS is None:
        return False
    with suppress(OSError):
        handle = os.open(path.parent, os.O_WRONLY | _NAMELESS, 0o666)
        try:
            _write(os.dup(handle), content, mode)
            # With the handle of a folder, or Python would link the link.
            os.link(f"/proc/self/fd/{handle}", path, src_dir_fd=handle)
        finally:
            os.close(handle)
        return True
    return False
