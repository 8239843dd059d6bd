"""Files that are damaged, forged, of huge claims or no files: one kind of error."""

import gzip
import json
import os
import pickle
import zipfile
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from systems import mostly_slow

from skmerc.datasets import (
    iter_table,
    load_dailydialog,
    load_emorynlp,
    load_iemocap,
    load_meld,
    load_mosei,
    load_mosi,
    load_table,
    to_frame,
)
from skmerc.datasets.formats._feature_folders import read_feature_folders
from skmerc.datasets.formats._parquet import read_frame, read_frames
from skmerc.datasets.formats._parquet_pages import page_sizes

LABELS = np.array(["a", "b"])
MELD = (
    "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,"
    "StartTime,EndTime\n"
)
EMORY = (
    "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,"
    "End_Time\n"
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.npz"


def npz(path, **arrays):
    np.savez(path, **({"label": LABELS, "text": np.ones((2, 3))} | arrays))


def add_member(path, name, content, **settings):
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content, **settings)


def head(text):
    text = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def claiming(shape, dtype="<f4"):
    told = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    return head(told) + b"\0" * 64


class TestArchives:
    def test_files_beside_the_arrays_are_no_matter(self, path):
        npz(path)
        add_member(path, "README.txt", "about these arrays")
        X, y = load_table(path)
        assert X.shape == (2, 7)
        assert y.tolist() == ["a", "b"]

    def test_a_label_that_is_no_array_is_none(self, path):
        add_member(path, "label", b"abc")
        with pytest.raises(ValueError, match=r"calls\.npz has no label 'label'"):
            load_table(path)

    @pytest.mark.slow
    def test_arrays_that_nobody_asks_for_are_not_read(self, path):
        npz(path)
        add_member(path, "more.npy", claiming((10**12,)) + b"\0" * 10**6)
        with zipfile.ZipFile(path) as file:
            size = file.getinfo("more.npy").file_size
        assert size < 2 * 10**6
        with pytest.raises(ValueError, match=r"'more' claims to be float32 of shape"):
            load_table(path)
        npz(path, more=np.zeros(10**7))
        data = path.read_bytes()
        at = data.index(b"more.npy") + 5000
        path.write_bytes(data[:at] + b"\1" + data[at + 1 :])
        assert load_table(path)[0].shape == (2, 7)

    @pytest.mark.parametrize(
        ("content", "match"),
        [
            (claiming((2, 10**12)), "claims to be float32 of shape"),
            (claiming((-2, 3)), "claims to be float32 of shape"),
            (head("{'descr': '<f4', 'fortran_order': False, 'shape': (2, "), "archive"),
            (head("("), "archive"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{", "archive"),
            (b"\x93NUMPY\x09\x00", "archive"),
            (b"", "archive"),
            (b"no array", "archive"),
        ],
        ids=["huge", "negative", "cut", "bracket", "long", "version", "empty", "text"],
    )
    def test_heads_are_held_against_the_file(self, path, content, match):
        add_member(path, "text.npy", content)
        with pytest.raises(ValueError, match=rf"calls\.npz cannot be read .*{match}"):
            load_table(path)

    @pytest.mark.slow
    def test_packed_zeros_are_paid_for(self, path):
        np.savez_compressed(
            path, label=np.zeros(9), text=np.zeros((9, 4 * 10**6), "f4")
        )
        assert path.stat().st_size < 10**6
        with pytest.raises(ValueError, match=r"'text' asks for 3\.6e\+07 elements"):
            load_table(path)

    def test_other_ways_of_packing_are_refused(self, path):
        npz(path)
        content = claiming((2, 2))
        with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as file:
            file.writestr("more.npy", content)
        with pytest.raises(ValueError, match="'more' is packed in a way"):
            load_table(path)

    def test_numbers_beyond_double_precision_are_named(self, path):
        large = np.full((2, 3), np.longdouble("1e4000"))
        if not np.isfinite(large).all():
            pytest.skip("long double is double precision here")
        npz(path, text=large)
        with pytest.raises(ValueError, match=r"in row 0, column 0, which is too large"):
            load_table(path)

    def test_a_long_text_does_not_widen_all_others(self, path):
        y = np.full(10_000, "a", dtype=object)
        y[3] = "b" * 10_000
        path = path.with_suffix(".csv")
        table = pd.DataFrame({"dialogue": "d", "text__0": 1.0, "label": y})
        table.to_csv(path, index=False)
        with pytest.raises(ValueError, match="row 3 holds a text of 10000 characters"):
            load_table(path)


class TestTables:
    @pytest.fixture
    def frame(self):
        return pd.DataFrame({"dialogue": ["a", "a"], "label": ["x", "y"], "t__0": 1.0})

    @pytest.mark.parametrize(
        "about", [{}, {"index_columns": ["no"], "columns": [], "column_indexes": []}]
    )
    def test_notes_of_pandas_that_are_damaged_are_told(self, frame, tmp_path, about):
        pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
        path = tmp_path / "calls.parquet"
        table = pyarrow.Table.from_pandas(frame, preserve_index=False)
        table = table.replace_schema_metadata({"pandas": json.dumps(about)})
        parquet.write_table(table, path)
        for read in (load_table, lambda path: list(iter_table(path))):
            with pytest.raises(ValueError, match=r"calls\.parquet cannot be read"):
                read(path)

    @pytest.mark.slow
    def test_equal_rows_are_counted_before_they_are_made(self, tmp_path):
        pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
        path, n = tmp_path / "calls.parquet", 2 * 10**7
        parts = {
            "dialogue": pyarrow.array(["a"]).dictionary_encode(),
            "label": pyarrow.array(["x"]).dictionary_encode(),
            "t__0": pyarrow.array([1.0]).dictionary_encode(),
        }
        rows = np.zeros(n // 20, dtype=np.int32)
        table = pyarrow.table({k: part.take(rows) for k, part in parts.items()})
        with parquet.ParquetWriter(path, table.schema) as file:
            for _ in range(20):
                file.write_table(table)
        assert path.stat().st_size < 10**6
        with pytest.raises(ValueError, match="a table of 20000000 rows asks for"):
            load_table(path)

    def test_pages_are_counted_by_their_own_headers(self, tmp_path, monkeypatch):
        pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
        monkeypatch.setattr("skmerc.datasets.formats._budget.FLOOR", 30_000)
        path = tmp_path / "calls.parquet"
        table = pyarrow.table({"label": ["x" * 20_000], "t__0": [1.0]})
        parquet.write_table(table, path, use_dictionary=False, compression="gzip")
        load_table(path)
        content = bytearray(path.read_bytes())
        # The first page is of values, and these are the bytes of its size: 2**20 - 1.
        assert content[4:7] == b"\x15\x00\x15"
        content[7:10] = b"\xfe\xff\x7f"
        path.write_bytes(content)
        for read in (load_table, lambda path: next(iter_table(path))):
            with pytest.raises(ValueError, match=r"of 10485\d\d bytes asks for"):
                read(path)

    @pytest.mark.parametrize("compression", mostly_slow(["snappy", "zstd", None]))
    @pytest.mark.parametrize("version", mostly_slow(["1.0", "2.0"]))
    def test_pages_of_all_kinds_are_found(self, tmp_path, compression, version):
        pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
        n, path = 50_000, tmp_path / "calls.parquet"
        columns = {
            "number": [float(i) for i in range(n)],
            "text": [f"turn {i % 7}" for i in range(n)],
            "list": [None if i % 3 else [i, i] for i in range(n)],
            "flag": [i % 2 == 0 for i in range(n)],
        }
        parquet.write_table(
            pyarrow.table(columns),
            path,
            compression=compression,
            data_page_version=version,
            row_group_size=n // 2,
            write_page_index=True,
        )
        about = parquet.read_metadata(path)
        for group in map(about.row_group, range(about.num_row_groups)):
            for number, sizes in enumerate(page_sizes(path, group)):
                told = group.column(number).total_uncompressed_size
                # What the file tells counts the headers of the pages too.
                assert 0 < told - sum(sizes) < 200 * len(sizes)

    def test_a_dialogue_without_end_is_paid_for(self, frame, tmp_path, monkeypatch):
        pytest.importorskip("pyarrow", reason="needs pyarrow")
        monkeypatch.setattr("skmerc.datasets.formats._budget.FLOOR", 100)
        path = tmp_path / "calls.parquet"
        frame.loc[[0] * 20_000].to_parquet(path, index=False)
        with pytest.raises(ValueError, match="dialogue 'a', asks for"):
            next(iter_table(path, rows=10))

    def test_texts_of_a_dictionary_are_counted_where_they_stand(self, tmp_path):
        pytest.importorskip("pyarrow", reason="needs pyarrow")
        path = tmp_path / "calls.parquet"
        label = "x" * 10_000
        pd.DataFrame({"label": [label] * 5000, "t__0": 1.0}).to_parquet(path)
        assert path.stat().st_size < 10**6
        with pytest.raises(ValueError, match="the column 'label' asks for 5e"):
            load_table(path)

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("string_view", "x"),
            ("large_string", "x"),
            ("binary", b"x"),
            ("large_binary", b"x"),
            ("fixed", b"x"),
            ("dictionary", b"x"),
        ],
    )
    def test_texts_of_all_kinds_are_counted_and_read(
        self, tmp_path, monkeypatch, kind, value
    ):
        pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
        kinds = {
            "string_view": getattr(pa, "string_view", pa.string)(),
            "large_string": pa.large_string(),
            "binary": pa.binary(),
            "large_binary": pa.large_binary(),
            "fixed": pa.binary(1000),
            "dictionary": pa.dictionary(pa.int32(), pa.large_binary()),
        }
        path = tmp_path / "calls.parquet"
        column = pa.array([value * 1000] * 500, kinds[kind])
        parquet.write_table(pa.table({"a": column}), path, row_group_size=250)
        whole = read_frame(path, [])["a"].tolist()
        assert str(whole[0]) == str(column[:1].to_pandas()[0])
        assert str(whole) == str(
            [row for f in read_frames(path, 7, []) for row in f["a"]]
        )
        monkeypatch.setattr("skmerc.datasets.formats._budget.FLOOR", 100_000)
        with pytest.raises(
            ValueError, match="the column 'a' asks for 2.5e|asks for 5e"
        ):
            read_frame(path, [])

    @pytest.mark.parametrize("value", ["x", b"x"])
    def test_encodings_without_a_way_are_no_damage(self, tmp_path, value):
        pa = pytest.importorskip("pyarrow", reason="needs pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
        path = tmp_path / "calls.parquet"
        parquet.write_table(
            pa.table({"a": [value] * 3}),
            path,
            use_dictionary=False,
            column_encoding="DELTA_BYTE_ARRAY",
        )
        with pytest.raises(ValueError, match=r"cannot be read: 'a' holds .* anew, as"):
            read_frame(path, [])

    @pytest.mark.slow
    def test_packed_text_is_counted_before_it_is_read(self, tmp_path):
        path = tmp_path / "calls.csv.gz"
        with gzip.open(path, "wb") as file:
            for _ in range(80):
                file.write(b"\n" * 2**20)
        with pytest.raises(ValueError, match="unpack it first"):
            load_table(path)

    @pytest.mark.slow
    def test_many_columns_are_read_row_by_row(self, tmp_path):
        n = 10_001
        path = tmp_path / "calls.csv"
        names = ",".join(f"t__{number}" for number in range(n))
        cells = ",".join(["1.5"] * (n - 1))
        lines = [f"dialogue,label,{names}", f"007,x,{cells},2", f"8,y,{cells},"]
        path.write_text("\n".join(lines))
        X, y = load_table(path)
        assert X["dialogue__id"].tolist() == ["007", "8"]
        assert y.tolist() == ["x", "y"]
        assert X.shape == (2, 4 + n)
        assert X["t__0"].tolist() == [1.5, 1.5]
        assert X[f"t__{n - 1}"].isna().tolist() == [False, True]

    @pytest.mark.parametrize("cell", ["a", "1_0"])
    def test_a_wide_table_holds_numbers(self, tmp_path, cell, monkeypatch):
        monkeypatch.setattr("skmerc.datasets.formats._csv_files._WIDE", 100)
        n = 200
        path = tmp_path / "calls.csv"
        names = ",".join(f"t__{number}" for number in range(n))
        path.write_text(f"label,{names}\nx,{cell}{',1' * (n - 1)}\n")
        with pytest.raises(ValueError, match=r"calls\.csv cannot be read .*convert"):
            load_table(path)


class TestNumbersAndNames:
    def test_numbers_that_are_too_long_are_named_by_row(self, tmp_path):
        path = tmp_path / "dev_sent_emo.csv"
        row = ',0,1,2,"00:00:01,000","00:00:02,500"\n'
        path.write_text(MELD + "Hi,Ann,joy,positive," + "9" * 30 + row)
        with pytest.raises(ValueError, match=r"'Dialogue_ID' is '9+' in row 0"):
            load_meld(path)

    @pytest.mark.parametrize(
        "name", ["-" * 100_000 + "1", "-" * 9000 + "1", "[" * 5000, "(" * 9000, "1e400"]
    )
    def test_speakers_that_are_no_list_are_named_by_row(self, tmp_path, name):
        path = tmp_path / "emorynlp_dev_final.csv"
        row = '",Neutral,4,1,1,15,00:00:03.795,00:00:05.004\n'
        path.write_text(EMORY + 'Tea.,"' + name + row)
        with pytest.raises(ValueError, match=r"'Speaker' is .* in row 0"):
            load_emorynlp(path)

    @pytest.mark.parametrize("digits", [30, 400])
    def test_turns_that_are_too_long_are_told(self, tmp_path, digits):
        part = {"id": ["v$_$" + "9" * digits], "regression_labels": [1.0]}
        path = tmp_path / "unaligned_50.pkl"
        path.write_bytes(pickle.dumps({"train": part}))
        with pytest.raises(ValueError, match=r"the id .* is not '<video>"):
            load_mosei(path)

    @pytest.mark.parametrize("value", [10**400, Decimal("sNaN")])
    @pytest.mark.parametrize("field", ["turn", "timestamp"])
    def test_turns_of_json_and_of_python_are_usual_numbers(self, field, value):
        said = {"dialogue": "a", "text": "Hm.", "label": "x", field: value}
        with pytest.raises(ValueError, match=field):
            to_frame([said])

    @pytest.mark.parametrize("field", ["label", "speaker", "dialogue"])
    def test_a_number_that_signals_is_told(self, field):
        said = {"dialogue": "a", "text": "Hm.", "label": "x"}
        with pytest.raises(ValueError, match=rf"The {field} of an utterance is"):
            to_frame([said | {field: Decimal("sNaN")}])

    def test_nested_json_is_told_with_its_line(self, tmp_path):
        path = tmp_path / "calls.jsonl"
        path.write_text('{"text": "a"}\n' + "[" * 100_000)
        with pytest.raises(ValueError, match=r"calls\.jsonl: line 2 is no JSON"):
            to_frame(path)


READERS = {
    "load_dailydialog": load_dailydialog,
    "load_emorynlp": load_emorynlp,
    "load_iemocap": load_iemocap,
    "load_meld": load_meld,
    "load_mosei": load_mosei,
    "load_mosi": load_mosi,
    "to_frame": to_frame,
}


class TestNoFiles:
    @pytest.mark.parametrize("read", READERS.values(), ids=READERS)
    def test_pipes_and_devices_are_not_opened(self, tmp_path, read):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="pipe is a named pipe and no file"):
            read(tmp_path / "pipe")
        with pytest.raises(ValueError, match="/dev/zero is a device and no file"):
            read("/dev/zero")

    @pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".npz", ".parquet"])
    def test_tables_are_files(self, tmp_path, ending):
        for name, make in (("pipe", os.mkfifo), ("folder", os.mkdir)):
            make(tmp_path / f"{name}{ending}")
            with pytest.raises((ValueError, IsADirectoryError), match="is a "):
                load_table(tmp_path / f"{name}{ending}")
        os.symlink(tmp_path / "nothing", tmp_path / f"link{ending}")
        with pytest.raises(FileNotFoundError, match=r"it is a link to .*nothing"):
            load_table(tmp_path / f"link{ending}")

    def test_a_part_of_a_release_may_be_no_file(self, tmp_path):
        folder = tmp_path / "train"
        folder.mkdir()
        (folder / "dialogues_train.txt").write_text("Hi . __eou__\n")
        os.mkfifo(folder / "dialogues_emotion_train.txt")
        with pytest.raises(ValueError, match=r"emotion_train\.txt is a named pipe"):
            load_dailydialog(tmp_path)

    @pytest.mark.parametrize(
        ("name", "read"),
        [
            ("dev_sent_emo.csv", load_meld),
            ("emorynlp_dev_final.csv", load_emorynlp),
            ("transcripts.csv", load_mosi),
            ("text.pickle", load_mosei),
            ("Speakers.pkl", load_iemocap),
        ],
    )
    def test_files_of_folders_are_files(self, tmp_path, name, read):
        os.mkfifo(tmp_path / name)
        with pytest.raises((ValueError, FileNotFoundError), match=str(tmp_path)):
            read(tmp_path)


