"""Files that are either whole or not there."""

import os
from pathlib import Path


def write_atomically(path, content):
    """Write bytes so that a reader finds the old file or the new one, whole.

    Parameters
    ----------
    path : str or Path
        The file, in a folder that is there.
    content : bytes
        What it shall hold.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
