"""Packages that only some users install."""

from importlib import import_module
from types import ModuleType


def need(what: str, extra: str, *names: str) -> list[ModuleType]:
    """Import optional packages, or say which extra installs them.

    Parameters
    ----------
    what : str
        What needs them, as the beginning of a sentence.
    extra : str
        The extra of this package that holds them.
    *names : str
        The modules.

    Returns
    -------
    list of module
        The modules, in this order.

    Raises
    ------
    ImportError
        If one of them cannot be imported.
    """
    try:
        return [import_module(name) for name in names]
    except ImportError as error:
        packages = " and ".join(dict.fromkeys(name.partition(".")[0] for name in names))
        raise ImportError(
            f"{what} needs {packages}: pip install 'skmerc[{extra}]' ({error})."
        ) from error
