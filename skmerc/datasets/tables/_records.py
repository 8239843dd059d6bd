"""Utterances as dicts, from lists, tables of any library and files."""

import json
import reprlib
from os import PathLike

import numpy as np
import pandas as pd

from skmerc._utils.files import as_path
from skmerc._utils.optional import need
from skmerc.datasets.formats._csv_dialect import known_encoding, marked_encoding
from skmerc.datasets.formats._csv_files import read_texts
from skmerc.datasets.formats._files import check_file
from skmerc.datasets.formats._packed import packed_by
from skmerc.datasets.formats._parquet import read_frame
from skmerc.datasets.tables._utterance_order import field_of
from skmerc.frame._columns import KEYS, frame_of
from skmerc.frame._names import kind_of
from skmerc.frame._texts import decode, is_blank, is_missing

DIALOGUE_FIELDS = ("dialogue", "dialogue_id", "conversation_id")
_UTTERANCES_FIELDS = ("utterances", "turns")
_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods")


def as_items(given, names, numbers, encoding=None):
    """Make a list of dicts or dialogues, or a frame of pandas, of what a user has.

    `names` are fields that may stand in the index of a parquet file, and `numbers`
    those of a text table that are read as numbers where all of their cells are such.
    `encoding` is that of a file of text, where it is told.
    """
    if isinstance(given, str | PathLike):
        return _read_file(as_path(given), names, numbers, encoding)
    if isinstance(given, list | tuple | pd.DataFrame):
        return given
    if hasattr(given, "get_utterances_dataframe"):  # a Corpus of ConvoKit
        return given.get_utterances_dataframe()
    frame = frame_of(given)
    if frame is not None:
        return frame
    raise TypeError(
        f"dialogues is a {type(given).__module__}.{type(given).__name__}; give a list "
        f"of dialogues, a DataFrame or the path of a file{_how(given)}."
    )


def _how(given):
    """Say how to make a table of it."""
    if isinstance(given, dict) and not {*_UTTERANCES_FIELDS}.isdisjoint(given):
        return "; a single dialogue stands in a list: [dialogue]"
    if isinstance(given, dict):
        return "; of columns make a table: pandas.DataFrame(dialogues)"
    if hasattr(given, "collect"):
        return "; of a lazy frame call .collect()"
    if hasattr(given, "__next__"):
        return "; of a generator make a list: list(dialogues)"
    return ""


def _read_file(path, names, numbers, encoding):
    ending = path.name.lower()
    if ending.endswith(_CSV):
        check_file(path)
        return read_texts(path, numbers, encoding)
    if ending.endswith(".parquet"):
        need("parquet", "pyarrow")
        return read_frame(path, names)
    if ending.endswith(_WORKBOOKS):
        raise ValueError(
            f"{path} is a workbook; save its table as 'CSV UTF-8', or give "
            "pandas.read_excel(path, dtype=str)."
        )
    return _read_json_lines(path, encoding)


def _read_json_lines(path, encoding):
    check_file(path)
    data = path.read_bytes()
    if packed_by(data):
        raise ValueError(f"{path} is packed by {packed_by(data)}; unpack it first.")
    encoding = marked_encoding(data) or (encoding and known_encoding(encoding))
    if encoding:
        data = data.decode(encoding).encode()
    lines = enumerate(data.splitlines(), start=1)
    items = [_parse(path, number, line) for number, line in lines if line.strip()]
    if len(items) == 1 and _is_by_columns(items[0]):
        raise ValueError(
            f"{path} holds a column under each name, as pandas writes by default; "
            "write it by frame.to_json(path, orient='records', lines=True)."
        )
    # What pandas writes as records is one line, which is no dialogue.
    is_list = len(items) == 1 and isinstance(items[0], list)
    return items[0] if is_list and all(map(_is_of_its_own, items[0])) else items


def _is_by_columns(item):
    """Tell whether this is a table of pandas: under each name the same rows."""
    columns = [*item.values()] if isinstance(item, dict) else []
    are_dicts = columns and all(isinstance(column, dict) for column in columns)
    return are_dicts and all(c.keys() == columns[0].keys() for c in columns)


def _is_of_its_own(item):
    """Tell whether this is a dialogue, or an utterance that names its dialogue."""
    names = {*DIALOGUE_FIELDS, KEYS[0]}
    named = isinstance(item, dict) and not item.keys().isdisjoint(names)
    return named or _utterances_of(item) is not None


def _parse(path, number, line):
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path}: line {number} is no JSON ({error}). Each line is a dialogue or "
            "an utterance; if the file is one list, give what json.load returns."
        ) from error


def read_utterances(dialogues, names):
    """Return all utterances, the dialogue of each, and turns if they are in order."""
    is_table = isinstance(dialogues, pd.DataFrame)
    if is_table:
        dialogues = _records(dialogues)
    if not len(dialogues):
        raise ValueError("There is no dialogue.")
    # A column of a table may be called "turns" and count them.
    may_list = not is_table or _utterances_of(dialogues[0], numbers=False) is not None
    listed = [_utterances_of(item) if may_list else None for item in dialogues]
    if all(utterances is None for utterances in listed):
        return dialogues, _named_dialogues(dialogues, names), None
    return _flatten(dialogues, listed, names)


