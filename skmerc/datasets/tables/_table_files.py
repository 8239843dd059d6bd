"""Readers behind `load_table`, one for each kind of file."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from skmerc._utils.optional import need
from skmerc.datasets.formats._arrays import Arrays
from skmerc.datasets.formats._budget import FLOOR, Budget
from skmerc.datasets.formats._csv_files import SHORT_KEYS, read_csv
from skmerc.datasets.formats._files import check_file, damaged
from skmerc.datasets.formats._parquet import read_frame
from skmerc.datasets.tables._vectors import spread_vectors
from skmerc.frame._columns import KEYS, key_columns
from skmerc.frame._numbers import find_no_number
from skmerc.frame._texts import is_missing, name_of

KEYS_AND_PART = (*KEYS, *SHORT_KEYS.values(), "split")
"""Names of columns, besides that of labels, which may stand in an index as well."""

_PRESENT = "_present"
_TRUTHS = {"True": True, "TRUE": True, "False": False, "FALSE": False}
_INDEX = re.compile(r"Unnamed: \d+.*|__index_level_\d+__|level_\d+|index")
"""How pandas calls the index of a frame that was written along."""
_NESTED = (list, tuple, dict, set, np.ndarray)
_WIDER = 64
"""How many times the memory of a text its array may take."""


@dataclass(frozen=True)
class Table:
    """What a file holds, all rows of it; an absent label is NaN or None."""

    blocks: dict
    keys: dict
    labels: pd.Series
    splits: np.ndarray | None

    def take(self, rows):
        """Keep some rows, given as a slice or as a mask."""
        return Table(
            {name: part[rows] for name, part in self.blocks.items()},
            {name: np.asarray(key)[rows] for name, key in self.keys.items()},
            self.labels[rows],
            None if self.splits is None else self.splits[rows],
        )


def find_reader(path):
    """Choose the reader of a file by its ending."""
    readers = {
        ".parquet": _read_parquet,
        ".csv": _read_csv,
        ".csv.gz": _read_csv,
        ".tsv": _read_csv,
        ".tsv.gz": _read_csv,
        ".npz": _read_npz,
    }
    if path.is_dir():
        raise IsADirectoryError(
            f"{path} is a folder; give the file in it, or read a folder of parquet "
            "files by iter_table."
        )
    fitting = [s for s in readers if path.name.lower().endswith(s)]
    if not fitting:
        raise ValueError(
            f"{path} cannot be read by its ending {path.suffix!r}; give a file that "
            f"ends in {', '.join(readers)}, or read it yourself and use "
            "skmerc.frame.make_frame."
        )
    check_file(path)
    return readers[fitting[0]]


def listing(items, unit=""):
    """List names with their sizes for a message."""
    return ", ".join(f"{name} ({size}{unit})" for name, size in items) or "none"


def as_text(values, where):
    """Turn values of any kind, bytes too, into an array of str, all of one width.

    Missing ones are empty.
    """
    values = np.asarray(values)
    nested = [at for at, v in enumerate(values) if isinstance(v, _NESTED)]
    if nested:
        raise ValueError(
            f"{where}: row {nested[0]} holds {values[nested[0]]!r:.200}; give text or "
            "a number."
        )
    texts = ["" if is_missing(value) else name_of(value) for value in values]
    lengths = [len(text) for text in texts]
    longest = max(lengths, default=0)
    if len(texts) * longest > max(FLOOR, _WIDER * sum(lengths)):
        raise ValueError(
            f"{where}: row {np.argmax(lengths)} holds a text of {longest} characters, "
            f"which all {len(texts)} rows would take; shorten it."
        )
    return np.array(texts, dtype=str)


def _no_label(path, label, candidates):
    return (
        f"{path} has no label {label!r}; what could be one: "
        f"{', '.join(map(str, candidates)) or 'nothing'}."
    )


_IN_COLUMNS = (
    "Features are called after their modality, such as text__0, or are vectors in a "
    "column called so; for other tables read them yourself and use "
    "skmerc.frame.make_frame."
)


def _check_modalities(path, names, widths, advice=_IN_COLUMNS):
    unknown = [name for name in names or () if name not in widths]
    if unknown or not widths:
        wanted = f"modality {unknown[0]!r}" if unknown else "features"
        raise ValueError(
            f"{path} has no {wanted}; modalities found: {listing(widths.items())}. "
            f"{advice}"
        )


def _is_there(columns, name, path):
    """Tell where a modality or score is present; everywhere without a mask."""
    if name + _PRESENT not in columns:
        return None
    given = pd.Series(columns[name + _PRESENT])
    # Beside an empty cell, the words of a text table are not read as what they say.
    present = given.astype(object).replace(_TRUTHS)
    wrong = given[~present.isin([0, 1])]
    if len(wrong):
        raise ValueError(
            f"{path}: {name + _PRESENT!r} holds {wrong.tolist()[0]!r} in row "
            f"{wrong.index[0]}; give True and False."
        )
    return present.to_numpy().astype(bool)


def _hide(values, present):
    return values if present is None else np.where(present[:, None], values, np.nan)


def _read_parquet(path, names, label, encoding):
    need("parquet", "pyarrow")
    return table_of(read_frame(path, [*KEYS_AND_PART, label]), path, names, label)


def _read_csv(path, names, label, encoding):
    return table_of(read_csv(path, label, encoding), path, names, label)


def table_of(frame, path, names, label, widths=None):
    """Take the columns of a frame apart, and refuse those that are nothing.

    The index of the frame counts the rows of the file; `names` are the modalities to
    read, or None, and `widths` tells the length of vectors in columns that may be empty
    here.
    """
    columns = vector_columns(frame, path, names, label)
    frame = spread_vectors(frame, path, columns, widths)
    keys = keys_of(frame, path)
    groups = _groups(frame, [*keys.values(), label])
    _check_columns(frame, path, groups, names, label, keys.values())
    present = _is_there(frame, label, path)
    return Table(
        {name: _block(frame, path, name, groups[name]) for name in names or groups},
        {name: frame[column] for name, column in keys.items()},
        frame[label] if present is None else frame[label].where(present),
        as_text(frame["split"], path) if "split" in frame else None,
    )


def vector_columns(frame, path, names, label):
    """List the columns that may hold vectors: those that are nothing else by name."""
    others = {*keys_of(frame, path).values(), label, "split", *_groups(frame, [])}
    columns = frame.columns if names is None else frame.columns.intersection(names)
    free = [c for c in columns if isinstance(c, str) and "__" not in c]
    return [c for c in free if c not in others and not c.endswith(_PRESENT)]


def _groups(frame, others):
    """Sort columns by the modality that stands in front of their names."""
    groups = {}
    for column in frame.columns.drop(others, errors="ignore"):
        modality, separator, _ = str(column).partition("__")
        if separator and modality:
            groups.setdefault(modality, []).append(column)
    return groups


def keys_of(frame, path):
    """Find the key columns, by their long or short names."""
    keys = {SHORT_KEYS[key]: column for key, column in key_columns(frame).items()}
    for short in SHORT_KEYS.values():
        if short in frame and short in keys:
            raise ValueError(
                f"{path} has the key {short!r} twice: as {keys[short]!r} and as "
                f"{short!r}; keep one."
            )
        if short in frame:
            keys[short] = short
        elif short not in keys:
            _refuse_near_misses(frame, short, path)
    return keys


def _refuse_near_misses(frame, key, path):
    near = [c for c in frame if isinstance(c, str) and c.strip().lower() == key]
    if near:
        raise ValueError(
            f"{path} has the column {near[0]!r}, and keys are written in lower case "
            f"and without blanks: rename it {key!r}."
        )


def _check_columns(frame, path, groups, names, label, keys):
    features = {column for columns in groups.values() for column in columns}
    spoken_for = {*keys, *features, label, "split"}
    spoken_for |= {name + _PRESENT for name in [*groups, label]}
    others = [column for column in frame.columns if column not in spoken_for]
    if label not in frame:
        raise ValueError(_no_label(path, label, others or list(frame.columns)[:10]))
    if not len(frame):
        raise ValueError(f"{path} has no rows.")
    widths = {name: len(columns) for name, columns in groups.items()}
    _check_modalities(path, names, widths)
    wanted = [column for name in names or groups for column in groups[name]]
    numbers = {column: is_numeric_dtype(kind) for column, kind in frame.dtypes.items()}
    odd = [column for column in wanted if not numbers[column]]
    wrong = [column for column in odd if _holds_others(frame[column])]
    _refuse_no_numbers(frame, path, wrong)
    wrong += [] if names else others
    if wrong:
        written = all(_INDEX.fullmatch(column) for column in wrong)
        hint = " (to_csv(index=False) of pandas, row.names=FALSE of R)"
        raise ValueError(
            f"{path}: {', '.join(map(repr, wrong[:10]))} "
            f"({len(wrong)} columns in all) are neither keys nor features, which are "
            "numbers called '<modality>__<name>'; write the table without them"
            f"{hint if written else ''}, or give modalities={list(widths)} to leave "
            "them out."
        )


def _holds_others(column):
    """Tell whether a column holds something else than numbers, Decimals included."""
    return find_no_number(column.to_numpy(object)) is not None


def _refuse_no_numbers(frame, path, columns):
    """Refuse the first cell that is text, if others of its column are numbers."""
    for column in columns:
        cells = frame[column].dropna()
        wrong = pd.to_numeric(cells.astype(str), errors="coerce").isna()
        if not wrong.any():
            raise ValueError(
                f"{path}: {column!r} holds numbers as text, such as {cells.iloc[0]!r} "
                f"in row {cells.index[0]}; write it as numbers: "
                f"frame[{column!r}].astype(float)."
            )
        if not wrong.all():
            row = wrong.idxmax()
            raise ValueError(
                f"{path}: {column!r} holds {cells[row]!r} in row {row}, which is no "
                f"number ({wrong.sum()} of {len(frame)} cells in all); leave the cell "
                "empty where there is none, and take '.' for the decimal mark."
            )


def _block(frame, path, name, columns):
    narrow = (frame.dtypes[columns] == np.float32).all()
    kind = np.float32 if narrow else float  # of Decimals, too
    values = frame[columns].to_numpy(kind, na_value=np.nan)
    values = _hide(values, _is_there(frame, name, path))
    return pd.DataFrame(values, columns=[c.partition("__")[2] for c in columns])


def _read_npz(path, names, label, encoding):
    heads, _ = _load_arrays(path, ())
    if label not in heads:
        raise ValueError(_no_label(path, label, _label_candidates(heads)))
    n_rows = heads[label].size
    if not n_rows:
        raise ValueError(f"{path} has no rows.")
    others = [name for name in heads if _is_about_rows(name, label)]
    widths = {
        name: head.shape[1]
        for name, head in heads.items()
        if head.ndim == 2
        and head.shape[0] == n_rows
        and head.dtype.kind in "fiub"
        and name not in others
    }
    _check_modalities(path, names, widths, _no_blocks(heads, names, others, n_rows))
    # Whole numbers beside floats may be anything, such as annotations.
    floats = [name for name in widths if heads[name].dtype.kind == "f"]
    found = floats or list(widths)
    if names is None and len(found) > 1:
        raise ValueError(
            f"{path} holds several blocks: {listing(widths.items())}; name those to "
            "read in modalities, and leave out what is no feature, such as ratings."
        )
    names = names or found
    used = [label, *SHORT_KEYS.values(), "split"]
    used += [name + _PRESENT for name in [*names, label]]
    _check_rows(heads, used, label, path)
    wanted = {*used, *names, f"{label}_names"} & {*heads}
    _, arrays = _load_arrays(path, wanted)
    blocks = {n: _hide(_floats(arrays[n]), _is_there(arrays, n, path)) for n in names}
    keys = {key: arrays[key] for key in SHORT_KEYS.values() if key in arrays}
    keys = {k: as_text(v, path) if v.dtype.kind == "S" else v for k, v in keys.items()}
    splits = as_text(arrays["split"], path) if "split" in arrays else None
    return Table(blocks, keys, _npz_labels(arrays, label, path), splits)


def _load_arrays(path, wanted):
    """Read what is said of all arrays, and those that are wanted."""
    budget = Budget(path.stat().st_size)
    try:
        with path.open("rb") as raw:
            file = Arrays(raw, budget)
            return file.heads(), {name: file.read(name) for name in wanted}
    except Exception as error:
        raise damaged(path, "NumPy archive", error) from error


def _label_candidates(heads):
    length = max((h.shape[0] for h in heads.values() if h.ndim == 1), default=0)
    return [
        name
        for name, head in heads.items()
        if head.shape == (length,)
        and name != "utterance_id"
        and not _is_about_rows(name)
        and not name.endswith("_names")
    ]


def _is_about_rows(name, label=None):
    known = {*SHORT_KEYS.values(), "split", label}
    return name in known or name.endswith(_PRESENT)


def _no_blocks(heads, names, others, n_rows):
    """Say why arrays that could be meant are no features."""
    meant = names or [name for name in heads if name not in others]
    told = [
        f"{name!r} holds {heads[name].dtype} of shape {heads[name].shape}"
        for name in meant
        if name in heads
    ]
    return (
        f"In an .npz file they are arrays of numbers of shape ({n_rows}, n_features); "
        f"{', '.join(told[:10]) or 'no array has that name'}."
    )


def _floats(values):
    """Make features of whole numbers and truths, as of columns of a text table."""
    return values if values.dtype.kind == "f" else values.astype(float)


def _check_rows(heads, used, label, path):
    """Refuse keys and masks that do not run along the labels."""
    shape = (heads[label].size,)
    for name in used:
        if name in heads and heads[name].shape != shape:
            raise ValueError(
                f"{path}: {name!r} has the shape {heads[name].shape}, but {label!r} "
                f"holds {shape[0]} labels; one row is one utterance."
            )


def _npz_labels(arrays, label, path):
    labels, names = arrays[label], arrays.get(f"{label}_names")
    present = _is_there(arrays, label, path)
    labels = as_text(labels, path) if labels.dtype.kind == "S" else labels
    labels = pd.Series(labels if names is None else _named(labels, names, label, path))
    return labels if present is None else labels.where(present)


def _named(codes, names, label, path):
    whole = codes.dtype.kind in "iu" and names.ndim == 1
    wrong = np.flatnonzero((codes < -1) | (codes >= len(names))) if whole else [0]
    if len(wrong):
        raise ValueError(
            f"{path}: {label!r} is {codes[wrong[0]]!r} in row {wrong[0]}, which is no "
            f"position in {label + '_names'!r} with its {names.size} names."
        )
    # Position -1, no label, is the None behind the last name.
    return np.append(as_text(names, path).astype(object), None)[codes]
