"""In which order utterances stand that name their dialogue themselves."""

import re
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from skmerc.datasets.tables._times import (
    CLOCK,
    SHORT_CLOCK,
    crosses_midnight,
    days_in_front,
    moment_of,
)
from skmerc.frame._texts import is_blank, is_missing, name_of

_CLOCKS = (CLOCK, SHORT_CLOCK)
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


@dataclass(frozen=True)
class TimeFields:
    """Which fields of an utterance order it, and how dates with slashes are meant."""

    turn: str | None = "turn"
    timestamp: str | None = "timestamp"
    day_first: bool | None = None

    @property
    def is_named(self):
        """Whether a user has named one of the fields."""
        return {self.turn, self.timestamp} - {"turn", "timestamp", None} != set()


def find_turns(records, dialogue, places, fields, notes):
    """Read the turns of utterances, or number them within their dialogue.

    The field of turns counts if there is one. Otherwise utterances are in the order of
    time, where all of a dialogue have one, then of replies, then of rows. `places` says
    where each is, for messages; to `notes` is added what looks like a mistake.
    """
    name = fields.turn
    if name == "turn" and fields.is_named:
        name = None  # the times that were named come first
    turns, _ = _numbers(records, dialogue, places, name, fields.day_first)
    if turns.notna().any():
        missing = np.flatnonzero(turns.isna())
        if len(missing):
            raise ValueError(
                f"{places[missing[0]]} has no {name!r}, which others have "
                f"({len(missing)} of {len(turns)} have none)."
            )
        _note_contradiction(records, dialogue, places, turns, fields, notes)
        return turns
    name = fields.timestamp
    times, kinds = _numbers(records, dialogue, places, name, fields.day_first)
    complete = times.notna().groupby(dialogue).transform("all")
    _refuse_mixed_times(kinds.where(complete), dialogue, places)
    _refuse_midnights(times, kinds, complete, dialogue, name)
    table = pd.DataFrame(
        {
            "dialogue": dialogue,
            "time": times.where(complete, 0),
            "depth": _depths(records, places),
        }
    )
    ordered = table.sort_values(["time", "depth"], kind="stable")
    turns = ordered.groupby("dialogue").cumcount().sort_index()
    _note_times(times, turns, complete, dialogue, name, notes)
    return turns


def _note_contradiction(records, dialogue, places, turns, fields, notes):
    """Note dialogues whose times go backwards from turn to turn."""
    name, by_turn = fields.timestamp, turns.sort_values(kind="stable").index
    try:
        times, kinds = _numbers(records, dialogue, places, name, fields.day_first)
    except (TypeError, ValueError):  # which need not be times, since nobody reads them
        return
    table = pd.DataFrame({"time": times, "kind": kinds}).loc[by_turn].dropna()
    wrong = [
        key
        for key, rows in table.groupby(dialogue[table.index])
        if rows["kind"].nunique() == 1
        and not rows["time"].is_monotonic_increasing
        and not (rows["kind"].iloc[0] in _CLOCKS and crosses_midnight(rows["time"]))
    ]
    if wrong:
        notes.append(
            f"turns are in the order of {fields.turn!r}, in which {name!r} goes "
            f"backwards in {len(wrong)} dialogues (such as {wrong[0]!r}): say "
            "turn=None if the times are right, and timestamp=None if they are not"
        )


def _numbers(records, dialogue, places, name, day_first):
    """Return numbers, seconds where these are dates, and the kind of each."""
    if name is None:
        empty = pd.Series(np.nan, index=range(len(records)))
        return empty, empty.astype(object)
    values = [field_of(record, name) for record in records]
    values = [None if is_blank(value) else value for value in values]
    days, months, either = days_in_front(values)
    if day_first is None and days and months:
        raise ValueError(
            f"The {name} {values[days[0]]!r} of {_small(places[days[0]])} has the day "
            f"in front, and {values[months[0]]!r} of {_small(places[months[0]])} the "
            "month. Write dates as 2021-03-28T02:30."
        )
    if day_first is not None or days or months:
        in_front = bool(days) if day_first is None else day_first
        return _read_moments(values, places, name, in_front)
    read = _read_moments(values, places, name, True)
    if either:
        other, _ = _read_moments(values, places, name, False)
        _refuse_two_orders(read[0], other, dialogue, places, name, values)
    return read


