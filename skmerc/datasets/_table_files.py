"""Readers behind `load_table`, one for each kind of file."""

import csv
import gzip
from collections import Counter
from dataclasses import dataclass
from itertools import compress
from operator import not_

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from skmerc._columns import key_columns
from skmerc.datasets._arrays import Arrays
from skmerc.datasets._border import damaged
from skmerc.datasets._budget import FLOOR, Budget
from skmerc.datasets._parquet import need_pyarrow, read_frame
from skmerc.datasets._regular_file import check_file
from skmerc.frame import KEYS

_SHORT_KEYS = dict(zip(KEYS, ("dialogue", "turn", "speaker", "role"), strict=True))
_EMPTY_CELLS = ["", "nan", "NaN", "NA", "N/A", "null", "None"]
_PRESENT = "_present"
_WIDE = 10_000
"""Columns from which on a CSV file is read row by row."""
_WIDER = 64
"""How many times the memory of a text its array may take."""
_CHARACTERS = 2
"""Characters of a cell, with what separates it from the next one."""
_PACKED = 2**20
"""Bytes that are unpacked at a time, to count them."""


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
        ".npz": _read_npz,
    }
    fitting = [s for s in readers if path.name.lower().endswith(s)]
    if not fitting:
        raise ValueError(
            f"{path} cannot be read by its ending {path.suffix!r}; give a file that "
            f"ends in {', '.join(readers)}."
        )
    check_file(path)
    return readers[fitting[0]]


def listing(items, unit=""):
    """List names with their sizes for a message."""
    return ", ".join(f"{name} ({size}{unit})" for name, size in items) or "none"


def as_text(values, where):
    """Turn values of any kind, bytes too, into an array of str, all of one width."""
    values = np.asarray(values)
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8")
    texts = [str(value) for value in values]
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


def _check_modalities(path, names, widths):
    unknown = [name for name in names or () if name not in widths]
    if unknown or not widths:
        wanted = f"modality {unknown[0]!r}" if unknown else "features"
        raise ValueError(
            f"{path} has no {wanted}; modalities found: {listing(widths.items())}. "
            "Features are called after their modality, such as text__0; for other "
            "tables read them yourself and use skmerc.frame.make_frame."
        )


def _is_there(columns, name, path):
    """Where a modality or score is present; everywhere if nothing is said."""
    if name + _PRESENT not in columns:
        return None
    present = np.asarray(columns[name + _PRESENT])
    wrong = np.flatnonzero(~np.isin(present, [0, 1]))
    if len(wrong):
        raise ValueError(
            f"{path}: {name + _PRESENT!r} holds {present[wrong[0]]!r} in row "
            f"{wrong[0]}; give True and False."
        )
    return present.astype(bool)


def _hide(values, present):
    return values if present is None else np.where(present[:, None], values, np.nan)


def _read_parquet(path, names, label):
    need_pyarrow(path)
    return table_of(read_frame(path), path, names, label)


def _read_csv(path, names, label):
    try:
        if path.suffix.lower() == ".gz":
            _claim_packed(path)
        header = check_csv_shape(path)
        read = _read_cells if len(header) <= _WIDE else _read_wide
        frame = read(path, header, label)
    except Exception as error:
        raise damaged(path, "CSV", error) from error
    return table_of(frame, path, names, label)


def _read_cells(path, header, label, **settings):
    return pd.read_csv(
        path,
        keep_default_na=False,
        low_memory=False,
        **_csv_types(header, label),
        **settings,
    )


def _read_wide(path, header, label):
    """Read features row by row: for pandas each column is a work of its own."""
    keys = key_columns(pd.DataFrame(columns=header)).values()
    is_feature = ["__" in name and name not in {*keys, label} for name in header]
    others = list(compress(header, map(not_, is_feature)))
    frame = _read_cells(path, others, label, usecols=others)
    with _opened(path) as lines:
        rows = csv.reader(lines)
        next(rows)
        numbers = [_numbers(compress(cells, is_feature)) for cells in rows if cells]
    features = pd.DataFrame(np.array(numbers), columns=[*compress(header, is_feature)])
    if len(features) != len(frame):
        raise ValueError(f"{len(features)} rows of features, {len(frame)} of keys")
    return pd.concat([frame, features], axis=1)


def _numbers(cells):
    given = ["nan" if cell in _EMPTY_CELLS else cell for cell in cells]
    strange = next((cell for cell in given if "_" in cell), None)
    if strange is not None:
        raise ValueError(f"could not convert {strange!r} to a number")
    return np.array(given, dtype=object).astype(float)


def _opened(path):
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    return opened(path, "rt", encoding="utf-8-sig", newline="")


