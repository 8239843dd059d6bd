"""Warnings of tables that look broken."""

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skmerc._utils.warnings import warn_user
from skmerc.exceptions import (
    DuplicateTurnWarning,
    IdFeatureWarning,
    NoDialogueWarning,
    SplitDialogueWarning,
    UntidyTableWarning,
)
from skmerc.frame._columns import KEYS, SYNTHETIC, ParsedTable
from skmerc.frame._names import looks_like_id
from skmerc.frame._texts import in_one_spelling

if TYPE_CHECKING:
    from skmerc.frame._conversations import Conversations

HANDFUL = 5
"""Dialogues of one turn that are no reason to wonder."""
_WIDE = 16
"""Columns of an array from which on it may be what an embedder has made."""
_LONG = 4
"""Turns from which on the gaps of a dialogue are counted."""
_FEW = 3
"""Absent turns that say nothing yet."""


def warn_without_dialogues(given: Collection[str]) -> None:
    told = [name for name in ("dialogue__turn", "dialogue__speaker") if name in given]
    if told and "dialogue__id" not in given:
        warn_user(
            f"X has {' and '.join(told)} but no dialogue__id: every row is read as a "
            "dialogue of its own, without its neighbours.",
            NoDialogueWarning,
        )


def keys_told(table: ParsedTable) -> list[str]:
    """Keys of a table that tell something, to be missed where they are absent later."""
    if not isinstance(table.data, pd.DataFrame):
        return []
    names = [name for name in (KEYS[0], KEYS[2]) if name in table.key_names]
    return [n for n in names if n == KEYS[0] or (table.keys[n] != "").any()]


def warn_of_lost_keys(table: ParsedTable, told: Collection[str]) -> None:
    """Warn of a table to answer that lacks keys which the fit was told."""
    lost = [name for name in told if name not in table.key_names]
    if not lost or not isinstance(table.data, pd.DataFrame) or len(table.data) < 2:
        return
    if KEYS[0] in lost and table.key_names.keys() & {KEYS[1], KEYS[2]}:
        return  # which is told in any case
    if KEYS[0] in lost:
        so = "every row is answered as a dialogue of its own, without its neighbours"
    else:
        so = "all turns of a dialogue are answered as those of one speaker"
    warn_user(
        f"X has no {' and no '.join(lost)}, which the table in fit had: {so}. Give "
        "the keys beside the features.",
        NoDialogueWarning,
    )


def warn_of_other_order(X: Any, y: Any) -> None:
    """Warn of labels whose index is that of the table in another order."""
    if not isinstance(X, pd.DataFrame) or not isinstance(y, pd.DataFrame | pd.Series):
        return
    rows, labels = X.index, y.index
    if len(rows) != len(labels) or rows.equals(labels) or not rows.is_unique:
        return
    if labels.is_unique and labels.isin(rows).all():
        warn_user(
            "X and y have the same index in different orders, and labels belong to "
            "rows by position. If they belong together by index: y.loc[X.index].",
            UntidyTableWarning,
        )


def warn_of_other_labels(labels: Any, known: Any, *, complete: bool = True) -> None:
    """Warn of labels that cannot be answered, since the model writes them otherwise.

    Where `known` are all classes of the model, labels of which none is known are told
    as well.
    """
    given, known = np.asarray(labels, dtype=object), list(dict.fromkeys(known))
    if given.ndim != 1 or not all(isinstance(label, str) for label in [*given, *known]):
        return
    classes = {in_one_spelling(name): name for name in known}
    strange = Counter(given)
    for name in known:
        del strange[name]
    alike = [label for label in strange if in_one_spelling(label) in classes]
    if alike:
        told = ", ".join(
            f"{label!r} ({strange[label]} rows, {classes[in_one_spelling(label)]!r})"
            for label in alike
        )
        said = f"differ from those of the answers in case or blanks alone: {told}"
    elif complete and strange and strange.total() == len(given):
        said = (
            f"are {', '.join(map(repr, list(strange)[:5]))}, of which the model knows "
            f"none: its classes are {', '.join(map(repr, known))}"
        )
    else:
        return
    warn_user(
        f"Labels {said}. They count as wrong throughout; write them as the model does "
        "(to_frame: normalize_labels=True for both tables).",
        UntidyTableWarning,
    )


