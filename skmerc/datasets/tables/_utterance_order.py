"""In which order utterances stand that name their dialogue themselves."""

import datetime as dt
import re
from collections.abc import Hashable

import numpy as np
import pandas as pd

from skmerc.frame._texts import is_blank, is_missing, name_of

_WHOLE = re.compile(r"-?\d+\.0")


def field_of(utterance, name):
    """Return a field of an utterance, or of its "meta"; None where it is missing."""
    value = utterance.get(name, utterance.get(f"meta.{name}"))
    meta = utterance.get("meta")
    if value is None and isinstance(meta, dict):
        value = meta.get(name)
    try:
        return None if is_missing(value) else value
    except ArithmeticError as error:  # what a Decimal says that signals
        raise ValueError(f"The {name} of an utterance is {value!r}.") from error


def find_turns(records, dialogue, places):
    """Read the turns of utterances, or number them within their dialogue.

    A field "turn" counts if there is one. Otherwise utterances are in the order of
    time, where all of a dialogue have one, then of replies, then of rows. `places` says
    where each is, for messages.
    """
    turns, _ = _numbers(records, places, "turn")
    if turns.notna().any():
        missing = np.flatnonzero(turns.isna())
        if len(missing):
            raise ValueError(f"{places[missing[0]]} has no 'turn', which others have.")
        return turns
    times, kinds = _numbers(records, places, "timestamp")
    complete = times.notna().groupby(dialogue).transform("all")
    _refuse_mixed_times(kinds.where(complete), dialogue, places)
    table = pd.DataFrame(
        {
            "dialogue": dialogue,
            "time": times.where(complete, 0),
            "depth": _depths(records, places),
        }
    )
    ordered = table.sort_values(["time", "depth"], kind="stable")
    return ordered.groupby("dialogue").cumcount().sort_index()


def _numbers(records, places, name):
    """Return numbers, seconds where these are dates, and the kind of each."""
    values = [field_of(record, name) for record in records]
    values = [None if is_blank(value) else value for value in values]
    moments = list(map(_as_moment, values))
    given = pd.Series([number for number, _ in moments], dtype=object)
    kinds = pd.Series([kind for _, kind in moments], dtype=object)
    try:
        numbers = pd.to_numeric(given, errors="coerce")
        numbers = numbers.astype(float) if numbers.dtype == object else numbers
    except (TypeError, ArithmeticError) as error:
        raise ValueError(f"A {name} is no number of usual size ({error}).") from error
    wrong = np.flatnonzero(numbers.isna() & given.notna())
    if len(wrong):
        raise ValueError(
            f"{places[wrong[0]]} has the {name} {given[wrong[0]]!r}, which is no "
            "number and no date. Write dates as 2021-03-28T02:30, or seconds: a time "
            "without a date does not say whether midnight has come."
        )
    return numbers, kinds


def _as_moment(value):
    """Return a number, or the seconds of a date; and which of them it is."""
    value = _as_date(value)
    if isinstance(value, dt.datetime):
        if value.utcoffset() is not None:
            return value.timestamp(), "a date with a zone"
        # Python would take it for a time of the machine, whose clock may change.
        return value.replace(tzinfo=dt.UTC).timestamp(), "a date without a zone"
    if isinstance(value, dt.timedelta):
        return value.total_seconds(), "a span of time"
    return value, None if value is None else "a number"


def _as_date(value):
    """Make a date of Python of what is one, and leave all else."""
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    if isinstance(value, np.timedelta64):
        return pd.Timedelta(value)
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime.combine(value, dt.time())
    if isinstance(value, str):
        return _date_of_text(value)
    return value


def _date_of_text(text):
    try:
        float(text)
    except ValueError:
        pass
    else:
        return text
    try:
        return dt.datetime.fromisoformat(text.strip())
    except ValueError:
        return text


def _refuse_mixed_times(kinds, dialogue, places):
    first = kinds.groupby(dialogue).transform("first")
    wrong = np.flatnonzero(kinds.notna() & (kinds != first))
    if len(wrong):
        raise ValueError(
            f"{places[wrong[0]]} has {kinds[wrong[0]]} for its timestamp, and one "
            f"before it {first[wrong[0]]}: their order is unclear. Write all of them "
            "in one way."
        )


def _answered(record):
    """Return the id that an utterance replies to, which may be 0; None if to none."""
    given = (field_of(record, name) for name in ("reply_to", "reply-to"))
    return next((key for key in given if key is not None and key != ""), None)


def _as_id(key, place):
    """Write an id as text, in which 7, 7.0 and "7.0" are one; None if there is none.

    A column of whole numbers in which one is missing holds floats.
    """
    if not isinstance(key, Hashable):
        raise TypeError(f"{place} has, or replies to, {key!r}, which is no id.")
    if key is None:
        return None
    text = name_of(key)
    return text.removesuffix(".0") if _WHOLE.fullmatch(text) else text


def _depths(records, places):
    """Count the replies between each utterance and the one that it goes back to."""
    ids = [field_of(record, "id") for record in records]
    answered = [_answered(record) for record in records]
    if not any(key is not None for key in answered):
        return [0] * len(records)
    ids, answered = (
        [_as_id(key, place) for key, place in zip(keys, places, strict=True)]
        for keys in (ids, answered)
    )
    parents = dict(zip(ids, answered, strict=True))
    if None in parents or len(parents) < len(ids):
        raise ValueError("Utterances that reply need an 'id', each its own.")
    depths = {}
    for key, place in zip(ids, places, strict=True):
        chain = []
        while key in parents and key not in depths:
            chain.append(key)
            depths[key] = None
            key = parents[key]
        if key in chain:
            raise ValueError(f"{place} replies to itself, by way of others.")
        for above, link in enumerate(reversed(chain), start=1):
            depths[link] = depths.get(key, -1) + above
    return [depths[key] for key in ids]
