"""Tables as programs write them: spreadsheets, data sets, vector stores, parts."""

import csv
import datetime as dt
import gzip
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from systems import mostly_slow

from skmerc.datasets import iter_table, load_table, to_frame

GOOD = (
    "dialogue,turn,label,text__0,text__1\n1,0,joy,0.5,-1e-3\n1,1,sad,,2\n2,0,joy,1,3\n"
)
KEYS = {"dialogue": [1, 1, 2, 2], "turn": [0, 1, 0, 1], "label": ["a", "b", "a", "b"]}
ENDINGS = [".csv", ".tsv", ".csv.gz", ".tsv.gz"]


@pytest.fixture
def write(tmp_path):
    """A function that writes text, in an encoding, to a file of an ending."""

    def write(text, encoding="utf-8", ending=".csv"):
        path = tmp_path / f"calls{ending}"
        data = text.encode(encoding)
        path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
        return path

    return write


@pytest.fixture
def frame():
    return pd.DataFrame(KEYS)


def cells(text, separator, decimal="."):
    """The same table, written with another separator and decimal mark."""
    return text.replace(",", separator).replace(".", decimal)


def features(X):
    return X.drop(columns=list(X.columns[:4])).to_dict("list")


def assert_same(path, expected):
    (X, y), (X_expected, y_expected) = load_table(path), expected
    pd.testing.assert_frame_equal(X, X_expected)
    assert y.tolist() == y_expected.tolist()


# --- Spreadsheets


@pytest.mark.parametrize("ending", mostly_slow(ENDINGS))
@pytest.mark.parametrize(
    ("separator", "decimal"),
    mostly_slow([(";", "."), (";", ","), ("\t", "."), ("\t", ",")]),
)
def test_separators_and_decimal_marks_of_spreadsheets(
    write, separator, decimal, ending
):
    expected = load_table(write(GOOD))
    assert_same(write(cells(GOOD, separator, decimal), ending=ending), expected)


@pytest.mark.parametrize("encoding", mostly_slow(["utf-8-sig", "utf-16", "utf-32"]))
@pytest.mark.parametrize("separator", mostly_slow([",", ";", "\t"]))
def test_byte_order_marks_tell_the_encoding(write, separator, encoding):
    text = GOOD.replace("joy", "Überraschung")
    expected = load_table(write(text))
    assert_same(write(cells(text, separator), encoding), expected)


@pytest.mark.parametrize("separator", mostly_slow([",", ";", "\t", "|"]))
@pytest.mark.parametrize("quote", mostly_slow(["", '"']))
@pytest.mark.parametrize("end", mostly_slow(["\n", "\r\n"]))
def test_excel_may_be_told_the_separator(write, separator, quote, end):
    expected = load_table(write(GOOD))
    text = f"{quote}sep={separator}{quote}\n" + cells(GOOD, separator)
    assert_same(write(text.replace("\n", end)), expected)


@pytest.mark.parametrize("separator", [", ", "; ", "|", " |", "| "])
def test_bars_and_blanks_between_cells(write, separator):
    expected = load_table(write(GOOD))
    text = GOOD.replace(",", separator)
    if separator == " |":
        with pytest.raises(ValueError, match="the column 'dialogue ', and keys"):
            load_table(write(text.replace("label |", "label|")))
    else:
        assert_same(write(text), expected)


@pytest.mark.parametrize("ending", mostly_slow([".csv", ".tsv.gz"]))
@pytest.mark.parametrize("separator", mostly_slow([",", ";"]))
def test_empty_rows_and_columns_at_the_end_are_nothing(write, separator, ending):
    expected = load_table(write(GOOD))
    wide = "".join(f"{line},,\n" for line in GOOD.splitlines())
    for text in (GOOD + ",,,,\n" * 3, wide, wide + ",,,,,,\n", GOOD + "\n,,,,\n\n"):
        assert_same(write(text.replace(",", separator), ending=ending), expected)


def test_what_an_empty_row_or_column_is_not(write):
    between = GOOD.replace("2,0,joy", ",,,,\n2,0,joy")
    with pytest.raises(ValueError, match="'label' is absent in 1 rows, first in row 2"):
        load_table(write(between))
    with pytest.raises(ValueError, match="'Unnamed: 5'.* neither keys nor features"):
        load_table(
            write("".join(f"{line},\n" for line in GOOD.splitlines())[:-1] + "7")
        )
    with pytest.raises(ValueError, match="no rows"):
        load_table(write(GOOD.splitlines()[0] + "\n,,,,\n"))


