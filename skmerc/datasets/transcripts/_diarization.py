"""Who speaks when: turns of a diarization, and the speakers of spans of time."""

import math
from collections import defaultdict

import numpy as np

from skmerc.datasets.formats._budget import PER_BYTE, Budget
from skmerc.datasets.formats._files import content_of
from skmerc.datasets.transcripts._dialogues import name_of_speaker, seconds_of
from skmerc.datasets.transcripts._sources import (
    are_paths,
    find_files,
    lines_of,
    read_text,
)

_OTHER_TYPES = {
    "A/P", "CB", "EDIT", "FILLER", "IP", "LEXEME", "NON-LEX", "NON-SPEECH", "NOSCORE",
    "NO_RT_METADATA", "SEGMENT", "SPKR-INFO", "SU",
}  # fmt: skip
"""Types of lines that RTTM knows beside SPEAKER."""

_ENDS = ("start", "end")
_MOST_SPEAKERS = 512
"""Speakers of a recording, if the table of its spans and speakers is to be large."""

_LEAST = 1e-9
"""Seconds by which an overlap must exceed another, so that rounding decides nothing."""


def read_diarization(given, names):
    """Return the turns of each recording: lists of start, end and speaker.

    RTTM files name the recordings that they tell of; where there is one of both, these
    are the same whatever their names.
    """
    if not are_paths(given):
        if len(names) > 1:
            raise ValueError(
                f"diarization is one list of turns, for {len(names)} recordings; give "
                "RTTM files, which name theirs."
            )
        return {names[0]: turns_of(given, "diarization")}
    found = defaultdict(list)
    for _, file in find_files(given, {".rttm"}):
        with content_of(file, "RTTM"):
            for recording, turn in _read_rttm(file):
                found[recording].append(turn)
    if len(names) == len(found) == 1:
        return {names[0]: next(iter(found.values()))}
    lacking = [name for name in names if name not in found]
    if lacking:
        raise ValueError(
            f"diarization tells of {', '.join(map(repr, found))}, and not of "
            f"{lacking[0]!r}; a recording is called as its file without the ending."
        )
    return found


def turns_of(given, where):
    """Read turns in memory: dicts, a table of them, or an annotation of pyannote."""
    if hasattr(given, "itertracks"):
        tracks = given.itertracks(yield_label=True)
        given = [
            {"start": span.start, "end": span.end, "speaker": speaker}
            for span, _, speaker in tracks
        ]
    elif hasattr(given, "to_dict") and hasattr(given, "columns"):
        given = given.to_dict("records")
    if not isinstance(given, list | tuple):
        raise ValueError(f"{where} is a {type(given).__name__}, and no list of turns.")
    return [_turn_of(turn, f"{where}, turn {at}") for at, turn in enumerate(given)]


def _turn_of(turn, where):
    if not isinstance(turn, dict):
        raise ValueError(f"{where} is a {type(turn).__name__}; give dicts.")
    start, end = (seconds_of(turn.get(key), f"{where}: {key!r}") for key in _ENDS)
    speaker = name_of_speaker(turn.get("speaker"), f"{where}: 'speaker'")
    if math.isnan(start) or math.isnan(end) or speaker is None:
        raise ValueError(f"{where} lacks 'start', 'end' or 'speaker': {turn!r:.200}.")
    return start, end, speaker


def _read_rttm(path):
    turns = []
    for number, line in enumerate(lines_of(read_text(path)), 1):
        fields = line.split()
        if not fields or fields[0].startswith(";;") or fields[0] in _OTHER_TYPES:
            continue
        if fields[0] != "SPEAKER" or len(fields) < 8:
            raise ValueError(
                f"{path}: line {number} is {line!r:.100}; RTTM has lines such as "
                "'SPEAKER recording 1 0.5 2.25 <NA> <NA> Anna <NA> <NA>'."
            )
        start, length = (_number(path, number, text) for text in fields[3:5])
        turns.append((fields[1], (start, start + length, fields[7])))
    if not turns:
        raise ValueError(f"{path} has no line of a SPEAKER.")
    return turns


def _number(path, line, text):
    try:
        return seconds_of(float(text), f"{path}: the time in line {line}")
    except ValueError as error:
        raise ValueError(
            f"{path}: line {line} has {text!r:.50} for a time in seconds."
        ) from error


def speakers_of(starts, ends, turns):
    """Name for each span the speaker who speaks most of it; None if nobody does."""
    by_speaker = defaultdict(list)
    for start, end, speaker in turns:
        by_speaker[speaker].append((start, end))
    Budget(_MOST_SPEAKERS * len(starts) // PER_BYTE).claim(
        len(by_speaker) * len(starts),
        f"A diarization of {len(by_speaker)} speakers for {len(starts)} spans",
    )
    names = sorted(by_speaker)
    most, who = np.full(len(starts), _LEAST), np.full(len(starts), len(names))
    for number, name in enumerate(names):
        times, spoken = _spoken_until(np.array(by_speaker[name]))
        overlap = np.interp(ends, times, spoken) - np.interp(starts, times, spoken)
        better = overlap > most + _LEAST
        most[better], who[better] = overlap[better], number
    named = [*names, None]
    return [named[number] for number in who]


def _spoken_until(turns):
    """Return times and for how long somebody has spoken until each of them.

    Turns of one speaker that overlap count once.
    """
    turns = turns[np.argsort(turns[:, 0], kind="stable")]
    reached = np.maximum.accumulate(turns[:, 1])
    begins = np.append(True, turns[1:, 0] > reached[:-1])
    starts, ends = turns[begins, 0], reached[np.append(begins[1:], True)]
    spoken = np.cumsum(ends - starts)
    times = np.column_stack([starts, ends]).ravel()
    return times, np.column_stack([np.append(0, spoken[:-1]), spoken]).ravel()
