"""Texts that come as bytes, with control characters, or not at all."""

import warnings
from enum import Enum
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from clip_files import label_list, mmsa, write_pickle

from skmerc.datasets import load_emorynlp, load_meld, load_mosi, to_frame
from skmerc.datasets._texts import clean_texts
from skmerc.exceptions import TextEncodingWarning, UntidyTableWarning
from skmerc.frame import make_frame

MISSING = [None, np.nan, float("nan"), np.float32("nan"), pd.NA, pd.NaT, np.ma.masked]
BYTES = [
    b"na\xc3\xafve",
    b"na\xefve",
    bytearray(b"na\xc3\xafve"),
    memoryview(b"na\xefve"),
    np.bytes_(b"na\xefve"),
    np.array([b"na\xc3\xafve", b"a longer one"])[0],
    b"na\xc3\xafve\0\0",
]


def clean(*values):
    return clean_texts(values, "the calls", lambda at: f"text {at}")


def test_texts_stay_as_they_are():
    texts = ["", "Ross’s", "nan", "None", "日本語", "a\nb", "ÿ ", np.str_("b")]
    assert clean(*texts) == texts


def test_what_is_missing_stays_missing():
    assert clean(*MISSING) == [None] * len(MISSING)


def test_bytes_are_utf_8_or_else_windows_1252():
    with pytest.warns(TextEncodingWarning, match="the calls: of 7 texts 7 were bytes"):
        assert clean(*BYTES) == ["naïve"] * len(BYTES)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_bytes_may_begin_with_a_byte_order_mark(encoding):
    with pytest.warns(TextEncodingWarning, match="of 1 texts 1 were bytes"):
        assert clean("naïve".encode(encoding)) == ["naïve"]


def test_control_characters_become_the_signs_of_windows_1252():
    said = "\x93You must\x92ve waited \x85\x94 \x96 \x80"
    with pytest.warns(TextEncodingWarning, match="of 3 texts 1 held control") as warned:
        assert clean(said, "fine", None) == ["“You must’ve waited …” – €", "fine", None]
    assert len(warned) == 1


def test_control_characters_that_stand_for_nothing_are_kept():
    assert clean("a\x81b", "\t\n") == ["a\x81b", "\t\n"]


@pytest.mark.parametrize("value", [5, 0.5, ["a"], {}, np.array(["a"]), True])
def test_what_is_no_text_is_told_with_its_place(value):
    with pytest.raises(ValueError, match="text 1 is .*, which is no text"):
        clean("a", value)


def test_half_a_character_is_told():
    with pytest.raises(ValueError, match="text 0 is .*half a character"):
        clean("a\ud800")


# --- Readers


@pytest.mark.parametrize("none", [None, np.nan, pd.NA])
def test_a_missing_text_of_mmsa_is_no_word(none, tmp_path):
    said = np.array([none, "fine", ""], dtype=object)
    path = write_pickle(tmp_path / "a.pkl", mmsa(raw_text=said))
    X, _ = load_mosi(path, split="train", modalities="audio", return_X_y=True)
    said = load_mosi(path, split="train").metadata["utterance"]
    assert said.isna().sum() == 1
    assert set(said.dropna()) == {"fine", ""}


@pytest.mark.parametrize("kind", [list, np.array, lambda x: np.array(x, dtype=object)])
def test_bytes_of_mmsa_are_words(kind, tmp_path):
    said, ids = [b"so good", b"fine", b"no"], [b"b$_$1", b"a$_$11", b"a$_$2"]
    path = write_pickle(tmp_path / "a.pkl", mmsa(raw_text=kind(said), id=kind(ids)))
    with pytest.warns(TextEncodingWarning, match="a.pkl: of 6 texts 3 were bytes"):
        bunch = load_mosi(path)
    assert bunch.metadata["utterance"][:3].tolist() == ["so good", "no", "fine"]
    assert bunch.metadata["id"][0] == "b$_$1"


