"""Segments as recognisers of speech write them, and who speaks in them."""

import json
from collections import namedtuple
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from skmerc.datasets import load_segments

WHISPER = {
    "text": " You are late. I know.",
    "segments": [
        {"id": 0, "seek": 0, "start": 0.0, "end": 1.5, "text": " You are late.",
         "tokens": [50364, 509], "temperature": 0.0, "avg_logprob": -0.3},
        {"id": 1, "seek": 0, "start": 1.8, "end": 2.4, "text": " I know."},
    ],
    "language": "en",
}  # fmt: skip


def word(text, start=None, end=None, speaker=None):
    given = {"word": text, "start": start, "end": end, "speaker": speaker}
    return {key: value for key, value in given.items() if value is not None}


WHISPERX = {
    "segments": [
        {
            "start": 0.0, "end": 3.0, "text": " Late in 2014? I know.", "speaker": "A",
            "words": [
                word("Late", 0.0, 0.4, "A"), word("in", 0.5, 0.6, "A"), word("2014?"),
                word("I", 1.5, 1.6, "B"), word("know.", 1.7, 3.0, "B"),
            ],
        },
        {"start": 3.5, "end": 4.0, "text": "迟到", "speaker": "A",
         "words": [word("迟", 3.5, 3.6, "A"), word("到", 3.7, 4.0, "A")]},
    ],
    "word_segments": [],
}  # fmt: skip


@pytest.fixture
def written(tmp_path):
    """A function that writes JSON, or text, into a file, and returns its path."""

    def write(content, name="call.json"):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


def rows(found):
    X, y = found
    columns = ["dialogue__speaker", "utterance", "start", "end"]
    assert y is None
    return list(X[columns].itertuples(index=False, name=None))


LATE = [("", "You are late.", 0, 1.5), ("", "I know.", 1.8, 2.4)]


class TestForms:
    def test_of_whisper(self, written):
        X, y = load_segments(written(WHISPER))
        assert rows((X, y)) == LATE
        assert X.columns[4:].tolist() == ["utterance", "start", "end"]
        assert X["dialogue__id"].tolist() == ["call"] * 2

    @pytest.mark.parametrize(
        "content",
        [
            WHISPER["segments"],
            {"transcript": WHISPER["segments"]},
            {"transcript": WHISPER, "diarization": []},
            {"chunks": [
                {"timestamp": [0.0, 1.5], "text": " You are late."},
                {"timestamp": [1.8, 2.4], "text": " I know."},
            ]},
            {"transcription": [
                {"offsets": {"from": 0, "to": 1500}, "text": " You are late."},
                {"offsets": {"from": 1800, "to": 2400}, "text": " I know."},
            ]},
            "\n".join(map(json.dumps, WHISPER["segments"])),
        ],
    )  # fmt: skip
    def test_of_relatives(self, written, content):
        assert rows(load_segments(written(content))) == LATE
        if not isinstance(content, str):
            assert rows(load_segments(content)) == LATE

    def test_of_objects(self):
        @dataclass
        class Segment:
            start: float
            end: float
            text: str
            words: list = field(default_factory=list)

        given = [Segment(*segment[2:], segment[1]) for segment in LATE]
        assert rows(load_segments(iter(given))) == LATE
        Named = namedtuple("Named", "start end text words")
        named = [Named(np.float32(s.start), s.end, s.text, None) for s in given]
        assert rows(load_segments(named))[0][1:3] == ("You are late.", 0)

    def test_of_rows_of_a_table(self):
        table = pd.DataFrame(
            {
                "start": pd.array([0, None, 2], "Int64"),
                "end": [1.0, np.nan, 3.0],
                "text": ["a", "b", "c"],
                "speaker": [np.int64(7), np.nan, np.str_("Ann")],
                "words": [[{"word": "a", "start": 0, "end": 1}], np.nan, []],
            }
        )
        X, _ = load_segments(table.to_dict("records"))
        assert X["dialogue__speaker"].tolist() == ["7", "", "Ann"]
        np.testing.assert_array_equal(X["start"], [0, np.nan, 2])
        np.testing.assert_array_equal(X["end"], [1, np.nan, 3])

    def test_of_several_recordings(self, written, tmp_path):
        lines = "\n".join(map(json.dumps, [WHISPER, WHISPERX]))
        X, _ = load_segments(written(lines, "calls.jsonl"))
        assert X["dialogue__id"].unique().tolist() == ["calls_0", "calls_1"]
        X, _ = load_segments([WHISPER, WHISPERX])
        assert X["dialogue__id"].unique().tolist() == ["0", "1"]
        written(WHISPER, "b.json")
        written(WHISPER, "a.json")
        X, _ = load_segments(tmp_path)
        assert X["dialogue__id"].unique().tolist() == ["a", "b", "calls_0", "calls_1"]

    def test_of_labels(self):
        said = [{"text": "Ha!", "label": "joy"}, {"text": "Hm."}]
        X, y = load_segments(said)
        assert y.tolist() == ["joy", None]
        assert X["dialogue__role"].tolist() == ["utterance", "context"]
        assert X["start"].isna().all()
        with pytest.raises(ValueError, match="nothing has the field label='mood'"):
            load_segments(said, label="mood")
        _, y = load_segments([{"text": "Ha!", "mood": 2}], label="mood")
        assert y.tolist() == [2]