def as_index(numbers, name=""):
    lines = zip([name, *numbers], GOOD.splitlines(), strict=True)
    return "".join(f"{number},{line}\n" for number, line in lines)


@pytest.mark.parametrize(
    "text",
    [
        as_index(range(3)),
        as_index(range(1, 4)),
        as_index(['"1"', '"2"', '"3"'], '""'),
        as_index(range(3), "Unnamed: 0"),
        "".join(
            f",{x}\n" if not n else f"{n},{x}\n"
            for n, x in enumerate(as_index(range(3), "Unnamed: 0").splitlines())
        ),
    ],
    ids=["pandas", "R", "R with quotes", "read again", "twice"],
)
def test_an_index_that_counts_the_rows_is_no_column(write, text):
    assert_same(write(text), load_table(write(GOOD)))


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_another_index_is_told_and_may_be_left_out(write, name):
    path = write(as_index([5, 3, 4], name))
    told = r"'Unnamed: 0'.*to_csv\(index=False\).*modalities=\['text'\]"
    with pytest.raises(ValueError, match=told):
        load_table(path)
    X, _ = load_table(path, modalities=["text"])
    assert list(features(X)) == ["text__0", "text__1"]


@pytest.mark.slow
def test_wide_tables_may_have_an_index(write):
    head = ",dialogue,label," + ",".join(f"text__{n}" for n in range(10_100))
    row = "0,1,joy" + ",0.5" * 10_100
    X, _ = load_table(write(f"{head}\n{row}\n{',' * 10_102}\n"))
    assert X.shape == (1, 10_104)
    assert set(X.iloc[0, 4:]) == {0.5}


@pytest.mark.parametrize(
    "word", mostly_slow(["NA", "N/A", "nan", "NaN", "null", "None", "", " "])
)
def test_words_for_nothing_are_no_labels(write, word):
    head, *lines = GOOD.replace("sad", word).splitlines()
    with pytest.raises(ValueError, match="'label' is absent in 1 rows, first in row 1"):
        load_table(write(GOOD.replace("sad", word)))
    roles = ["role", "utterance", "context", "utterance"]
    rows = zip([head, *lines], roles, strict=True)
    _, y = load_table(write("".join(f"{line},{role}\n" for line, role in rows)))
    assert y.tolist() == ["joy"] * 3
    scores = GOOD.replace("joy", "0.5").replace("sad", word).splitlines()
    rows = zip(scores, roles, strict=True)
    _, y = load_table(write("".join(f"{line},{role}\n" for line, role in rows)))
    assert y.tolist() == [0.5] * 3


def test_a_presence_that_is_not_told_is_named(write):
    lines = zip(GOOD.splitlines(), ["text_present", "True", "", "False"], strict=True)
    with pytest.raises(ValueError, match="'text_present' holds '' in row 1"):
        load_table(write("".join(f"{line},{present}\n" for line, present in lines)))


@pytest.mark.parametrize("name", ["Dialogue", "DIALOGUE", " dialogue", "dialogue "])
@pytest.mark.parametrize("modalities", [None, ["text"]])
def test_keys_by_nearly_their_names_are_not_left_out(write, name, modalities):
    with pytest.raises(ValueError, match=f"the column '{name}'.*rename it 'dialogue'"):
        load_table(write(GOOD.replace("dialogue", name)), modalities=modalities)


def test_a_cell_that_is_too_long_is_told(write):
    vector = "[" + " ".join(["0.123456789"] * 12_000) + "]"
    text = f"label,text\njoy,[1 2]\njoy,{vector}\n"
    with pytest.raises(
        ValueError, match=r"131072 characters; raise csv\.field_size_lim"
    ):
        load_table(write(text))


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_numbers_as_objects_are_numbers(frame, tmp_path, ending):
    if ending == ".parquet":
        pytest.importorskip("pyarrow", reason="needs pyarrow")
    flags = pd.Series([True, None, False, True], dtype=object)
    full = frame.assign(text__0=flags)
    path = tmp_path / f"a{ending}"
    if ending == ".csv":
        full["text__0"] = ["1", "", "0", "1"]
        full.to_csv(path, index=False)
    else:
        full["label"] = [Decimal("0.5"), Decimal("1.0")] * 2
        full["audio__0"] = [Decimal("0.5"), None, Decimal("-2.25"), Decimal(1)]
        full.to_parquet(path)
    X, y = load_table(path)
    np.testing.assert_array_equal(X["text__0"], [1, np.nan, 0, 1])
    if ending == ".parquet":
        np.testing.assert_array_equal(X["audio__0"], [0.5, np.nan, -2.25, 1])
        assert y.tolist() == [0.5, 1.0] * 2
        pd.testing.assert_frame_equal(next(iter_table(path))[0], X)