def test_words_in_lists_are_joined(tmp_path):
    sentences = {"v1": [[b"so", b"good"], ["not", "that"]], "v2": [b"no"], "v3": [None]}
    path = write_pickle(tmp_path / "a.pkl", label_list(sentences=sentences))
    with pytest.warns(TextEncodingWarning, match="1 were bytes"):
        said = load_mosi(path).metadata["utterance"]
    assert said[:3].tolist() == ["so good", "not that", "no"]
    assert said.isna().tolist() == [False, False, False, True]


def write_meld(folder, said, speaker="Ann"):
    head = (
        "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,"
        "StartTime,EndTime\n"
    )
    row = f'"{said}","{speaker}",joy,positive,0,0,1,2,"00:00:01,000","00:00:02,000"\n'
    for part in ("train", "dev"):
        Path(folder, f"{part}_sent_emo.csv").write_text(head + row, encoding="utf-8")


def test_old_tables_of_meld_are_mended_and_told_once(tmp_path):
    write_meld(tmp_path, "I\x92m late \x97 sorry")
    with pytest.warns(TextEncodingWarning, match="of 2 texts 2 held control") as warned:
        meld = load_meld(tmp_path)
    assert meld.data["utterance"].tolist() == ["I’m late — sorry"] * 2
    assert len(warned) == 1


def test_names_of_speakers_are_mended_too(tmp_path):
    write_meld(tmp_path, "Hi.", speaker="Ann\x92s mother")
    with pytest.warns(TextEncodingWarning, match="speakers: of 2 texts 2 held"):
        meld = load_meld(tmp_path)
    assert set(meld.data["dialogue__speaker"]) == {"Ann’s mother"}


def test_emorynlp_is_mended_too(tmp_path):
    head = "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,"
    row = "It\x92s me.,['Bob'],Joyful,4,2,1,15,00:00:05.171,00:00:07.423"
    text = f"{head}Start_Time,End_Time\n{row}\n"
    (tmp_path / "emorynlp_dev_final.csv").write_text(text, encoding="utf-8")
    with pytest.warns(TextEncodingWarning, match="1 held control"):
        assert load_emorynlp(tmp_path).data["utterance"][0] == "It’s me."


# --- Frames


def test_bytes_of_a_users_dialogues_are_words():
    call = [
        {"speaker": b"Ann", "text": b"so good", "label": b"joy"},
        {"speaker": "Ann", "text": None, "label": "joy"},
    ]
    with (
        pytest.warns(TextEncodingWarning, match="'text': of 2 texts 1 were bytes"),
        pytest.warns(UntidyTableWarning, match="1 text is missing"),
    ):
        X, y = to_frame([{"id": b"call", "turns": call}])
    assert X["utterance"][0] == "so good"
    assert X["utterance"].isna().tolist() == [False, True]
    assert X["dialogue__id"].tolist() == ["call"] * 2
    assert X["dialogue__speaker"].tolist() == ["Ann"] * 2
    assert y.tolist() == ["joy"] * 2


# What validates answers of a language model gives members of such classes.
Said = Enum("Said", {"JOY": "joy", "ANN": "Ann"}, type=str)


def test_members_of_an_enumeration_of_texts_are_what_they_say():
    X, y = to_frame([[{"speaker": Said.ANN, "text": Said.JOY, "label": Said.JOY}]])
    assert X[["dialogue__speaker", "utterance"]].to_numpy().tolist() == [["Ann", "joy"]]
    assert y.tolist() == ["joy"]


@pytest.mark.parametrize(
    "names", [[b"Ann", "Bob"], np.array([b"Ann", b"Bob"]), pd.Series([b"Ann", b"Bob"])]
)
def test_bytes_of_keys_are_names(names):
    X = make_frame({"text": np.eye(2)}, dialogue=names, speaker=names)
    assert X["dialogue__id"].tolist() == ["Ann", "Bob"]
    assert X["dialogue__speaker"].tolist() == ["Ann", "Bob"]


def test_no_warning_where_nothing_changes():
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        to_frame([[{"text": "It’s fine."}, {"text": "Yes."}]])
    assert not warned
