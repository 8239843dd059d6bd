"""Conversations from parquet, CSV and NumPy files."""

from collections.abc import Sequence
from os import PathLike

import numpy as np
from pandas.api.types import is_numeric_dtype

from skmerc._utils.compat import validate_params
from skmerc._utils.types import FilePath
from skmerc._utils.warnings import warn_user
from skmerc.datasets.formats._files import reader
from skmerc.datasets.tables._table_files import as_text, find_reader, listing
from skmerc.datasets.tables._untidy import words_of_nothing
from skmerc.exceptions import UntidyTableWarning
from skmerc.frame import make_frame
from skmerc.frame._numbers import as_floats, find_no_number
from skmerc.frame._texts import is_blank, is_missing, refuse_alike


@validate_params(
    {
        "path": [str, PathLike],
        "modalities": ["array-like", None],
        "label": [str],
        "split": [str, "array-like", None],
        "return_split": ["boolean"],
        "encoding": [str, None],
    },
    prefer_skip_nested_validation=True,
)
@reader
def load_table(
    path: FilePath,
    *,
    modalities: Sequence[str] | None = None,
    label: str = "label",
    split: str | Sequence[str] | None = None,
    return_split: bool = False,
    encoding: str | None = None,
) -> tuple:
    """Read a table of utterances and their labels from a file.

    Parameters
    ----------
    path : str or Path
        A file ending in ``.parquet``, ``.csv``, ``.csv.gz``, ``.tsv``, ``.tsv.gz`` or
        ``.npz``; see Notes for what stands in it.
    modalities : list of str, default=None
        The modalities to read, in the order wanted. By default all of them,
        but for an ``.npz`` file that holds several the choice is yours: such
        files keep human ratings and scores beside the features.
    label : str, default="label"
        Name of the column or array of labels.
    split : str or list of str, default=None
        The parts to read of those named in the column or array ``split``, say
        ``"train"`` or ``["train", "dev"]``. By default all rows. Nothing is
        marked as validation; see :func:`skmerc.frame.mark_validation`.
    return_split : bool, default=False
        Whether to return the part that each row belongs to.
    encoding : str or None, default=None
        The encoding of a file of text, such as ``"cp1252"`` where a spreadsheet of
        Windows has saved it. By default UTF-8, or what a byte order mark says.

    Returns
    -------
    X : DataFrame of shape (n_utterances, 4 + n_features)
        Keyed table, see :func:`skmerc.frame.make_frame`.
    y : ndarray of shape (n_utterances,)
        Labels: text where the file names the classes, otherwise as stored.
    splits : ndarray of str of shape (n_utterances,)
        Only with ``return_split=True``; empty where the file names no parts.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If the file is parquet and pyarrow is not installed.
    IsADirectoryError
        If it is a folder; :func:`iter_table` reads one of parquet files.
    ValueError
        If the file is of another kind, damaged or empty, claims more than a
        file of its size can hold, has no such label, modality or split, lacks a
        label in a row whose role is not ``"context"``, or holds columns that are
        neither keys nor features.

    Warns
    -----
    UntidyTableWarning
        If labels of a parquet or NumPy file are words such as ``"nan"`` or ``"None"``,
        which programs write where nothing is: they count as classes.

    See Also
    --------
    make_conversations : Generate conversations instead.

    Notes
    -----
    In ``.parquet``, ``.csv`` and ``.tsv`` files a feature is a column of numbers
    called ``<modality>__<name>``; or a modality is one column of its name that holds
    a vector in each row, as a list or as text such as ``"[0.5, 1]"``. The keys are
    called as in `X`, or just ``dialogue``, ``turn``, ``speaker`` and ``role``; in
    parquet files they, the label and the split may stand in the index that pandas has
    stored. Numbers of classes become their names where Hugging Face's ``datasets``
    has written these along (-1: no label). Other columns are an error, and left out
    where `modalities` says what to read. A modality with nothing but empty cells is
    NaN.

    Text tables are read as Excel writes them too: with semicolons, tabs or ``|``
    between cells, whatever the ending of the file, a decimal comma where there are
    such, in UTF-8, in UTF-16 with a byte order mark, or in the `encoding` given. Empty
    rows at the end, columns with neither a name nor a cell, and a first column that
    only counts the rows (the index of pandas, row names of R) are left out. Cells of
    features and labels are empty, too, where they hold a blank or what programs write
    in its place: ``NA``, ``N/A``, ``n/a``, ``<NA>``, ``nan``, ``NaN``, ``NaT``,
    ``null``, ``NULL``, ``(null)``, ``None`` or MySQL's backslash and N. ``#N/A`` and
    other errors of a spreadsheet are no labels, and refused among features.

    In ``.npz`` files a modality is a two-dimensional array of numbers with one
    row per utterance, of whole ones where there are no floats or `modalities`
    names it; the arrays ``dialogue``, ``turn``, ``speaker`` and ``role`` are
    the keys, and ``<label>_names`` turns the numbers of the label into text
    (-1: no label). Files with pickled objects are refused.

    In both, a modality becomes NaN where ``<modality>_present`` is False, and
    an empty speaker is one unknown person per dialogue. Rows of role
    ``"context"`` need no label; `y` holds the first label of the table there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skmerc.datasets import load_table, make_conversations
    >>> X, y = make_conversations(5, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "calls.csv"
    ...     X.assign(label=y).to_csv(path, index=False)
    ...     X_read, y_read = load_table(path)
    >>> X_read.equals(X), bool((y_read == y).all())
    (True, True)
    """
    read = find_reader(path)
    table = read(path, as_names("modalities", modalities), label, encoding)
    table = table.take(_rows_of(as_names("split", split), table.splits, path))
    refuse_absent(table, label, path)
    X, y = make_frame(table.blocks, **table.keys), labels_of(table, path)
    if not return_split:
        return X, y
    return X, y, np.full(len(X), "") if table.splits is None else table.splits