class TestOrder:
    def test_is_that_of_time(self):
        X, _ = load_segments([{"text": "b", "start": 2}, {"text": "a", "start": 1}])
        assert X["utterance"].tolist() == ["a", "b"]
        assert X["dialogue__turn"].tolist() == [0, 1]

    def test_is_the_given_one_where_a_time_lacks(self):
        X, _ = load_segments([{"text": "b", "start": 2}, {"text": "a"}])
        assert X["utterance"].tolist() == ["b", "a"]


class TestWords:
    def test_part_a_segment_at_speakers(self):
        assert rows(load_segments(WHISPERX)) == [
            ("A", "Late in 2014?", 0, 0.6),
            ("B", "I know.", 1.5, 3),
            ("A", "迟到", 3.5, 4),
        ]

    def test_are_passed_over_where_asked(self):
        found = rows(load_segments(WHISPERX, split_words=False))
        assert [row[:2] for row in found] == [
            ("A", "Late in 2014? I know."),
            ("A", "迟到"),
        ]

    def test_name_the_speaker_of_a_segment_without(self):
        segment = {"text": "Oh no", "words": [word("Oh"), word("no", speaker=1)]}
        assert rows(load_segments([segment]))[0][:2] == ("1", "Oh no")

    def test_that_are_not_in_the_text_are_joined(self):
        words = [word("a", speaker="A"), word("b", speaker="A"), word("c", speaker="B")]
        found = rows(load_segments([{"text": "x y", "words": words}]))
        assert [row[:2] for row in found] == [("A", "a b"), ("B", "c")]

    def test_of_a_script_without_blanks_are_cut_as_they_stand(self):
        words = [word("迟", speaker="A"), word("到", speaker="B")]
        found = rows(load_segments([{"text": "迟到", "words": words}]))
        assert [row[:2] for row in found] == [("A", "迟"), ("B", "到")]


TURNS = [
    {"start": 0.0, "end": 0.7, "speaker": "Ben"},
    {"start": 0.6, "end": 1.4, "speaker": "Anna"},
    {"start": 1.7, "end": 9.0, "speaker": "Ben"},
]
RTTM = """;; pyannote
SPKR-INFO call 1 <NA> <NA> <NA> unknown Anna <NA>
SPEAKER call 1 0.6 0.8 <NA> <NA> Anna <NA> <NA>
SPEAKER call 1 0.000 0.700 <NA> <NA> Ben <NA> <NA>

SPEAKER call 1 1.7 7.3 <NA> <NA> Ben <NA>
"""


class Annotation:
    """What pyannote's annotations have in common."""

    def itertracks(self, yield_label):
        assert yield_label
        Span = namedtuple("Span", "start end")
        for at, turn in enumerate(TURNS):
            yield Span(turn["start"], turn["end"]), at, turn["speaker"]


