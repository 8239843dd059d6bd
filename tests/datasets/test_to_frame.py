"""Tables of utterances from plain Python objects, JSON lines and ConvoKit."""

import bz2
import datetime as dt
import gzip
import json
import lzma
import time
from operator import attrgetter

import numpy as np
import pandas as pd
import pytest
from systems import mostly_slow

from skmerc.datasets import load_whatsapp, to_frame
from skmerc.exceptions import TextEncodingWarning, UntidyTableWarning
from skmerc.frame import KEYS

CALL = [
    {"speaker": "Ann", "text": "You are late.", "label": "anger"},
    {"speaker": "Bob", "text": "I know.", "label": "sadness"},
    {"speaker": "Ann", "text": "Never mind.", "label": "neutral"},
]
VISIT = [{"speaker": "Cy", "text": "Hello!", "label": "joy"}]


def said(*texts, **fields):
    return [{"text": text} | fields for text in texts]


@pytest.fixture
def write(tmp_path):
    """A function that writes a file of JSON lines and returns its path."""

    def write(items):
        path = tmp_path / "dialogues.jsonl"
        lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


# --- Dialogues


def test_lists_of_utterances_become_a_keyed_table():
    X, y = to_frame([CALL, VISIT])
    assert list(X.columns) == [*KEYS, "utterance"]
    assert X["dialogue__id"].tolist() == ["0", "0", "0", "1"]
    assert X["dialogue__turn"].tolist() == [0, 1, 2, 0]
    assert X["dialogue__speaker"].tolist() == ["Ann", "Bob", "Ann", "Cy"]
    assert set(X["dialogue__role"]) == {"utterance"}
    assert X["utterance"].tolist()[::3] == ["You are late.", "Hello!"]
    assert y.tolist() == ["anger", "sadness", "neutral", "joy"]


@pytest.mark.parametrize("field", ["utterances", "turns"])
def test_dialogues_may_have_names(field):
    X, _ = to_frame([{"id": "call", field: CALL}, {"id": 7, field: VISIT}])
    assert X["dialogue__id"].tolist() == ["call"] * 3 + ["7"]


def test_dialogues_without_a_name_are_numbered():
    X, _ = to_frame([{"turns": CALL}, VISIT, {"id": None, "turns": VISIT}])
    assert X["dialogue__id"].tolist() == ["0"] * 3 + ["1", "2"]


def test_fields_may_have_other_names():
    talk = [[{"who": "Ann", "said": "Oh.", "mood": 2}, {"said": "So?", "mood": 0}]]
    X, y = to_frame(talk, text="said", label="mood", speaker="who")
    assert X["utterance"].tolist() == ["Oh.", "So?"]
    assert X["dialogue__speaker"].tolist() == ["Ann", ""]
    assert y.tolist() == [2, 0]
    assert y.dtype.kind == "i"


def test_numbers_have_nan_where_there_is_none():
    _, y = to_frame([[{"text": "Oh.", "label": 2}, {"text": "So?"}]])
    np.testing.assert_array_equal(y, [2, np.nan])


def test_other_fields_become_columns_where_wanted():
    talk = [[{"text": "Oh.", "wav": "1.wav"}, {"text": "So?"}]]
    X, _ = to_frame(talk, columns=["wav"])
    assert X["wav"].iloc[0] == "1.wav"
    assert X["wav"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    "wrong", [{"label": "moood"}, {"speaker": "hwo"}, {"columns": ["wave"]}]
)
def test_a_field_that_no_utterance_has_is_refused_by_name(wrong):
    (name,) = np.ravel(list(wrong.values()))
    with pytest.raises(ValueError, match=f"No utterance has the field '{name}'"):
        to_frame([CALL], **wrong)


@pytest.mark.parametrize("said", [None, np.nan])
def test_a_missing_text_stays_missing(said):
    with pytest.warns(UntidyTableWarning, match=r"1 text is missing .* \(row 0\)"):
        X, _ = to_frame([[{"text": said, "label": "joy"}, *CALL]])
    assert X["utterance"].isna().tolist() == [True] + [False] * 3


@pytest.mark.parametrize(
    "absent", [{}, {"label": None}, {"label": ""}, {"label": np.nan}]
)
def test_utterances_without_a_label_are_context(absent):
    X, y = to_frame([[{"text": "Well."} | absent, *CALL]])
    assert X["dialogue__role"].tolist() == ["context"] + ["utterance"] * 3
    assert y.tolist() == [None, "anger", "sadness", "neutral"]