def test_scores_have_the_decimal_mark_of_the_table(write):
    text = GOOD.replace("joy", "1.5").replace("sad", "-2.25")
    _, y = load_table(write(cells(text, ";", ",")))
    assert y.tolist() == [1.5, -2.25, 1.5]


def test_points_in_keys_are_no_decimal_marks(write):
    short = "dialogue;speaker;turn;label;text__0\n1.2;A.1;0,5;joy;0,25\n1.2;B;1;sad;2\n"
    long = short.replace("dialogue", "rest__dialogue__id").replace(
        ";speaker;turn", ";dialogue__speaker;dialogue__turn"
    )
    for text in (short, long):
        X, _ = load_table(write(text))
        assert X["dialogue__id"].tolist() == ["1.2"] * 2
        assert X["dialogue__speaker"].tolist() == ["A.1", "B"]
        assert X["dialogue__turn"].tolist() == [0.5, 1]
        assert features(X) == {"text__0": [0.25, 2]}


def test_wide_tables_have_decimal_commas_too(write, monkeypatch):
    monkeypatch.setattr("skmerc.datasets.formats._csv_files._WIDE", 100)
    names = [f"text__{number}" for number in range(200)]
    head = ";".join(["dialogue", "label", *names])
    row = ";".join(["1", "joy", *["0,5"] * len(names)])
    X, _ = load_table(write(f"{head}\n{row}\n"))
    assert set(X.iloc[0, 4:]) == {0.5}
    with pytest.raises(ValueError, match="'#N/A', in row 0|'#N/A'.*row 0"):
        load_table(write(f"{head}\n{row.replace('0,5', '#N/A', 1)}\n"))


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        (cells(GOOD, ";").replace("-1e-3", "1,5"), "utf-8", r"line 2.*one decimal"),
        (GOOD.replace("0.5", '"0,5"'), "utf-8", r"'text__0' holds '0,5' in row 0"),
        (GOOD.replace("-1e-3", "#N/A"), "utf-8", r"'text__1' holds '#N/A' in row 0"),
        (GOOD.replace("joy", "fröhlich"), "cp1252", "no text of UTF-8.*'CSV UTF-8'"),
        (GOOD, "utf-16-le", "zero bytes.*byte order mark"),
        ("PK\x03\x04\x14\0\6\0", "utf-8", "a workbook of Excel; save its table"),
        ("\xd0\xcf\x11\xe0\0\0", "latin-1", "a workbook of Excel; save its table"),
        ("\x1f\x8b\x08\0", "latin-1", r"packed by gzip: .* let its name end in \.gz"),
        (GOOD.replace("turn", "label"), "utf-8", r"\['label'\] stand twice; [^;]*$"),
        (GOOD.replace("1,0,", "1,1,0,"), "utf-8", r"line 2 .*\(in R: row\.names=FALSE"),
        (GOOD.replace(",", " "), "utf-8", "one: dialogue turn label text__0 text__1"),
    ],
    ids=[
        *("two marks", "comma in quotes", "error of a cell", "cp1252", "no mark"),
        *("zip", "old workbook", "gzip", "names twice", "names of rows", "blanks"),
    ],
)
def test_what_a_spreadsheet_has_done_is_told(write, text, encoding, message):
    with pytest.raises(ValueError, match=rf"calls\.csv.*{message}"):
        load_table(write(text, encoding))


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_texts_in_encodings_of_other_programs_are_told(tmp_path, encoding):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "calls.parquet"
    table = pa.table({**KEYS, "text__0": [0.5, 1.0, 2.0, 3.0]})
    how = {"use_dictionary": False, "column_encoding": {"label": encoding}}
    parquet.write_table(table, path, **how)
    message = f"'label' holds texts in the encoding {encoding},.* Write the file anew"
    for read in (load_table, lambda path: list(iter_table(path)), to_frame):
        with pytest.raises(ValueError, match=message) as caught:
            read(path)
        assert "damaged" not in str(caught.value)
    pd.read_parquet(path).to_parquet(path)
    assert load_table(path)[1].tolist() == KEYS["label"]
    assert next(iter_table(path))[1].tolist() == KEYS["label"]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("vectors", [False, True])
