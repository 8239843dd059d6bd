"""Tables as people have them: exports of call centres, spreadsheets, chats, mishaps."""

import datetime as dt
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from systems import mostly_slow

from skmerc.datasets import to_frame
from skmerc.exceptions import (
    NoDialogueWarning,
    UnreadColumnWarning,
    UntidyTableWarning,
)

SAID = ["How can I help you today?", "My order is late again!", "Let me look at it."]
TABLE = pd.DataFrame(
    {
        "dialogue": ["a"] * 3 + ["b"] * 3,
        "speaker": ["agent", "caller", "agent"] * 2,
        "text": [*SAID, "Hello there.", "What is it?", "Bye."],
        "label": ["neutral", "anger", "neutral", "joy", "neutral", "joy"],
    }
)
ORDER = [1, 0, 2, 1, 0, 2]
ROWS = [0, 1, 2, 0, 1, 2]


def turns_of(table, **settings):
    return to_frame(table, **settings)[0]["dialogue__turn"].tolist()


def with_times(times, name="timestamp"):
    return TABLE.assign(**{name: times * 2})


# --- Times as they are written


TIMES = {
    "ISO": ["2026-03-02T08:00:10", "2026-03-02T08:00:05", "2026-03-02T08:00:20"],
    "day, month, year": ["04/03/2026 20:18", "04/03/2026 20:17", "05/03/2026 20:16"],
    "months in front": ["3/14/26 8:18 PM", "3/14/26 11:17 AM", "3/15/26 1:00 AM"],
    "German": ["04.03.2026 20:18", "05.02.2026 20:17", "04.03.2026 20:19"],
    "of a chat": [
        "[04.03.26, 20:18:33]",
        "[04.03.26, 20:18:05]",
        "[05.03.26, 9:00:01]",
    ],
    "year in front": ["2026/03/02 08:10", "2026/03/02 08:05", "2026/04/01 08:00"],
    "names of months": ["Mar 2, 2026 8:10 PM", "2 March 2026 08:05", "1 Apr 2026"],
    "of a mail": [
        "Mon, 02 Mar 2026 08:00:10 +0000",
        "Mon, 02 Mar 2026 08:00:05 GMT",
        "Mon, 02 Mar 2026 08:00:10 -0500",
    ],
    "hours of one call": ["00:00:10", "00:00:05", "01:00:00"],
    "minutes of one call": ["1:02", "0:59", "59:01"],
    "of subtitles": ["00:00:10,500", "00:00:10,250", "00:00:11,000"],
    "before and after noon": ["1:10 pm", "11:05 AM", "2:00 p.m."],
    "spans as pandas writes them": ["0 days 00:00:10", "0 days 00:00:05", "1 days"],
    "seconds with their unit": ["10.5 s", "9 s", "1 min"],
    "epoch": [1.7e9 + 10, 1.7e9, 1.7e9 + 20],
    "epoch in text": ["1700000010", "1700000000", "1700000020"],
    "spans": list(pd.to_timedelta([10, 5, 20], unit="s")),
    "spans of Python": [dt.timedelta(seconds=s) for s in (10, 5, 20)],
    "cells of a spreadsheet": [dt.time(8, 0, 10), dt.time(8, 0, 5), dt.time(9)],
    "periods": list(
        pd.PeriodIndex(["2026-03-02", "2026-03-01", "2026-03-03"], freq="D")
    ),
}


@pytest.mark.parametrize("times", mostly_slow(TIMES.values()), ids=TIMES)
def test_times_order_turns(times):
    assert turns_of(with_times(times)) == ORDER
    assert turns_of(with_times(times, "Time"), timestamp="Time") == ORDER
    records = with_times(times).to_dict("records")
    assert turns_of(records) == ORDER


AMBIGUOUS = ["04/03/2026 20:18", "05/02/2026 20:17", "04/03/2026 20:19"]


def test_dates_whose_month_may_be_the_day_are_not_guessed_where_it_matters():
    with pytest.raises(ValueError, match=r"'04/03/2026 20:18'.*2 dialogues.*day_first"):
        to_frame(with_times(AMBIGUOUS))
    assert turns_of(with_times(AMBIGUOUS), day_first=True) == ORDER
    assert turns_of(with_times(AMBIGUOUS), day_first=False) == [0, 2, 1] * 2


