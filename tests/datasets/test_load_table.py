"""Tables of utterances from files: what is read, and what is refused."""

import sys

import numpy as np
import pandas as pd
import pytest
from systems import mostly_slow

from skmerc.datasets import iter_table, load_table, make_conversations
from skmerc.exceptions import UntidyTableWarning
from skmerc.frame import split_frame


def npz_arrays(**changes):
    """Six utterances of two dialogues as in a NumPy archive; None removes."""
    arrays = {
        "text": np.arange(18, dtype=np.float32).reshape(6, 3),
        "visual": np.ones((6, 2), dtype=np.float32),
        "visual_present": np.array([True, True, False, True, True, False]),
        "vad": np.full((6, 3), 2.5, dtype=np.float32),
        "label": np.array([0, 1, 1, 0, 1, 0], dtype=np.int16),
        "label_names": np.array(["neutral", "joy"]),
        "score": np.linspace(-1, 1, 6),
        "dialogue": np.array(["d0"] * 4 + ["d1"] * 2),
        "turn": np.array([0, 1, 2, 5, 0, 1]),
        "speaker": np.array(["Ann", "Bob", "Ann", "Bob", "", ""]),
        "split": np.array(["train"] * 4 + ["test"] * 2),
        "meta": np.array("{}"),
    }
    arrays |= changes
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.fixture
def write_npz(tmp_path):
    def write(**changes):
        path = tmp_path / "table.npz"
        np.savez(path, **npz_arrays(**changes))
        return path

    return write


@pytest.fixture
def frame():
    X, y = make_conversations(4, random_state=0, missing=0.2)
    return X.assign(
        label=y, split=["train", "dev"] * (len(y) // 2) + ["x"][: len(y) % 2]
    )


def write_frame(frame, path):
    write = frame.to_parquet if path.suffix == ".parquet" else frame.to_csv
    write(path, index=False)
    return path


FLAT = pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])


def test_npz_reads_blocks_keys_and_named_labels(write_npz):
    X, y = load_table(write_npz(), modalities=["text", "visual"])
    keys, blocks = split_frame(X)
    assert list(blocks) == ["text", "visual"]
    assert blocks["text"][1].tolist() == [3, 4, 5]
    assert keys["dialogue__id"].tolist() == ["d0"] * 4 + ["d1"] * 2
    assert keys["dialogue__turn"].tolist() == [0, 1, 2, 5, 0, 1]
    assert keys["dialogue__speaker"].tolist()[:2] == ["Ann", "Bob"]
    assert set(keys["dialogue__role"]) == {"utterance"}
    assert y.tolist() == ["neutral", "joy", "joy", "neutral", "joy", "neutral"]


def test_modality_that_is_not_present_becomes_nan(write_npz):
    X, _ = load_table(write_npz(), modalities=["text", "visual"])
    hidden = np.isnan(split_frame(X)[1]["visual"])
    assert hidden.all(axis=1).tolist() == [False, False, True, False, False, True]
    assert not np.isnan(split_frame(X)[1]["text"]).any()


def test_empty_speaker_is_one_person_per_dialogue(write_npz):
    speakers = np.array(["", "", "", "", "", ""])
    X, _ = load_table(write_npz(speaker=speakers), modalities=["text"])
    people = X.groupby("dialogue__id")["dialogue__speaker"].nunique()
    assert (people == 1).all()


def test_modalities_come_in_the_order_asked_for(write_npz):
    X, _ = load_table(write_npz(), modalities=["visual", "text"])
    assert list(split_frame(X)[1]) == ["visual", "text"]


def test_several_blocks_of_an_npz_must_be_chosen_by_name(write_npz):
    with pytest.raises(ValueError, match=r"text \(3\), visual \(2\), vad \(3\)"):
        load_table(write_npz())


def test_single_block_of_an_npz_needs_no_choice(write_npz):
    path = write_npz(visual=None, visual_present=None, vad=None)
    assert list(split_frame(load_table(path)[0])[1]) == ["text"]