def test_what_single_precision_cannot_hold_is_refused(tmp_path, ending, vectors):
    path = tmp_path / f"calls{ending}"
    frame = pd.DataFrame(KEYS).assign(text__0=1.0, text__1=[0.0, 1e38, 1e39, np.nan])
    if vectors:
        numbers = frame.pop("text__0"), frame.pop("text__1")
        cells = [list(pair) for pair in zip(*numbers, strict=True)]
        frame["text"] = list(map(str, cells)) if ending == ".csv" else cells
    write = getattr(frame, f"to_{ending[1:]}")
    write(path, index=False)
    message = r"'text' holds 1e\+39 in row {}, column 1, which is too large"
    with pytest.raises(ValueError, match=message.format(2)):
        load_table(path)
    parts = iter_table(path, rows=2)
    np.testing.assert_allclose(next(parts)[0]["text__1"], [0, 1e38], rtol=1e-6)
    with pytest.raises(ValueError, match=f"dialogues '2' to '2'.*{message.format(0)}"):
        next(parts)


# --- Vectors in one column


def as_json(vector):
    return "[" + ", ".join("null" if np.isnan(x) else repr(x) for x in vector) + "]"


def as_numpy(vector):
    return str([float(x) for x in vector])


def _scalar(number):
    """Write a number as NumPy 2 does in a list, whatever NumPy is there."""
    return f"np.float{32 if number == 1.5 else 64}({float(number)})"


WRITTEN = {
    "JSON": as_json,
    "Python": as_numpy,
    "NumPy": lambda vector: str(np.array(vector)),
    "list of NumPy's": lambda vector: "[" + ", ".join(map(_scalar, vector)) + "]",
    "array": lambda vector: repr(np.array(vector, dtype="float64")),
    "float32": lambda vector: f"array({as_numpy(vector)}, dtype=float32)",
    "torch": lambda vector: f"tensor({as_numpy(vector)}, device='cuda:0')",
    "blanks": lambda vector: f" {as_json(vector)} ",
}
VECTORS = [[0.5, 1.5], [1.0, np.nan], None, [3.0, -1e-9]]
SPREAD = {"text__0": [0.5, 1, np.nan, 3], "text__1": [1.5, np.nan, np.nan, -1e-9]}


def assert_features(X, expected):
    found = features(X)
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], np.float32(values))


@pytest.mark.parametrize("kind", WRITTEN)
def test_text_of_vectors_is_a_modality(frame, tmp_path, kind):
    text = [None if vector is None else WRITTEN[kind](vector) for vector in VECTORS]
    frame.assign(text=text).to_csv(tmp_path / "a.csv", index=False)
    assert_features(load_table(tmp_path / "a.csv")[0], SPREAD)


@pytest.mark.parametrize("none", ["", " ", "NA", "nan", "null", "None"])
def test_words_for_nothing_are_no_vectors(frame, tmp_path, none):
    texts = [none if vector is None else as_json(vector) for vector in VECTORS]
    frame.assign(text=texts).to_csv(tmp_path / "a.csv", index=False)
    assert_features(load_table(tmp_path / "a.csv")[0], SPREAD)


@pytest.mark.parametrize("make", [list, np.array, np.float32, WRITTEN["JSON"]])
def test_vectors_of_parquet_are_a_modality(frame, tmp_path, make):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    path = tmp_path / "a.parquet"
    vectors = [None if vector is None else make(vector) for vector in VECTORS]
    frame.assign(text=vectors, audio__0=1.0).to_parquet(path)
    expected = {"text__0": SPREAD["text__0"], "text__1": SPREAD["text__1"]}
    X, _ = load_table(path, modalities=["text"])
    assert_features(X, expected)
    for X in (load_table(path)[0], next(iter_table(path))[0]):
        assert {c.partition("__")[0] for c in features(X)} == {"text", "audio"}
        assert_features(X.drop(columns="audio__0"), expected)


