"""Cues of subtitles: when each is shown, and what stands in it."""

import re
from dataclasses import dataclass

from skmerc.datasets.transcripts._sources import lines_of

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,9}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?", re.DOTALL)
_MEANT_AS_TIMING = re.compile(r"\s*\d[\d:.,]*\s*-->")
_HEADER = re.compile(r"WEBVTT(?:[ \t].*)?", re.DOTALL)
_NO_CUE = re.compile(r"NOTE(?:[ \t].*)?|(?:STYLE|REGION)[ \t]*", re.DOTALL)
_ARROW = "-->"


@dataclass(frozen=True)
class Cue:
    """A text of one or more lines, the seconds of its time, and its line in the file.

    Its text has its tags and entities still.
    """

    line: int
    start: float
    end: float
    text: str


def read_cues(path, text):
    """Read the cues of a file in the order of time, and whether it is WebVTT."""
    lines = lines_of(text)
    is_webvtt = _HEADER.fullmatch(lines[0]) is not None
    if path.suffix.lower() == ".vtt" and not is_webvtt:
        raise ValueError(
            f"{path}: line 1 is {lines[0]!r:.100}, and WebVTT begins with WEBVTT. If "
            "it is SubRip, let its name end in .srt."
        )
    cues = (_cues_of_webvtt if is_webvtt else _cues_of_subrip)(path, lines)
    return sorted(cues, key=lambda cue: cue.start), is_webvtt


def _cues_of_webvtt(path, lines):
    cues, at = [], _end_of_block(lines, 1)
    while at < len(lines):
        if not lines[at]:
            at += 1
        elif _ARROW in lines[at]:
            end = _end_of_block(lines, at + 1)
            cues.append(_cue(path, lines, at, end))
            at = end
        elif _ARROW in "".join(lines[at + 1 : at + 2]):
            at += 1  # this was its identifier
        elif _NO_CUE.fullmatch(lines[at]):
            at = _end_of_block(lines, at + 1)
        else:
            raise _stray(path, lines, at, ", NOTE, STYLE or REGION")
    return cues


def _end_of_block(lines, at):
    """Find the next line that is empty, or begins a cue without an empty one."""
    while at < len(lines) and lines[at] and _ARROW not in lines[at]:
        at += 1
    return at


def _cues_of_subrip(path, lines):
    """Read what stands between times: empty lines may be within a text, or lack."""
    starts = [at for at, line in enumerate(lines) if _is_timing(line)]
    before = lines[: starts[0]] if starts else lines
    for at, line in enumerate(before):
        if line.strip() and not line.strip().isdecimal():
            raise _stray(path, lines, at, "")
    if not starts:
        return []
    numbered = any(line.strip() for line in before)
    ends = [_end_of_cue(lines, at) if numbered else at for at in starts[1:]]
    ends = [*ends, len(lines)]
    return [
        _cue(path, lines, at, max(at + 1, end))
        for at, end in zip(starts, ends, strict=True)
    ]


def _end_of_cue(lines, at):
    """Find the number of the cue whose time is in a line; some write blank lines."""
    number = at - 1
    while number > 0 and not lines[number].strip():
        number -= 1
    return number if lines[number].strip().isdecimal() else at


def _is_timing(line):
    return _ARROW in line and _MEANT_AS_TIMING.match(line) is not None


def _cue(path, lines, at, end):
    match = _TIMING.fullmatch(lines[at])
    if match is None:
        raise ValueError(
            f"{path}: line {at + 1} is {lines[at]!r:.100}; times are written as "
            "00:01:02.500 --> 00:01:04.000."
        )
    times = [_seconds(path, at, *match.groups()[i : i + 4]) for i in (0, 4)]
    if times[1] < times[0]:
        raise ValueError(
            f"{path}: line {at + 1} is {lines[at]!r:.100}, which ends before it starts."
        )
    return Cue(at + 1, *times, "\n".join(lines[at + 1 : end]))


def _seconds(path, at, hours, minutes, seconds, fraction):
    if int(minutes) > 59 or int(seconds) > 59:
        raise ValueError(
            f"{path}: line {at + 1} has a time of {minutes} minutes and {seconds} "
            "seconds; both end at 59."
        )
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return float(f"{whole}.{int(fraction or 0):0{len(fraction or '0')}d}")


def _stray(path, lines, at, others):
    return ValueError(
        f"{path}: line {at + 1} is {lines[at]!r:.100}, which belongs to no cue{others}."
    )
