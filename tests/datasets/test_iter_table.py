"""Parts of parquet datasets: what is in them, and what is refused."""

import sys

import numpy as np
import pandas as pd
import pytest
from systems import mostly_slow

from skmerc.datasets import iter_table, load_table, make_conversations
from skmerc.datasets.tables._part_files import CsvFiles

pytest.importorskip("pyarrow", reason="needs pyarrow: skmerc[parquet]")


@pytest.fixture(scope="module")
def frame():
    """Twelve dialogues of three to nine turns, some of them without a modality."""
    X, y = make_conversations(12, n_turns=(3, 9), missing=0.2, random_state=0)
    return X.assign(label=y)


def write(frame, path, cuts=(), name="part={0}/part-{0}.parquet", first=8):
    """Write a frame into files that end at the given rows."""
    edges = [0, *cuts, len(frame)]
    for number, (start, end) in enumerate(zip(edges, edges[1:], strict=False)):
        file = path / name.format(first + number)
        file.parent.mkdir(exist_ok=True)
        frame[start:end].to_parquet(file, index=False, row_group_size=7)
    return path


def joined(parts):
    X, y = zip(*parts, strict=True)
    return pd.concat(X, ignore_index=True), np.concatenate(y)


@pytest.mark.parametrize("rows", mostly_slow([1, 5, 20, 1000]))
def test_parts_are_the_table_in_whole_dialogues(frame, tmp_path, rows):
    write(frame, tmp_path, cuts=[10, 11, 37])
    parts = list(iter_table(tmp_path, rows=rows))
    X, y = joined(parts)
    pd.testing.assert_frame_equal(X, frame.drop(columns="label"))
    assert (y == frame["label"]).all()
    ids = [set(X_part["dialogue__id"]) for X_part, _ in parts]
    assert sum(map(len, ids)) == 12
    sizes = [len(X_part) for X_part, _ in parts]
    assert all(rows <= size < rows + 9 for size in sizes[:-1])
    assert len(parts) == {1: 12, 1000: 1}.get(rows, len(parts))


def test_parts_are_those_of_load_table(frame, tmp_path):
    file = tmp_path / "table.parquet"
    frame.rename(columns={"dialogue__id": "dialogue"}).to_parquet(file)
    X, y = joined(iter_table(file, rows=10))
    X_whole, y_whole = load_table(file)
    pd.testing.assert_frame_equal(X, X_whole)
    assert X.dtypes["text__0"] == np.float32
    assert y.dtype.kind == y_whole.dtype.kind
    assert (y == y_whole).all()


