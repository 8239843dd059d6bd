"""Moments as people and programs write them, as numbers that have their order."""

import datetime as dt
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

WITH_ZONE = "a date with a zone"
WITHOUT_ZONE = "a date without a zone"
SPAN = "a span of time"
NUMBER = "a number"
CLOCK = "a time of hours, minutes and seconds"
SHORT_CLOCK = "a time of two parts"

_CLOCK = re.compile(
    r"(\d{1,3}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:\s*([ap])\.?\s?m\.?)?", re.I
)
_ZONE = re.compile(r"(?:\s*(Z|UTC|GMT|[+-]\d\d:?\d\d))?(?:\s*\([A-Za-z ]+\))?", re.I)
_SLASHED = re.compile(r"(\d{1,2})([./-])\s?(\d{1,2})\2\s?(\d{4}|\d\d)(?!\d)")
_YEAR_FIRST = re.compile(r"(\d{4})([./-])(\d{1,2})\2(\d{1,2})(?!\d)")
_DAY = r"(\d{1,2})(?:[snrt][tdh])?"
_DAY_AND_NAME = re.compile(rf"{_DAY}[ .-]*([a-z]{{3,9}})\.?[ ,.-]*(\d{{4}})", re.I)
_NAME_AND_DAY = re.compile(rf"([a-z]{{3,9}})\.?[ -]+{_DAY},?[ -]+(\d{{4}})", re.I)
_WEEKDAY = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+", re.I)
_BETWEEN = re.compile(r"(?:\s*,?\s*(?:at |T|-|–)?\s*)", re.I)
# English whatever the language of the machine, which month_name of calendar is not.
_MONTHS = (
    "january february march april may june july august september october november "
    "december"
).split()
_HALF_DAY = 12 * 3600


@dataclass(frozen=True)
class Moment:
    """A number that orders moments of one kind."""

    number: object
    kind: str | None


def moment_of(value, day_first=None):
    """Read a moment: seconds of dates and spans, a number as it is.

    What cannot be read stays as it is, as a number that is none; so does None. Dates
    with slashes are read with the day in front where `day_first` is true or the day
    cannot be the month.
    """
    value = _as_python(value)
    if isinstance(value, str):
        return _moment_of_text(value.strip(), day_first) or Moment(value, NUMBER)
    if isinstance(value, dt.datetime):
        return _moment_of_date(value)
    if isinstance(value, dt.timedelta):
        return Moment(value.total_seconds(), SPAN)
    if isinstance(value, dt.time):
        return _moment_of_text(value.isoformat(), day_first)
    return Moment(value, None if value is None else NUMBER)


def _as_python(value):
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    if isinstance(value, np.timedelta64):
        return pd.Timedelta(value)
    if isinstance(value, pd.Period):
        return value.to_timestamp()
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime.combine(value, dt.time())
    return value


def _moment_of_date(date):
    if date.utcoffset() is not None:
        return Moment(date.timestamp(), WITH_ZONE)
    # Python would take it for a time of the machine, whose clock may change.
    return Moment(date.replace(tzinfo=dt.UTC).timestamp(), WITHOUT_ZONE)


def _moment_of_text(text, day_first):
    try:
        float(text)
    except ValueError:
        pass
    else:
        return Moment(text, NUMBER)
    try:
        return _moment_of_date(dt.datetime.fromisoformat(text))
    except ValueError:
        pass
    try:
        found = _clock_alone(text) or _date_of_text(text.strip("[]"), day_first)
        return found or _span_of_text(text)
    except (ValueError, OverflowError):
        return None


def _clock_alone(text):
    match = _CLOCK.fullmatch(text)
    if not match:
        return None
    return Moment(_seconds(match), CLOCK if match[3] or match[5] else SHORT_CLOCK)


def _seconds(match):
    hours, minutes, seconds = (int(part or 0) for part in match.group(1, 2, 3))
    if match[5]:
        if not 1 <= hours <= 12:
            raise ValueError("no hour before or after noon")
        hours = hours % 12 + 12 * (match[5].lower() == "p")
    if minutes > 59 or seconds > 59:
        raise ValueError("no minutes or seconds")
    return 3600 * hours + 60 * minutes + seconds + float(f"0.{match[4] or 0}")


def _date_of_text(text, day_first):
    day, rest = _day_of_text(_WEEKDAY.sub("", text, count=1), day_first)
    if day is None:
        return None
    rest = rest[_BETWEEN.match(rest).end() :]
    clock = _CLOCK.match(rest)
    seconds = _seconds(clock) if clock else 0
    zone = _ZONE.fullmatch(rest[clock.end() :] if clock else rest)
    if zone is None or seconds >= 86400:
        return None
    moment = dt.datetime(*day, tzinfo=dt.UTC).timestamp() + seconds
    return Moment(moment - _shift(zone[1]), WITH_ZONE if zone[1] else WITHOUT_ZONE)


def _shift(zone):
    """Return by how many seconds a zone is ahead."""
    if not zone or zone[0] not in "+-":
        return 0
    shift = 3600 * int(zone[1:3]) + 60 * int(zone[-2:])
    return -shift if zone[0] == "-" else shift


def _day_of_text(text, day_first):
    """Read year, month and day in front of a text, and return what follows them."""
    if match := _YEAR_FIRST.match(text):
        return (int(match[1]), int(match[3]), int(match[4])), text[match.end() :]
    if match := _SLASHED.match(text):
        one, other, year = int(match[1]), int(match[3]), int(match[4])
        in_front = match[2] == "." or (one > 12 if day_first is None else day_first)
        day, month = (one, other) if in_front else (other, one)
        year += 2000 if len(match[4]) == 2 else 0
        return (year, month, day), text[match.end() :]
    if match := _DAY_AND_NAME.match(text):
        return (int(match[3]), _month(match[2]), int(match[1])), text[match.end() :]
    if match := _NAME_AND_DAY.match(text):
        return (int(match[3]), _month(match[1]), int(match[2])), text[match.end() :]
    return None, text


def _month(name):
    name = name.lower()
    found = [at for at, month in enumerate(_MONTHS, 1) if month.startswith(name[:3])]
    if not found or not (name == "sept" or _MONTHS[found[0] - 1].startswith(name)):
        raise ValueError("no month")
    return found[0]


def _span_of_text(text):
    """Read what pandas writes of a span, such as "0 days 00:00:10" or "10 s"."""
    if not any(letter.isdigit() for letter in text):
        return None
    span = pd.Timedelta(text)
    return None if pd.isna(span) else Moment(span.total_seconds(), SPAN)


def days_in_front(values):
    """Say which of dates with slashes have the day in front, and which the month.

    Two lists of positions are returned; dates that may be either are in none, and
    the third list holds these.
    """
    days, months, either = [], [], []
    for at, value in enumerate(values):
        match = isinstance(value, str) and _SLASHED.match(
            _WEEKDAY.sub("", value.strip("[] "), count=1)
        )
        if not match or match[2] == ".":
            continue
        one, other = int(match[1]), int(match[3])
        place = days if one > 12 else months if other > 12 else either
        if one != other:
            place.append(at)
    return days, months, either


def crosses_midnight(seconds):
    """Tell whether times of day fall by more than half a day between two rows."""
    seconds = np.asarray(seconds, float)
    of_a_day = (seconds < 86400).all()
    return bool(of_a_day and (np.diff(seconds) < -_HALF_DAY).any())
