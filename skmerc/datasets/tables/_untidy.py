"""What looks like a mistake in a table of utterances, and is left as it is."""

from collections import Counter

import numpy as np
import pandas as pd

from skmerc._utils.warnings import warn_user
from skmerc.datasets.formats._csv_files import EMPTY_WORDS
from skmerc.datasets.tables._utterance_order import field_of
from skmerc.exceptions import NoDialogueWarning, UnreadColumnWarning
from skmerc.frame._columns import KEYS
from skmerc.frame._names import kind_of
from skmerc.frame._texts import find_spellings, is_blank, is_missing
from skmerc.frame._warnings import HANDFUL

_LOOKED_AT = 50
"""Utterances of a list whose fields are looked at; they may differ."""
_META = "meta."
"""In front of what ConvoKit knows beside the utterances."""
_SPOKEN = 5
"""Words from which on nobody says the same twice in a row of a table."""


def tell_of_unread(records, fields, in_order):
    """Warn once of columns that look like what a table lacks."""
    names = dict.fromkeys(name for record in records[:_LOOKED_AT] for name in record)
    lacking = _lacking(records, fields, in_order)
    taken = {*fields.names, *KEYS}
    free = [n for n in names if n not in taken and not str(n).startswith(_META)]
    found = [(name, kind_of(name)) for name in free]
    found = [(name, kind) for name, kind in found if kind in lacking]
    if found:
        told = ", ".join(f"{name!r} ({kind}={name!r})" for name, kind in found)
        order = {"turn", "timestamp"} & lacking
        so = " Turns are in the order of rows." if order else ""
        warn_user(
            f"Columns look by their names like what was not found, and were not read: "
            f"{told}.{so} Name those that are meant, as in brackets; None, such as "
            "timestamp=None or label=None, says that there is none.",
            UnreadColumnWarning,
        )


def _lacking(records, fields, in_order):
    """Kinds of fields that no utterance has, though nobody has said so."""
    times = {"turn": fields.times.turn, "timestamp": fields.times.timestamp}
    if in_order or any(_has(records, name) for name in times.values()):
        times = {}
    others = {"speaker": fields.speaker, "label": fields.label}
    wanted = times | others
    return {
        kind
        for kind, name in wanted.items()
        if name is not None and not _has(records, name)
    }


def _has(records, name):
    return name is not None and any(
        not (value is None or is_blank(value))
        for value in (field_of(record, name) for record in records)
    )


def tell_of_single_turns(records, dialogue, fields):
    """Warn where each utterance names a dialogue of its own."""
    n_dialogues = dialogue.nunique()
    if n_dialogues <= HANDFUL or n_dialogues < len(dialogue):
        return
    used = next((n for n in fields.dialogue_names if n in records[0]), "dialogue")
    like = [n for n in records[0] if n != used and kind_of(n) == "dialogue"]
    how = f"dialogue={like[0]!r}" if like else "dialogue=..."
    warn_user(
        f"{n_dialogues} dialogues of one turn, context is unused: {used!r} is "
        "different in each utterance. If another field names the conversations, say "
        f"{how}.",
        NoDialogueWarning,
    )


def note_empty_texts(texts, notes):
    """Note texts that are absent or blank."""
    empty = [is_missing(text) or is_blank(text) for text in texts]
    if any(empty):
        notes.append(_count(empty, "text{s} missing or blank"))


def note_duplicates(X, y, records, fields, notes):
    """Note rows that stand twice, and those that have another label then."""
    said = X.drop(columns=[KEYS[1], KEYS[3]], errors="ignore")[[KEYS[0], KEYS[2]]]
    said = said.assign(text=X["utterance"].to_numpy())
    is_ordered = [
        name
        for name in (fields.times.turn, fields.times.timestamp)
        if _has(records, name)
    ]
    for name in is_ordered:
        said[f"at {name}"] = [str(field_of(record, name)) for record in records]
    spoken = said["text"].notna()
    if not is_ordered:
        spoken &= said["text"].fillna("").str.split().str.len() >= _SPOKEN
    again = said.duplicated() & spoken
    if not again.any():
        return
    labels = pd.Series([None] * len(X) if y is None else list(y), dtype=object)
    same = again & said.assign(label=labels.astype(str)).duplicated()
    if same.any():
        what = "row{s} the same as another in dialogue, speaker and text"
        how = "leave them out if they are copies: table.drop_duplicates()"
        notes.append(f"{_count(same, what)}; {how}")
    if (again & ~same).any():
        what = "row{s} the same as another but for the label"
        how = "where several people have labelled, keep one row of each utterance"
        notes.append(f"{_count(again & ~same, what)}; {how}")


def words_of_nothing(labels):
    """Tell of labels that are words which programs write into empty cells.

    Nothing where there are none; only a file of text has no other way to say it.
    """
    if labels is None or labels.dtype.kind not in "OUT":
        return ""
    found = Counter(x for x in labels.tolist() if isinstance(x, str))
    found = {word: n for word, n in found.items() if word.strip() in EMPTY_WORDS}
    if not found:
        return ""
    told = ", ".join(f"{word!r} ({n})" for word, n in sorted(found.items()))
    return (
        f"labels are {told}, which programs write where nothing is (str(None), "
        "astype(str)), and count as classes: write None there if it is so"
    )


def note_spellings(what, values, how, notes):
    """Note names that differ only in case or blanks."""
    values = [] if values is None else np.asarray(values, object).tolist()
    for group in find_spellings(values):
        told = ", ".join(f"{text!r} ({n})" for text, n in sorted(group.items()))
        least = min(group, key=group.get)
        notes.append(
            f"{what}s differ only in case or blanks: {told}, the rarest first in row "
            f"{values.index(least)}; they count as {len(group)}, and {how}=True writes "
            "them in one way"
        )


def _count(rows, what):
    """Say how many rows are something, and which are the first."""
    rows = np.flatnonzero(rows)
    shown = ", ".join(map(str, rows[:3])) + (", ..." if len(rows) > 3 else "")
    plural = " is" if len(rows) == 1 else "s are"
    return f"{len(rows)} {what.format(s=plural)} (row {shown})"