def test_new_conversations_have_no_y():
    X, y = to_frame([said("Hello?", "Yes.")])
    assert y is None
    assert set(X["dialogue__role"]) == {"utterance"}


def test_labels_are_not_read_if_not_asked_for():
    X, y = to_frame([CALL], label=None)
    assert y is None
    assert set(X["dialogue__role"]) == {"utterance"}


def test_scores_stay_numbers():
    _, y = to_frame([[{"text": "a", "label": 1}, {"text": "b", "label": -0.5}]])
    assert y.tolist() == [1, -0.5]


def test_empty_text_is_text():
    with pytest.warns(UntidyTableWarning, match="1 text is missing or blank"):
        X, _ = to_frame([said("", "Yes.")])
    assert X["utterance"].tolist() == ["", "Yes."]


def test_what_is_given_stays_as_it_is():
    before = json.dumps([CALL, VISIT])
    dialogues = json.loads(before)
    to_frame(dialogues)
    assert json.dumps(dialogues) == before


@pytest.mark.parametrize(
    ("dialogues", "message"),
    [
        ([], "no dialogue"),
        ([CALL, []], r"Dialogue '1' \(number 1\) is no list of utterances"),
        ([CALL, 5], r"Dialogue '1' \(number 1\) is no list of utterances"),
        ([{"utterances": "a"}], "Dialogue '0' .* is no list of utterances"),
        ([CALL, {"id": "0", "turns": VISIT}], "Dialogue '0' .number 1. stands twice"),
        ([[*CALL, "Bye."]], "Utterance 3 of dialogue '0' is a str, not a dict"),
        ([CALL, [{"speaker": "A"}]], "Utterance 0 of dialogue '1' has no text"),
        ([[{"text": 5}]], "no text: 'text' is 5"),
        ([[*CALL, {"text": "a", "label": 3}]], "Utterance 3 .* label 3, .*'anger'"),
        ([[{"text": "a", "label": [0, 1]}]], r"label \[0, 1\]"),
        (["Hello"], "Item 0 is a str"),
        ([{"text": "a", "speaker": "b"}], "Utterance 0 does not name its dialogue"),
    ],
)
def test_what_is_no_dialogue_is_refused(dialogues, message):
    with pytest.raises(ValueError, match=message):
        to_frame(dialogues)


# --- Utterances that name their dialogue


@pytest.mark.parametrize("field", ["dialogue", "dialogue_id", "conversation_id"])
def test_utterances_may_name_their_dialogue(field):
    items = [*said("a", "b", **{field: "x"}), *said("c", **{field: 5})]
    X, _ = to_frame(items)
    assert X["dialogue__id"].tolist() == ["x", "x", "5"]
    assert X["dialogue__turn"].tolist() == [0, 1, 0]


def test_given_turns_are_kept():
    items = [
        {"dialogue": "x", "turn": 9, "text": "last"},
        {"dialogue": "x", "turn": 2, "text": "first"},
    ]
    assert to_frame(items)[0]["dialogue__turn"].tolist() == [9, 2]


def test_a_table_keeps_its_rows_and_index():
    table = pd.DataFrame(
        {"dialogue": ["x", "y", "x"], "text": ["a", "b", "c"], "label": [0, None, 1]},
        index=[30, 10, 20],
    )
    X, y = to_frame(table)
    assert X.index.tolist() == [30, 10, 20]
    assert X["dialogue__turn"].tolist() == [0, 0, 1]
    assert X["dialogue__role"].tolist() == ["utterance", "context", "utterance"]
    np.testing.assert_array_equal(y, [0, np.nan, 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"dialogue": None},
            "Utterance 1 does not name its dialogue under 'dialogue'.* within a list",
        ),
        ({"turn": "soon"}, "Utterance 1 of dialogue 'x' has the turn 'soon'"),
        ({"turn": None}, "Utterance 1 of dialogue 'x' has no 'turn'"),
        ({"text": 5}, "Utterance 1 of dialogue 'x' has no text: 'text' is 5"),
    ],
)
def test_utterances_that_do_not_fit_are_refused(change, message):
    items = [{"dialogue": "x", "turn": number, "text": "a"} for number in range(2)]
    with pytest.raises(ValueError, match=message):
        to_frame([items[0], items[1] | change])


# --- JSON lines