@pytest.mark.parametrize("kind", ["i8", ">i2", "u1", "?"])
def test_whole_numbers_and_truths_of_an_npz_are_features(write_npz, kind):
    numbers = np.arange(12).reshape(6, 2).astype(kind)
    path = write_npz(text=None, visual=numbers, vad=None)
    X, _ = load_table(path)
    read = split_frame(X)[1]["visual"]
    hidden = np.array([False, False, True, False, False, True])
    np.testing.assert_array_equal(np.isnan(read), hidden[:, None].repeat(2, axis=1))
    np.testing.assert_array_equal(read[~hidden], numbers[~hidden].astype(float))
    with pytest.raises(ValueError, match=r"text \(3\), visual \(2\), vad \(3\)"):
        load_table(write_npz(visual=numbers))
    beside = load_table(write_npz(visual=numbers, vad=None))[0]
    assert list(split_frame(beside)[1]) == ["text"]


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.ones((6, 2), dtype=complex), r"'text' holds complex128 of shape \(6, 2\)"),
        (np.full((6, 2), "0.5"), r"'text' holds <U3 of shape \(6, 2\)"),
        (np.ones((6, 4, 2)), r"'text' holds float64 of shape \(6, 4, 2\)"),
        (np.ones((5, 2)), r"'text' holds float64 of shape \(5, 2\)"),
    ],
)
@pytest.mark.parametrize("names", [None, ["text"]])
def test_arrays_that_are_no_features_are_told(write_npz, array, told, names):
    path = write_npz(text=array, visual=None, vad=None)
    with pytest.raises(ValueError, match=rf"of shape \(6, n_features\); .*{told}"):
        load_table(path, modalities=names)


@pytest.mark.filterwarnings("ignore:Stored array in format 3.0")
def test_unused_arrays_with_fields_in_unicode_are_no_matter(write_npz):
    path = write_npz(extra=np.zeros(2, dtype=[("größe_中", float)]))
    X, _ = load_table(path, modalities=["text"])
    assert X["text__0"].tolist() == np.arange(0, 18, 3).tolist()


@pytest.mark.parametrize("name", ["label", "dialogue", "label_names"])
def test_arrays_of_objects_are_no_damage(write_npz, name):
    path = write_npz(**{name: npz_arrays()[name].astype(object)})
    match = (
        rf"table\.npz cannot be read: '{name}' holds Python objects.*astype\(str\)\.$"
    )
    with pytest.raises(ValueError, match=match):
        load_table(path, modalities=["text"])


def test_unknown_modality_lists_the_candidates(write_npz):
    with pytest.raises(ValueError, match=r"no modality 'audio'.*text \(3\)"):
        load_table(write_npz(), modalities=["audio"])


def test_repeated_modality_is_refused(write_npz):
    with pytest.raises(ValueError, match="different names"):
        load_table(write_npz(), modalities=["text", "text"])


def test_split_selects_rows(write_npz):
    X, y, parts = load_table(
        write_npz(), modalities=["text"], split="test", return_split=True
    )
    assert X["dialogue__id"].tolist() == ["d1", "d1"]
    assert X.index.tolist() == [0, 1]
    assert y.tolist() == ["joy", "neutral"]
    assert parts.tolist() == ["test", "test"]
    both, _ = load_table(write_npz(), modalities=["text"], split=["train", "test"])
    assert len(both) == 6
    assert set(both["dialogue__role"]) == {"utterance"}


def test_unknown_split_lists_those_found(write_npz):
    with pytest.raises(ValueError, match=r"'dev'; it has test \(2 rows\), train"):
        load_table(write_npz(), modalities=["text"], split=["train", "dev"])


def test_file_without_split_cannot_be_split(write_npz):
    with pytest.raises(ValueError, match="no column or array 'split'"):
        load_table(write_npz(split=None), modalities=["text"], split="train")


def test_file_without_split_names_no_parts(write_npz):
    path = write_npz(split=None)
    _, y, split = load_table(path, modalities=["text"], return_split=True)
    assert split.tolist() == [""] * len(y)


def test_scores_stay_numbers(write_npz):
    _, y = load_table(write_npz(), modalities=["text"], label="score")
    np.testing.assert_allclose(y, np.linspace(-1, 1, 6))


def test_missing_label_lists_what_could_be_one(write_npz):
    with pytest.raises(ValueError, match=r"no label 'emotion'.*: label, score\."):
        load_table(write_npz(), modalities=["text"], label="emotion")


