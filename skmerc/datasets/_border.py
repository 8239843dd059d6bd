"""The border of each reader: damaged files are told in one kind of error."""

from contextlib import contextmanager
from functools import wraps

_DOCUMENTED = (ValueError, OSError, ImportError, Warning)


@contextmanager
def content_of(path, kind="data of this kind"):
    """Tell what goes wrong with the content of a file as a ValueError that names it.

    Libraries for files raise errors of twenty kinds for what is damaged, and what they
    read may be of any type. Those that are documented pass as they are; the error of a
    library stays the cause of what is raised.

    Parameters
    ----------
    path : str or Path
        The file or folder.
    kind : str
        What it was read as.
    """
    try:
        yield
    except _DOCUMENTED:
        raise
    except Exception as error:
        raise damaged(path, kind, error) from error


def damaged(path, kind, error):
    """Make the error of a file that its reader cannot read."""
    return ValueError(
        f"{path} cannot be read as {kind} ({type(error).__name__}: {error}); it is "
        "truncated, damaged or of another kind."
    )


def reader(load):
    """Let a function that reads a path raise documented errors only."""

    @wraps(load)
    def load_checked(path, *args, **settings):
        with content_of(path):
            return load(path, *args, **settings)

    return load_checked