def test_vectors_of_fixed_length_are_read(frame, tmp_path):
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    kind = pa.list_(pa.float32(), 2)
    table = pa.Table.from_pandas(frame).append_column("text", pa.array(VECTORS, kind))
    parquet.write_table(table, tmp_path / "a.parquet")
    assert_features(load_table(tmp_path / "a.parquet")[0], SPREAD)


def test_words_beside_vectors_are_left_out_where_named(frame, tmp_path):
    table = frame.assign(embedding="[1, 2]", utterance="[laughs] Hello!")
    table.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(ValueError, match="'utterance'.* neither keys nor features"):
        load_table(tmp_path / "a.csv")
    X, _ = load_table(tmp_path / "a.csv", modalities=["embedding"])
    assert list(features(X)) == ["embedding__0", "embedding__1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (["[1, 2]", "[1]", "", ""], "'text' has 1 numbers in row 1 and 2 elsewhere"),
        (["[1]", "", "[a]", ""], "'text' holds no vector of numbers in row 2"),
        (["[1]", "[1_0]", "", ""], "no vector of numbers in row 1"),
        (["[[1], [2]]"] * 4, "no vector of numbers in row 0"),
        (["[]", "[]", "", ""], "an empty vector in row 0"),
        (["[0. 1. ... 8. 9.]"] * 4, r"'\.\.\.' stands in it"),
    ],
)
def test_what_is_no_vector_is_told_with_its_row(frame, tmp_path, text, message):
    frame.assign(text=text).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(ValueError, match=rf"a\.csv: .*{message}"):
        load_table(tmp_path / "a.csv")


@pytest.mark.parametrize("vector", [[[1.0], [2.0]], ["a", "b"], []])
def test_other_lists_of_parquet_are_told(frame, tmp_path, vector):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    path = tmp_path / "a.parquet"
    frame.assign(text=[vector] * 4).to_parquet(path)
    with pytest.raises(ValueError, match=r"a\.parquet: 'text' holds .* in row 0"):
        load_table(path)


def test_numbers_in_lists_are_paid_for(tmp_path, monkeypatch):
    monkeypatch.setattr("skmerc.datasets.formats._budget.FLOOR", 2**22)
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    path, n = tmp_path / "a.parquet", 5 * 10**6
    lists = pa.ListArray.from_arrays([0, n], np.zeros(n, np.int8))
    table = pa.table({"dialogue": ["a"], "label": ["b"], "text": lists})
    parquet.write_table(table, path)
    assert path.stat().st_size < 10**6
    for read in (load_table, lambda path: next(iter_table(path))):
        with pytest.raises(ValueError, match=r"a\.parquet .*the lists of 'text"):
            read(path)


# --- Parts and indexes of parquet files


@pytest.fixture
def parts(tmp_path):
    """A function that writes frames to the files of a folder."""
    pytest.importorskip("pyarrow", reason="needs pyarrow")

    def write(*frames):
        for number, frame in enumerate(frames):
            frame.to_parquet(tmp_path / f"part-{number}.parquet")
        return tmp_path

    return write


def test_a_modality_may_be_empty_in_a_part(frame, parts):
    full = frame.assign(text__0=1.0, audio__0=2.0, speaker="Ann")
    empty = full.assign(dialogue=[3, 3, 4, 4], audio__0=None, speaker=None)
    folder = parts(empty, full)
    (X, _), _ = load_table(folder / "part-0.parquet"), None
    assert X["audio__0"].isna().all()
    for rows in (1, 4, 100):
        X = pd.concat([X for X, _ in iter_table(folder, rows=rows)])
        assert X["audio__0"].isna().tolist() == [True] * 4 + [False] * 4
        assert X["dialogue__speaker"].tolist() == [""] * 4 + ["Ann"] * 4


def test_text_columns_that_are_empty_are_absent_numbers(frame, tmp_path):
    frame.assign(text__0=1.0, audio__0="").to_csv(tmp_path / "a.csv", index=False)
    X, _ = load_table(tmp_path / "a.csv")
    assert X["audio__0"].isna().all()


