"""What all loaders of corpora share: arguments, docstrings, and the way to X and y."""

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from os import PathLike
from typing import Any, TypeVar

import numpy as np
from sklearn.utils import Bunch

from skmerc._utils.compat import validate_params
from skmerc.datasets._corpus import PARTS, TEXT
from skmerc.datasets._texts import clean_texts
from skmerc.datasets.formats._files import reader
from skmerc.frame import make_frame
from skmerc.frame._columns import make_keys

_KEYS = ("dialogue", "turn", "speaker", "role")
_LICENSE = "License\n~~~~~~~\n"
_CONSTRAINTS = {
    "path": [str, PathLike],
    "modalities": [str, "array-like", None],
    "split": [str, "array-like", None],
    "members": ["array-like", None],
    "class_names": ["array-like", None],
    "return_X_y": ["boolean"],
}

# Each follows the four spaces that stand before it in a docstring.
_CHOICES = """\
modalities : str or list of str, default=None
        The modalities to read, in the order wanted; by default all that there are."""
_PARTS = """\
split : str or list of str, default=None
        The official parts to read, of ``"train"``, ``"dev"`` and ``"test"``; by
        default all. Nothing is marked as validation; see
        :func:`skmerc.frame.mark_validation`."""
_MEMBERS = """\
members : list of str, default=None
        What the members of a pickle are, if their order is none of those known:
        ``speakers``, ``labels``, ``sentences``, ``train``, ``dev``, ``test``, those
        that Notes tell of, names of modalities, and ``_`` to ignore one."""
_RETURN_X_Y = """\
return_X_y : bool, default=False
        Whether to return `data` and `target` alone."""
_RETURNS = """\
corpus : Bunch
        With the attributes

        data : DataFrame of shape (n_utterances, 4 + n_features)
            Keyed table, see :func:`skmerc.frame.make_frame`. Without features it has
            one column behind the keys, ``utterance``: what was said.
        target : ndarray of shape (n_utterances,) or (n_utterances, n_labels)
            The labels; several emotions at once are a matrix of 0 and 1.
        feature_names, target_names : list of str
            The columns behind the keys; the classes in the community's order, or none
            for scores.
        split : ndarray of str of shape (n_utterances,)
            The official part of each row, or "".
        metadata : DataFrame of shape (n_utterances, n_columns)
            What else is known, see Notes: the utterance, where the file has it.
        DESCR, license : str
            What the corpus is, and on what terms.

    (X, y) : tuple
        Only with ``return_X_y=True``: `data` and `target`."""
_RAISES = """\
FileNotFoundError
        If a file or folder is not there.
    ValueError
        If a file is damaged or of another kind, if files, parts or members disagree,
        or if there is no such modality, label or part."""
_WARNS = """\
TextEncodingWarning
        If texts were bytes, or held control characters that Windows-1252 has quotation
        marks and dashes for, with their number: they were decoded and mended."""
_CLAMP = """\
clamp : bool, default=False
        Whether to take scores above 3 for 3 and below -3 for -3. Early files of MOSEI
        hold a few up to 5, averaged over too few ratings, and its authors clamp them.
        By default such a score is an error."""
_CLIPS = """\
Modalities are called ``text``, ``audio`` and ``visual``, and members for lists
    ``ids`` besides. Members of padded arrays are called ``train_data``,
    ``train_label``, ``train_length`` and so on. `metadata` has the utterance, its id
    and its score, as far as the file tells them.

    Pickles are read with an allow-list and never run code."""
_SHARED = {
    "choices": _CHOICES,
    "clamp": _CLAMP,
    "clips": _CLIPS,
    "members": _MEMBERS,
    "parts": _PARTS,
    "raises": _RAISES,
    "return_X_y": _RETURN_X_Y,
    "returns": _RETURNS,
    "warns": _WARNS,
}


_Function = TypeVar("_Function", bound=Callable[..., Any])


def loader(**constraints: Any) -> Callable[[_Function], _Function]:
    """Check the arguments of a loader, and complete its docstring.

    `constraints` say what is allowed of arguments that other loaders have not.
    """
    checked = validate_params(
        _CONSTRAINTS | constraints, prefer_skip_nested_validation=True
    )

    def decorate(load: _Function) -> _Function:
        if load.__doc__:  # python -OO takes it away
            load.__doc__ %= _SHARED
        return checked(reader(load))

    return decorate


def refuse_absent(path):
    """Tell of a path that names nothing, before a folder is told from a file."""
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")


def as_bunch(name, corpus, path, label, modalities, split, return_X_y, copy=""):
    """Choose label, modalities and parts; return a Bunch, or X and y.

    `name` is that of the page in ``descr`` that tells of the corpus, and `copy` what is
    to be said of this copy of it.
    """
    corpus = _with_clean_texts(corpus, path)
    if label not in corpus.labels:
        raise ValueError(
            f"label={label!r}: {path} has no such labels; it holds "
            f"{', '.join(corpus.labels) or 'none'}, of which to name one."
        )
    rows = _rows(corpus, path, split)
    X = _table(corpus, path, modalities).loc[rows].reset_index(drop=True)
    y = np.asarray(corpus.labels[label])[rows]
    if return_X_y:
        return X, y
    description, terms = _describe(name)
    return Bunch(
        data=X,
        target=y,
        feature_names=list(X.columns[4:]),
        target_names=list(corpus.class_names.get(label, [])),
        split=np.asarray(corpus.split)[rows],
        metadata=corpus.metadata.loc[rows].reset_index(drop=True),
        DESCR=f"{description}{copy}",
        license=terms,
    )


def _describe(name):
    """Read the page of a corpus, the last section of which is its license."""
    page = files("skmerc.datasets.corpora").joinpath("descr", f"{name}.rst")
    text = page.read_text(encoding="utf-8")
    return text, text.rpartition(_LICENSE)[2].strip()


def _with_clean_texts(corpus, path):
    def place_of(row):
        turn, dialogue = corpus.turn[row], corpus.dialogue[row]
        return f"{path}: what was said in turn {turn} of dialogue {dialogue!r}"

    names = clean_texts(corpus.speaker, f"{path}, speakers", place_of)
    corpus = replace(corpus, speaker=np.array(names, dtype=object))
    metadata = corpus.metadata
    if TEXT not in metadata:
        return corpus
    texts = clean_texts(metadata[TEXT], path, place_of)
    return replace(corpus, metadata=metadata.assign(**{TEXT: texts}))


def _table(corpus, path, modalities):
    keys = {key: getattr(corpus, key) for key in _KEYS}
    names = _named(modalities, corpus.blocks, f"modalities={modalities!r}", path)
    if names:
        return make_frame({name: corpus.blocks[name] for name in names}, **keys)
    table = make_keys(len(corpus.dialogue), **keys)
    return table.assign(**{TEXT: corpus.metadata[TEXT].to_numpy()})


def _rows(corpus, path, split):
    parts = [part for part in PARTS if part in set(corpus.split)]
    wanted = _named(split, parts, f"split={split!r}", path)
    if split is None:
        return np.arange(len(corpus.split))
    return np.flatnonzero(np.isin(corpus.split, wanted))


def _named(given, known, what, path):
    """Return the names that were asked for, by default all; refuse unknown ones."""
    if given is None:
        return list(known)
    names = [given] if isinstance(given, str) else list(given)
    unknown = [name for name in names if name not in known]
    if unknown or not names or len(set(names)) < len(names):
        raise ValueError(
            f"{what}: give different names among {', '.join(known) or 'none'}, which "
            f"is what {path} holds."
        )
    return names