@pytest.mark.parametrize(
    "items",
    [
        [CALL, VISIT],
        [{"id": 0, "turns": CALL}, {"id": 1, "turns": VISIT}],
        [utterance | {"dialogue": 0} for utterance in CALL]
        + [VISIT[0] | {"dialogue": 1}],
    ],
)
def test_lines_are_dialogues_or_utterances(write, items):
    X, y = to_frame(write(items))
    expected, y_expected = to_frame([CALL, VISIT])
    pd.testing.assert_frame_equal(X, expected)
    assert y.tolist() == y_expected.tolist()


def test_empty_lines_and_odd_signs_are_no_ends_of_lines(write, tmp_path):
    path = write([json.dumps(said("a\u2028b\x85c"), ensure_ascii=False), "", "  "])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    with pytest.warns(TextEncodingWarning, match="of 1 texts 1 held control"):
        X, _ = to_frame(str(path))
    assert X["utterance"].tolist() == ["a\u2028b…c"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['[{"text": "a"}]', '[{"text": "b"'], r"dialogues\.jsonl: line 2 is no JSON"),
        (["[", '[{"text": "a"}]', "]"], r"line 1 is no JSON.*json\.load"),
        (["", " "], "no dialogue"),
        (["3"], "Item 0 is a int"),
        ([CALL, {"dialogue": 1, "text": "a"}], r"Dialogue '1' \(number 1\)"),
    ],
)
def test_damaged_files_are_refused(write, lines, message):
    with pytest.raises(ValueError, match=message):
        to_frame(write(lines))


def test_bytes_that_are_no_text_are_refused(write):
    path = write([CALL])
    path.write_bytes(path.read_bytes() + b'["\xff"]\n')
    with pytest.raises(ValueError, match="line 2 is no JSON"):
        to_frame(path)


# --- ConvoKit


def convokit_lines(reply="reply-to"):
    """Two conversations as ConvoKit writes films: no times, the last line first."""
    told = [
        ("L3", "u1", "L1", "L2", "They do not!", "anger"),
        ("L2", "u0", "L1", "L1", "They do to!", "joy"),
        ("L1", "u1", "L1", None, "They do not.", None),
        ("L9", "u5", "L8", "L8", "Okay.", "joy"),
        ("L8", "u4", "L8", None, "Let's go.", "joy"),
    ]
    return [
        {
            "id": key,
            "speaker": speaker,
            "conversation_id": conversation,
            reply: parent,
            "timestamp": None,
            "text": text,
            "meta": {"emotion": emotion, "parsed": [1, 2]},
            "vectors": [],
        }
        for key, speaker, conversation, parent, text, emotion in told
    ]


def convokit_frame(lines):
    """The same as `corpus.get_utterances_dataframe()` gives it."""
    rows = [
        {k: v for k, v in line.items() if k != "meta"}
        | {f"meta.{k}": v for k, v in line["meta"].items()}
        for line in lines
    ]
    return pd.DataFrame(rows).set_index("id")


@pytest.mark.parametrize("reply", ["reply-to", "reply_to"])
def test_convokit_lines_are_ordered_by_replies(write, reply):
    X, y = to_frame(write(convokit_lines(reply)), label="emotion")
    assert X["dialogue__id"].tolist() == ["L1"] * 3 + ["L8"] * 2
    assert X["dialogue__turn"].tolist() == [2, 1, 0, 1, 0]
    assert X["dialogue__speaker"].tolist() == ["u1", "u0", "u1", "u5", "u4"]
    assert (
        X["dialogue__role"].tolist()
        == ["utterance"] * 2 + ["context"] + ["utterance"] * 2
    )
    assert y.tolist() == ["anger", "joy", None, "joy", "joy"]


def test_convokit_frame_equals_the_lines(write):
    lines = convokit_lines("reply_to")
    X, y = to_frame(convokit_frame(lines), label="emotion")
    expected, y_expected = to_frame(write(lines), label="emotion")
    assert X.index.tolist() == ["L3", "L2", "L1", "L9", "L8"]
    pd.testing.assert_frame_equal(X.reset_index(drop=True), expected)
    assert y.tolist() == y_expected.tolist()


def test_times_come_before_replies():
    lines = convokit_lines()
    for line, moment in zip(lines[:3], ["10", 30, 20.5], strict=True):
        line["timestamp"] = moment
    assert to_frame(lines)[0]["dialogue__turn"].tolist() == [0, 2, 1, 1, 0]


