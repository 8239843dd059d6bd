"""Tables that the package has made, which come back with labels."""

import json

import pandas as pd
import pytest

from skmerc.datasets import load_subtitles, to_frame
from skmerc.exceptions import UnreadColumnWarning, UntidyTableWarning
from skmerc.frame import KEYS

CUES = """1
00:00:01,000 --> 00:00:02,000
Anna: You are late.

2
00:00:03,000 --> 00:00:04,000
Ben: I know.

3
00:00:05,000 --> 00:00:06,000
Anna: Never mind.
"""
WRITE = {
    "csv": lambda table, path: table.to_csv(path, index=False),
    "jsonl": lambda table, path: table.to_json(path, orient="records", lines=True),
    "json": lambda table, path: table.to_json(path, orient="records"),
    "parquet": lambda table, path: table.to_parquet(path, index=False),
}


@pytest.fixture
def table(tmp_path):
    """A transcript that somebody has labelled, and sorted in another way."""
    path = tmp_path / "call.srt"
    path.write_text(CUES)
    X, _ = load_subtitles(path, speaker_prefixes=True)
    return X.assign(label=["anger", None, "neutral"]).iloc[::-1]


@pytest.mark.parametrize("ending", WRITE)
def test_a_labelled_transcript_comes_back_from_a_file(table, tmp_path, ending):
    path = tmp_path / f"labelled.{ending}"
    WRITE[ending](table, path)
    X, y = to_frame(path)
    same = [*KEYS[:3], "utterance"]
    pd.testing.assert_frame_equal(
        X[same], table[same].reset_index(drop=True), check_dtype=False
    )
    assert y.tolist() == ["neutral", None, "anger"]
    assert X["dialogue__role"].tolist() == ["utterance", "context", "utterance"]


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.UnreadColumnWarning")
def test_fields_that_are_named_or_there_come_first(table):
    named, _ = to_frame(table.assign(who="C"), speaker="who")
    assert set(named["dialogue__speaker"]) == {"C"}
    there, _ = to_frame(table.assign(speaker="D", text="Hm.", dialogue="other"))
    assert set(there["dialogue__speaker"]) == {"D"}
    assert set(there["dialogue__id"]) == {"other"}


def test_dialogues_that_were_held_out_stay_so(table):
    roles = ["validation", "context", "validation"]
    X, _ = to_frame(table.assign(dialogue__role=roles))
    assert X["dialogue__role"].tolist() == roles


def test_a_label_that_was_named_may_be_empty_throughout():
    rows = pd.DataFrame({"dialogue": "a", "text": ["Hm.", "So."], "emotion": None})
    X, y = to_frame(rows, label="emotion")
    assert y is None
    assert set(X["dialogue__role"]) == {"utterance"}
    with pytest.raises(ValueError, match="'who' is empty in all utterances"):
        to_frame(rows.assign(who=None), speaker="who", label=None)


def test_truth_with_gaps_stays_truth():
    rows = pd.DataFrame({"dialogue": "a", "text": ["Hm.", "So."]})
    _, y = to_frame(rows.assign(label=[True, None]))
    assert y.tolist() == [True, None]


@pytest.mark.parametrize("word", ["None", "NA", "nan", "NULL", "<NA>", "n/a", "#N/A"])
def test_words_that_count_as_empty_are_told(tmp_path, word):
    path = tmp_path / "calls.csv"
    path.write_text(f"dialogue,text,label\na,Hm.,{word}\na,So.,joy\na,No.,{word}\n")
    with pytest.warns(UntidyTableWarning, match=rf"'label' are written '{word}' \(2\)"):
        _, y = to_frame(path)
    assert y.tolist() == [None, "joy", None]


@pytest.mark.parametrize("word", ["nan", "None", "<NA>", "NULL", "NULL "])
def test_words_of_nothing_that_count_as_classes_are_told(tmp_path, word):
    rows = [
        {"dialogue": "a", "text": text, "label": label}
        for text, label in zip(["Hm.", "So.", "No."], [word, "joy", None], strict=True)
    ]
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    for given in (rows, pd.DataFrame(rows), path):
        with pytest.warns(UntidyTableWarning, match=f"'{word}' .1., .* as classes"):
            _, y = to_frame(given)
        assert y.tolist() == [word, "joy", None]


def test_json_by_columns_is_told_how_to_be_written(tmp_path):
    path = tmp_path / "calls.json"
    rows = pd.DataFrame({"dialogue": ["a", "a"], "text": ["Hm.", "So."]})
    rows.to_json(path)
    with pytest.raises(ValueError, match="orient='records', lines=True") as caught:
        to_frame(path)
    assert "damaged" not in str(caught.value)
    rows.to_json(path, orient="records", lines=True)
    assert to_frame(path)[0]["utterance"].tolist() == ["Hm.", "So."]


def test_words_among_numbers_are_empty_cells(tmp_path):
    path = tmp_path / "calls.csv"
    path.write_text("dialogue,text,label\na,Hm.,NA\na,So.,1.5\n")
    _, y = to_frame(path)
    assert y[1] == 1.5


@pytest.mark.parametrize("short", ["1.23E+15", "4E+11", "1,2E+5"])
def test_ids_that_a_spreadsheet_has_shortened_are_refused(short):
    rows = pd.DataFrame({"dialogue": [short] * 2, "text": ["Hm.", "So."]})
    with pytest.raises(ValueError, match="a spreadsheet has shortened"):
        to_frame(rows)


def test_columns_named_like_keys_are_told_still(table):
    with pytest.warns(UnreadColumnWarning, match="timestamp='start'"):
        to_frame(table.drop(columns="dialogue__turn"))
