"""Findings of :func:`check_table`: each function looks at one side of a table."""

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype

from skmerc.datasets.tables._label_findings import RARE, find_in_labels
from skmerc.datasets.tables._table_view import (
    ERROR,
    NOTE,
    WARNING,
    Finding,
    holds_numbers,
    shown,
)
from skmerc.datasets.tables._text_findings import find_in_texts
from skmerc.frame._columns import FLOAT32_MAX, KEYS, ROLES, SYNTHETIC, locate_blocks
from skmerc.frame._conversations import sortable
from skmerc.frame._names import kind_of, looks_like_id
from skmerc.frame._texts import find_spellings
from skmerc.frame._warnings import HANDFUL

_FEW_DIALOGUES, _MANY_DIALOGUES = 50, 200
_OTHER_SHARE = 0.1
"""Difference of shares of missing rows that says something of a class."""


def find_all(view, n_splits, max_tokens):
    """List all findings."""
    if view.keys is None:
        return [Finding(ERROR, view.broken, "keys", 1, "mend the keys first")]
    return [
        *_find_sizes(view),
        *_find_in_dialogues(view),
        *_find_in_order(view),
        *_find_in_speakers(view),
        *find_in_labels(view, n_splits),
        *_find_in_columns(view),
        *_find_missing_modalities(view),
        *find_in_texts(view, max_tokens),
    ]


def _find_sizes(view):
    ids = view.keys[KEYS[0]]
    sizes = ids.value_counts()
    n_dialogues, n_rows = len(sizes), len(ids)
    if not n_rows:
        yield Finding(ERROR, "the table has no rows", "table", 0)
        return
    said = view.keys[KEYS[2]]
    n_speakers = said[said != ""].nunique()
    what = (
        f"{n_dialogues} dialogues, {n_rows} utterances, {n_speakers} speakers' names; "
        f"{sizes.min()} to {sizes.max()} turns, {sizes.median():g} in the middle"
    )
    yield Finding(NOTE, what, "table", n_rows)
    roles = view.keys[KEYS[3]]
    told = ", ".join(f"{(roles == r).sum()} {r}" for r in ROLES if (roles == r).any())
    if (roles != "utterance").any():
        yield Finding(
            NOTE, f"roles: {told}", KEYS[3], int((roles != "utterance").sum())
        )
    if n_dialogues < _MANY_DIALOGUES:
        few = n_dialogues < _FEW_DIALOGUES
        yield Finding(
            WARNING if few else NOTE,
            f"{n_dialogues} dialogues are {'little' if few else 'not much'} for a "
            "network",
            "table",
            n_dialogues,
            "fit logistic regression on the same folds first: with some dozens of "
            "conversations it is hard to beat (a rule of thumb; First steps in the "
            "documentation), and trust no score of a single split",
        )


def _find_in_dialogues(view):
    if KEYS[0] not in view.given:
        like = [c for c in view.features if kind_of(c) == "dialogue"]
        hint = f"; {like[0]!r} may be their name" if like else ""
        yield Finding(
            WARNING,
            f"no column {KEYS[0]}: each row is a dialogue of its own{hint}",
            "keys",
            len(view.keys),
            "make the table by to_frame or make_frame, and keep its keys through "
            'ColumnTransformer(remainder="passthrough").set_output(transform="pandas")',
        )
        return
    real = view.keys[view.keys[KEYS[3]] != ROLES[SYNTHETIC]]
    sizes = real[KEYS[0]].value_counts()
    alone = int((sizes == 1).sum())
    if alone:
        every = alone == len(sizes) > HANDFUL
        yield Finding(
            WARNING if every else NOTE,
            f"{alone} of {len(sizes)} dialogues have one turn, so that context is "
            f"{'unused' if every else 'unused in them'}",
            KEYS[0],
            alone,
            "look whether dialogue names conversations, or single messages",
        )
    for group in find_spellings(real[KEYS[0]].unique()):
        yield Finding(
            WARNING,
            f"dialogues differ only in case or blanks: {', '.join(map(repr, group))}",
            KEYS[0],
            len(group),
            "write them in one way if they are one",
        )


def _find_in_order(view):
    if KEYS[0] not in view.given:
        return
    real = view.keys[view.keys[KEYS[3]] != ROLES[SYNTHETIC]]
    if KEYS[1] not in view.given:
        yield Finding(
            NOTE,
            "no turns are given: dialogues are read in the order of rows",
            KEYS[1],
            len(real),
            "look whether rows stand in the order in which they were said",
        )
        return
    turns = pd.Series(sortable(real[KEYS[1]]), index=real.index)
    equal = pd.DataFrame({"id": real[KEYS[0]], "turn": turns}).duplicated()
    if equal.any():
        yield Finding(
            WARNING,
            f"{equal.sum()} utterances have the turn of one before them",
            f"{KEYS[1]}, {shown(equal.reindex(view.keys.index, fill_value=False))}",
            int(equal.sum()),
            "if rows are copies, drop them; otherwise they are read in the order of "
            "rows",
        )
    if turns.dtype.kind not in "iu":
        return
    found = turns.groupby(real[KEYS[0]]).agg(["min", "max", "nunique"])
    gaps = found["max"] - found["min"] + 1 - found["nunique"]
    if (gaps > 0).any():
        yield Finding(
            NOTE,
            f"numbers of turns have gaps in {(gaps > 0).sum()} dialogues "
            f"({gaps.sum()} numbers)",
            KEYS[1],
            int((gaps > 0).sum()),
            "if rows were split at random, split by dialogue instead; if turns without "
            "a label were dropped, keep them as context",
        )