def _read_moments(values, places, name, day_first):
    moments = [moment_of(value, day_first) for value in values]
    given = pd.Series([moment.number for moment in moments], dtype=object)
    kinds = pd.Series([moment.kind for moment in moments], dtype=object)
    try:
        numbers = pd.to_numeric(given, errors="coerce")
        numbers = numbers.astype(float) if numbers.dtype == object else numbers
    except (TypeError, ArithmeticError) as error:
        raise ValueError(f"A {name} is no number of usual size ({error}).") from error
    wrong = np.flatnonzero(numbers.isna() & given.notna())
    if len(wrong):
        more = f" (as {len(wrong) - 1} others)" if len(wrong) > 1 else ""
        raise ValueError(
            f"{places[wrong[0]]} has the {name} {given[wrong[0]]!r}{more}, which is no "
            "number and no date. Write dates as 2021-03-28T02:30 (or 28/03/2021 02:30, "
            "with day_first=True), or seconds, or 00:01:30."
        )
    return numbers, kinds


def _refuse_two_orders(days, months, dialogue, places, name, values):
    """Refuse dates whose day may be the month, if that changes the order of turns."""
    orders = [numbers.groupby(dialogue).rank("dense") for numbers in (days, months)]
    differ = (orders[0] != orders[1]) & days.notna()
    if differ.any():
        n_dialogues = dialogue[differ].nunique()
        at = int(np.flatnonzero(differ)[0])
        raise ValueError(
            f"{places[at]} has the {name} {values[at]!r}, in which day or month may "
            f"stand in front, and the order of turns in {n_dialogues} dialogues "
            "depends on it. Say day_first=True or day_first=False."
        )


def _small(place):
    return place[0].lower() + place[1:]


def _refuse_mixed_times(kinds, dialogue, places):
    first = kinds.groupby(dialogue).transform("first")
    wrong = np.flatnonzero(kinds.notna() & (kinds != first))
    if len(wrong):
        raise ValueError(
            f"{places[wrong[0]]} has {kinds[wrong[0]]} for its timestamp, and one "
            f"before it {first[wrong[0]]}: their order is unclear. Write all of them "
            "in one way."
        )


def _refuse_midnights(times, kinds, complete, dialogue, name):
    """Refuse times of day that begin anew within a dialogue."""
    clocks = times[complete & kinds.isin(_CLOCKS)]
    for key, seconds in clocks.groupby(dialogue):
        if crosses_midnight(seconds):
            raise ValueError(
                f"Dialogue {key!r} has times of day under {name!r} that fall by more "
                "than twelve hours from one row to the next, and no date: midnight "
                "seems to have come. Put the date in front, such as "
                "2021-03-28T00:01:30; or give turn=, or timestamp=None for the order "
                "of rows."
            )


def _note_times(times, turns, complete, dialogue, name, notes):
    """Note times that say nothing of the order, and those that are not heeded."""
    if not times.notna().any():
        return
    whole = times[complete].groupby(dialogue)
    sizes, kinds = whole.size(), whole.nunique()
    if (sizes > 1).sum() > 1 and (kinds[sizes > 1] == 1).all():
        notes.append(
            f"{name!r} is the same in all turns of each dialogue, as where it says "
            "when a call began; turns are in the order of rows"
        )
    broken = [
        key
        for key, rows in times[~complete & times.notna()].groupby(dialogue)
        if not rows[turns[rows.index].sort_values().index].is_monotonic_increasing
    ]
    if broken:
        n_missing = int(times[dialogue.isin(broken)].isna().sum())
        notes.append(
            f"{n_missing} utterances have no {name!r}, so that {len(broken)} dialogues "
            f"(such as {broken[0]!r}) are in the order of rows, which the times of "
            "their others contradict"
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