def warn_of_single_turns(data: Any, conversations: "Conversations") -> None:
    """Warn that a model of dialogues gets none, where its user cannot have meant that.

    Arrays of doubles and narrow ones are passed over, since scikit-learn's checks give
    such; the features that embedders make are wide and of single precision.
    """
    real = conversations.role != SYNTHETIC
    n_dialogues = len(np.unique(conversations.dialogue[real]))
    few = n_dialogues <= HANDFUL
    if few or n_dialogues < np.count_nonzero(real):
        return
    if isinstance(data, pd.DataFrame):
        lost = "" if conversations.keyed else ": X has no column dialogue__id"
    elif getattr(data, "dtype", None) == np.float32 and data.shape[1] >= _WIDE:
        lost = ": X is an array, which has no keys"
    else:
        return
    warn_user(
        f"{n_dialogues} dialogues of one turn, context is unused{lost}. If these are "
        "conversations, give their keys: make_frame or to_frame put them beside the "
        "features, and ColumnTransformer passes them on with "
        'remainder="passthrough" and .set_output(transform="pandas").',
        NoDialogueWarning,
    )


def warn_of_ids(features: Any) -> None:
    """Warn of whole numbers among the features whose column is named like an id."""
    if not isinstance(features, pd.DataFrame):
        return
    names = [name for name in features.columns if looks_like_id(name)]
    found = [name for name in names if _is_whole(features[name])]
    if found:
        warn_user(
            f"X has {', '.join(map(repr, found))} among its features, named like an "
            "id or a count of rows: a model would learn the number. Leave it out "
            "(X.drop(columns=...), index=False where the table is written), or, if it "
            "names dialogues or speakers, make it a key: make_frame(dialogue=...).",
            IdFeatureWarning,
        )


def _is_whole(column: pd.Series) -> bool:
    if pd.api.types.is_bool_dtype(column) or not len(column):
        return False
    try:
        numbers = column.to_numpy(float, na_value=np.nan)
    except (TypeError, ValueError):  # for the check of numbers to tell
        return False
    numbers = numbers[np.isfinite(numbers)]
    return bool(len(numbers)) and bool((numbers == np.floor(numbers)).all())


def warn_of_equal_turns(conversations: "Conversations") -> None:
    if conversations.keyed:
        real = conversations.role != SYNTHETIC
        warn_where_equal(conversations.dialogue[real], conversations.turn[real])


def warn_of_joined_dialogues(conversations: "Conversations") -> None:
    """Warn of dialogues that begin anew under the same id, as in two tables of one."""
    real = conversations.role != SYNTHETIC
    if not conversations.keyed or conversations.turn.dtype.kind not in "iu":
        return
    dialogue, turn = conversations.dialogue[real], conversations.turn[real]
    if not pd.DataFrame({"dialogue": dialogue, "turn": turn}).duplicated().any():
        return
    turns = pd.Series(turn).groupby(dialogue)
    begins = turns.diff() != 1
    anew = begins & (turns.obj == turns.transform("min"))
    counts = pd.DataFrame({"begins": begins, "anew": anew}).groupby(dialogue).sum()
    whole = counts["begins"] == counts["anew"]
    joined = whole & (counts["anew"] > 1) & (turns.size() >= 2 * counts["anew"])
    if joined.any():
        warn_user(
            f"{joined.sum()} dialogues begin anew in the middle of X, under the same "
            "dialogue__id: the turns of both are mixed by their numbers. Give them "
            "other ids, such as f'{file}_{id}'.",
            DuplicateTurnWarning,
        )


