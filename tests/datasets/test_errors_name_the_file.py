"""Valid files whose content is broken somewhere: every error names the file."""

import copy
import pickle
import random
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from systems import mostly_slow

pytest.importorskip("pyarrow", reason="needs pyarrow: skmerc[parquet]")

from hostile import _GOOD, read  # noqa: E402

PICKLES = [
    "load_meld", "load_emorynlp", "load_dailydialog", "load_iemocap", "load_mosei",
    "load_mosei.padded", "load_mosi",
]  # fmt: skip
TEXTS = [
    "load_table.csv", "load_meld.csv", "load_emorynlp.csv", "load_dailydialog.txt",
    "load_iemocap.txt", "load_mosi.csv", "to_frame", "load_subtitles",
    "load_subtitles.vtt", "load_segments", "load_segments.rttm", "load_messages",
    "load_slack", "load_whatsapp", "load_telegram", "load_convokit",
]  # fmt: skip
TABLES = ["load_table.parquet", "iter_table", "load_table.npz"]
WRONG = [None, np.nan, "x", b"\xff", -7, 1e300, [], {}, [[1], [1, 2]], 2**70, object]
WORDS = ["", "x", "-7", "nan", "[1]", '{"a": 1}', "1e999", '"', "\\ud800"]
MOST = 60
"""Cases of a reader, spread over all that there are."""


@pytest.fixture
def good(tmp_path):
    """A function that writes the good file of a reader: path, and what is broken."""
    return lambda reader: _GOOD[reader](tmp_path, random.Random(0))


def spread(cases):
    """Some of the cases, in the order given; the same ones in every run."""
    cases = list(cases)
    chosen = random.Random(0).sample(range(len(cases)), min(MOST, len(cases)))
    return [cases[number] for number in sorted(chosen)]


def check(reader, path):
    """Read a file; what is raised names it, and is of a documented kind."""
    told = str(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(reader, path)
    except (ValueError, OSError) as error:
        told = str(error)
    assert str(path) in told


def places(value, here=()):
    """Ways to all parts of nested lists and dicts."""
    yield here
    if isinstance(value, dict):
        keys = list(value)
    else:
        keys = range(len(value)) if isinstance(value, list | tuple) else ()
    for key in keys:
        yield from places(value[key], (*here, key))


def put(value, way, part):
    """Put a part into nested lists and dicts; tuples become lists."""
    if not way:
        return part
    value = list(value) if isinstance(value, tuple) else copy.copy(value)
    value[way[0]] = put(value[way[0]], way[1:], part)
    return value


@pytest.mark.parametrize("reader", mostly_slow(PICKLES))
def test_members_of_a_pickle(reader, good):
    path, _ = good(reader)
    content = pickle.loads(path.read_bytes())
    cases = [(way, part) for way in places(content) for part in WRONG]
    for way, part in spread(cases):
        path.write_bytes(pickle.dumps(put(content, way, part)))
        check(reader, path)


@pytest.mark.parametrize("reader", mostly_slow(TEXTS))
def test_cells_of_a_text(reader, good):
    path, target = good(reader)
    files = [target] if path == target else sorted(path.rglob("*.*"))
    texts = {file: file.read_text() for file in files if file.is_file()}
    cases = [
        (file, *match.span(), word)
        for file, text in texts.items()
        for match in re.finditer(r"[^,;\n\t ]+", text)
        for word in WORDS
    ]
    for file, start, end, word in spread(cases):
        file.write_text(texts[file][:start] + word + texts[file][end:])
        check(reader, path)
        file.write_text(texts[file])


@pytest.mark.slow
@pytest.mark.parametrize("reader", mostly_slow(TABLES))
def test_columns_of_a_table(reader, good):
    path, _ = good(reader)
    if path.suffix == ".npz":
        with np.load(path) as file:
            arrays = dict(file)
        for name in arrays:
            for part in (np.zeros(0), np.ones((3, 3)), np.array("x"), arrays["text"].T):
                np.savez(path, **arrays | {name: part})
                check(reader, path)
        return
    frame = pd.read_parquet(path)
    for column in [*frame.columns[:5], "label"]:
        for part in (None, "x", b"\xff", np.inf, [1.0], 1e300, True, "\u2028"):
            cells = pd.Series([part] * len(frame), dtype=object)
            for changed in (cells, cells.where(frame.index < 1, frame[column])):
                try:
                    frame.assign(**{column: changed}).to_parquet(path)
                except Exception:  # noqa: S112 (no parquet column can hold these)
                    continue
                check(reader, path)
        for changed in (
            frame.drop(columns=column),
            frame.rename(columns={column: "x"}),
        ):
            changed.to_parquet(path)
            check(reader, path)
