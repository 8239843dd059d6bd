"""Subtitles as their descriptions say, and as players and people write them."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from systems import mostly_slow

from skmerc.datasets import load_subtitles
from skmerc.exceptions import TextEncodingWarning, UnreadSpeakerWarning
from skmerc.frame import KEYS

SRT = """1
00:00:01,000 --> 00:00:02,500
You are <i>late</i> &amp; wet.

2
00:00:03,250 --> 00:00:04,000
{\\an8}I know.
It rained.
"""

VTT = """WEBVTT - a call of three
Kind: captions
Language: en

STYLE
::cue { color: red }

REGION
id:left
width:40%

NOTE
written by hand,
twice

first
00:01.000 --> 00:02.500 align:start position:10%
<v.loud Anna Lee>You are <i>late</i>.</v>

01:00:03.000 --> 01:00:04.000
<v Ben>I &lt;3 <c.yellow>rain</c> <01:00:03.500>so much.

NOTE between cues

00:05.000 --> 00:06.000
<v Ben>No.</v>
<v Anna Lee>Yes.</v>
<v Anna Lee>Really.</v>
"""


@pytest.fixture
def written(tmp_path):
    """A function that writes text, or bytes, into a file, and returns its path."""

    def write(content, name="call.srt"):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def texts(path, **settings):
    X, y = load_subtitles(path, **settings)
    assert y is None
    return X["utterance"].tolist()


def spoken(path, **settings):
    X, _ = load_subtitles(path, **settings)
    return list(zip(X["dialogue__speaker"], X["utterance"], strict=True))


def cue(*lines, times="00:00:01,000 --> 00:00:02,000"):
    return "\n".join(["1", times, *lines, "", ""])


def test_subrip(written):
    X, y = load_subtitles(written(SRT))
    assert y is None
    assert X.columns.tolist() == [
        "dialogue__id", "dialogue__turn", "dialogue__speaker", "dialogue__role",
        "utterance", "start", "end",
    ]  # fmt: skip
    assert X["utterance"].tolist() == ["You are late & wet.", "I know. It rained."]
    assert X["dialogue__id"].tolist() == ["call"] * 2
    assert X["dialogue__turn"].tolist() == [0, 1]
    assert X["dialogue__role"].tolist() == ["utterance"] * 2
    assert X[["start", "end"]].to_numpy().tolist() == [[1, 2.5], [3.25, 4]]


def test_webvtt(written):
    X, _ = load_subtitles(written(VTT, "call.vtt"))
    assert list(zip(X["dialogue__speaker"], X["utterance"], strict=True)) == [
        ("Anna Lee", "You are late."),
        ("Ben", "No."),
        ("Anna Lee", "Yes. Really."),
        ("Ben", "I <3 rain so much."),
    ]
    assert X["start"].tolist() == [1, 5, 5, 3603]
    assert X["end"].tolist() == [2.5, 6, 6, 3604]


@pytest.mark.parametrize("end", mostly_slow(["\n", "\r\n", "\r"]))
@pytest.mark.parametrize("encoding", mostly_slow(["utf-8", "utf-8-sig", "utf-16"]))
@pytest.mark.parametrize("text", mostly_slow([SRT, VTT]), ids=["srt", "vtt"])
def test_line_ends_and_marks_of_byte_order(written, text, end, encoding):
    name = "call.vtt" if text is VTT else "call.srt"
    data = text.replace("\n", end).encode(encoding)
    assert texts(written(data, name)) == texts(written(text, name))


@pytest.mark.parametrize(
    ("times", "start", "end"),
    [
        ("00:00:01,500 --> 00:00:02,000", 1.5, 2),
        ("00:00:01.500 --> 00:00:02.000", 1.5, 2),
        ("00:01,500 --> 00:02,000", 1.5, 2),
        ("  0:00:01,500-->0:00:02,000  ", 1.5, 2),
        ("100:00:01,500 --> 100:00:02,000 X1:40 X2:600 Y1:20 Y2:50", 360001.5, 360002),
        ("00:00:01 --> 00:00:02", 1, 2),
        ("00:59:59,999 --> 00:59:59,999", 3599.999, 3599.999),
    ],
)
def test_times(written, times, start, end):
    X, _ = load_subtitles(written(cue("Hm.", times=times)))
    assert (X["start"][0], X["end"][0]) == (start, end)


@pytest.mark.parametrize(
    "times",
    [
        "00:00:01,500 --> 00:00:01,000", "00:60:00,000 --> 01:00:00,000", "1 --> 2",
        "00:00:75,000 --> 00:01:00,000", "00:00:01,000 -->", "00:00:01,000 --> soon",
    ],
)  # fmt: skip
def test_times_that_are_none(written, times):
    path = written(cue("Hm.") + cue("So.", times=times))
    with pytest.raises(ValueError, match=rf"{path}: line 6 "):
        load_subtitles(path)


def test_cues_are_in_the_order_of_time(written):
    path = written(
        cue("third", times="00:00:03,000 --> 00:00:09,000")
        + cue("first", times="00:00:01,000 --> 00:00:04,000")
        + cue("second", times="00:00:03,000 --> 00:00:03,500").replace("3,0", "2,0")
    )
    X, _ = load_subtitles(path)
    assert X["utterance"].tolist() == ["first", "second", "third"]
    assert X["dialogue__turn"].tolist() == [0, 1, 2]


def test_cues_without_a_text_are_left_out(written):
    text = cue("", " ") + cue("Hm.") + cue("<i></i>") + cue("&nbsp;")
    assert texts(written(text)) == ["Hm."]
    with pytest.raises(ValueError, match=r"call\.srt has no cue with a text"):
        load_subtitles(written(cue("")))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["One", "", "more"], ["One more"]),
        (["One --> two"], ["One --> two"]),
        (["1 < 2 and 3 > 2"], ["1 < 2 and 3 > 2"]),
        (["<laughs> No"], ["<laughs> No"]),
        (['<font color="#ff0">a</font><br>b'], ["a b"]),
        (["AT&T &#39;x&#39; &unknown; &lt;b&gt;"], ["AT&T 'x' &unknown; <b>"]),
        (["&#" + "9" * 5000 + ";"], ["&#" + "9" * 5000 + ";"]),
        (["מה שלומך?", "👩‍👧 Zoë Łuć"], ["מה שלומך? 👩‍👧 Zoë Łuć"]),
        (["a\u2028b"], ["a b"]),
        (["42"], ["42"]),
    ],
)
def test_texts(written, lines, expected):
    assert texts(written(cue(*lines))) == expected


def test_numbers_and_empty_lines_may_lack(written):
    without = "00:00:01,000 --> 00:00:02,000\nHm.\n00:00:03,000 --> 00:00:04,000\nSo."
    assert texts(written(without)) == ["Hm.", "So."]
    tight = "1\n00:00:01,000 --> 00:00:02,000\nHm.\n2\n00:00:03,000 --> 00:00:04,000\n7"
    assert texts(written(tight)) == ["Hm.", "7"]


@pytest.mark.parametrize("end", ["\n\n", "\r\r\n"])
def test_numbers_are_no_text_where_lines_are_spaced_out(written, end):
    first = "1", "00:00:01,000 --> 00:00:02,000", "Hm.", "", ""
    second = "2", "00:00:03,000 --> 00:00:04,000", "So."
    assert texts(written(end.join([*first, *second]).encode())) == ["Hm.", "So."]


def test_a_text_that_is_a_number_is_kept_where_cues_have_none(written):
    without = "00:00:01,000 --> 00:00:02,000\n1984\n\n00:00:03,000 --> 00:00:04,000\n7"
    assert texts(written(without)) == ["1984", "7"]


@pytest.mark.parametrize("content", ["", "\n\n", "1\n"])
def test_a_file_without_cues_is_told(written, content):
    with pytest.raises(ValueError, match="has no cue with a text"):
        load_subtitles(written(content))


class TestSpeakers:
    TEXT = (
        cue("ANNA: Are you", "there?")
        + cue("<i>DR. BEN ŁUĆ:</i> No.", "ANNA: Oh.")
        + cue("[SPEAKER_00]: Well.")
        + cue("&gt;&gt; CLEO: Ten to 10:30, at http://a.org")
        + cue("Look: a bird")
        + cue("All of that I wanted: a tree")
    )

    def test_are_told_by_default(self, written):
        with pytest.warns(UnreadSpeakerWarning, match="5 lines .*speaker_prefixes=T"):
            X, _ = load_subtitles(written(self.TEXT))
        assert X["utterance"][0] == "ANNA: Are you there?"
        assert set(X["dialogue__speaker"]) == {""}

    def test_are_told_where_most_texts_begin_with_a_name(self, written):
        said = ["Ann Lee: Hello, all.", "Ben: Hi!", "So.", "Ann Lee: Well: let us go."]
        path = written("".join(map(cue, said)))
        with pytest.warns(UnreadSpeakerWarning, match="3 lines .*speaker_prefixes=T"):
            load_subtitles(path)
        assert [who for who, _ in spoken(path, speaker_prefixes=True)] == [
            *("Ann Lee", "Ben", "", "Ann Lee"),
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load_subtitles(written("".join(map(cue, [*said, "No.", "Yes.", "Oh."]))))

    def test_stay_in_silence_where_asked(self, written):
        assert texts(written(self.TEXT), speaker_prefixes=False)[2] == (
            "[SPEAKER_00]: Well."
        )

    def test_are_read_where_asked(self, written):
        assert spoken(written(self.TEXT), speaker_prefixes=True) == [
            ("ANNA", "Are you there?"),
            ("DR. BEN ŁUĆ", "No."),
            ("ANNA", "Oh."),
            ("SPEAKER_00", "Well."),
            ("CLEO", "Ten to 10:30, at http://a.org"),
            ("Look", "a bird"),
            ("", "All of that I wanted: a tree"),
        ]

    def test_are_those_of_a_list(self, written):
        path = written(self.TEXT)
        found = spoken(path, speaker_prefixes=["ANNA", "SPEAKER_00"])
        assert [who for who, _ in found] == [
            "ANNA",
            "",
            "ANNA",
            "SPEAKER_00",
            *3 * [""],
        ]

    def test_of_one_line_are_not_told(self, written):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            load_subtitles(written(cue("ANNA: Hm.") + cue("So.")))

    @pytest.mark.parametrize("dash", ["- ", "-", "– ", "—", "‐ "])
    def test_with_dashes(self, written, dash):
        path = written(cue(f"{dash}Where", "were you?", f"{dash}Out.") + cue("- So."))
        with pytest.warns(UnreadSpeakerWarning, match="1 texts .*split_dashes=True"):
            X, _ = load_subtitles(path)
        assert len(X) == 2
        assert len(texts(path, split_dashes=False)) == 2
        X, _ = load_subtitles(path, split_dashes=True)
        assert X["utterance"].tolist() == ["Where were you?", "Out.", "- So."]
        assert X["dialogue__turn"].tolist() == [0, 1, 2]
        assert X["start"].tolist() == [1, 1, 1]

    def test_with_dashes_and_names(self, written):
        path = written(cue("- ANNA: Hm.", "- BEN: So."))
        assert spoken(path, speaker_prefixes=True, split_dashes=False) == [
            ("ANNA", "Hm."),
            ("BEN", "So."),
        ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("WEBVTT\n\nHm.\n", 3),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nHm.\n\nso\nwhat\n", 6),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nHm. --> so\n", 4),
        ("00:01.000 --> 00:02.000\nHm.\n", 1),
        ("WEBVTTX\n\n00:01.000 --> 00:02.000\nHm.\n", 1),
    ],
)
def test_webvtt_that_is_none(written, text, line):
    path = written(text, "call.vtt")
    with pytest.raises(ValueError, match=rf"call\.vtt: line {line} "):
        load_subtitles(path)


def test_a_cue_of_webvtt_may_follow_without_an_empty_line(written):
    text = "WEBVTT\n00:01.000 --> 00:02.000\nHm.\n00:03.000 --> 00:04.000\nSo."
    assert texts(written(text, "call.vtt")) == ["Hm.", "So."]


def test_what_stands_before_the_first_cue_is_no_subrip(written):
    with pytest.raises(ValueError, match=r"call\.srt: line 2 is 'Dear reader'"):
        load_subtitles(written("1\nDear reader\n" + SRT))


class TestFiles:
    def test_are_dialogues(self, written, tmp_path):
        for name in ("b.srt", "a.srt", ".hidden.srt", "notes.txt"):
            written(SRT, name)
        X, _ = load_subtitles(tmp_path)
        assert X["dialogue__id"].tolist() == ["a", "a", "b", "b"]
        listed, _ = load_subtitles([str(tmp_path / "b.srt"), tmp_path / "a.srt"])
        assert listed["dialogue__id"].tolist() == ["b", "b", "a", "a"]

    def test_of_one_name_are_told_apart(self, written, tmp_path):
        paths = [written(SRT), written("WEBVTT\n\n" + SRT[2:], "call.vtt")]
        X, _ = load_subtitles(paths)
        assert X["dialogue__id"].unique().tolist() == ["call.srt", "call.vtt"]
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "call.srt").write_text(SRT)
        paths = [paths[0], tmp_path / "b" / "call.srt"]
        X, _ = load_subtitles(paths)
        assert X["dialogue__id"].unique().tolist() == list(map(str, paths))
        with pytest.raises(ValueError, match="is given twice"):
            load_subtitles([paths[0], paths[0]])

    def test_that_are_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no file that ends in \.srt or"):
            load_subtitles(tmp_path)
        with pytest.raises(FileNotFoundError, match=r"There is no file .*a\.srt"):
            load_subtitles(tmp_path / "a.srt")
        with pytest.raises(ValueError, match="names no file"):
            load_subtitles([])

    def test_of_windows_are_told(self, written):
        path = written(cue("Où es-tu, Zoë?").encode("cp1252"))
        with pytest.warns(TextEncodingWarning, match="line 3 has the byte 0xf9"):
            assert texts(path) == ["Où es-tu, Zoë?"]
        assert texts(path, encoding="cp1252") == ["Où es-tu, Zoë?"]
        with pytest.raises(ValueError, match=r"is not ascii: line 3"):
            load_subtitles(path, encoding="ascii")
        with pytest.raises(ValueError, match="cannot be read as 'klingon'"):
            load_subtitles(path, encoding="klingon")

    @pytest.mark.parametrize("end", [-1, -2])
    def test_that_were_cut(self, written, end):
        data = cue("Zoë", "👩").strip().encode()[:end]
        with pytest.raises(
            ValueError, match=r"call\.srt is damaged or was cut.*line 4"
        ):
            load_subtitles(written(data))

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
    def test_with_zeros(self, written, encoding):
        with pytest.raises(ValueError, match="holds zero bytes in line"):
            load_subtitles(written((SRT + "\0").encode(encoding)))

    def test_that_are_packed(self, written):
        with pytest.raises(ValueError, match="is packed"):
            load_subtitles(written(b"PK\x03\x04" + b"a" * 30))


def test_columns_are_numbers(written):
    X, _ = load_subtitles(written(SRT))
    assert X[["start", "end"]].dtypes.eq(np.dtype(float)).all()


@pytest.mark.slow
def test_more_rows_than_a_file_of_its_size_has_are_refused(written):
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<v A>a<v B>b" * 150_000
    with pytest.raises(ValueError, match=r"call\.vtt.* 300000 rows, .* asks for"):
        load_subtitles(written(text, "call.vtt"))


def test_a_table_of_subtitles_is_one_for_estimators(written):
    from skmerc import CBERLClassifier  # torch, which no other test here needs

    lengths = FunctionTransformer(
        lambda X: pd.DataFrame({"0": X["utterance"].str.len().astype(float)}),
        feature_names_out=lambda *_: ["0"],
    )
    features = ColumnTransformer(
        [("keys", "passthrough", list(KEYS)), ("text", lengths, ["utterance"])],
    ).set_output(transform="pandas")
    X, _ = load_subtitles(written(VTT, "call.vtt"))
    model = make_pipeline(
        features, CBERLClassifier(hidden_size=4, max_epochs=1, random_state=0)
    )
    assert model.fit(X, ["joy", "fear"] * 2).predict(X).shape == (4,)