def test_a_pipe_among_the_parts_of_a_table_is_told(tmp_path):
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    os.mkfifo(tmp_path / "part-0.parquet")
    with pytest.raises(ValueError, match=r"part-0\.parquet is a named pipe"):
        iter_table(tmp_path)


def test_a_transcription_of_blanks_is_soon_read(tmp_path):
    for number in range(1, 6):
        name = f"Ses0{number}F_impro01"
        for kind, line in (
            ("EmoEvaluation", f"[1.0 - 2.0] {name}_F000 neu [2.5, 2.5, 2.5]\n"),
            ("transcriptions", f"{name}_F000{' ' * 10**6}x\n"),
        ):
            folder = tmp_path / f"Session{number}" / "dialog" / kind
            folder.mkdir(parents=True)
            (folder / f"{name}.txt").write_text(line)
    with pytest.raises(ValueError, match="F000, which the file of the same name"):
        load_iemocap(tmp_path)


class TestFeatureFolders:
    @pytest.mark.parametrize(
        "content", [claiming((10**12,)), claiming((0, 10**9)), head("("), b"text"]
    )
    def test_arrays_are_held_against_their_files(self, tmp_path, content):
        (tmp_path / "Ses01F_F000.npy").write_bytes(content)
        with pytest.raises(ValueError, match=r"F000\.npy cannot be read as"):
            read_feature_folders({"voice": tmp_path}, ["Ses01F_F000"], ["F"])

    def test_pipes_are_not_opened(self, tmp_path):
        os.mkfifo(tmp_path / "Ses01F_F000.npy")
        with pytest.raises(ValueError, match="is a named pipe and no file"):
            read_feature_folders({"voice": tmp_path}, ["Ses01F_F000"], ["F"])


def mmsa(**changes):
    part = {
        "id": ["v1$_$0", "v1$_$1"],
        "raw_text": ["i would not go", "it is fine"],
        "audio": np.ones((2, 3, 1)),
        "regression_labels": np.array([-1.6, 0.3]),
    }
    return {"train": part | changes}


@pytest.mark.parametrize(
    "content",
    mostly_slow(
        [
            mmsa(id=None),
            mmsa(raw_text=3),
            mmsa(id=[1, 2]),
            mmsa(audio=["a" * 10**5] + ["b"] * 10**5),
            mmsa(audio_lengths=[{}, None]),
            mmsa(regression_labels=["a", None]),
            {"train": mmsa()},
            [{"v": [1]}] * 3,
        ]
    ),
    ids=["no ids", "number", "numbers", "texts", "dicts", "labels", "nested", "list"],
)
def test_content_of_other_types_is_told_with_the_file(tmp_path, content):
    path = tmp_path / "unaligned_50.pkl"
    path.write_bytes(pickle.dumps(content))
    for read in (load_mosei, load_mosi, load_meld, load_iemocap, load_dailydialog):
        with pytest.raises(ValueError, match=r"unaligned_50\.pkl"):
            read(path)