def test_another_date_of_the_column_may_tell_where_the_day_stands():
    times = AMBIGUOUS[:2] + ["25/03/2026 08:00"]
    assert turns_of(with_times(times)) == ORDER


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            ["13/02/2026", "02/13/2026", "01/01/2026"],
            "the day in front.* the month",
        ),
        (["23:58", "23:59", "00:01"], "midnight seems to have come.*timestamp=None"),
        (["00:59", "01:00:00", "01:00:10"], "two parts.*order is unclear"),
        (["08:00", "2026-03-02 08:01", "08:02"], "order is unclear"),
        (["31/02/2026", "1/3/2026", "2/3/2026"], "no date.*day_first"),
        (["nine", "ten", "eleven"], "no date"),
    ],
)
def test_times_without_a_clear_order_are_refused(times, message):
    with pytest.raises(ValueError, match=message):
        to_frame(with_times(times))


def test_a_long_day_in_order_is_no_midnight():
    assert turns_of(with_times(["07:00", "12:30", "23:00"])) == ROWS


def test_a_time_for_each_call_is_told():
    times = ["2026-03-02"] * 3 + ["2026-03-03"] * 3
    with pytest.warns(UntidyTableWarning, match="'timestamp' is the same in all turns"):
        assert turns_of(TABLE.assign(timestamp=times)) == ROWS


def test_times_that_a_gap_puts_aside_are_told():
    table = with_times([3, None, 1])
    with pytest.warns(UntidyTableWarning, match="2 utterances have no 'timestamp'"):
        assert turns_of(table) == ROWS


def test_turns_and_times_that_contradict_each_other_are_told():
    table = TABLE.assign(turn=ROWS)
    times = pd.Series(range(len(table)))
    assert turns_of(table.assign(timestamp=times)) == ROWS
    for junk in ("noon", None):
        assert turns_of(table.assign(timestamp=junk)) == ROWS
    told = "order of 'turn', in which 'timestamp' goes backwards in .* dialogues"
    days = pd.date_range("2026", periods=len(times))
    for wrong in (times[::-1].to_numpy(), days[::-1]):
        with pytest.warns(UntidyTableWarning, match=told):
            assert turns_of(table.assign(timestamp=wrong)) == ROWS


def test_a_named_time_comes_before_turns_that_nobody_named():
    table = with_times(TIMES["ISO"], "Time").assign(turn=ROWS)
    assert turns_of(table, timestamp="Time") == ORDER
    assert turns_of(table) == ROWS


# --- Columns of other names


def test_columns_that_look_like_keys_are_named_in_one_warning():
    table = with_times(TIMES["ISO"], "Time").rename(
        columns={"speaker": "Speaker Name", "label": "Emotion"}
    )
    with pytest.warns(UnreadColumnWarning) as caught:
        X, y = to_frame(table)
    assert len(caught) == 1
    for told in (
        "'Time' (timestamp='Time')",
        "speaker='Speaker Name'",
        "label='Emotion'",
    ):
        assert told in str(caught[0].message)
    assert caught[0].filename == __file__
    assert y is None
    assert set(X["dialogue__speaker"]) == {""}


@pytest.mark.parametrize(
    ("name", "parameter"),
    mostly_slow(
        [
            *(
                (n, "timestamp")
                for n in ("Time", "StartTime", "created_at", "ts", "Datum")
            ),
            *((n, "speaker") for n in ("agent", "Speaker Name", "from", "userid")),
            *(
                (n, "turn")
                for n in ("utterance_id", "Turn No.", "seq", "message_index")
            ),
            *((n, "label") for n in ("Emotion", "sentiment", "Label", "mood")),
        ]
    ),
)
def test_a_name_says_what_it_may_be(name, parameter):
    lacking = {"speaker": "speaker", "label": "label"}.get(parameter)
    table = TABLE.drop(columns=lacking) if lacking else TABLE
    table = table.assign(**{name: ["1", "2", "3"] * 2})
    with pytest.warns(UnreadColumnWarning, match=re.escape(f"{parameter}={name!r}")):
        to_frame(table)


