"""Packages that only some users install."""

from importlib import import_module
from types import ModuleType

_PURPOSES = {
    "audio": "Reading sound",
    "export": "Exporting a model",
    "face": "Reading faces",
    "fetch": "Downloading",
    "opensmile": "A set of openSMILE",
    "parquet": "Reading Parquet files",
    "persistence": "Saving and loading models",
    "plot": "Drawing",
    "text": "A sentence model",
    "video": "Reading clips",
}
"""What each extra is for."""
_PACKAGES = {"PIL": "pillow", "sentence_transformers": "sentence-transformers"}
"""Packages that are not called as what they import."""


def need(extra: str, *names: str) -> list[ModuleType]:
    """Import modules of optional packages, or say which extra installs them.

    Parameters
    ----------
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
    packages = dict.fromkeys(name.partition(".")[0] for name in names)
    try:
        for package in packages:
            import_module(package)
        return [import_module(name) for name in names]
    except ImportError as error:
        missing = " and ".join(_PACKAGES.get(name, name) for name in packages)
        raise ImportError(
            f"{_PURPOSES[extra]} needs {missing}: pip install 'skmerc[{extra}]' "
            f"({error})."
        ) from error