def test_vectors_may_be_absent_in_a_part(frame, parts):
    vectors = pd.Series([[1.0, 2.0]] * 4)
    other = frame.assign(dialogue=[3, 3, 4, 4], text=None)
    for frames in (
        (frame.assign(text=vectors), other),
        (other, frame.assign(text=vectors)),
    ):
        folder = parts(*frames)
        for rows in (1, 100):
            X = pd.concat([X for X, _ in iter_table(folder, rows=rows)])
            assert list(features(X)) == ["text__0", "text__1"]
            assert X["text__0"].isna().sum() == 4


def test_labels_may_be_absent_in_a_part(frame, parts):
    full = frame.assign(text__0=1.0, role="utterance")
    context = full.assign(dialogue=2, label=None, role="context").iloc[:2]
    folder = parts(full.iloc[:2], context.assign(turn=[5, 6]), full.iloc[2:])
    X, y = next(iter_table(folder))
    assert (
        X["dialogue__role"].tolist()
        == [*["utterance"] * 2, *["context"] * 2] + ["utterance"] * 2
    )
    assert y[[0, 1, 4, 5]].tolist() == ["a", "b", "a", "b"]


@pytest.mark.parametrize(
    "levels",
    mostly_slow([["dialogue"], ["dialogue", "turn"], ["turn", "dialogue"], ["label"]]),
)
def test_keys_and_labels_may_stand_in_the_index(frame, parts, levels):
    full = frame.assign(text__0=[1.0, 2, 3, 4])
    path = parts(full) / "part-0.parquet"
    expected, y_expected = load_table(path)
    full.set_index(levels).to_parquet(path)
    X, y = load_table(path)
    pd.testing.assert_frame_equal(X, expected)
    assert y.tolist() == y_expected.tolist()
    X = pd.concat([X for X, _ in iter_table(path, rows=2)], ignore_index=True)
    pd.testing.assert_frame_equal(X, expected)


def test_other_indexes_are_left_out(frame, parts):
    full = frame.assign(text__0=1.0)
    full.index = pd.Index([5, 3, 1, 0], name="id")
    X, _ = load_table(parts(full) / "part-0.parquet")
    assert X.index.tolist() == [0, 1, 2, 3]


def test_an_index_without_a_name_is_no_column_of_a_part(frame, parts):
    full = frame.assign(text__0=1.0)
    folder = parts(full.iloc[:2], full.iloc[[3, 2]].rename(index={3: 9, 2: 4}))
    assert sum(len(X) for X, _ in iter_table(folder)) == 4


def test_a_key_in_the_index_and_as_a_column_is_refused(frame, tmp_path):
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    table = pa.Table.from_pandas(frame.assign(text__0=1.0).set_index("turn"))
    table = table.append_column("dialogue__turn", pa.array([0, 1, 0, 1]))
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet.* twice"):
        load_table(tmp_path / "a.parquet")


def test_a_dialogue_in_two_forms_is_told(frame, parts):
    full = frame.assign(text__0=1.0)
    folder = parts(full, full.astype({"dialogue": float}))
    with pytest.raises(ValueError, match=r"part-1.*'1\.0' in row 0 was '1' before"):
        list(iter_table(folder))
    path = folder / "part-0.parquet"
    full.assign(dialogue=["1", "1.0", "2", "2"]).to_parquet(path)
    with pytest.raises(ValueError, match=r"'1' in row 0 and '1\.0' in row 1"):
        load_table(path)


def test_bytes_of_parquet_are_text(frame, parts):
    full = frame.assign(text__0=1.0, speaker=b"Ann", label=[b"a", b"b"] * 2)
    X, y = load_table(parts(full) / "part-0.parquet")
    assert set(X["dialogue__speaker"]) == {"Ann"}
    assert y.tolist() == ["a", "b", "a", "b"]


@pytest.mark.parametrize("label", [["a", "b"], [1, 2], [0.5, 1.5]])
def test_categories_of_pandas_are_what_they_stand_for(frame, parts, label):
    full = frame.assign(text__0=1.0, label=pd.Categorical(label * 2))
    path = parts(full) / "part-0.parquet"
    assert load_table(path)[1].tolist() == label * 2
    assert next(iter_table(path))[1].tolist() == label * 2


def test_a_missing_part_is_empty_and_no_word(frame, parts):
    full = frame.assign(text__0=1.0, split=[None, "train", "train", "dev"])
    path = parts(full) / "part-0.parquet"
    _, _, splits = load_table(path, return_split=True)
    assert splits.tolist() == ["", "train", "train", "dev"]


