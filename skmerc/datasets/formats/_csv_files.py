"""CSV files as frames: features by name, and ids as the text that they are."""

import csv
import gzip
import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from itertools import compress, islice
from operator import not_

import numpy as np
import pandas as pd

from skmerc._utils.warnings import warn_user
from skmerc.datasets.formats._budget import Budget
from skmerc.datasets.formats._csv_dialect import DecimalMarks, LayoutError, find_dialect
from skmerc.datasets.formats._files import damaged
from skmerc.exceptions import UntidyTableWarning
from skmerc.frame import KEYS
from skmerc.frame._columns import key_columns

SHORT_KEYS = dict(zip(KEYS, ("dialogue", "turn", "speaker", "role"), strict=True))
EMPTY_CELLS = [
    *("", " ", "nan", "NaN", "-nan", "-NaN", "NaT", "NA", "N/A", "n/a", "<NA>", "None"),
    *("null", "NULL", "(null)", "\\N", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
]
"""What programs write into a cell in which nothing stands."""

EMPTY_LABELS = [
    *EMPTY_CELLS,
    *("#N/A", "#N/A N/A", "#NA", "#NULL!", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!"),
    *("#NUM!", "#GETTING_DATA", "#SPILL!", "#CALC!", "#FIELD!"),
]
"""The same, and what spreadsheets write where a formula has failed: no class.

Among features that is an error, which is told.
"""

_TRUTHS = {"True", "TRUE", "true", "False", "FALSE", "false"}
EMPTY_WORDS = {cell for cell in EMPTY_LABELS if cell.strip()}
_NAMELESS = re.compile(r"Unnamed: \d+(\.\d+)*")
"""How pandas calls a column without a name."""
_INDEX = re.compile(r"Unnamed: 0(\.\d+)*")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)([.,]\d+)?(e[-+]?\d+)?", re.IGNORECASE)
_WIDE = 10_000
"""Columns from which on a CSV file is read row by row."""
_CHARACTERS = 2
"""Characters of a cell, with what separates it from the next one."""
_PACKED = 2**20
"""Bytes that are unpacked at a time, to count them."""


def read_csv(path, label, encoding=None):
    """Read a file, packed by gzip or not, into a frame."""
    with _errors_of(path):
        header, dialect = check_csv_shape(find_dialect(path, encoding), label)
        read = _read_cells if len(header) <= _WIDE else _read_wide
        return _without_rest(read(dialect, header, label), header)


def read_csv_parts(path, label, n_rows, columns=None, *, encoding=None, as_text=False):
    """Yield frames of so many rows, whose index counts the rows of the file.

    Of columns all are read, or those given; labels are text where that is said.
    """
    with _errors_of(path):
        header, dialect = check_csv_shape(find_dialect(path, encoding), label)
        if columns is None and len(header) > _WIDE:
            whole = _read_wide(dialect, header, label, as_text=as_text)
            yield _without_rest(whole, header)
            return
        how = {"chunksize": n_rows, "usecols": columns, "as_text": as_text}
        with _read_cells(dialect, header, label, **how) as parts:
            for part in parts:
                yield part if columns else _without_rest(part, header)


def read_csv_header(path, label, encoding=None):
    """Read the names of the columns, and of which kinds labels are.

    They are "text", "numbers" and "truth", as pandas would find them out.
    """
    with _errors_of(path):
        header, dialect = check_csv_shape(find_dialect(path, encoding), label)
        if label not in header:
            return header, set()
        at = header.index(label)
        with dialect.open() as lines:
            rows = islice(filter(None, dialect.rows(lines)), 1, None)
            labels = (row[at] for row in rows if row[at] not in EMPTY_LABELS)
            return header, {_kind_of(label, dialect.decimal) for label in labels}


def _kind_of(cell, decimal):
    if cell in _TRUTHS:
        return "truth"
    try:
        numbers_of([cell.replace(decimal, ".")])
    except ValueError:
        return "text"
    return "numbers"


def read_texts(path, numbers, encoding=None):
    """Read a file into a frame of texts as they stand, None where a cell is empty.

    Columns named in `numbers` are numbers where all of their cells are such; in these
    a cell is empty, too, where a program has written that nothing is there.
    """
    with _errors_of(path):
        header, dialect = check_csv_shape(find_dialect(path, encoding))
        how = dialect.of_pandas | {"dtype": str, "keep_default_na": False}
        empty = dict.fromkeys(header, [""])
        frame = pd.read_csv(
            dialect.path, names=header, header=0, na_values=empty, **how
        )
        written = {name: frame[name] for name in numbers if name in frame}
        read = {
            name: _as_numbers(cells.mask(cells.isin(EMPTY_LABELS)))
            for name, cells in written.items()
        }
    for name, cells in read.items():
        if not pd.api.types.is_numeric_dtype(cells):
            _tell_of_words(path, name, Counter(written[name]))
    return frame.assign(**read)


def _tell_of_words(path, name, counts):
    """Warn where cells among words hold what programs write into empty ones."""
    told = {cell: n for cell, n in counts.items() if cell in EMPTY_WORDS}
    if told:
        words = ", ".join(f"{cell!r} ({n})" for cell, n in sorted(told.items()))
        warn_user(
            f"{path}: cells of the column {name!r} are written {words}, and count as "
            "empty. If that is a word like the others there, write it in another way "
            "in the file, such as 'no emotion'.",
            UntidyTableWarning,
        )


def _as_numbers(column):
    """Make numbers of cells, unless one is no number or begins with a zero as ids do.

    A comma is the decimal mark where no cell has a point.
    """
    cells = column.dropna()
    if not len(cells) or not cells.str.fullmatch(_NUMBER).all():
        return column
    if cells.str.contains(",").any():
        if cells.str.contains(".", regex=False).any():
            return column
        column = column.str.replace(",", ".", regex=False)
    return pd.to_numeric(column)


_UTF = {"utf-8": "UTF-8"}


@contextmanager
def _errors_of(path):
    """Tell of all that goes wrong with a file in one way, once it is unpacked."""
    try:
        if path.suffix.lower() == ".gz":
            _claim_packed(path)
        yield
    except LayoutError as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}.") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is no text of {_UTF.get(error.encoding, error.encoding)} "
            f"({error}). If a spreadsheet has saved it, choose 'CSV UTF-8' there, for "
            "Windows else writes the encoding of the country (cp1252 in Western Europe "
            "and America); or tell its encoding, such as encoding='cp1252'."
        ) from error
    except Exception as error:
        raise damaged(path, "CSV", error) from error


