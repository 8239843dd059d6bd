"""Saving models to files from which no code is run."""

import importlib.metadata
import io
import json
from collections.abc import Callable, Iterable
from typing import IO, Any
from zipfile import ZipFile

import torch
from sklearn.base import BaseEstimator

from skmerc import __version__
from skmerc._training import resolve_device
from skmerc._training._stored import Store
from skmerc._utils.files import as_path, write_atomically
from skmerc._utils.optional import need
from skmerc._utils.types import FilePath
from skmerc._utils.warnings import warn_user
from skmerc.datasets.formats._files import check_file, signs_of_transfer
from skmerc.exceptions import OtherVersionWarning, UntrustedTypeError
from skmerc.persistence._checks import read_member, read_schema
from skmerc.persistence._kinds import check_purposes, known_names, name_of
from skmerc.persistence._structure import add_member, tidy_structure

FORMAT = 1
"""Number of the format, raised when older versions cannot read a file any more."""

_ABOUT, _STRUCTURE, _WEIGHTS = "skmerc.json", "structure.skops", "weights.safetensors"
_PACKAGES = ("scikit-learn", "imbalanced-learn", "skorch", "torch", "numpy")


def save_model(model: BaseEstimator, path: FilePath) -> None:
    """Save an estimator or a pipeline, fitted or not, to a file.

    The file holds the structure of the model in the format of skops and its networks
    as safetensors; :func:`load_model` reads it without running any code of it.

    Parameters
    ----------
    model : estimator
        An estimator of skmerc, scikit-learn or imbalanced-learn, or a pipeline of
        them. Optimisers of networks are kept, so that training can go on; the data
        that a model was fitted on are not, save where an estimator of another package
        remembers them.
    path : str or Path
        The file; one that is there is replaced. It is written aside and put in its
        place when it is whole.

    Raises
    ------
    ImportError
        If skops or safetensors is not installed.
    OSError
        If the file cannot be written.
    TypeError
        If the model is no estimator.
    ValueError
        If part of the model cannot be told in this form, such as a lambda.

    See Also
    --------
    load_model : Read the file.
    export_model : Write the network alone, to serve without Python.

    Notes
    -----
    A :class:`skmerc.TextEmbedder` is saved without its sentence model, which is looked
    up by its name when it is needed; one that was fine-tuned keeps its weights.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skmerc import CBERLClassifier
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.persistence import load_model, save_model
    >>> X, y = make_conversations(n_dialogues=12, random_state=0)
    >>> model = CBERLClassifier(hidden_size=8, max_epochs=2, random_state=0).fit(X, y)
    >>> with TemporaryDirectory() as folder:
    ...     save_model(model, Path(folder) / "emotions.skmerc")
    ...     again = load_model(Path(folder) / "emotions.skmerc")
    >>> bool(np.array_equal(again.predict_proba(X), model.predict_proba(X)))
    True
    """
    skops, safetensors = need("persistence", "skops.io", "safetensors.torch")
    if not isinstance(model, BaseEstimator):
        raise TypeError(f"{model!r} is no estimator, and only estimators are saved.")
    try:
        with Store().opened() as store:
            structure = tidy_structure(skops.dumps(model))
        weights = safetensors.save(store.tensors)
        # What cannot be restored shall be told now, while there is still the model.
        trusted = {*skops.get_untrusted_types(data=structure)}
        _restore(read_schema(structure), structure, weights, trusted)
    except Exception as error:
        raise ValueError(
            f"{type(model).__name__} cannot be saved{_because_of(model)} "
            f"({type(error).__name__}: {error}). Replace that part, or use pickle "
            "where everybody who loads the file trusts you."
        ) from error
    content = io.BytesIO()
    with ZipFile(content, "w") as file:
        about = {"format": FORMAT} | _versions()
        add_member(file, _ABOUT, json.dumps(about, indent=2))
        add_member(file, _STRUCTURE, structure)
        add_member(file, _WEIGHTS, weights)
    write_atomically(path, content.getvalue())


def _because_of(model: BaseEstimator) -> str:
    """Name the parameter that cannot be told, the innermost one, where it is one."""
    (skops,) = need("persistence", "skops.io")
    given = model.get_params()
    for name in sorted(given, key=lambda name: -name.count("__")):
        try:
            told = tidy_structure(skops.dumps(given[name]))
            skops.loads(told, trusted=skops.get_untrusted_types(data=told))
        except Exception:  # whatever the save has met
            return f" with {name}={given[name]!r:.200}"
    return ""


