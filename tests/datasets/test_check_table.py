"""What a careful colleague says of a table: each finding on a table that has it."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from systems import mostly_slow

from skmerc.datasets import check_table, make_conversations, to_frame
from skmerc.frame import KEYS, drop_keys, make_frame

X, y = make_conversations(60, random_state=0)
ENGLISH = (
    "I know that you are late, and it is not what we want to do with this.",
    "What can I do for you? I'm in the shop, but they don't have it.",
    "That was just so good of you, and the others are all on it.",
)


def texts(said, **keys):
    """A table of texts in dialogues of four turns."""
    said = list(said)
    ids = np.arange(len(said)) // 4
    table = make_frame({"x": np.zeros((len(said), 1))}, dialogue=ids, **keys)
    return table.drop(columns="x__0").assign(utterance=said)


def talk(n_rows=40):
    return [f"{ENGLISH[row % 3]} {row}" for row in range(n_rows)]


def found(table, labels=None, **settings):
    return check_table(table, labels, **settings).findings


def said_of(table, labels=None, **settings):
    """All findings as lines, as one reads them."""
    rows = found(table, labels, **settings).astype(str)
    return "\n".join(": ".join(row) for row in rows.itertuples(index=False, name=None))


def test_a_sound_table_has_no_warnings():
    findings = found(X, y)
    assert list(findings) == ["severity", "what", "where", "count", "what to do"]
    assert set(findings["severity"]) == {"note"}
    assert "60 dialogues" in said_of(X, y)
    assert "warning" not in said_of(texts(talk(240), speaker=["Ann", "Bob"] * 120))


def test_nothing_is_changed():
    table, labels = X.copy(), y.copy()
    check_table(table, labels)
    pd.testing.assert_frame_equal(table, X)
    np.testing.assert_array_equal(labels, y)


def often(text):
    """The same forty times, with another number each."""
    return [f"{text} {number}" for number in range(40)]


MANY = ["joy", "anger"] * 20
TEXTS = {
    "blank texts": (["", None, " "] + talk(37), "3 texts are missing or blank .8%"),
    "words for nothing": (["nan", "None"] + talk(38), "2 texts are a word for nothing"),
    "German": (
        often("Ich habe nicht mehr, und du, was kann ich mit dir und der Uhr."),
        "most texts seem to be in German: a guess",
    ),
    "French": (
        often("Je ne vois pas ce que vous êtes dans la rue et il est là."),
        "seem to be in French",
    ),
    "Spanish": (
        often("Yo no sé lo que es, pero está muy bien para mi y por eso."),
        "seem to be in Spanish",
    ),
    "Hindi": (often("मुझे नहीं पता कि यह क्या है"), "40 texts .* script .Devanagari"),
    "Hinglish": (
        often("mujhe nahi pata kya hai yaar, tum toh aur bhi"),
        "Latin letters",
    ),
    "Chinese": (["我不知道这是什么"] * 10 + talk(30), "10 texts are .* .Chinese 10"),
    "Finnish": (
        often("En tiedä mikä tämä oikein onkaan, mutta sinä kyllä"),
        "another language than English",
    ),
    "long": (
        ["so it is that you " * 60] + talk(39),
        "1 texts have more than about",
    ),
    "repeated": (
        [ENGLISH[0]] * 2 + talk(38),
        "1 utterances of five words or more repeat another",
    ),
    "a dialogue twice": (talk(4) + talk(36), "1 dialogues say word for word"),
}


@pytest.mark.parametrize(("said", "message"), mostly_slow(TEXTS.values()), ids=TEXTS)
def test_findings_in_texts(said, message):
    findings = found(texts(said), MANY)
    match = findings["what"].str.contains(message)
    assert match.any(), findings
    assert findings[match]["severity"].tolist() == ["warning"]
    assert (findings[match]["what to do"] != "").all()
    assert findings[match]["where"].str.startswith(("utterance", "dialogue__id")).all()


def test_english_is_not_taken_for_another_language():
    assert "a guess" not in said_of(texts(talk()), MANY)
    assert "a guess" not in said_of(texts(["Ok.", "Ja!", "Déjà vu", "No"] * 10), MANY)


LABELS = {
    "spellings": (["joy"] * 20 + ["JOY"] * 19 + ["joy "], r"'JOY' \(19\)", "warning"),
    "one class": (["joy"] * 40, "all labels are 'joy'", "error"),
    "nearly one class": (["joy"] * 38 + ["fear"] * 2, "95% of the labels", "warning"),
    "a rare class": (
        ["joy", "fear"] * 3 + ["joy"] * 34,
        "'fear' stands in 2 dialog",
        "war",
    ),
    "few of a class": (
        ["joy", "fear", "joy", "joy"] * 10,
        "'fear' has 10 utter",
        "warning",
    ),
    "some labelled": (["joy", None, "fear", None] * 10, "20 of 40 .* .50%", "note"),
    "no role": (
        ["joy", None, "fear", "joy"] * 10,
        "10 utterances without a label",
        "err",
    ),
    "none": ([None] * 40, "0 of 40 utterances have a label", "error"),
    "not said": (["nan", "joy"] * 20, "'nan' looks like a missing label", "warning"),
    "of SQL": (["NULL", "joy"] * 20, "'NULL' looks like a missing label", "warning"),
    "of pandas": (["<NA>", "joy"] * 20, "'<NA>' looks like a missing label", "warning"),
    "joined": (
        ["joy", "fear", "joy|fear", "joy"] * 10,
        r"join others by '\|'",
        "warning",
    ),
    "scores": (list(np.linspace(-3, 3, 40)), "40 of 40 utterances", "note"),
}


@pytest.mark.parametrize(
    ("labels", "message", "severity"), mostly_slow(LABELS.values()), ids=LABELS
)
def test_findings_in_labels(labels, message, severity):
    findings = found(texts(talk()), np.array(labels, dtype=object))
    match = findings[findings["what"].str.contains(message)]
    assert len(match) == 1, findings
    assert match["severity"].iloc[0].startswith(severity)


def test_folds_that_lack_a_class_depend_on_their_number():
    labels = np.array(["joy"] * 40, dtype=object)
    labels[[0, 4, 8]] = "fear"
    assert "fewer than 5 folds" in said_of(texts(talk()), labels)
    assert "fewer than" not in said_of(texts(talk()), labels, n_splits=3)


def test_labels_of_context_rows_are_not_counted():
    role = ["context", "utterance"] * 20
    assert "20 of 40" in said_of(texts(talk(), role=role), MANY)


def test_what_to_frame_made_is_checked_as_it_is():
    calls = [
        [{"text": text, "label": label, "speaker": "a"} for text, label in pairs]
        for pairs in [list(zip(talk(4), ["joy", None, "fear", "joy"], strict=True))] * 3
    ]
    lines = said_of(*to_frame(calls))
    assert "3 dialogues are little for a network" in lines
    assert "9 of 12 utterances have a label" in lines
    assert "without a label" not in lines


TABLES = {
    "no keys": (drop_keys(X), "no column dialogue__id"),
    "an array": (drop_keys(X).to_numpy(), "no column dialogue__id"),
    "an id": (X.assign(call_id=1), "named like ids: 'call_id'"),
    "a name of dialogues": (
        drop_keys(X).assign(call_id=1),
        "'call_id' may be their name",
    ),
    "single turns": (
        X.assign(dialogue__id=np.arange(len(X))),
        "dialogues have one turn, so that context is unused",
    ),
    "equal turns": (X.assign(dialogue__turn=0), "have the turn of one before them"),
    "no turns": (X.drop(columns="dialogue__turn"), "in the order of rows"),
    "gaps": (X[X["dialogue__turn"] % 3 != 1], "turns have gaps in"),
    "no speakers": (X.assign(dialogue__speaker=""), "no speaker is named"),
    "some speakers": (
        X.assign(dialogue__speaker=np.where(X["dialogue__turn"] % 2, "a", "")),
        "utterances have no speaker",
    ),
    "spellings": (
        X.assign(dialogue__speaker=np.where(X["dialogue__turn"] % 2, "Ann", "ann ")),
        "speakers differ only in case or blanks",
    ),
    "missing": (X.assign(**dict.fromkeys(X.filter(like="audio__"))), "'audio' is miss"),
    "missing cells": (
        X.assign(text__0=X["text__0"].where(X["dialogue__turn"] > 0)),
        "'text' lacks some of its values in 60 rows",
    ),
    "infinite": (X.assign(text__0=np.inf), "infinite or too large"),
    "constant": (X.assign(text__0=1.0), "one value throughout: 'text__0'"),
    "words": (X.assign(wav="1.wav"), "no numbers: 'wav'"),
    "complex numbers": (X.assign(audio__z=1j), "no numbers: 'audio__z'"),
    "broken": (X.assign(dialogue__id=None), "dialogue is missing in"),
    "turns that are none": (X.assign(dialogue__turn="soon"), "finite numbers"),
    "dialogues of two spellings": (
        X.assign(dialogue__id=np.where(X["dialogue__turn"] % 2, "Ab", "ab")),
        "dialogues differ only in case",
    ),
    "few": (
        X[X["dialogue__id"].isin(X["dialogue__id"].unique()[:9])],
        "9 dialogues are",
    ),
    "empty": (X[:0], "no rows"),
}


@pytest.mark.parametrize(("table", "message"), mostly_slow(TABLES.values()), ids=TABLES)
def test_findings_in_tables(table, message):
    assert message in said_of(table)


def test_booleans_of_arrow_are_numbers():
    pytest.importorskip("pyarrow")
    values = [True, None] * (len(X) // 2) + [False] * (len(X) % 2)
    kinds = {"pandas": "boolean", "arrow": "bool[pyarrow]"}
    tables = {
        name: X.assign(text__z=pd.array(values, dtype=kind))
        for name, kind in kinds.items()
    }
    assert "no numbers" not in said_of(tables["arrow"])
    assert said_of(tables["arrow"]) == said_of(tables["pandas"])


def test_a_table_of_polars_is_checked_alike():
    pd.testing.assert_frame_equal(found(pl.from_pandas(X), y), found(X, y))


def test_a_modality_that_is_missing_by_class_is_told():
    lost = y == "joy"
    names = [name for name in X if name.startswith("audio")]
    table = X.copy()
    table.loc[lost, names] = np.nan
    message = "'audio' is missing in 100% of 'joy' and in 0% of the others"
    assert message in said_of(table, y)


def test_an_indicator_matrix_has_classes():
    matrix = pd.DataFrame({name: y == name for name in ("joy", "anger")}).astype(int)
    assert "classes: 'joy'" in said_of(X, matrix) or "'anger'" in said_of(X, matrix)


@pytest.mark.parametrize("labels", [y[:-1], "joy", 3, np.zeros((3, 3))])
def test_labels_of_another_length_are_refused(labels):
    with pytest.raises(ValueError, match="one label for each"):
        check_table(X, labels)


@pytest.mark.parametrize("table", [None, {"a": [1]}, "table"])
def test_what_is_no_table_is_refused(table):
    with pytest.raises(TypeError, match="X is a"):
        check_table(table)


# --- How it is shown


HOSTILE = "<script>alert('x')</script>\x1b[31m\u202eevil"


def test_hostile_texts_are_harmless_where_they_are_shown():
    table = texts([*talk(36), *["nan"] * 4], speaker=[HOSTILE, HOSTILE.upper()] * 20)
    check = check_table(table, [HOSTILE, "joy"] * 20)
    html = check._repr_html_()
    assert "<script" not in html.lower()
    assert "&lt;script" in html
    for shown in (html, str(check)):
        assert not {"\x1b", "\u202e"}.intersection(shown)


def test_it_is_printed_for_reading():
    check = check_table(texts(talk()), ["joy", "JOY"] * 20)
    lines = str(check).splitlines()
    assert lines[0].startswith("Check of a table: 0 errors, ")
    assert max(map(len, lines)) <= 88
    assert any(line.startswith("warning  y: labels differ") for line in lines)
    order = check.findings["severity"].map(["error", "warning", "note"].index)
    assert order.is_monotonic_increasing


REAL = ["emotionpush_text", "maia_text", "meld_text", "mosi_tav", "iemocap6_ta"]


@pytest.mark.parametrize("name", mostly_slow(REAL))
@pytest.mark.filterwarnings("ignore::skmerc.exceptions.UntidyTableWarning")
def test_real_tables_are_sound_english(real_data, name):
    path = real_data / f"{name}_sentences.csv.gz"
    if not path.exists():
        pytest.skip("no such table of sentences")
    text = "text" if "text" in pd.read_csv(path, nrows=1) else "sentence"
    lines = said_of(*to_frame(path, text=text))
    assert "error" not in lines
    assert "a guess" not in lines
    assert not any(f"no column {key}" in lines for key in KEYS)