def test_row_without_label_is_refused_unless_it_is_context(write_npz):
    codes = np.array([0, -1, 1, 0, 1, 0])
    with pytest.raises(ValueError, match="absent in 1 rows, first in row 1"):
        load_table(write_npz(label=codes), modalities=["text"])
    roles = np.array(["utterance", "context"] + ["utterance"] * 4)
    X, y = load_table(write_npz(label=codes, role=roles), modalities=["text"])
    assert X["dialogue__role"].tolist() == roles.tolist()
    assert y.tolist() == ["neutral", "neutral", "joy", "neutral", "joy", "neutral"]


def test_row_without_label_does_not_matter_in_another_split(write_npz):
    path = write_npz(label=np.array([0, 1, 1, 0, 1, -1]))
    assert len(load_table(path, modalities=["text"], split="train")[1]) == 4
    with pytest.raises(ValueError, match="first in row 5"):
        load_table(path, modalities=["text"], split="test")


def test_absent_score_is_refused(write_npz):
    present = np.array([True] * 5 + [False])
    with pytest.raises(ValueError, match="'score' is absent in 1 rows"):
        load_table(write_npz(score_present=present), modalities=["text"], label="score")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": np.array([0, 1, 2, 0, 1, 0])}, "no position in 'label_names'"),
        ({"turn": np.arange(5)}, r"'turn' has the shape \(5,\)"),
        ({"visual_present": np.array([2] * 6)}, "give True and False"),
        ({"speaker": np.array(["a", None] * 3, dtype=object)}, "Python objects"),
        ({"label": np.array([], dtype=int)}, "no rows"),
    ],
)
def test_npz_that_contradicts_itself_is_refused(write_npz, changes, message):
    with pytest.raises(ValueError, match=message):
        load_table(write_npz(**changes), modalities=["text", "visual"])


def test_text_stored_as_bytes_is_decoded(write_npz):
    path = write_npz(dialogue=np.array([b"d0"] * 6), split=np.array([b"train"] * 6))
    X, _ = load_table(path, modalities=["text"], split="train")
    assert set(X["dialogue__id"]) == {"d0"}


@FLAT
def test_flat_files_give_back_the_table(frame, tmp_path, ending):
    path = write_frame(frame, tmp_path / f"calls{ending}")
    X, y, split = load_table(path, return_split=True)
    expected = frame.drop(columns=["label", "split"])
    pd.testing.assert_frame_equal(X, expected, check_dtype=False)
    assert y.tolist() == frame["label"].tolist()
    assert split.tolist() == frame["split"].tolist()
    dev, _ = load_table(path, split="dev")
    assert len(dev) == (frame["split"] == "dev").sum()


@FLAT
def test_short_key_names_are_understood(tmp_path, ending):
    frame = pd.DataFrame(
        {
            "dialogue": ["007", "007", "8"],
            "turn": [3, 4, 0],
            "speaker": ["NA", "", "None"],
            "audio__mfcc0": [0.5, np.nan, 1.5],
            "label": [2, 1, 2],
        }
    )
    X, y = load_table(write_frame(frame, tmp_path / f"calls{ending}"))
    assert X["dialogue__id"].tolist() == ["007", "007", "8"]
    assert X["dialogue__turn"].tolist() == [3, 4, 0]
    assert X["dialogue__speaker"].tolist() == ["NA", "", "None"]
    assert X.columns[-1] == "audio__mfcc0"
    assert np.isnan(X["audio__mfcc0"]).tolist() == [False, True, False]
    assert y.tolist() == [2, 1, 2]


@FLAT
def test_columns_that_are_no_features_are_named(frame, tmp_path, ending):
    frame = frame.assign(sentence="well, well", rating=0.5)
    path = write_frame(frame, tmp_path / f"calls{ending}")
    with pytest.raises(ValueError, match=r"'sentence', 'rating' \(2 columns in all\)"):
        load_table(path)
    X, _ = load_table(path, modalities=["audio"])
    assert list(split_frame(X)[1]) == ["audio"]