def _find_in_speakers(view):
    said = view.keys[KEYS[2]]
    unknown = said == ""
    if unknown.all() and len(said):
        yield Finding(
            NOTE,
            "no speaker is named: each dialogue is read as if one person spoke",
            KEYS[2],
            len(said),
            "give to_frame the field, speaker=...",
        )
    elif unknown.any():
        yield Finding(
            NOTE,
            f"{unknown.sum()} utterances have no speaker",
            f"{KEYS[2]}, {shown(unknown)}",
            int(unknown.sum()),
            "those of a dialogue are read as one person",
        )
    for group in find_spellings(said):
        told = ", ".join(f"{text!r} ({n})" for text, n in group.items())
        yield Finding(
            WARNING,
            f"speakers differ only in case or blanks: {told}",
            KEYS[2],
            sum(group.values()),
            "to_frame(normalize_speakers=True) writes them in one way",
        )


def _find_in_columns(view):
    features = view.features
    words = [c for c in features if not holds_numbers(features[c]) and c != view.text]
    if words:
        yield Finding(
            NOTE,
            f"columns that are no numbers: {', '.join(map(repr, words[:5]))}",
            "columns",
            len(words),
            "estimators read numbers: leave them out or turn them into features "
            "(skmerc.features)",
        )
    numbers = features.drop(columns=[*words, *filter(None, [view.text])])
    ids = [c for c in numbers if looks_like_id(c) and not is_bool_dtype(numbers[c])]
    if ids:
        yield Finding(
            WARNING,
            f"features are named like ids: {', '.join(map(repr, ids[:5]))}",
            "columns",
            len(ids),
            "leave them out, or make keys of them: make_frame(dialogue=...)",
        )
    values = numbers.to_numpy(float, na_value=np.nan)
    huge = np.argwhere(np.abs(values) > FLOAT32_MAX)
    if len(huge):
        row, column = huge[0]
        yield Finding(
            ERROR,
            f"{len(huge)} values are infinite or too large for float32",
            f"row {row}, column {numbers.columns[column]!r}",
            len(huge),
            "mend them, or set the modality to NaN in these rows",
        )
    if len(values) > 1 and values.shape[1]:
        first = np.where(np.isnan(values[:1]), np.inf, values[:1])
        constant = (values == first).all(axis=0)
        if constant.any():
            names = numbers.columns[constant]
            yield Finding(
                NOTE,
                f"columns have one value throughout: {', '.join(map(repr, names[:5]))}",
                "columns",
                len(names),
                "they teach nothing",
            )


def _find_missing_modalities(view):
    features = view.features
    numbers = features[[c for c in features if holds_numbers(features[c])]]
    if not numbers.shape[1] or not len(numbers):
        return
    columns = numbers.columns if view.is_frame else None
    for name, where in locate_blocks(columns, numbers.shape[1]).items():
        absent = numbers.iloc[:, where].isna()
        missing, partly = absent.all(axis=1), absent.any(axis=1) & ~absent.all(axis=1)
        if partly.any():
            yield Finding(
                NOTE,
                f"modality {name!r} lacks some of its values in {partly.sum()} rows",
                f"{name}, {shown(partly)}",
                int(partly.sum()),
                "estimators put the mean there, or refuse them by partial_nan='error'",
            )
        if not missing.any():
            continue
        yield Finding(
            ERROR if missing.all() else NOTE,
            f"modality {name!r} is missing in {missing.sum()} of {len(missing)} rows "
            f"({missing.mean():.0%})",
            f"{name}, {shown(missing)}",
            int(missing.sum()),
            "look whether paths or joins have failed; what is truly missing may stay",
        )
        yield from _find_by_class(view, name, missing.to_numpy())


def _find_by_class(view, name, missing):
    for label, rows in view.classes.items():
        others = ~rows & view.labels.notna().to_numpy()
        if min(rows.sum(), others.sum()) < RARE:
            continue
        here, elsewhere = missing[rows].mean(), missing[others].mean()
        if abs(here - elsewhere) >= _OTHER_SHARE:
            yield Finding(
                WARNING,
                f"modality {name!r} is missing in {here:.0%} of {label!r} and in "
                f"{elsewhere:.0%} of the others: a model may learn that it is missing",
                f"{name}, class {label!r}",
                int(missing[rows].sum()),
                "find out why, and compare with the rows that have it",
            )