def _without_rest(frame, header):
    """Leave out columns that have neither a name nor a cell, as Excel writes some.

    The first column may be the index of pandas or R, which has no name either, or got
    one when it was read again, and counts the rows.
    """
    out = []
    for column in filter(_NAMELESS.fullmatch, header):
        cells = frame[column]
        counts = cells.tolist() in [(frame.index + n).tolist() for n in (0, 1)]
        if (counts and _INDEX.fullmatch(column)) or (cells.astype(str) == "").all():
            out.append(column)
    return frame.drop(columns=out)


def _read_cells(dialect, header, label, *, as_text=False, **settings):
    return pd.read_csv(
        dialect.path,
        names=header,
        header=0,
        keep_default_na=False,
        low_memory=False,
        **dialect.of_pandas,
        **_csv_types(header, label, as_text),
        **settings,
    )


def _read_wide(dialect, header, label, *, as_text=False):
    """Read features row by row, since pandas spends time on each column."""
    keys = key_columns(pd.DataFrame(columns=header)).values()
    is_feature = ["__" in name and name not in {*keys, label} for name in header]
    others = list(compress(header, map(not_, is_feature)))
    frame = _read_cells(dialect, header, label, usecols=others, as_text=as_text)
    with dialect.open() as lines:
        rows = dialect.rows(lines)
        next(rows)
        cells = (
            compress(row, is_feature)
            for row in islice(filter(None, rows), dialect.n_rows)
        )
        numbers = [_numbers(row, at, dialect.decimal) for at, row in enumerate(cells)]
    features = pd.DataFrame(np.array(numbers), columns=[*compress(header, is_feature)])
    if len(features) != len(frame):
        raise ValueError(f"{len(features)} rows of features, {len(frame)} of keys")
    return pd.concat([frame, features], axis=1)


def _numbers(cells, row, decimal):
    if decimal != ".":
        cells = (cell.replace(decimal, ".") for cell in cells)
    try:
        return numbers_of(cells)
    except ValueError as error:
        raise ValueError(f"{error}, in row {row}") from error