@FLAT
def test_text_in_a_feature_column_is_refused(frame, tmp_path, ending):
    frame = frame.assign(text__words="hello")
    path = write_frame(frame, tmp_path / f"calls{ending}")
    with pytest.raises(ValueError, match="'text__words'"):
        load_table(path, modalities=["text"])
    assert len(load_table(path, modalities=["audio"])[1]) == len(frame)


@FLAT
def test_present_column_hides_rows_of_flat_files(frame, tmp_path, ending):
    present = np.arange(len(frame)) % 2 == 0
    frame = frame.fillna(0.0).assign(audio_present=present)
    X, _ = load_table(write_frame(frame, tmp_path / f"calls{ending}"))
    hidden = np.isnan(split_frame(X)[1]["audio"])
    assert (hidden.all(axis=1) == ~present).all()
    assert not np.isnan(split_frame(X)[1]["text"]).any()


@FLAT
def test_label_of_another_name(frame, tmp_path, ending):
    frame = frame.drop(columns="label").assign(score=np.linspace(0, 1, len(frame)))
    path = write_frame(frame, tmp_path / f"calls{ending}")
    _, y = load_table(path, label="score")
    np.testing.assert_allclose(y, frame["score"])
    with pytest.raises(ValueError, match=r"no label 'label'; .* one: score\."):
        load_table(path)


@FLAT
def test_empty_label_of_a_flat_file_is_refused(frame, tmp_path, ending):
    frame.loc[2, "label"] = None
    path = write_frame(frame, tmp_path / f"calls{ending}")
    with pytest.raises(ValueError, match="'label' is absent in 1 rows, first in row 2"):
        load_table(path)
    frame.loc[2, "dialogue__role"] = "context"
    _, y = load_table(write_frame(frame, path))
    assert y[2] == y[0]


@pytest.mark.parametrize(
    "word", ["NULL", "<NA>", "n/a", r"\N", "(null)", "NaT", "#N/A"]
)
@pytest.mark.parametrize("read", [load_table, lambda path: next(iter_table(path))])
def test_words_of_empty_cells_are_no_classes(tmp_path, word, read):
    path = tmp_path / "calls.csv"
    start = (
        "dialogue,turn,role,label,text__0\n1,0,utterance,joy,0.5\n2,0,utterance,sad,1\n"
    )
    path.write_text(f"{start}2,1,context,{word},0.25\n")
    assert read(path)[1].tolist() == ["joy", "sad", "joy"]
    path.write_text(f"{start}2,1,utterance,{word},0.25\n")
    with pytest.raises(ValueError, match=r"(?s)first in row 2.*NULL, None and #N/A"):
        read(path)


@pytest.mark.parametrize("ending", [".parquet", ".npz"])
def test_words_of_nothing_that_count_as_classes_are_told(frame, tmp_path, ending):
    path = tmp_path / f"calls{ending}"
    labels = ["joy", None, *["sad"] * (len(frame) - 2)]
    frame["label"] = pd.Series(labels, dtype=object).astype("string").map(str).tolist()
    if ending == ".parquet":
        pytest.importorskip("pyarrow", reason="needs pyarrow")
        frame.to_parquet(path)
    else:
        np.savez(path, text=np.ones((len(frame), 2)), label=np.array([*frame["label"]]))
    with pytest.warns(UntidyTableWarning, match=r"'<NA>' \(1\), .* count as classes"):
        _, y = load_table(path)
    assert y.tolist() == frame["label"].tolist()


def test_words_of_empty_cells_are_absent_features_and_errors_are_none(tmp_path):
    path = tmp_path / "calls.csv"
    path.write_text(
        "dialogue,turn,label,text__0\n1,0,joy,NULL\n1,1,sad,\\N\n2,0,joy,1\n"
    )
    X, _ = load_table(path)
    assert np.isnan(X["text__0"]).tolist() == [True, True, False]
    path.write_text(
        "dialogue,turn,label,text__0\n1,0,joy,0\n1,1,sad,#REF!\n2,0,joy,1\n"
    )
    with pytest.raises(ValueError, match="'#REF!' in row 1"):
        load_table(path)


@FLAT
def test_key_that_stands_twice_is_refused(frame, tmp_path, ending):
    path = write_frame(frame.assign(turn=1), tmp_path / f"calls{ending}")
    with pytest.raises(ValueError, match="key 'turn' twice"):
        load_table(path)