class TestDiarization:
    SPOKEN = (("Anna", *LATE[0][1:]), ("Ben", *LATE[1][1:]))

    @pytest.mark.parametrize("turns", [TURNS, pd.DataFrame(TURNS), Annotation()])
    def test_in_memory(self, turns):
        assert rows(load_segments(WHISPER, diarization=turns)) == list(self.SPOKEN)

    def test_in_the_file(self, written):
        both = {"diarization": TURNS, "transcript": WHISPER["segments"]}
        assert rows(load_segments(written(both))) == list(self.SPOKEN)

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_of_rttm(self, written, end):
        call = written(WHISPER)
        turns = written(RTTM.replace("\n", end), "other.rttm")
        assert rows(load_segments(call, diarization=turns)) == list(self.SPOKEN)

    def test_of_rttm_for_several_recordings(self, written, tmp_path):
        for name in ("a", "b"):
            written(WHISPER, f"{name}.json")
            turns = RTTM.replace(" call ", f" {name} ").replace("Anna", f"Anna_{name}")
            written(turns, f"{name}.rttm")
        X, _ = load_segments(tmp_path, diarization=tmp_path)
        assert X["dialogue__speaker"].tolist() == ["Anna_a", "Ben", "Anna_b", "Ben"]
        with pytest.raises(ValueError, match="tells of 'a', and not of 'b'"):
            load_segments(tmp_path, diarization=tmp_path / "a.rttm")
        with pytest.raises(ValueError, match="one list of turns, for 2 recordings"):
            load_segments(tmp_path, diarization=TURNS)

    def test_of_words(self):
        segment = {
            "start": 0, "end": 2.4, "text": "Late! I know.", "speaker": "X",
            "words": [word("Late!", 0.8, 1.2), word("I", 1.8, 1.9), word("know.")],
        }  # fmt: skip
        found = rows(load_segments([segment], diarization=TURNS))
        assert [row[:2] for row in found] == [("Anna", "Late!"), ("Ben", "I know.")]
        found = rows(load_segments([segment], diarization=TURNS, split_words=False))
        assert [row[:2] for row in found] == [("Ben", "Late! I know.")]

    def test_turns_that_overlap_count_once(self):
        turns = [*[{"start": 0, "end": 1, "speaker": "A"}] * 3,
                 {"start": 0, "end": 1.2, "speaker": "B"}]  # fmt: skip
        found = rows(load_segments(WHISPER["segments"][:1], diarization=turns))
        assert found[0][0] == "B"

    def test_nobody_speaks(self):
        turns = [{"start": 50, "end": 60, "speaker": "A"}]
        given = [{"text": "a", "start": 0, "end": 1, "speaker": "Zoë"}, {"text": "b"}]
        found = rows(load_segments(given, diarization=turns))
        assert [row[0] for row in found] == ["Zoë", ""]

    def test_more_speakers_than_a_recording_has_are_refused(self):
        turns = [{"start": n, "end": n + 1, "speaker": n} for n in range(40_000)]
        with pytest.raises(ValueError, match="40000 speakers for 1000 spans"):
            load_segments(
                [{"text": "a", "start": 0, "end": 1}] * 1000, diarization=turns
            )

    @pytest.mark.parametrize(
        "line",
        [
            "SPEAKER call 1 x 0.8 <NA> <NA> Anna <NA> <NA>",
            "SPEAKER call 1 0.5 -1 <NA> <NA> Anna <NA> <NA>",
            "SPEAKER call 1 nan 1 <NA> <NA>",
            "SPEAKER call 1 0.5 1 <NA> <NA>",
            "hello",
        ],
    )
    def test_lines_that_are_no_rttm(self, written, line):
        path = written(RTTM + line, "a.rttm")
        with pytest.raises(ValueError, match=r"a\.rttm: line 7 "):
            load_segments(WHISPER, diarization=path)

    @pytest.mark.parametrize("turn", [1, {}, {"start": 0, "end": 1}, {"speaker": "A"}])
    def test_turns_that_are_none(self, turn):
        with pytest.raises(ValueError, match="diarization, turn 0"):
            load_segments(WHISPER, diarization=[turn])


class TestRefusals:
    @pytest.mark.parametrize(
        ("segment", "message"),
        [
            (7, "segment 1 is a int"),
            ({"start": 1}, "segment 1 has no text; it has 'start'"),
            ({"text": 3}, "segment 1 has no text"),
            ({"text": "a", "start": "0:01"}, "'start' is '0:01', which is no number"),
            ({"text": "a", "start": True}, "'start' is True"),
            ({"text": "a", "start": -1}, "'start' is -1, which is no time"),
            ({"text": "a", "start": 2, "end": 1}, "segment 1 ends at 1.0, before it"),
            ({"text": "a", "speaker": ["A"]}, "'speaker' is .*, which is no name"),
            ({"text": "a", "words": 3}, "'words' is a int"),
            ({"text": "a", "words": [{"word": None}]}, "segment 1, word 0 has no text"),
        ],
    )
    def test_of_segments(self, written, segment, message):
        path = written([{"text": "Hm."}, segment])
        with pytest.raises(ValueError, match=rf"call\.json.*{message}"):
            load_segments(path)

    @pytest.mark.parametrize("content", [{}, [], {"text": "a"}, 3, "x", None])
    def test_of_other_content(self, written, content):
        with pytest.raises(ValueError, match=r"call\.json"):
            load_segments(written(json.dumps(content)))

    def test_name_the_line(self, written):
        with pytest.raises(ValueError, match=r"call\.json: line 2 is no JSON"):
            load_segments(written('{"text": "a"}\n{"text": \n'))
        with pytest.raises(ValueError, match=r"call\.json, line 3: 'start' is 'x'"):
            load_segments(written('{"text": "a"}\n\n{"text": "b", "start": "x"}\n'))
        with pytest.raises(ValueError, match=r"call\.json: .* no JSON"):
            load_segments(written("[" * 100_000))
        with pytest.raises(ValueError, match=r"call\.json.*'start' is inf"):
            load_segments(written('[{"text": "a", "start": 1e999}]'))