def test_lists_are_no_labels(frame, parts):
    path = parts(frame.assign(text__0=1.0, label=[["a"], ["b"]] * 2)) / "part-0.parquet"
    for read in (load_table, lambda path: next(iter_table(path))):
        with pytest.raises(ValueError, match="row 0 holds .*'a'.*; give text or a num"):
            read(path)


@pytest.mark.parametrize("column", ["label", "dialogue"])
@pytest.mark.parametrize("other", [" a", "a ", "a\u00a0"])
def test_names_that_look_alike_are_told(frame, parts, column, other):
    names = {column: ["a", other, "b", "b"]}
    path = parts(frame.assign(text__0=1.0, **names)) / "part-0.parquet"
    for read in (load_table, lambda path: next(iter_table(path))):
        with pytest.raises(ValueError, match=f"{column} is 'a' in row 0 and .*row 1"):
            read(path)


def test_numbers_that_are_text_are_told(frame, parts):
    path = parts(frame.assign(text__0=["0.5", "1", "2", "3"])) / "part-0.parquet"
    with pytest.raises(
        ValueError, match=r"holds numbers as text, such as '0\.5' in row"
    ):
        load_table(path)


def test_names_of_several_levels_are_told(parts):
    pairs = pd.MultiIndex.from_product([["text"], ["0", "1"]])
    path = parts(pd.DataFrame(np.eye(2), columns=pairs)) / "part-0.parquet"
    for read in (load_table, iter_table):
        with pytest.raises(ValueError, match="MultiIndex columns; flatten them"):
            read(path)


def test_a_folder_is_told_where_to_go(frame, parts):
    with pytest.raises(IsADirectoryError, match="is a folder; .* by iter_table"):
        load_table(parts(frame.assign(text__0=1.0)))


def test_rows_are_counted_in_their_file(parts):
    n = 5_000  # more than are read at a time
    table = pd.DataFrame(
        {"dialogue": 1, "label": "a", "turn": range(n), "text__0": 1.0}
    )
    first, late = table.copy(), table.assign(dialogue=2)
    late["turn"] = late["turn"].where(late["turn"] != 4_500)
    with pytest.raises(ValueError, match="part-1.*: turn is missing in row 4500"):
        list(iter_table(parts(first, late)))
    late = table.assign(dialogue=2, text_present=np.arange(n) < 4_500)
    late["text_present"] = late["text_present"].astype(int).replace(0, 3)
    folder = parts(first.assign(text_present=1), late)
    with pytest.raises(ValueError, match="part-1.*'text_present' holds 3 in row 4500"):
        list(iter_table(folder))


def test_days_are_turns(frame, parts):
    days = [dt.date(2021, 1, day) for day in (2, 1, 3, 4)]
    X, _ = load_table(parts(frame.assign(text__0=1.0, turn=days)) / "part-0.parquet")
    assert X["dialogue__turn"].dtype.kind == "M"
    assert X["dialogue__turn"].dt.day.tolist() == [2, 1, 3, 4]


# --- Classes of Hugging Face's data sets


@pytest.fixture
def classes(frame, tmp_path):
    """A function that writes codes of classes with what `datasets` says of them."""
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")

    def write(codes, feature, **columns):
        full = frame.assign(text__0=1.0, label=codes, **columns)
        about = {
            "info": {"features": {"label": feature, "text__0": {"_type": "Value"}}}
        }
        table = pa.Table.from_pandas(full, preserve_index=False)
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
        parquet.write_table(table, tmp_path / "a.parquet")
        return tmp_path / "a.parquet"

    return write


LABEL = {"_type": "ClassLabel", "names": ["joy", "sad"]}


def test_numbers_of_classes_get_their_names(classes):
    path = classes([0, 1, 1, 0], LABEL)
    for _, y in (load_table(path), next(iter_table(path))):
        assert y.tolist() == ["joy", "sad", "sad", "joy"]
    assert load_table(classes([0, 1, 1, 0], {"_type": "Value"}))[1].tolist() == [
        *(0, 1, 1, 0)
    ]


def test_classes_of_data_sets_may_be_absent(classes):
    with pytest.raises(ValueError, match="'label' is absent in 1 rows, first in row 1"):
        load_table(classes([0, -1, 1, 0], LABEL))
    roles = ["utterance", "context", "utterance", "utterance"]
    _, y = load_table(classes([0, -1, 1, 0], LABEL, role=roles))
    assert y.tolist() == ["joy", "joy", "sad", "joy"]