def test_times_that_only_some_have_do_not_count():
    lines = convokit_lines()
    lines[0]["timestamp"] = 1
    assert to_frame(lines)[0]["dialogue__turn"].tolist() == [2, 1, 0, 1, 0]


def test_dates_of_a_frame_are_times():
    frame = convokit_frame(convokit_lines())
    days = ["2020-01-02", "2020-01-03", "2020-01-01", "2020-01-02", "2020-01-03"]
    frame["timestamp"] = pd.to_datetime(days)
    assert to_frame(frame)[0]["dialogue__turn"].tolist() == [1, 2, 0, 0, 1]


def test_replies_to_what_is_not_there_begin_a_chain():
    frame = convokit_frame(convokit_lines("reply_to")).drop(index=["L1", "L8"])
    assert to_frame(frame)[0]["dialogue__turn"].tolist() == [1, 0, 0]


def test_long_chains_of_replies_are_followed():
    lines = [
        {"id": k, "conversation_id": 0, "reply-to": k - 1 or None, "text": "a"}
        for k in range(3000, 0, -1)
    ]
    assert to_frame(lines)[0]["dialogue__turn"].tolist() == list(range(2999, -1, -1))


@pytest.mark.parametrize("none", [None, ""])
def test_zero_is_an_id_that_may_be_replied_to(none):
    lines = [
        {"id": k, "dialogue": "a", "reply_to": k - 1 if k else none, "text": "b"}
        for k in (2, 1, 0)
    ]
    assert to_frame(lines)[0]["dialogue__turn"].tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reply-to": "L3"}, "Utterance . of dialogue 'L1' replies to itself"),
        ({"id": "L3"}, "'id', each its own"),
        ({"id": None}, "'id', each its own"),
        (
            {"timestamp": "noon"},
            "Utterance 2 of dialogue 'L1' has the timestamp 'noon'",
        ),
        ({"text": 5}, "Utterance 2 of dialogue 'L1' has no text: 'text' is 5"),
        (
            {"reply-to": ["L1"]},
            r"Utterance 2 of dialogue 'L1' has, or replies to, \['L1'\]",
        ),
    ],
)
def test_convokit_lines_that_do_not_fit_are_refused(changes, message):
    lines = convokit_lines()
    lines[2] |= changes
    with pytest.raises((TypeError, ValueError), match=message):
        to_frame(lines)


@pytest.mark.parametrize("forms", [(1, 1.0), ("1", 1.0), (1, "1"), (1.0, b"1")])
def test_ids_of_replies_may_be_written_in_two_ways(forms):
    name, answered = forms
    items = [
        {"id": "x", "dialogue": "a", "text": "b", "reply_to": answered},
        {"id": name, "dialogue": "a", "text": "b", "reply_to": None},
    ]
    assert to_frame(items)[0]["dialogue__turn"].tolist() == [1, 0]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_lines_may_have_a_byte_order_mark(write, encoding):
    path = write([CALL, VISIT])
    path.write_bytes(path.read_text().encode(encoding))
    pd.testing.assert_frame_equal(to_frame(path)[0], to_frame([CALL, VISIT])[0])


# --- Times