def load_model(
    path: FilePath,
    *,
    device: str | None = None,
    trusted: Iterable[str | type | Callable] | None = None,
) -> Any:
    """Load what :func:`save_model` has saved.

    Parameters
    ----------
    path : str or Path
        The file.
    device : str, default=None
        Where the networks of classifiers and regressors go: ``"auto"``, ``"cpu"``,
        ``"cuda"``. By default where the parameter `device` of their estimators says,
        and to the CPU on a machine without GPU.
    trusted : list of str or type, default=None
        Types and functions that the file may use besides those of scikit-learn and
        those that skmerc knows. Name only what you know: they can be called with
        anything that the file says.

    Returns
    -------
    estimator
        The model, equal to the saved one; training goes on where it stood.

    Raises
    ------
    ImportError
        If skops or safetensors is not installed.
    OSError
        If the file cannot be read.
    UntrustedTypeError
        If the file uses types that are neither known nor in `trusted`. Nothing of it
        has run then.
    ValueError
        If the file is damaged, of another kind, or of a newer format, holds something
        else than an estimator, or claims a network that its weights do not fill, or
        if the device is not there.

    Warns
    -----
    OtherVersionWarning
        If the file was written by a version of skmerc that differs in its first or
        second number.

    See Also
    --------
    save_model : Write the file.

    Notes
    -----
    Decision trees are refused until named (``"sklearn.tree._tree.Tree"``): a forged one
    can make Python crash.
    """
    skops, _ = need("persistence", "skops.io", "safetensors.torch")
    place = None if device is None else resolve_device(device)
    path = as_path(path)
    about, structure, weights = _read(path)
    named = {t if isinstance(t, str) else name_of(t) for t in trusted or ()}
    try:
        schema = read_schema(structure)
        unknown = set(skops.get_untrusted_types(data=structure)) - named
        _refuse_untrusted(unknown.difference(*known_names().values()), path)
        return _restore(schema, structure, weights, named, place)
    except UntrustedTypeError:
        raise
    except Exception as error:
        written = ", ".join(f"{name} {about.get(name)}" for name in _versions())
        here = ", ".join(f"{name} {number}" for name, number in _versions().items())
        raise ValueError(
            f"{path} cannot be loaded ({type(error).__name__}: {error}). It was "
            f"written by {written}; here are {here}."
        ) from error


def _versions() -> dict[str, str]:
    others = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"skmerc": __version__} | others


def _read(path: FilePath) -> tuple[dict[str, Any], bytes, bytes]:
    """Versions, structure and weights in a file."""
    size = check_file(path)
    with open(path, "rb") as raw:
        about, structure, weights = _members(raw, size, path)
    written = about.get("skmerc")
    if about["format"] > FORMAT:
        raise ValueError(
            f"{path} was written by skmerc {written} in a newer format than skmerc "
            f"{__version__} can read. Update skmerc: pip install -U skmerc."
        )
    _warn_of_other_version(path, str(written))
    return about, structure, weights


def _members(raw: IO[bytes], size: int, path: FilePath) -> Any:
    structure = weights = None
    try:
        with ZipFile(raw) as file:
            about = json.loads(read_member(file, _ABOUT, size))
            if about["format"] < 1:
                raise ValueError(f"there is no format {about['format']}")
            if about["format"] <= FORMAT:
                structure = read_member(file, _STRUCTURE, size)
                weights = read_member(file, _WEIGHTS, size)
    except Exception as error:
        raise ValueError(
            f"{path} is damaged, or no file of save_model ({type(error).__name__}: "
            f"{error}). Copy or save it again.{signs_of_transfer(path)}"
        ) from error
    return about, structure, weights


def _warn_of_other_version(path: FilePath, written: str) -> None:
    if written.split(".")[:2] != __version__.split(".")[:2]:
        warn_user(
            f"{path} was written by skmerc {written}, and this is {__version__}. "
            "Compare its answers with earlier ones before you rely on it.",
            OtherVersionWarning,
        )


def _refuse_untrusted(unknown: set[str], path: FilePath) -> None:
    if unknown:
        names = sorted(unknown)
        raise UntrustedTypeError(
            f"{path} uses {', '.join(names)}, which skmerc does not trust; nothing "
            "of the file has run. If you know all of them and who made the file, allow "
            f"them by load_model(path, trusted={names!r})."
        )


def _restore(
    schema: dict[str, Any],
    structure: bytes,
    weights: bytes,
    trusted: set[str],
    device: torch.device | None = None,
) -> Any:
    skops, safetensors = need("persistence", "skops.io", "safetensors.torch")
    check_purposes(schema, trusted)
    known = set().union(*known_names().values())
    with Store(safetensors.load(weights), device).opened():
        model = skops.loads(structure, trusted=[*known, *trusted])
    if not isinstance(model, BaseEstimator):
        raise ValueError(f"it holds a {type(model).__name__} and no estimator")
    return model