def test_classes_without_a_name_are_told(classes):
    with pytest.raises(
        ValueError, match=r"a\.parquet.*classes from 0 to 7, and 2 have"
    ):
        load_table(classes([0, 1, 7, 0], LABEL))
    with pytest.raises(ValueError, match=r"a\.parquet.*features is damaged"):
        load_table(classes([0, 1, 1, 0], {"_type": "ClassLabel"}))


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize(
    ("said", "how"),
    [
        ('"No" he said', "is closed before its end"),
        ('"No, he said', "(is not closed|is closed before its end)"),
        (r'"He said \"no\" to me"', "is closed before its end"),
        ('"No" ', "is closed before its end"),
    ],
)
def test_quotation_marks_that_csv_does_not_have_are_told(
    tmp_path, separator, said, how
):
    rows = [["dialogue", "text", "label"], ["1", "Hi", "joy"], ["1", said, "sad"]]
    rows += [["1", '"Hi" she said', "joy"], ["1", "Bye", "sad"]]
    path = tmp_path / "calls.csv"
    path.write_text("".join(f"{separator.join(row)}\n" for row in rows))
    message = (
        f"calls.csv cannot be read as CSV: a cell of line 3 begins .* {how}.*QUOTE"
    )
    with pytest.raises(ValueError, match=message):
        to_frame(path)
    frame = pd.read_csv(
        path, sep=separator, quoting=csv.QUOTE_NONE, on_bad_lines="skip"
    )
    frame.to_csv(path, index=False)
    assert to_frame(path)[0]["utterance"].tolist() == frame["text"].tolist()


def test_quotation_marks_within_cells_are_part_of_them(tmp_path):
    path = tmp_path / "calls.csv"
    path.write_text('dialogue,text\n1,a 5" screen\n1,"so ""no"", he\nsaid"\n')
    said = to_frame(path)[0]["utterance"].tolist()
    assert said == ['a 5" screen', 'so "no", he\nsaid']


def test_a_table_of_texts_is_read_in_the_encoding_that_is_told(tmp_path):
    path = tmp_path / "said.csv"
    for encoding, told in (("cp1252", "cp1252"), ("utf-8-sig", "UTF8")):
        path.write_text("dialogue,text\n1,Grüße – “ja”\n", encoding=encoding)
        X, _ = to_frame(path, encoding=told)
        assert X["utterance"].tolist() == ["Grüße – “ja”"]
    lines = path.with_suffix(".jsonl")
    lines.write_text('{"dialogue": 1, "text": "Grüße"}', encoding="cp1252")
    assert to_frame(lines, encoding="cp1252")[0]["utterance"].tolist() == ["Grüße"]
    path.write_text("dialogue,text\n1,Grüße\n", encoding="cp1252")
    with pytest.raises(ValueError, match=r"'CSV UTF-8'.*encoding='cp1252'"):
        to_frame(path)
    with pytest.raises(ValueError, match="encoding='cp9' is none that Python knows"):
        to_frame(path, encoding="cp9")
    with pytest.raises(ValueError, match="is for the path of a file"):
        to_frame([{"dialogue": 1, "text": "a"}], encoding="cp1252")


@pytest.mark.parametrize(
    "read", [load_table, lambda *a, **k: next(iter_table(*a, **k))]
)
def test_a_table_of_features_is_read_in_the_encoding_that_is_told(tmp_path, read):
    path = tmp_path / "calls.csv"
    table = GOOD.replace("joy", "fröhlich")
    for encoding, told in (("cp1252", "cp1252"), ("utf-8-sig", "UTF8")):
        path.write_text(table, encoding=encoding)
        assert "fröhlich" in read(path, encoding=told)[1]
    # A byte order mark says more than what is told.
    path.write_text(table, encoding="utf-16")
    assert "fröhlich" in read(path, encoding="cp1252")[1]
    path.write_text(table, encoding="cp1252")
    with pytest.raises(ValueError, match=r"'CSV UTF-8'.*encoding='cp1252'"):
        read(path)
    with pytest.raises(ValueError, match="encoding='cp9' is none that Python knows"):
        read(path, encoding="cp9")