def fields_of(record):
    """List the fields of an utterance for a message."""
    names = list(map(reprlib.repr, record))
    return ", ".join([*names[:20], *(["..."] if len(names) > 20 else [])]) or "nothing"


def _records(frame):
    """Make a dict of each row, with what stands in a named index."""
    if isinstance(frame.columns, pd.MultiIndex):
        raise ValueError(
            "The table has MultiIndex columns; flatten them first: "
            "X.columns = ['_'.join(map(str, column)) for column in X.columns]."
        )
    names = [name for name in frame.index.names if name is not None]
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice) or len(set(names)) < len(names):
        name = twice[0] if len(twice) else names[0]
        raise ValueError(f"The table has {name!r} twice; rename or drop one.")
    records = frame.to_dict("records")
    for name in set(names) - set(frame.columns):
        values = frame.index.get_level_values(name)
        records = [r | {name: v} for r, v in zip(records, values, strict=True)]
    return records


def _utterances_of(dialogue, *, numbers=True):
    """Return what a dialogue holds; None of what is an utterance."""
    if isinstance(dialogue, list | tuple):
        return dialogue
    if not isinstance(dialogue, dict):
        return None
    found = next((dialogue[f] for f in _UTTERANCES_FIELDS if f in dialogue), None)
    if isinstance(found, np.ndarray):
        return found.tolist()  # as parquet files give lists
    return found if numbers or isinstance(found, list | tuple) else None


def _flatten(dialogues, listed, names):
    records, ids, turns, seen = [], [], [], set()
    for number, (dialogue, utterances) in enumerate(
        zip(dialogues, listed, strict=True)
    ):
        given = decode(dialogue.get("id")) if isinstance(dialogue, dict) else None
        given = str(number) if is_missing(given) else given
        key = str(given)
        if not isinstance(utterances, list | tuple) or not utterances or key in seen:
            what = "stands twice" if key in seen else "is no list of utterances"
            raise ValueError(f"Dialogue {key!r} (number {number}) {what}.")
        _refuse_several(utterances, names, f"Dialogue {key!r} (number {number})")
        seen.add(key)
        records += utterances
        ids += [given] * len(utterances)
        turns += range(len(utterances))
    return records, ids, turns


def _refuse_several(utterances, names, where):
    """Refuse a list, said to be a dialogue, whose utterances name several."""
    for name in names:
        records = [record for record in utterances if isinstance(record, dict)]
        given = {str(decode(field_of(record, name))) for record in records}
        if len(given) > 1:
            raise ValueError(
                f"{where} is one list, and its utterances name {len(given)} under "
                f"{name!r}, such as {', '.join(map(repr, sorted(given)[:2]))}. Give "
                "the utterances as they are, without a list around them, or a list "
                "for each dialogue."
            )


def _named_dialogues(records, names):
    odd = [at for at, record in enumerate(records) if not isinstance(record, dict)]
    if odd:
        raise ValueError(
            f"Item {odd[0]} is a {type(records[odd[0]]).__name__}; give lists of "
            "utterances, or dicts."
        )
    name = next((name for name in names if name in records[0]), None)
    name = names[0] if len(names) == 1 else name
    ids = [field_of(record, name) for record in records]
    missing = [at for at, key in enumerate(ids) if key is None]
    if missing:
        told = _missing_ids if name else _no_ids
        raise ValueError(told(records, missing, name or names))
    return ids


def _missing_ids(records, missing, name):
    at, n_missing = missing[0], len(missing)
    if name not in records[at]:
        return _no_ids(records, missing, [name])
    empty = sum(all(map(_is_nothing, records[row].values())) for row in missing)
    if empty == n_missing:
        how = "These rows hold nothing at all: leave them out, dropna(how='all')"
    elif at > 0 and n_missing > len(records) / 2:
        how = (
            "If only the first row of each dialogue has its name, as merged cells of a "
            f"spreadsheet do, fill it down: table[{name!r}].ffill()"
        )
    else:
        how = f"Leave these rows out, dropna(subset=[{name!r}]), or fill them"
    return (
        f"Utterance {at} does not name its dialogue under {name!r}, where it has "
        f"{records[at][name]!r}, as {n_missing} of {len(records)} have. {how}; or, if "
        "the list is one dialogue, give it within a list."
    )


def _no_ids(records, missing, names):
    record = records[missing[0]]
    like = [name for name in record if kind_of(name) == "dialogue"]
    how = f"Say dialogue={like[0]!r}" if like else "Say which field does, dialogue=..."
    return (
        f"Utterance {missing[0]} does not name its dialogue under "
        f"{' or '.join(map(repr, names))}; it has {fields_of(record)}. {how}; or, if "
        "the list is one dialogue, give it within a list (a table: "
        "table.assign(dialogue=1))."
    )


def _is_nothing(value):
    return is_missing(value) or is_blank(value)