@pytest.mark.parametrize("name", ["wav", "duration", "handle_time", "split", "end"])
def test_other_names_are_left_alone(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_frame(TABLE.assign(**{name: 1}))


def test_who_says_that_there_is_none_is_asked_no_more():
    table = with_times(TIMES["ISO"], "Time").rename(
        columns={"speaker": "agent", "label": "Emotion"}
    )
    X, y = to_frame(table, speaker=None, label=None, timestamp=None, turn=None)
    assert y is None
    assert X["dialogue__turn"].tolist() == ROWS


def test_columns_that_are_taken_are_not_told():
    table = with_times(TIMES["ISO"], "Time")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_frame(table, timestamp="Time")
        to_frame(table, timestamp=None, columns=["Time"])


def test_utterances_in_lists_are_in_order_whatever_else_they_have():
    call = [{"text": "a", "start": 5, "label": "x"}, {"text": "b", "start": 1}]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert turns_of([call]) == [0, 1]
    assert turns_of([call], timestamp="start") == [1, 0]


NAMES = {"dialogue": "Call ID", "speaker": "Who", "text": "Said", "label": "Mood"}


def test_all_columns_may_have_other_names():
    table = TABLE.rename(columns=NAMES).assign(No=[2, 1, 0] * 2)
    X, y = to_frame(table, turn="No", **NAMES)
    expected, labels = to_frame(TABLE.assign(turn=[2, 1, 0] * 2))
    pd.testing.assert_frame_equal(X, expected)
    np.testing.assert_array_equal(y, labels)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "does not name its dialogue.*Say dialogue='Call ID'"),
        ({"dialogue": "Call ID"}, "no text: 'text' is absent.*text='Said'"),
        ({"dialogue": "call id"}, "does not name its dialogue under 'call id'"),
        (
            {"dialogue": "Call ID", "text": "Said", "timestamp": "at"},
            "No utterance has the field 'at'",
        ),
        (
            {"dialogue": "Call ID", "text": "Said", "turn": "nr"},
            "No utterance has the field 'nr'",
        ),
    ],
)
def test_what_is_not_found_is_told_with_what_it_may_be(settings, message):
    with pytest.raises(ValueError, match=message):
        to_frame(TABLE.rename(columns=NAMES), **settings)


# --- Rows and cells


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": ["", None, "a", "b", " ", "c"]}, "3 texts are missing .*row 0, 1, 4"),
        ({"label": ["joy", "JOY", "joy"] * 2}, r"'JOY' \(2\), 'joy' \(4\).*row 1"),
        ({"speaker": ["Ann", "ann ", "Bob"] * 2}, r"speakers differ.*'ann ' \(2\)"),
    ],
)
def test_untidy_cells_are_told_and_stay(change, message):
    with pytest.warns(UntidyTableWarning, match=f"(?i){message}"):
        X, y = to_frame(TABLE.assign(**change))
    column = {"text": X["utterance"], "speaker": X["dialogue__speaker"], "label": y}
    for name, values in change.items():
        given = pd.Series(values, dtype=object)
        pd.testing.assert_series_equal(
            pd.Series(list(column[name]), dtype=object).fillna("-"), given.fillna("-")
        )


def test_labels_that_differ_in_blanks_are_counted_and_refused():
    labels = ["joy", "joy ", "anger"] * 2
    with pytest.raises(ValueError, match=r"'joy ' \(2\).*normalize_labels=True"):
        to_frame(TABLE.assign(label=labels))


def test_spellings_are_mended_where_asked():
    labels = ["JOY", "joy ", " Joy", "e\u0301mu", "\u00c9MU", None]
    names = ["Agent", "agent ", "Bob  Dee"] * 2
    table = TABLE.assign(label=labels, speaker=names)
    X, y = to_frame(table, normalize_labels=True, normalize_speakers=True)
    assert y.tolist() == ["joy", "joy", "joy", "\u00e9mu", "\u00e9mu", None]
    assert X["dialogue__speaker"].tolist() == ["agent", "agent", "bob dee"] * 2


def test_mending_leaves_scores_alone():
    _, y = to_frame(TABLE.assign(label=np.arange(6.0)), normalize_labels=True)
    assert y.tolist() == [0, 1, 2, 3, 4, 5]


def test_rows_that_stand_twice_are_told():
    twice = pd.concat([TABLE.assign(turn=ROWS)] * 2)
    with pytest.warns(UntidyTableWarning, match="6 rows are the same .*row 6, 7, 8, "):
        to_frame(twice)
    with pytest.warns(UntidyTableWarning, match="3 rows are the same .*row 6, 7, 8."):
        to_frame(twice.drop(columns="turn"))  # short ones may be said twice


def test_votes_of_several_people_are_told():
    votes = pd.concat([TABLE.assign(turn=ROWS), TABLE.assign(turn=ROWS, label="fear")])
    with pytest.warns(UntidyTableWarning, match="6 rows .* but for the label"):
        to_frame(votes)