def numbers_of(cells):
    """Read numbers of text, NaN of what programs write into an empty cell."""
    given = ["nan" if cell in EMPTY_CELLS else cell for cell in cells]
    strange = next((cell for cell in given if "_" in cell), None)
    if strange is not None:
        raise ValueError(f"could not convert {strange!r} to a number")
    return np.array(given, dtype=object).astype(float)


def _claim_packed(path):
    budget = Budget(path.stat().st_size)
    with gzip.open(path) as file:
        while part := file.read(_PACKED):
            budget.claim(len(part) // _CHARACTERS, "what is packed (unpack it first)")


def check_csv_shape(dialect, label=None):
    """Refuse lines of another length than the header: pandas would fill them up.

    The names of the columns are returned, and the dialect, with its decimal mark and
    the number of rows.
    """
    with dialect.open() as lines:
        reader = dialect.rows(lines)
        rows = _rows_of(reader)
        header = _names_of(next(rows, []))
        marks = DecimalMarks(dialect, _are_numbers(header, label))
        n_rows = 0
        for number, cells in enumerate(filter(None, rows), start=1):
            if len(cells) != len(header):
                raise ValueError(_other_length(reader.line_num, cells, header))
            marks.look_at(cells, reader.line_num)
            n_rows = number if any(cells) else n_rows
    twice = {name for name, count in Counter(header).items() if count > 1}
    if twice:
        raise LayoutError(
            f"columns {sorted(twice)} stand twice; the first line gives each column a "
            "name of its own"
        )
    if not header:
        raise ValueError("empty")
    return header, replace(dialect, decimal=marks.mark, n_rows=n_rows)


def _are_numbers(header, label):
    names = tuple(key for key, short in SHORT_KEYS.items() if short != "turn")
    return [
        name in ("turn", label) or ("__" in name and not name.endswith(names))
        for name in header
    ]


def _names_of(cells):
    """Name all columns, as pandas does where a name is empty."""
    names = [name or f"Unnamed: {at}" for at, name in enumerate(cells)]
    return [
        f"{name}.1" if name != cell and name in cells else name
        for name, cell in zip(names, cells, strict=True)
    ]


def _rows_of(reader):
    """Yield the cells of all rows; say what is wrong with one that is not of CSV."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise LayoutError(_no_row(line, str(error))) from error
        if cells is None:
            return
        yield cells


def _no_row(line, error):
    """Say what is wrong with the row that begins in a line."""
    if "field limit" in error:
        return (
            f"a cell of line {line} has more than {csv.field_size_limit()} characters; "
            "raise csv.field_size_limit, or write the table as parquet, unless a "
            "quotation mark at its beginning was left open"
        )
    if "expected after" not in error and "end of data" not in error:
        return f"line {line}: {error}"
    how = "is not closed" if "end of data" in error else "is closed before its end"
    return (
        f"a cell of line {line} begins with a quotation mark and {how}: the marks are "
        "part of the words, or a backslash stands in front of those that are. Read it "
        "by pandas.read_csv, with quoting=csv.QUOTE_NONE or escapechar='\\\\', and "
        "write it anew by to_csv"
    )


def _other_length(line, cells, header):
    told = f"line {line} has {len(cells)} cells, the header {len(header)}"
    if line == 2 and len(cells) == len(header) + 1:
        told += ", as where the names of rows have no header (in R: row.names=FALSE)"
    return told


def _csv_types(header, label, as_text):
    """Read ids as text ("007" stays) and empty cells by what the column is."""
    long = key_columns(pd.DataFrame(columns=header))
    keys = {column: SHORT_KEYS[key] for key, column in long.items()}
    keys |= {short: short for short in SHORT_KEYS.values()}
    texts = [column for column, short in keys.items() if short != "turn"]
    texts += [label] * as_text
    empty = {name: EMPTY_CELLS for name in header if "__" in name}
    empty |= dict.fromkeys(keys, [""]) | {label: EMPTY_LABELS}
    dtype = dict.fromkeys([c for c in [*texts, "split"] if c in header], str)
    return {"dtype": dtype, "na_values": {c: empty[c] for c in header if c in empty}}