def _claim_packed(path):
    budget = Budget(path.stat().st_size)
    with gzip.open(path) as file:
        while part := file.read(_PACKED):
            budget.claim(len(part) // _CHARACTERS, "what is packed (unpack it first)")


def check_csv_shape(path):
    """Refuse lines of another length than the header: pandas would fill them up."""
    with _opened(path) as lines:
        reader = csv.reader(lines)
        header = next(reader, [])
        for cells in reader:
            if cells and len(cells) != len(header):
                raise ValueError(
                    f"line {reader.line_num} has {len(cells)} cells, the header "
                    f"{len(header)}"
                )
    twice = {name for name, count in Counter(header).items() if count > 1}
    if twice or not header:
        raise ValueError(f"columns {sorted(twice)} stand twice" if twice else "empty")
    return header


def _csv_types(header, label):
    """Read ids as text ("007" stays) and empty cells by what the column is."""
    long = key_columns(pd.DataFrame(columns=header))
    keys = {column: _SHORT_KEYS[key] for key, column in long.items()}
    keys |= {short: short for short in _SHORT_KEYS.values()}
    texts = [column for column, short in keys.items() if short != "turn"]
    empty = {name: _EMPTY_CELLS for name in header if "__" in name}
    empty |= dict.fromkeys([*keys, label], [""])
    dtype = dict.fromkeys([c for c in [*texts, "split"] if c in header], str)
    return {"dtype": dtype, "na_values": {c: empty[c] for c in header if c in empty}}


def table_of(frame, path, names, label):
    """Take the columns of a frame apart, and refuse those that are nothing."""
    keys = keys_of(frame, path)
    groups = {}
    for column in frame.columns.drop([*keys.values(), label], errors="ignore"):
        modality, separator, _ = str(column).partition("__")
        if separator and modality:
            groups.setdefault(modality, []).append(column)
    _check_columns(frame, path, groups, names, label, keys.values())
    present = _is_there(frame, label, path)
    return Table(
        {name: _block(frame, path, name, groups[name]) for name in names or groups},
        {name: frame[column] for name, column in keys.items()},
        frame[label] if present is None else frame[label].where(present),
        as_text(frame["split"], path) if "split" in frame else None,
    )


def keys_of(frame, path):
    """Find the key columns, by their long or short names."""
    keys = {_SHORT_KEYS[key]: column for key, column in key_columns(frame).items()}
    for short in _SHORT_KEYS.values():
        if short in frame and short in keys:
            raise ValueError(
                f"{path} has the key {short!r} twice: as {keys[short]!r} and as "
                f"{short!r}; keep one."
            )
        if short in frame:
            keys[short] = short
    return keys


def _check_columns(frame, path, groups, names, label, keys):
    features = {column for columns in groups.values() for column in columns}
    spoken_for = {*keys, *features, label, "split"}
    spoken_for |= {name + _PRESENT for name in [*groups, label]}
    others = [column for column in frame.columns if column not in spoken_for]
    if label not in frame:
        raise ValueError(_no_label(path, label, others))
    if not len(frame):
        raise ValueError(f"{path} has no rows.")
    widths = {name: len(columns) for name, columns in groups.items()}
    _check_modalities(path, names, widths)
    wanted = [column for name in names or groups for column in groups[name]]
    numbers = {column: is_numeric_dtype(kind) for column, kind in frame.dtypes.items()}
    wrong = [column for column in wanted if not numbers[column]]
    wrong += [] if names else others
    if wrong:
        raise ValueError(
            f"{path}: {', '.join(map(repr, wrong[:10]))} "
            f"({len(wrong)} columns in all) are neither keys nor features, which are "
            "numbers called '<modality>__<name>'; remove them, or say in modalities "
            f"what to read of {listing(widths.items())}."
        )


def _block(frame, path, name, columns):
    values = frame[columns].to_numpy(dtype="float32", na_value=np.nan)
    values = _hide(values, _is_there(frame, name, path))
    return pd.DataFrame(values, columns=[c.partition("__")[2] for c in columns])


def _read_npz(path, names, label):
    heads, _ = _load_arrays(path, ())
    if label not in heads:
        raise ValueError(_no_label(path, label, _label_candidates(heads)))
    n_rows = heads[label].size
    if not n_rows:
        raise ValueError(f"{path} has no rows.")
    widths = {
        name: head.shape[1]
        for name, head in heads.items()
        if head.ndim == 2 and head.dtype.kind == "f" and head.shape[0] == n_rows
    }
    _check_modalities(path, names, widths)
    if names is None and len(widths) > 1:
        raise ValueError(
            f"{path} holds several blocks: {listing(widths.items())}; name those to "
            "read in modalities, and leave out what is no feature, such as ratings."
        )
    names = names or list(widths)
    used = [label, *_SHORT_KEYS.values(), "split"]
    used += [name + _PRESENT for name in [*names, label]]
    _check_rows(heads, used, label, path)
    wanted = {*used, *names, f"{label}_names"} & {*heads}
    _, arrays = _load_arrays(path, wanted)
    blocks = {n: _features(arrays, n, path) for n in names}
    keys = {key: arrays[key] for key in _SHORT_KEYS.values() if key in arrays}
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


def _features(arrays, name, path):
    values = arrays[name]
    if values.dtype.itemsize > 8:
        with np.errstate(over="ignore"):
            doubles = values.astype(float)
        lost = np.argwhere(np.isinf(doubles) & np.isfinite(values))
        if len(lost):
            row, column = lost[0]
            raise ValueError(
                f"{path}: {name!r} holds {values[row, column]!r} in row {row}, column "
                f"{column}, which is too large for float32; rescale the column."
            )
        values = doubles
    return _hide(values, _is_there(arrays, name, path))


def _label_candidates(heads):
    length = max((h.shape[0] for h in heads.values() if h.ndim == 1), default=0)
    return [
        name
        for name, head in heads.items()
        if head.shape == (length,)
        and name not in {*_SHORT_KEYS.values(), "split", "utterance_id"}
        and not name.endswith((_PRESENT, "_names"))
    ]


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
