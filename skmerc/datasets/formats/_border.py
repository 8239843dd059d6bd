"""The border of each reader: damaged files are told in one kind of error."""

from contextlib import contextmanager
from functools import wraps
from pathlib import Path

from skmerc.datasets.formats._budget import OverBudgetError
from skmerc.datasets.formats._foreign import signs_of_transfer
from skmerc.exceptions import UnsafePickleError

_DOCUMENTED = (ImportError, Warning)
_KINDS = (UnsafePickleError, OverBudgetError)
_TEXTS = ("CSV", "JSON lines")


@contextmanager
def content_of(path, kind="data of this kind", *others):
    """Tell what goes wrong with the content of a file as a ValueError that names it.

    Libraries for files raise errors of twenty kinds for what is damaged, and what they
    read may be of any type. Those that are documented pass as they are if they name the
    file; the error of a library stays the cause of what is raised.

    Parameters
    ----------
    path : str or Path
        The file or folder.
    kind : str
        What it was read as.
    *others : str or Path
        More files that are read, one of which may be named instead.
    """
    try:
        yield
    except _DOCUMENTED:
        raise
    except (ValueError, OSError) as error:
        named = any(str(file) in str(error) for file in (path, *others))
        if named or getattr(error, "errno", None) is not None:
            raise
        make = type(error) if isinstance(error, _KINDS) else ValueError
        raise make(f"{path}: {error}") from error
    except Exception as error:
        raise damaged(path, kind, error) from error


def damaged(path, kind, error):
    """Make the error of a file that its reader cannot read."""
    signs = "" if kind in _TEXTS else signs_of_transfer(path)
    return ValueError(
        f"{path} cannot be read as {kind} ({type(error).__name__}: {error}); it is "
        f"truncated, damaged or of another kind.{signs}"
    )


def reader(load):
    """Let a function that reads a path raise documented errors only."""

    @wraps(load)
    def load_checked(path, *args, **settings):
        features = settings.get("features") or []
        others = features.values() if isinstance(features, dict) else [features]
        with content_of(path, "data of this kind", *others):
            return load(Path(path), *args, **settings)

    return load_checked