def as_names(parameter, given):
    """Check a list of names, or make one of a single name."""
    if given is None:
        return None
    names = [given] if isinstance(given, str) else list(given)
    wrong = [name for name in names if not isinstance(name, str)]
    if not names or wrong or len(set(names)) < len(names):
        raise ValueError(f"{parameter}={given!r}: give different names, at least one.")
    return names


def _rows_of(names, splits, path):
    if names is None:
        return slice(None)
    if splits is None:
        raise ValueError(f"{path} has no column or array 'split'; leave split=None.")
    found, counts = np.unique(splits, return_counts=True)
    unknown = [name for name in names if name not in found]
    if unknown:
        sizes = listing(zip(found, counts, strict=True), " rows")
        raise ValueError(f"{path} has no split {unknown[0]!r}; it has {sizes}.")
    return np.isin(splits, names)


def refuse_absent(table, name, path):
    """Demand a label of all rows but those of role context."""
    absent = _is_absent(table.labels)
    if "role" in table.keys:
        absent = absent & (np.asarray(table.keys["role"]) != "context")
    needed = np.flatnonzero(absent)
    if len(needed):
        raise ValueError(
            f"{path}: {name!r} is absent in {len(needed)} rows, first in row "
            f"{table.labels.index[needed[0]]}; label them, remove them or give them "
            "the role 'context'. In text tables, words such as NA, NULL, None and "
            "#N/A are no labels."
        )


def labels_of(table, where):
    """Labels as an array, the first one where there is none."""
    labels, absent = table.labels, _is_absent(table.labels)
    if absent.all():
        raise ValueError(f"{where}: every row is of role 'context', none has a label.")
    if absent.any():
        labels = labels.where(~absent, labels[~absent].iloc[0])
    labels = labels.infer_objects()
    if is_numeric_dtype(labels):
        return labels.to_numpy()
    if find_no_number(labels.to_numpy(object)) is None:
        return as_floats(labels.to_numpy(object))
    texts = as_text(labels, where)
    if words := words_of_nothing(texts):
        warn_user(f"{where}: {words}.", UntidyTableWarning)
    refuse_alike(texts.tolist(), f"{where}: the label", labels.index)
    return texts


def _is_absent(labels):
    return np.array([is_missing(label) or is_blank(label) for label in labels], bool)
