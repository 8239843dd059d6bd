"""Annotations in CSV files: one row per utterance, one file per part."""

import csv
import re

import numpy as np
import pandas as pd

from skmerc.datasets._corpus import PARTS
from skmerc.datasets.formats._csv_dialect import Dialect
from skmerc.datasets.formats._csv_files import check_csv_shape
from skmerc.datasets.formats._files import check_file

_TIME = r"^(\d{1,2}):([0-5]\d):([0-5]\d)[.,](\d{3})$"


def find_parts(path, pattern):
    """Find the files of a folder, or the part of a single file: dict of part to path.

    The pattern names a file, with ``{}`` for the part.
    """
    if path.is_dir():
        files = {part: path / pattern.format(part) for part in PARTS}
        found = {part: file for part, file in files.items() if file.exists()}
        if not found:
            names = ", ".join(file.name for file in files.values())
            raise FileNotFoundError(f"{path} has none of the files {names}.")
        return found
    parts = set(re.split("[^a-z]+", path.stem.lower())) & set(PARTS)
    if len(parts) != 1:
        raise ValueError(
            f"The name of {path} does not say which part it is; call it "
            f"{pattern.format('train')}, as the original, and so on."
        )
    return {parts.pop(): path}


def read_annotations(path, columns):
    """Read a CSV file as text, cell by cell as it stands; demand columns."""
    check_file(path)
    try:
        header, _ = check_csv_shape(Dialect(path, "utf-8-sig"))
        lacking = [name for name in columns if name not in header]
        if lacking:
            raise ValueError(
                f"it has no column {lacking[0]!r}, only {', '.join(header)}"
            )
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, csv.Error) as error:
        raise ValueError(
            f"{path} is not the CSV file that was published: {_reason(path, error)}."
        ) from error
    if not len(table):
        raise ValueError(f"{path} has no rows.")
    return table


def _reason(path, error):
    """Tell what a spreadsheet has done to a file, or else what is wrong."""
    if isinstance(error, UnicodeDecodeError):
        byte = error.object[error.start]
        return f"it is not UTF-8 (byte {byte:#x}), so a spreadsheet may have saved it"
    with path.open("rb") as file:
        header = file.readline()
    for mark in (b";", b"\t"):
        if header.count(mark) > header.count(b","):
            return (
                f"{mark.decode()!r} stands between its cells, so a spreadsheet may "
                "have saved it"
            )
    return str(error)


def whole_numbers(path, table, column):
    """Turn a column of text into int, or say which row is none."""
    wrong = np.flatnonzero(~table[column].str.fullmatch("[0-9]{1,18}"))
    if len(wrong):
        raise ValueError(
            f"{path}: {column!r} is {table[column].iloc[wrong[0]]!r} in row "
            f"{wrong[0]}, which is no whole number of up to 18 digits."
        )
    return table[column].astype(int)


def known_names(path, table, column, names):
    """Demand that a column holds nothing but these names."""
    wrong = np.flatnonzero(~table[column].isin(names))
    if len(wrong):
        raise ValueError(
            f"{path}: {column!r} is {table[column].iloc[wrong[0]]!r} in row "
            f"{wrong[0]}; known are {', '.join(names)}."
        )
    return table[column]


def seconds(times):
    """Turn times such as 00:16:16,059 into seconds; NaN where it is none."""
    parts = times.str.extract(_TIME).astype(float)
    return (parts @ np.array([3600, 60, 1, 0.001])).round(3)


def sort_turns(path, frame):
    """Put utterances in the order of dialogues and turns; refuse equal ones."""
    twice = np.flatnonzero(frame.duplicated(["dialogue", "turn"]))
    if len(twice):
        row = frame.iloc[twice[0]]
        raise ValueError(
            f"{path}: dialogue {row['dialogue']} has the utterance {row['turn']} twice."
        )
    first = pd.factorize(frame["dialogue"])[0]
    return frame.iloc[np.lexsort([frame["turn"], first])].reset_index(drop=True)