def warn_where_equal(dialogue: np.ndarray, turn: np.ndarray) -> None:
    turns = pd.DataFrame({"dialogue": dialogue, "turn": turn})
    equal = int(turns.duplicated().sum())
    if equal:
        warn_user(
            f"{equal} utterances share dialogue and turn with one before them; "
            "they are ordered by row.",
            DuplicateTurnWarning,
        )


def warn_of_split_dialogues(conversations: "Conversations") -> None:
    dialogues = _spans(conversations)
    span, found = dialogues["span"], dialogues["found"]
    long = span >= _LONG
    if not long.any():
        return
    broken = float((found < span)[long].mean())
    absent = 1 - found[long].sum() / span[long].sum()
    # A split by rows breaks nearly every dialogue, and at the same rate; real corpora
    # lack a turn here and there, or keep only some speakers of all dialogues.
    if broken > 0.5 and 0.05 < absent < 0.45:
        warn_user(
            f"{absent:.0%} of the turns are absent, from {broken:.0%} of the dialogues "
            "of four turns or more: their rows seem to have been split between "
            "training and test. Split by dialogue, for example with "
            "skmerc.model_selection.DialogueKFold or groups=X['dialogue__id'].",
            SplitDialogueWarning,
        )


def gaps_seen(conversations: "Conversations") -> dict[str, Any] | None:
    """Tell how many turns the dialogues of a fit lack, None where they have none.

    Returns
    -------
    dict
        Mean and deviation of the share of absent turns in a dialogue, and the turn at
        which nearly all begin, None where they begin anywhere.
    """
    dialogues = _spans(conversations)
    if not (dialogues["found"] > 1).any():
        return None
    long = dialogues[dialogues["span"] >= _LONG]
    absent = 1 - long["found"] / long["span"]
    known = len(long) > 0
    beginnings = dialogues["first"].value_counts(normalize=True)
    common = beginnings.iloc[0] >= 0.9
    return {
        "mean": float(absent.mean()) if known else 0.0,
        "deviation": float(absent.std(ddof=0)) if known else 0.0,
        "first": int(beginnings.index[0]) if common else None,
    }


def warn_of_torn_dialogues(
    conversations: "Conversations", seen: dict[str, Any] | None
) -> None:
    """Warn where dialogues lack more turns than those of the fit by chance did."""
    if seen is None:
        return
    dialogues = _spans(conversations)
    if (dialogues["found"] < dialogues["size"]).any():
        return  # turns that stand twice count nothing
    span = dialogues["span"]
    if seen["first"] is not None:
        # Some count from zero and others from one. Several turns in a row may be the
        # last ones of a conversation that still goes on.
        before = (dialogues["first"] - seen["first"] - 1).clip(lower=0)
        alone = (dialogues["found"] == 1) & (len(dialogues) > 1)
        span = span + before.where(alone, 0)
    absent = (span - dialogues["found"])[span >= _LONG]
    if absent.sum() < _FEW:
        return
    share = float((absent / span[span >= _LONG]).mean())
    chance = seen["mean"] + 3 * seen["deviation"] / np.sqrt(len(absent))
    if share > chance + 0.05:
        warn_user(
            f"On average {share:.0%} of the turns of a dialogue are absent from X "
            f"({seen['mean']:.0%} were where the model was fitted): rows seem to be "
            "torn out of their dialogues, and are answered without what was said "
            "around them. Give all rows of a dialogue, and take the answers that you "
            "need: model.predict(X)[rows] in place of model.predict(X[rows]).",
            SplitDialogueWarning,
        )


def _spans(conversations: "Conversations") -> pd.DataFrame:
    """First turn, turns from the first to the last, those that are there, and rows.

    Empty where turns are no whole numbers.
    """
    whole = conversations.keyed and conversations.turn.dtype.kind in "iu"
    real = (conversations.role != SYNTHETIC) & whole
    turns = pd.Series(conversations.turn[real]).groupby(conversations.dialogue[real])
    first = turns.min()
    return pd.DataFrame(
        {
            "first": first,
            "span": turns.max() - first + 1,
            "found": turns.nunique(),
            "size": turns.size(),
        }
    )