@FLAT
def test_prefixed_keys_of_a_column_transformer_are_keys(frame, tmp_path, ending):
    frame = frame.rename(columns={"dialogue__id": "remainder__dialogue__id"})
    X, _ = load_table(write_frame(frame, tmp_path / f"calls{ending}"))
    assert X["dialogue__id"].iloc[0] == "dia0"
    assert "remainder" not in split_frame(X)[1]


def test_whole_line_missing_at_the_end_of_a_csv_is_no_empty_cell(frame, tmp_path):
    path = write_frame(frame, tmp_path / "calls.csv")
    path.write_text(path.read_text()[:-40])
    with pytest.raises(ValueError, match=r"line \d+ has \d+ cells, the header \d+"):
        load_table(path)


@pytest.mark.parametrize("ending", [".csv.gz", ".parquet", ".npz"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_truncated_file_gives_one_clear_error(frame, tmp_path, ending, share):
    path = tmp_path / f"calls{ending}"
    if ending == ".npz":
        np.savez(path, **npz_arrays())
    else:
        write_frame(frame, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="truncated, damaged or of another kind"):
        load_table(path, modalities=["text"])


def test_empty_csv_gives_one_clear_error(tmp_path):
    path = tmp_path / "calls.csv"
    path.write_text("")
    with pytest.raises(ValueError, match="cannot be read as CSV"):
        load_table(path)
    path.write_text("dialogue,text__0,label\n")
    with pytest.raises(ValueError, match="no rows"):
        load_table(path)


def test_column_names_that_stand_twice_are_refused(tmp_path):
    path = tmp_path / "calls.csv"
    path.write_text("text__0,text__0,label\n1,2,joy\n")
    with pytest.raises(ValueError, match=r"\['text__0'\] stand twice"):
        load_table(path)


def test_array_under_the_name_of_an_archive_is_refused(tmp_path):
    path = tmp_path / "table.npz"
    with path.open("wb") as file:
        np.save(file, np.ones((3, 2)))
    with pytest.raises(ValueError, match="NumPy archive"):
        load_table(path)


def test_missing_file_and_unknown_ending_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        load_table(tmp_path / "nothing.csv")
    with pytest.raises(ValueError, match=r"'\.xlsx'; .*\.parquet, \.csv, \.csv\.gz"):
        load_table(tmp_path / "table.xlsx")


def test_parquet_without_pyarrow_says_what_to_install(frame, tmp_path, monkeypatch):
    path = write_frame(frame, tmp_path / "calls.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'skmerc\[parquet\]'"):
        load_table(path)


REAL = {
    "iemocap6_ta": (["text", "audio"], 431, [5163, 647, 1623], [648, 1084, 1708]),
    "iemocap4_ta": (["text", "audio"], 499, [3816, 474, 1241], [1636, 1084, 1708]),
    "meld_text": (None, 384, [9989, 1109, 2610], [6436, 1636, 358]),
    "meld5_main6_tav": (
        ["text", "audio", "visual"],
        592,
        [3452, 428, 924],
        [1397, 322, 310],
    ),
    "mosi_tav": (["text", "audio", "visual"], 273, [1447, 0, 752], [1023, 1176]),
    "mosei_videos_tav": (["text", "audio", "visual"], 843, [658, 0, 264], []),
}


@pytest.mark.parametrize("name", mostly_slow(REAL))
def test_real_tables_have_the_rows_and_classes_of_their_description(real_data, name):
    modalities, width, n_rows, n_first = REAL[name]
    path = real_data / f"{name}.npz"
    X, y, split = load_table(path, modalities=modalities, return_split=True)
    assert X.shape == (sum(n_rows), 4 + width)
    assert [(split == part).sum() for part in ("train", "dev", "test")] == n_rows
    with np.load(path) as file:
        classes = file["label_names"]
    assert [(y == c).sum() for c in classes[: len(n_first)]] == n_first
    if name == "meld5_main6_tav":
        hidden = np.isnan(split_frame(X)[1]["visual"]).all(axis=1)
        assert hidden.mean() == pytest.approx(0.085, abs=0.001)
    if name.startswith("mos"):
        scores = load_table(path, modalities=modalities, label="score")[1]
        assert scores.dtype.kind == "f"