@pytest.fixture(params=["Europe/Berlin", "America/New_York", "UTC"])
def zone(request, monkeypatch):
    """Let the machine be in a zone, two of which change their clocks on a night."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process cannot be set here")
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


MOMENTS = [dt.datetime(2021, 3, 28, 3, 10), dt.datetime(2021, 3, 28, 2, 30)]
MOMENTS += [dt.datetime(2021, 3, 14, 3, 10), dt.datetime(2021, 3, 14, 2, 30)]
MOMENTS += [dt.datetime(2021, 10, 31, 2, 30), dt.datetime(2021, 10, 31, 2, 10)]


@pytest.mark.parametrize(
    "write_time",
    mostly_slow(
        [
            lambda time: time,
            pd.Timestamp,
            np.datetime64,
            lambda time: time.isoformat(),
            lambda time: time.isoformat(" "),
            lambda time: time - dt.datetime(2021, 1, 1),
            lambda time: np.datetime64(time) - np.datetime64("2021-01-01"),
        ]
    ),
    ids=[
        "Python",
        "pandas",
        "NumPy",
        "text",
        "text with a blank",
        "span",
        "NumPy span",
    ],
)
def test_times_without_a_zone_are_taken_as_they_stand(zone, write_time):
    items = [
        {"dialogue": "a", "text": "b", "timestamp": t} for t in map(write_time, MOMENTS)
    ]
    expected = [3, 2, 1, 0, 5, 4]
    assert to_frame(items)[0]["dialogue__turn"].tolist() == expected
    assert to_frame(pd.DataFrame(items))[0]["dialogue__turn"].tolist() == expected


def test_times_with_zones_are_moments(zone):
    given = ["2021-03-28T02:30+02:00", "2021-03-28T01:10Z", "2021-03-28T00:29:59+00:00"]
    items = [{"dialogue": "a", "text": "b", "timestamp": t} for t in given]
    assert to_frame(items)[0]["dialogue__turn"].tolist() == [1, 2, 0]


def test_days_are_times():
    days = [dt.date(2021, 3, 2), dt.date(2021, 3, 1)]
    items = [{"dialogue": "a", "text": "b", "timestamp": day} for day in days]
    assert to_frame(items)[0]["dialogue__turn"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("2021-03-28T02:30", "2021-03-28T02:30Z"),
        (5, "2021-03-28T02:30"),
        (pd.Timedelta(5), 5),
    ],
)
def test_times_of_two_kinds_have_no_order(first, then):
    items = [{"dialogue": "a", "text": "b", "timestamp": t} for t in (first, then)]
    with pytest.raises(ValueError, match="Utterance 1 of dialogue 'a' .* unclear"):
        to_frame(items)
    items[1]["dialogue"] = "c"
    assert to_frame(items)[0]["dialogue__turn"].tolist() == [0, 0]


# --- Names that are no text


@pytest.mark.parametrize("pair", [(7, "7.0"), ("7", 7.0), ("7", "7.0"), (7, 7.0)])
def test_a_number_in_two_forms_does_not_tear_a_dialogue(pair, write):
    items = [{"dialogue": key, "text": "a"} for key in pair]
    dialogues = [{"id": key, "turns": VISIT} for key in pair]
    frame = pd.DataFrame({"text": "a", "dialogue": pd.Series(pair, dtype=object)})
    for given in (items, dialogues, frame, write(items)):
        with pytest.raises(ValueError, match=r"dialogue is .*7"):
            to_frame(given)
    items = [{"dialogue": 1, "speaker": key, "text": "a"} for key in pair]
    with pytest.raises(ValueError, match="speaker is"):
        to_frame(items)


@pytest.mark.parametrize("name", ["1.0", 1.0, "v2.0", "1.50"])
def test_other_numbers_are_names(name):
    items = [{"dialogue": key, "text": "a"} for key in (name, "2", "x")]
    assert to_frame(items)[0]["dialogue__id"].tolist() == [str(name), "2", "x"]


@pytest.mark.parametrize("field", ["dialogue", "speaker", "id"])
@pytest.mark.parametrize("name", [{"a": 1}, ["a"], {1}, np.ones(2)])
def test_names_without_a_value_are_told(field, name):
    items = [{"dialogue": 1, "text": "a", "id": k, "reply_to": 9} for k in range(2)]
    items[1][field] = name
    with pytest.raises((TypeError, ValueError), match=f"{field}|no id"):
        to_frame(items)


@pytest.mark.parametrize("names", [(1, "a"), ((1, 2), "b"), (True, "c"), (None, 3)])
def test_speakers_of_several_types_need_no_order(names):
    items = [{"dialogue": 1, "speaker": name, "text": "a"} for name in names]
    found = to_frame(items)[0]["dialogue__speaker"].tolist()
    assert found == ["" if name is None else str(name) for name in names]


@pytest.mark.parametrize("columns", [[["x"]], [3], ["utterance"], ["dialogue__id"]])
def test_columns_that_cannot_be_kept_are_told(columns):
    with pytest.raises(ValueError, match="columns holds"):
        to_frame([[{"text": "a", "x": 1}]], columns=columns)


def test_keys_may_stand_in_the_index_of_a_table():
    table = pd.DataFrame(
        {"dialogue": ["x", "y", "x"], "turn": [1, 0, 0], "text": ["b", "c", "a"]}
    )
    expected, _ = to_frame(table)
    for keys in (["dialogue"], ["dialogue", "turn"], ["turn", "dialogue"]):
        indexed = table.set_index(keys)
        X, _ = to_frame(indexed)
        assert X.index.equals(indexed.index)
        pd.testing.assert_frame_equal(X.reset_index(drop=True), expected)


def test_a_column_that_stands_twice_is_told():
    table = pd.DataFrame([["a", "b", 1]], columns=["text", "text", "dialogue"])
    with pytest.raises(ValueError, match="has 'text' twice"):
        to_frame(table)


def test_errors_of_a_file_name_it(write):
    for items in ([[{"text": 5}]], [{"dialogue": [1], "text": "a"}], [3]):
        path = write(items)
        with pytest.raises(ValueError, match=r"dialogues\.jsonl"):
            to_frame(path)


# --- Names and times as programs write them


RECORDS = [{"dialogue": "a", "text": "Hi."}, {"dialogue": "b", "text": "Yes?"}]


def test_a_list_in_one_line_is_what_stands_in_it(write):
    X, _ = to_frame(write([RECORDS]))
    assert X["dialogue__id"].tolist() == ["a", "b"]
    X, _ = to_frame(write([[[{"text": "Hi."}], [{"text": "Yes?"}]]]))
    assert X["dialogue__id"].tolist() == ["0", "1"]
    X, _ = to_frame(write([[{"text": "Hi."}, {"text": "Yes?"}]]))
    assert X["dialogue__id"].tolist() == ["0", "0"]


def test_utterances_of_several_dialogues_are_no_dialogue():
    with pytest.raises(ValueError, match="utterances name 2 under 'dialogue'"):
        to_frame([RECORDS])
    X, _ = to_frame([[{"dialogue": "Hi."}, {"dialogue": "Yes?"}]], text="dialogue")
    assert X["utterance"].tolist() == ["Hi.", "Yes?"]


def test_tables_of_other_libraries_are_read():
    expected, _ = to_frame(RECORDS)
    for make in ("polars.DataFrame", "pyarrow.Table.from_pylist"):
        module, _, name = make.partition(".")
        make = attrgetter(name)(pytest.importorskip(module, reason=f"needs {module}"))
        pytest.importorskip("pyarrow", reason="needs pyarrow")
        pd.testing.assert_frame_equal(to_frame(make(RECORDS))[0], expected)


@pytest.mark.parametrize("name", ["", " "])
def test_a_dialogue_of_blanks_is_missing(name):
    with pytest.raises(
        ValueError, match="dialogue is missing in 1 rows, first in row 1"
    ):
        to_frame([RECORDS[0], RECORDS[0] | {"dialogue": name}])


def test_labels_of_blanks_are_absent_and_others_look_alike():
    labels = ["joy", " ", None]
    X, y = to_frame([[{"text": "a", "label": label} for label in labels]])
    assert y.tolist() == ["joy", None, None]
    assert X["dialogue__role"].tolist() == ["utterance", "context", "context"]
    with pytest.raises(ValueError, match="label is 'joy' in row 0 and ' joy' in row 2"):
        to_frame([[{"text": "a", "label": x} for x in ("joy", None, " joy")]])


@pytest.mark.parametrize("time", ["late", "12:61", "1:2", "31.4.2021", "noon"])
@pytest.mark.parametrize("field", ["turn", "timestamp"])
def test_what_is_no_time_is_told(field, time):
    with pytest.raises(ValueError, match=f"{field} '{time}'.*Write dates as .*seconds"):
        to_frame([RECORDS[0] | {field: time}])


def test_empty_times_are_absent():
    times = ["", "2021-03-28T02:30"]
    X, _ = to_frame([RECORDS[0] | {"timestamp": time} for time in times])
    assert X["dialogue__turn"].tolist() == [0, 1]


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".txt"])
@pytest.mark.parametrize(
    ("data", "way"),
    [
        (gzip.compress(b'{"dialogue": 1, "text": "a"}'), "gzip"),
        (bz2.compress(b'{"dialogue": 1, "text": "a"}'), "bzip2"),
        (lzma.compress(b'{"dialogue": 1, "text": "a"}'), "xz"),
        (b"\x28\xb5\x2f\xfd\x04\x00\xff", "Zstandard"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "7-Zip"),
        (b"Rar!\x1a\x07\x01\x00", "RAR"),
    ],
    ids=["gzip", "bzip2", "xz", "Zstandard", "7-Zip", "RAR"],
)
def test_packed_files_are_told(tmp_path, data, way, ending):
    path = tmp_path / f"a{ending}"
    path.write_bytes(data)
    for encoding in (None, "cp1252"):
        with pytest.raises(ValueError, match=f"packed by {way}[;:] unpack it"):
            to_frame(path, encoding=encoding)
    with pytest.raises(ValueError, match=f"packed by {way}; unpack it"):
        load_whatsapp(path)