@pytest.mark.slow
def test_parts_do_not_depend_on_files_and_batches(frame, tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    one = list(iter_table(write(frame, tmp_path / "one"), rows=20))
    monkeypatch.setattr("skmerc.datasets.formats._parquet._ROWS", 3)
    (tmp_path / "many").mkdir()
    cuts = range(2, len(frame), 2)
    many = list(iter_table(write(frame, tmp_path / "many", cuts), rows=20))
    assert len(one) == len(many) > 2
    for (X, _), (X_too, _) in zip(one, many, strict=True):
        pd.testing.assert_frame_equal(X, X_too)


@pytest.mark.parametrize("name", mostly_slow(["part-{}.parquet", "part={}/x.parquet"]))
def test_files_come_in_the_order_of_their_numbers(frame, tmp_path, name):
    X, _ = joined(iter_table(write(frame, tmp_path, [9, 20, 31], name)))
    assert X["dialogue__id"].tolist() == frame["dialogue__id"].tolist()


def test_each_call_begins_anew(frame, tmp_path):
    write(frame, tmp_path)
    first = iter_table(tmp_path, rows=10)
    next(first)
    again = iter_table(tmp_path, rows=10)
    assert next(again)[0]["dialogue__id"].iloc[0] == "dia0"
    assert next(first)[0]["dialogue__id"].iloc[0] != "dia0"
    assert len(joined(iter_table(tmp_path, rows=10))[0]) == len(frame)


def test_a_dialogue_longer_than_a_part_comes_whole(frame, tmp_path):
    frame = frame.assign(dialogue__id="one", dialogue__turn=np.arange(len(frame)))
    parts = list(iter_table(write(frame, tmp_path, [30]), rows=5))
    assert [len(X) for X, _ in parts] == [len(frame)]


def test_modalities_are_chosen(frame, tmp_path):
    write(frame, tmp_path)
    X, _ = next(iter_table(tmp_path, modalities=["visual", "text"]))
    assert list(dict.fromkeys(c.partition("__")[0] for c in X.columns[4:])) == [
        "visual",
        "text",
    ]


@pytest.mark.parametrize(
    "labels",
    [
        ["1", "2", "", "2"],
        ["True", "False", "NA", "True"],
        ["true", "TRUE", "", "False"],
        ["True", "1", "", "0"],
        ["True", "sad", "", "False"],
        ["01", "sad", "", "2"],
    ],
)
def test_labels_of_text_are_those_of_load_table(tmp_path, labels):
    roles = ["utterance", "utterance", "context", "utterance"]
    table = pd.DataFrame({"dialogue": list("abcd"), "label": labels, "role": roles})
    table.assign(text__0=1.0).to_csv(tmp_path / "a.csv", index=False)
    _, whole = load_table(tmp_path / "a.csv")
    (_, same), *others = iter_table(tmp_path / "a.csv")
    assert same.tolist() == whole.tolist()
    assert not others
    assert same.dtype.kind == whole.dtype.kind
    ys = [y for _, y in iter_table(tmp_path / "a.csv", rows=3)]
    assert np.concatenate(ys).tolist() == whole.tolist()
    assert {y.dtype.kind for y in ys} <= {
        whole.dtype.kind,
        *("if" * (labels[0] == "1")),
    }


def test_context_rows_need_no_label(frame, tmp_path):
    context = np.arange(len(frame)) % 3 == 0
    frame = frame.assign(dialogue__role=np.where(context, "context", "utterance"))
    frame.loc[context, "label"] = None
    for X, y in iter_table(write(frame, tmp_path), rows=10):
        known = frame.set_index(["dialogue__id", "dialogue__turn"])["label"]
        known = known.loc[
            list(zip(X["dialogue__id"], X["dialogue__turn"], strict=True))
        ]
        unread = (X["dialogue__role"] == "context").to_numpy()
        assert (y[~unread] == known[~unread]).all()
        assert set(y[unread]) <= {y[~unread][0]}


def test_numbers_are_labels_and_ids_too(frame, tmp_path):
    number = frame["dialogue__id"].str[3:].astype(int)
    frame = frame.assign(dialogue__id=number, score=np.linspace(-1, 1, len(frame)))
    write(frame.drop(columns="label"), tmp_path)
    X, y = joined(iter_table(tmp_path, rows=10, label="score"))
    assert X["dialogue__id"].tolist() == number.astype(str).tolist()
    np.testing.assert_array_equal(y, frame["score"])


def test_hidden_files_are_left_out(frame, tmp_path):
    write(frame, tmp_path)
    for name in ("_temporary/x.parquet", ".old.parquet", "_metadata.parquet"):
        write(frame, tmp_path, name=name)
    assert len(joined(iter_table(tmp_path))[0]) == len(frame)


def test_a_dialogue_that_comes_back_is_named(frame, tmp_path):
    again = frame[frame["dialogue__id"] == "dia3"]
    write(pd.concat([frame, again]), tmp_path, [len(frame) - 2])
    with pytest.raises(ValueError, match=r"part-9.*dialogue 'dia3' goes on in row 2"):
        list(iter_table(tmp_path, rows=10))


def test_a_row_without_label_is_named(frame, tmp_path):
    frame = frame.copy()
    frame.loc[25, "label"] = None
    write(frame, tmp_path, [20])
    with pytest.raises(ValueError, match=r"part-9.*'label' is absent.*in row 5;"):
        list(iter_table(tmp_path))


def test_a_part_without_any_label_is_named(frame, tmp_path):
    mute = frame["dialogue__id"] == "dia5"
    role = np.where(mute, "context", "utterance")
    frame = frame.assign(dialogue__role=role, label=frame["label"].mask(mute))
    write(frame, tmp_path)
    assert len(joined(iter_table(tmp_path))[0]) == len(frame)
    with pytest.raises(ValueError, match="dialogues 'dia5' to 'dia5': every row"):
        list(iter_table(tmp_path, rows=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text__0": None}, r"part-9.*part-8.*differ in the columns \['text__0'\]"),
        ({"label": 1.5}, "part-9.*holds 'label' as double, and .*part-8"),
    ],
)
def test_files_that_differ_are_refused_before_anything_is_read(
    frame, tmp_path, change, message
):
    write(frame, tmp_path)
    ((column, value),) = change.items()
    other = frame.drop(columns=column)
    other = other if value is None else other.assign(**change)
    write(other, tmp_path, first=9)
    with pytest.raises(ValueError, match=message):
        iter_table(tmp_path)


@pytest.mark.parametrize("folder", ["dialogue__role=context", "turn=1", "label=joy"])
def test_columns_in_names_of_folders_are_refused(frame, tmp_path, folder):
    write(frame, tmp_path, name=folder + "/part-{}.parquet")
    column = folder.partition("=")[0]
    with pytest.raises(ValueError, match=f"'{column}' stands in the name of a folder"):
        iter_table(tmp_path)


def test_dialogues_are_needed(frame, tmp_path):
    write(frame.drop(columns="dialogue__id"), tmp_path)
    with pytest.raises(ValueError, match="part-8.* has no column 'dialogue__id'"):
        next(iter_table(tmp_path))


def test_a_row_without_dialogue_is_named(frame, tmp_path):
    frame = frame.copy()
    frame.loc[12, "dialogue__id"] = None
    write(frame, tmp_path, [10])
    with pytest.raises(ValueError, match="part-9.*dialogue is missing in row 2"):
        list(iter_table(tmp_path))


def test_columns_that_are_no_features_are_refused(frame, tmp_path):
    write(frame.assign(note="?"), tmp_path)
    with pytest.raises(ValueError, match="part-8.*'note'.*neither keys nor features"):
        next(iter_table(tmp_path))


def test_damaged_files_are_refused(frame, tmp_path):
    write(frame, tmp_path)
    (tmp_path / "part-9.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match="part-9.parquet cannot be read as parquet"):
        iter_table(tmp_path)


def test_nothing_to_read_is_refused(frame, tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(FileNotFoundError, match="no parquet file at"):
            iter_table(path)
    with pytest.raises(ValueError, match="has no rows"):
        next(iter_table(write(frame[:0], tmp_path)))
    with pytest.raises(ValueError, match="'rows' parameter"):
        iter_table(tmp_path, rows=0)


def test_without_pyarrow_it_says_what_to_install(frame, tmp_path, monkeypatch):
    write(frame, tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"skmerc\[parquet\]"):
        iter_table(tmp_path)


@pytest.mark.parametrize("ending", mostly_slow([".csv", ".tsv.gz"]))
def test_parts_of_csv_are_those_of_the_whole_table(frame, tmp_path, ending):
    separator = "\t" if "tsv" in ending else ","
    frame = frame.assign(dialogue__id="00" + frame["dialogue__id"])
    written = {"index": False, "sep": separator}
    frame.to_csv(tmp_path / f"whole{ending}", **written)
    (tmp_path / "parts").mkdir()
    for number, part in enumerate((frame[:10], frame[10:37], frame[37:]), 9):
        part.to_csv(tmp_path / "parts" / f"part-{number}{ending}", **written)
    whole, labels = load_table(tmp_path / f"whole{ending}")
    for path in (tmp_path / "parts", tmp_path / f"whole{ending}"):
        X, y = joined(iter_table(path, rows=11))
        pd.testing.assert_frame_equal(X, whole)
        assert (y == labels).all()


def test_labels_of_csv_are_of_one_kind_in_all_parts(tmp_path):
    for number, label in enumerate(("1", "2", "joy")):
        text = f"dialogue,turn,text__0,label\n{number},0,0.5,{label}\n"
        (tmp_path / f"{number}.csv").write_text(text)
    assert joined(iter_table(tmp_path, rows=1))[1].tolist() == ["1", "2", "joy"]
    (tmp_path / "2.csv").unlink()
    assert joined(iter_table(tmp_path, rows=1))[1].tolist() == [1, 2]


def test_files_of_several_kinds_are_refused(frame, tmp_path):
    write(frame, tmp_path)
    (tmp_path / "part-1.csv").write_text("dialogue,label\n")
    with pytest.raises(ValueError, match=r"parquet and of CSV, such as part-8\.parq"):
        iter_table(tmp_path)


def test_load_table_takes_one_of_the_files(frame, tmp_path):
    write(frame, tmp_path)
    X, _ = load_table(tmp_path / "part=8" / "part-8.parquet")
    pd.testing.assert_frame_equal(X, frame.drop(columns="label"))


def test_columns_that_may_hold_vectors_are_looked_at_together(tmp_path, monkeypatch):
    """A file is read as often for many such columns as for a few."""
    path, read = tmp_path / "calls.csv", []
    frames = CsvFiles.frames

    def counted(reader, file, n_rows, columns=None):
        read.append(columns)
        return frames(reader, file, n_rows, columns)

    monkeypatch.setattr(CsvFiles, "frames", counted)
    for n_columns in (2, 40):
        read.clear()
        names = [f"block{number}" for number in range(n_columns)]
        others = ["[1 2]"] * (n_columns - 1)
        lines = [
            ["dialogue", "turn", "label", *names],
            ["a", "0", "joy", "", *others],
            ["b", "0", "joy", "[3]", *others],
        ]
        path.write_text("\n".join(map(",".join, lines)))
        (X, _), (X_too, _) = iter_table(path, rows=1)
        assert X.columns.tolist() == X_too.columns.tolist()
        assert X.shape[1] == 4 + 1 + 2 * (n_columns - 1)
        assert len(read) == 2
