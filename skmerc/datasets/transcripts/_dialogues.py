"""From the utterances of transcripts to the table that `to_frame` makes."""

import math
from collections import Counter
from numbers import Integral, Real

import numpy as np
import pandas as pd

from skmerc.datasets.formats._budget import Budget
from skmerc.datasets.formats._files import content_of
from skmerc.datasets.tables._to_frame import to_frame
from skmerc.frame import KEYS
from skmerc.frame._texts import is_missing

_ROLE = KEYS[3]
_PER_ROW = 200
"""Elements that are claimed for a row: no text of a few bytes makes many of them."""


def as_table(dialogues, columns, path=None, size=None):
    """Make X and y of dialogues, pairs of a name and a list of utterances.

    An utterance is a dict with "speaker", "text" and the columns to keep, numbers, and
    maybe "label" and "role". `size` counts the bytes that all came from.
    """
    if path is None:
        return _as_table(dialogues, columns, size)
    with content_of(path, "a transcript"):
        return _as_table(dialogues, columns, size)


def _as_table(dialogues, columns, size):
    if size is not None:
        _claim_rows(dialogues, Budget(size))
    X, y = to_frame([{"id": name, "utterances": rows} for name, rows in dialogues])
    utterances = [row for _, rows in dialogues for row in rows]
    for column in columns:
        X[column] = np.array([row[column] for row in utterances], dtype=float)
    context = [row.get("role") == "context" for row in utterances]
    X.loc[context, _ROLE] = "context"
    return X, y


def _claim_rows(dialogues, budget):
    """Claim rows, and the names that stand in each and in the file perhaps once."""
    for name, rows in dialogues:
        lengths = sum(len(str(row["speaker"] or "")) for row in rows)
        n_elements = lengths + (_PER_ROW + len(name)) * len(rows)
        budget.claim(n_elements, f"A dialogue of {len(rows)} rows, with their names,")


def refuse_absent_label(utterances, label, where):
    """Refuse the name of a label that no utterance has, unless it is the default."""
    if label != "label" and all(row["label"] is None for row in utterances):
        raise ValueError(f"{where}: nothing has the field label={label!r}.")


def seconds_of(value, what):
    """Check a time in seconds; NaN where there is none."""
    if is_missing(value):
        return math.nan
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ValueError(f"{what} is {value!r:.100}, which is no number of seconds.")
    if not 0 <= value < 1e12:
        raise ValueError(f"{what} is {value!r:.100}, which is no time in seconds.")
    return float(value)


def name_of_speaker(value, what):
    """Check who speaks: a name or a number, or None where that is unknown."""
    if is_missing(value):
        return None
    if not isinstance(value, str | Integral) or isinstance(value, bool):
        raise ValueError(f"{what} is {value!r:.100}, which is no name.")
    return str(value).strip() or None


def told_apart(names):
    """Put the key behind a name that several have; from keys to names."""
    counts = Counter(names.values())
    return {
        key: name if counts[name] == 1 else f"{name} ({key})"
        for key, name in names.items()
    }


def seconds_of_pause(new_dialogue_after):
    """Read the pause after which a new dialogue begins; infinity for None."""
    if new_dialogue_after is None:
        return math.inf
    try:
        pause = pd.Timedelta(new_dialogue_after).total_seconds()
    except ValueError as error:
        raise ValueError(
            f"new_dialogue_after={new_dialogue_after!r} is no span of time; write "
            "'6h', '30min' or '1d', or None."
        ) from error
    if not pause > 0:
        raise ValueError(
            f"new_dialogue_after={new_dialogue_after!r}: give a span of more than "
            "nothing, such as '6h', or None for one dialogue."
        )
    return pause


def cut_at_pauses(name, utterances, pause):
    """Begin a new dialogue after each pause of more seconds than these."""
    if math.isinf(pause):
        return [(name, utterances)] if utterances else []
    parts, last = [], -math.inf
    for utterance in utterances:
        if utterance["timestamp"] - last > pause:
            parts.append([])
        parts[-1].append(utterance)
        last = utterance["timestamp"]
    return [(f"{name}_{number}", part) for number, part in enumerate(parts)]
