"""CSV files as frames: features by name, and ids as the text that they are."""

import csv
import gzip
from collections import Counter
from itertools import compress
from operator import not_

import numpy as np
import pandas as pd

from skmerc._columns import key_columns
from skmerc.datasets._border import damaged
from skmerc.datasets._budget import Budget
from skmerc.frame import KEYS

SHORT_KEYS = dict(zip(KEYS, ("dialogue", "turn", "speaker", "role"), strict=True))
_EMPTY_CELLS = ["", "nan", "NaN", "NA", "N/A", "null", "None"]
_WIDE = 10_000
"""Columns from which on a CSV file is read row by row."""
_CHARACTERS = 2
"""Characters of a cell, with what separates it from the next one."""
_PACKED = 2**20
"""Bytes that are unpacked at a time, to count them."""


def read_csv(path, label):
    """Read a file, packed by gzip or not, into a frame."""
    try:
        if path.suffix.lower() == ".gz":
            _claim_packed(path)
        header = check_csv_shape(path)
        read = _read_cells if len(header) <= _WIDE else _read_wide
        return read(path, header, label)
    except Exception as error:
        raise damaged(path, "CSV", error) from error


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
    keys = {column: SHORT_KEYS[key] for key, column in long.items()}
    keys |= {short: short for short in SHORT_KEYS.values()}
    texts = [column for column, short in keys.items() if short != "turn"]
    empty = {name: _EMPTY_CELLS for name in header if "__" in name}
    empty |= dict.fromkeys([*keys, label], [""])
    dtype = dict.fromkeys([c for c in [*texts, "split"] if c in header], str)
    return {"dtype": dtype, "na_values": {c: empty[c] for c in header if c in empty}}
