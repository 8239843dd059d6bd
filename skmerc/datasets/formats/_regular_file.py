"""Files that can be read to their end, told from all else that a path may name."""

import os
import stat
from pathlib import Path

from skmerc.datasets.formats._foreign import refuse_stand_in

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_file(path):
    """Demand a regular file, before anything opens it, and return its size in bytes.

    To open a pipe waits for somebody who writes into it, and a device such as
    ``/dev/zero`` never ends. What a server or Git has put in the place of a file is
    refused, too.

    Parameters
    ----------
    path : str or Path
        What is to be read; links are followed.

    Returns
    -------
    int
        The size in bytes.
    """
    path = Path(path)
    try:
        found = path.stat()
    except FileNotFoundError:
        raise FileNotFoundError(_absence(path)) from None
    except ValueError as error:  # what Python says of a zero byte in a path
        raise FileNotFoundError(f"There is no file {path!s:.200}: {error}.") from error
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(f"{path} is a folder; give the file in it.")
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise ValueError(
            f"{path} is {kind} and no file; write what it gives to a file, and read "
            "that one."
        )
    refuse_stand_in(path)
    return found.st_size


def _absence(path):
    if path.is_symlink():
        return f"There is no file {path}: it is a link to {os.readlink(path)}."
    return f"There is no file {path}."