def test_short_answers_may_be_said_twice():
    assert len(to_frame(TABLE.assign(text="Yes."))[0]) == 6


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", None, "a", "b", "b", "b"], "it has nan|has nan, as 1 of 6.*dropna"),
        (["a", None, None, "b", None, None], r"4 of 6.*merged cells.*\.ffill\(\)"),
        ([None] * 6, "6 of 6 have|No utterance|does not name"),
    ],
)
def test_a_missing_call_id_is_told_with_its_number(ids, message):
    with pytest.raises(ValueError, match=message):
        to_frame(TABLE.assign(dialogue=ids))


def test_empty_rows_of_a_spreadsheet_are_told():
    table = pd.concat([TABLE, pd.DataFrame([{}, {}])], ignore_index=True)
    with pytest.raises(ValueError, match=r"2 of 8 have.*nothing at all.*dropna\(how"):
        to_frame(table)


def test_ids_of_messages_are_no_dialogues():
    table = TABLE.assign(dialogue=range(6), call_id=[1] * 3 + [2] * 3)
    with pytest.warns(NoDialogueWarning, match="6 dialogues of one turn.*'call_id'"):
        to_frame(table)
    assert turns_of(table, dialogue="call_id") == ROWS


@pytest.mark.parametrize(
    "labels", [["joy"], ("joy", "fear"), {"joy"}, np.array(["joy"])]
)
def test_lists_of_labels_are_told_with_a_way(labels):
    with pytest.raises(ValueError, match="MultiLabelBinarizer"):
        to_frame([[{"text": "a", "label": labels}, {"text": "b", "label": "joy"}]])


# --- Mishaps of frames


@pytest.mark.parametrize(
    "make",
    mostly_slow(
        [
            lambda table: table.set_index("dialogue"),
            lambda table: table.reset_index(),
            lambda table: table.reset_index().assign(level_0=range(6)),
            lambda table: table.assign(**{"Unnamed: 0": range(6)}),
            lambda table: table.set_axis([0] * 6),
            lambda table: table.astype("category"),
            lambda table: table.convert_dtypes(),
            lambda table: table.assign(turns=3, utterances=None),
            lambda table: table.assign(dialogue=pd.Categorical(table["dialogue"])),
            lambda table: pl.from_pandas(table),
            lambda table: table.iloc[:, ::-1],
        ]
    ),
    ids=range(11),
)
@pytest.mark.filterwarnings("ignore::skmerc.exceptions.UnreadColumnWarning")
def test_odd_frames_are_read_alike(make):
    X, y = to_frame(make(TABLE))
    expected, labels = to_frame(TABLE)
    pd.testing.assert_frame_equal(X.reset_index(drop=True), expected, check_dtype=False)
    assert list(y) == list(labels)


