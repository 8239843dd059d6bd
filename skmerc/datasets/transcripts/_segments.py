"""Segments of recognisers of speech: whisper, its relatives, and pyannote."""

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, is_dataclass, replace
from itertools import islice, pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skmerc._utils.compat import HasMethods, validate_params
from skmerc.datasets.formats._files import content_of
from skmerc.datasets.transcripts._dialogues import (
    as_table,
    name_of_speaker,
    refuse_absent_label,
    seconds_of,
)
from skmerc.datasets.transcripts._diarization import (
    read_diarization,
    speakers_of,
    turns_of,
)
from skmerc.datasets.transcripts._sources import (
    JsonLines,
    are_paths,
    find_files,
    read_json,
    total_size,
)
from skmerc.frame._texts import is_missing

_ENDINGS = {".json", ".jsonl"}
_ENDS = ("start", "end")
_LISTS = ("segments", "chunks", "transcription", "transcript")


@dataclass(frozen=True)
class _Span:
    """A segment or a word; times are NaN where they are unknown."""

    text: str
    start: float
    end: float
    speaker: str | None
    words: tuple = ()
    label: object = None


@validate_params(
    {
        "segments": [str, PathLike, list, tuple, dict, Iterator],
        "diarization": [
            str,
            PathLike,
            list,
            tuple,
            HasMethods("itertracks"),
            HasMethods("to_dict"),
            None,
        ],
        "split_words": ["boolean"],
        "label": [str],
    },
    prefer_skip_nested_validation=True,
)
def load_segments(
    segments: Any,
    *,
    diarization: Any = None,
    split_words: bool = True,
    label: str = "label",
) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Read segments of recognised speech as dialogues.

    Parameters
    ----------
    segments : str, Path, dict, list or iterator
        A file of JSON; several, each a dialogue named after its file; a folder, of
        which all files that end in ``.json`` or ``.jsonl`` are read; or what stands in
        such files. A recording is

        - a list of segments, each with ``text``, ``start`` and ``end`` (in seconds,
          missing where unknown), and maybe ``speaker``, ``words`` and a label; dicts,
          or the objects of faster-whisper;
        - a dict that holds this list under ``"segments"``, as whisper and whisperX
          write it, ``"chunks"`` (transformers, with ``timestamp``), ``"transcription"``
          (whisper.cpp, with ``offsets`` in milliseconds) or ``"transcript"``. It may
          hold the turns of its speakers under ``"diarization"``.

        A list of such dicts, or JSON lines, are several recordings.
    diarization : str, Path, list, DataFrame or Annotation, default=None
        Who speaks when: RTTM files or a folder of them, or for one recording a list of
        turns (dicts of ``start``, ``end`` and ``speaker``), a DataFrame of these, or
        an ``Annotation`` of pyannote. Each word with a time, or else each
        segment, gets the speaker who speaks most of it; where nobody does, it keeps the
        one that it has.
    split_words : bool, default=True
        Whether a segment whose words have several speakers becomes an utterance for
        each change. Words without a speaker belong to the one before them. With False
        words are not looked at.
    label : str, default="label"
        The field of a segment that holds its label.

    Returns
    -------
    X : DataFrame of shape (n_utterances, 7)
        The table of :func:`to_frame`: the keys and ``"utterance"``, one row for each
        segment, with ``"start"`` and ``"end"`` in seconds, NaN where unknown. Rows are
        in the order of their starts, where all of a recording are known.
    y : ndarray of shape (n_utterances,) or None
        The labels, as in :func:`to_frame`; None if no segment has one.

    Raises
    ------
    FileNotFoundError
        If a file is not there, or a folder has none.
    ValueError
        If a file or an object is of another kind, damaged or without a text, a segment
        ends before it starts, or no turns are told of a recording. The error names the
        line, or the number of the segment.

    See Also
    --------
    load_subtitles : Read what a recogniser writes as SRT or WebVTT.

    Notes
    -----
    Segments of nothing but blanks are left out.

    References
    ----------
    .. [1] OpenAI, "whisper", https://github.com/openai/whisper (``transcribe.py`` and
       ``utils.py``); Bain, "whisperX", https://github.com/m-bain/whisperX.
    .. [2] National Institute of Standards and Technology, "The 2009 (RT-09) Rich
       Transcription Meeting Recognition Evaluation Plan", appendix A: RTTM.

    Examples
    --------
    >>> from skmerc.datasets import load_segments
    >>> recognised = {
    ...     "segments": [
    ...         {"start": 0.0, "end": 1.5, "text": " You are late."},
    ...         {"start": 1.8, "end": 2.4, "text": " I know."},
    ...     ]
    ... }
    >>> turns = [
    ...     {"start": 0.1, "end": 1.4, "speaker": "Anna"},
    ...     {"start": 1.7, "end": 2.5, "speaker": "Ben"},
    ... ]
    >>> X, y = load_segments(recognised, diarization=turns)
    >>> X[["dialogue__turn", "dialogue__speaker", "utterance", "start", "end"]]
       dialogue__turn dialogue__speaker      utterance  start  end
    0               0              Anna  You are late.    0.0  1.5
    1               1               Ben        I know.    1.8  2.4
    """
    recordings, size = _find_recordings(segments)
    names = [recording.name for recording in recordings]
    turns = {} if diarization is None else read_diarization(diarization, names)
    dialogues = [
        (
            recording.name,
            recording.utterances(turns.get(recording.name), split_words, label),
        )
        for recording in recordings
    ]
    path = segments if are_paths(segments) else None
    utterances = [row for _, rows in dialogues for row in rows]
    refuse_absent_label(utterances, label, "segments" if path is None else path)
    return as_table(dialogues, ["start", "end"], path, size)


def _find_recordings(given):
    """Return the recordings that were given, and the bytes of their files."""
    if not are_paths(given):
        given = list(given) if isinstance(given, Iterator) else given
        return _split("", None, given), None
    files, recordings = find_files(given, _ENDINGS), []
    for name, file in files:
        with content_of(file, "JSON"):
            recordings += _split(name, file, read_json(file))
    return recordings, total_size(files)


def _split(name, file, value):
    """Make the recordings of a file, or of what was given."""
    several = isinstance(value, list | tuple) and any(map(_is_recording, value))
    if not several:
        return [_Recording(name or "0", file, value)]
    beginning = f"{name}_" if name else ""
    return [
        _Recording(f"{beginning}{number}", file, one)
        for number, one in enumerate(value)
    ]


def _is_recording(value):
    return isinstance(value, dict) and any(name in value for name in _LISTS)


@dataclass(frozen=True)
class _Recording:
    """What was recognised in one recording, and the file that tells it, if any."""

    name: str
    file: Path | None
    value: object

    def utterances(self, turns, split_words, label):
        """Make the utterances of the recording, in the order of time."""
        with nullcontext() if self.file is None else content_of(self.file, "segments"):
            items, own_turns = self._parts()
            spans = [
                _read_span(item, f"{self.place}, {_place_of(items, at)}", label)
                for at, item in enumerate(items)
            ]
            spans = [span for span in spans if span.text]
            if not spans:
                raise ValueError(f"{self.place} has no segment with a text.")
            spans = _with_speakers(spans, turns or own_turns, split_words)
            if split_words:
                spans = [part for span in spans for part in _split_at_speakers(span)]
            if not any(math.isnan(span.start) for span in spans):
                spans.sort(key=lambda span: span.start)
            return [_utterance_of(span) for span in spans]

    @property
    def place(self):
        """The file or the number of the recording, for messages."""
        return f"recording {self.name!r}" if self.file is None else str(self.file)

    def _parts(self):
        """Return the items of all segments, and the turns that stand beside them."""
        value, turns = self.value, []
        if isinstance(value, dict) and "diarization" in value:
            turns = turns_of(value["diarization"], f"{self.place}: 'diarization'")
        for _ in range(2):  # a transcript may be a dict with segments again
            if isinstance(value, dict):
                value = next((value[key] for key in _LISTS if key in value), value)
        if not isinstance(value, list | tuple):
            found = ", ".join(map(repr, value)) if isinstance(value, dict) else value
            raise ValueError(
                f"{self.place} holds no list of segments under "
                f"{', '.join(map(repr, _LISTS))}, but {found!s:.200}."
            )
        return value, turns


def _place_of(items, at):
    return (
        f"line {items.numbers[at]}" if isinstance(items, JsonLines) else f"segment {at}"
    )


def _read_span(item, where, label=None):
    """Read a segment, or a word."""
    item = _as_dict(item, where)
    text = next((item[key] for key in ("text", "word") if key in item), None)
    if not isinstance(text, str):
        found = ", ".join(map(repr, item))
        raise ValueError(f"{where} has no text; it has {found or 'nothing':.200}.")
    start, end = _times_of(item, where)
    if end < start:
        raise ValueError(f"{where} ends at {end}, before it starts at {start}.")
    words = () if is_missing(item.get("words")) else item["words"]
    if not isinstance(words, list | tuple):
        raise ValueError(f"{where}: 'words' is a {type(words).__name__}, and no list.")
    return _Span(
        text=" ".join(text.split()),
        start=start,
        end=end,
        speaker=name_of_speaker(item.get("speaker"), f"{where}: 'speaker'"),
        words=tuple(
            _read_span(word, f"{where}, word {at}") for at, word in enumerate(words)
        )
        if label
        else (),
        label=item.get(label),
    )


def _as_dict(item, where):
    """Take a dict as it is, and make one of an object of faster-whisper."""
    if is_dataclass(item) and not isinstance(item, type):
        return vars(item)
    if hasattr(item, "_asdict"):
        return item._asdict()
    if not isinstance(item, dict):
        raise ValueError(f"{where} is a {type(item).__name__}: {item!r:.100}.")
    return item


def _times_of(item, where):
    """Read the start and the end in seconds, in each of the ways to write them."""
    times = item.get("timestamp")
    if isinstance(times, list | tuple) and len(times) == 2:
        return [seconds_of(time, f"{where}: 'timestamp'") for time in times]
    offsets = item.get("offsets")
    if isinstance(offsets, dict):
        times = [offsets.get(key) for key in ("from", "to")]
        return [seconds_of(time, f"{where}: 'offsets'") / 1000 for time in times]
    return [seconds_of(item.get(key), f"{where}: {key!r}") for key in ("start", "end")]


def _with_speakers(spans, turns, split_words):
    """Name the speakers of words with times, or else of segments, by a diarization."""
    if not turns:
        return spans
    by_words = [split_words and _has_times(span.words) for span in spans]
    flat = [
        part
        for span, by_word in zip(spans, by_words, strict=True)
        for part in (span.words if by_word else [span])
    ]
    starts, ends = (np.array([getattr(part, key) for part in flat]) for key in _ENDS)
    found = speakers_of(starts, ends, turns)
    told = (
        replace(part, speaker=speaker or part.speaker)
        for part, speaker in zip(flat, found, strict=True)
    )
    return [
        replace(span, words=tuple(islice(told, len(span.words))))
        if by_word
        else replace(next(told), words=())
        for span, by_word in zip(spans, by_words, strict=True)
    ]


def _has_times(words):
    return any(not math.isnan(word.start) for word in words)


def _split_at_speakers(span):
    """Make a segment of each run of words of one speaker."""
    speakers = _filled([word.speaker for word in span.words])
    if len(set(speakers)) < 2:
        return [replace(span, speaker=next(iter(speakers), None) or span.speaker)]
    begins = [at for at, who in enumerate(speakers) if who != [None, *speakers][at]]
    ends = [*begins[1:], len(speakers)]
    texts = _texts_of_runs(span, begins, ends)
    return [
        replace(
            span,
            text=text,
            start=min(_known(span.words[first:last], "start"), default=math.nan),
            end=max(_known(span.words[first:last], "end"), default=math.nan),
            speaker=speakers[first],
        )
        for first, last, text in zip(begins, ends, texts, strict=True)
        if text
    ]


def _filled(speakers):
    """Give words without a speaker that of the word before, or of the first known."""
    last, filled = next(filter(None, speakers), None), []
    for speaker in speakers:
        last = speaker or last
        filled.append(last)
    return filled


def _known(words, name):
    times = (getattr(word, name) for word in words)
    return [time for time in times if not math.isnan(time)]


def _texts_of_runs(span, begins, ends):
    """Cut the text of a segment where runs of words begin.

    Words do not tell whether blanks stand between them; the text of the segment does.
    """
    places, at = [], 0
    for word in span.words:
        found = span.text.find(word.text, at)
        if found < 0:
            runs = zip(begins, ends, strict=True)
            words = [[word.text for word in span.words[a:b]] for a, b in runs]
            return [" ".join(run).strip() for run in words]
        places.append(found)
        at = found + len(word.text)
    cuts = [0, *(places[begin] for begin in begins[1:]), len(span.text)]
    return [span.text[a:b].strip() for a, b in pairwise(cuts)]


def _utterance_of(span):
    return {
        "speaker": span.speaker,
        "text": span.text,
        "start": span.start,
        "end": span.end,
        "label": span.label,
    }