class Stream:
    """A table that only speaks Arrow's protocol."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


def test_any_table_of_arrow_is_read():
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow: skmerc[parquet]")
    X, _ = to_frame(Stream(pyarrow.Table.from_pandas(TABLE)))
    pd.testing.assert_frame_equal(X, to_frame(TABLE)[0])
    with pytest.raises(TypeError, match="dialogues is a .*Stream"):
        to_frame(Stream(pyarrow.chunked_array([["a"]])))


def test_polars_needs_no_arrow(monkeypatch):
    def fail(self):
        raise ModuleNotFoundError("No module named 'pyarrow'")

    monkeypatch.setattr(pl.DataFrame, "to_pandas", fail)
    X, _ = to_frame(pl.from_pandas(with_times(TIMES["ISO"])))
    assert X["dialogue__turn"].tolist() == ORDER


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"dialogue": [1] * 999, "text": ["x"] * 999}, r"pandas\.DataFrame"),
        ({"utterances": [{"text": "a"}] * 999}, r"in a list: \[dialogue\]"),
        (pl.DataFrame({"text": ["a"]}).lazy(), "collect"),
        ((item for item in []), "list"),
        (pd.Series(["a"]), "DataFrame"),
        (pl.Series(["a"]), "DataFrame"),
        (5, "DataFrame"),
        (None, "DataFrame"),
    ],
)
def test_what_is_no_table_is_told_by_its_type_alone(given, hint):
    with pytest.raises(TypeError, match=f"dialogues is a .*{hint}") as caught:
        to_frame(given)
    assert len(str(caught.value)) < 250


def test_nested_columns_are_told():
    with pytest.raises(ValueError, match="MultiIndex columns"):
        to_frame(pd.concat({"a": TABLE}, axis=1))


# --- Files


FILES = {
    "a.csv": lambda table, path: table.to_csv(path, index=False),
    "index.csv": lambda table, path: table.to_csv(path),
    "excel.csv": lambda table, path: table.to_csv(
        path, sep=";", encoding="utf-8-sig", index=False
    ),
    "unicode.csv": lambda table, path: table.to_csv(path, sep="\t", encoding="utf-16"),
    "a.tsv": lambda table, path: table.to_csv(path, sep="\t", index=False),
    "a.csv.gz": lambda table, path: table.to_csv(path, index=False),
    "a.parquet": lambda table, path: table.to_parquet(path),
    "index.parquet": lambda table, path: table.set_index("dialogue").to_parquet(path),
    "a.jsonl": lambda table, path: table.to_json(path, orient="records", lines=True),
    "a.json": lambda table, path: table.to_json(path, orient="records"),
}


@pytest.mark.parametrize("name", mostly_slow(FILES))
def test_files_are_read_by_their_endings(tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="needs pyarrow: skmerc[parquet]")
    table = TABLE.assign(
        dialogue=["007"] * 3 + ["08"] * 3,
        timestamp=TIMES["of subtitles"] * 2,
        label=[1.5, 0, 2, 1, 0, None],
        text=[*SAID, 'A "word", and; more\nlines', "nan", "None"],
        wav="001.wav",
    )
    FILES[name](table, tmp_path / name)
    X, y = to_frame(str(tmp_path / name), columns=["wav"])
    assert X["dialogue__id"].tolist() == ["007"] * 3 + ["08"] * 3
    assert X["dialogue__turn"].tolist() == ORDER
    assert X["utterance"].tolist() == table["text"].tolist()
    assert X["wav"].tolist() == ["001.wav"] * 6
    np.testing.assert_array_equal(y, [1.5, 0, 2, 1, 0, np.nan])


def test_a_comma_may_be_the_decimal_mark(tmp_path):
    path = tmp_path / "a.csv"
    TABLE.assign(label=[0.5, 1, 0, 2, 1, 0]).to_csv(path, sep=";", decimal=",")
    assert to_frame(path)[1].tolist() == [0.5, 1, 0, 2, 1, 0]


def test_numbers_that_begin_with_a_zero_stay_text(tmp_path):
    TABLE.assign(phone="0049123").to_csv(tmp_path / "a.csv")
    X, _ = to_frame(tmp_path / "a.csv", columns=["phone"])
    assert set(X["phone"]) == {"0049123"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"PK\3\4", "workbook.*read_excel"),
        ("a.csv", b"PK\3\4", "zip archive"),
        ("a.csv", b"dialogue,text\na,b,c\n", "line 2 has 3 cells"),
        ("a.csv", "dialogue,text\na,ä\n".encode("latin-1"), "UTF-8"),
        ("a.csv", b"call,said\n1,a\n", r"a\.csv: .*dialogue='call'"),
        ("a.csv", b"", "no dialogue|empty"),
        ("a.csv", b"dialogue,text\n", r"a\.csv: There is no dialogue"),
        ("a.parquet", b"PAR1", "parquet"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, name, content, message):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="needs pyarrow: skmerc[parquet]")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        to_frame(tmp_path / name)
    assert name in str(caught.value)


REAL = [
    "emotionpush_text", "iemocap4_ta", "iemocap6_ta", "maia_text", "meld5_main6_tav",
    "meld_text", "mosi_tav",
]  # fmt: skip


@pytest.mark.parametrize("name", mostly_slow(REAL))
@pytest.mark.filterwarnings("ignore::skmerc.exceptions.UntidyTableWarning")
def test_real_tables_of_sentences_are_read(real_data, name):
    path = real_data / f"{name}_sentences.csv.gz"
    if not path.exists():
        pytest.skip("no such table of sentences")
    table = pd.read_csv(path, keep_default_na=False, dtype=str)
    text = "text" if "text" in table else "sentence"
    X, _ = to_frame(path, text=text)
    assert X["dialogue__id"].tolist() == table["dialogue"].tolist()
    assert X["dialogue__turn"].tolist() == table["turn"].astype(int).tolist()
    assert X["dialogue__speaker"].tolist() == table["speaker"].tolist()
