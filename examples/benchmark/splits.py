"""What is learned from, what decides when to stop, and what is scored."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark import corpora
from skmerc.frame import mark_validation
from skmerc.model_selection import DialogueKFold, LeaveDialogueGroupOut

SPLITS = ("official", "folds", "training", "sessions", "scenarios")
"""Official parts; folds of all dialogues; folds of those of train and dev, to choose
settings on; and IEMOCAP's sessions and scenarios, each left out once."""
ID = "dialogue__id"
SHOTS = 10
"""How many dialogues of another corpus few-shot learning sees."""


@dataclass(frozen=True)
class Division:
    """Training rows, some of them marked as validation, and test rows."""

    X: pd.DataFrame
    y: np.ndarray
    X_test: pd.DataFrame
    y_test: np.ndarray


def default_split(table):
    """Name the official split where the table has one, else folds."""
    return "official" if (table.split == "test").any() else "folds"


def folds(table, split, n_folds):
    """Training and test rows of each fold, under its name."""
    every = np.arange(len(table.X))
    official = table.split == "test"
    if split == "official":
        if not official.any() or official.all():
            raise SystemExit(f"{table.name} has no official test part; see --split.")
        return {"test": (every[~official], every[official])}
    if split in ("sessions", "scenarios"):
        splitter = LeaveDialogueGroupOut(split.removesuffix("s"))
        groups = splitter.groups(table.X)
        names = np.unique(groups)
        return {name: (every[groups != name], every[groups == name]) for name in names}
    rows = every[~official] if split == "training" else every
    dealt = DialogueKFold(n_folds).split(table.X.iloc[rows])
    return {str(n): (rows[train], rows[test]) for n, (train, test) in enumerate(dealt)}


def divide(table, split, n_folds, fold, *, dialogues=None, seed=0):
    """Make one division, whose training part may be some dialogues alone."""
    parts = folds(table, split, n_folds)
    train, test = parts[fold]
    X, y, part = table.X.iloc[train], table.y[train], table.split[train]
    is_dev = (part == "dev") & (split == "official")
    if dialogues:
        kept = is_dev | X[ID].isin(some(X[ID][~is_dev], dialogues, seed)).to_numpy()
        X, y, is_dev = X[kept], y[kept], is_dev[kept]
    X = X.reset_index(drop=True)
    if is_dev.any():
        X = mark_validation(X, dialogues=X[ID][is_dev].unique())
    else:
        share = 0.2 if split == "official" else 0.1
        X = mark_validation(X, fraction=share, random_state=list(parts).index(fold))
    return Division(X, y, table.X.iloc[test].reset_index(drop=True), table.y[test])


def some(ids, number, seed):
    """Draw some dialogues, the first of which are the same for any number."""
    names = np.unique(np.asarray(ids, dtype=str))
    return np.random.default_rng(seed).permutation(names)[:number]


def transfer(source, target, *, dialogues=None, seed=0):
    """Divide two corpora: learn from either, test on the second.

    Ids of dialogues begin with "source", "few" (a handful of the target's training
    dialogues) or "target" (the others), which estimators of :mod:`wrappers` choose by.
    Emotions that only one of them has are context.
    """
    tables = [corpora.with_common_names(table) for table in (source, target)]
    shared = set.intersection(*map(corpora.labels_of, tables))
    if len(shared) < 2:
        raise SystemExit(f"{source.name} and {target.name} share the labels {shared}.")
    tables = [corpora.with_labels(table, list(shared)) for table in tables]
    given, own = (
        _as_it_comes(table, dialogues, seed)
        for table in corpora.with_shared_features(tables)
    )
    ordinary = own.X[ID][own.X["dialogue__role"] == "utterance"]
    few = own.X[ID].isin(some(ordinary, SHOTS, seed))
    kinds = np.where(few, "few", "target")
    return _joined(own, [("source", given), (kinds, own)])


def together(tables, target, *, dialogues=None, seed=0):
    """Divide several corpora: learn from all, test on one, called "target"."""
    tables = [corpora.with_common_names(table) for table in tables]
    parts = [
        _as_it_comes(table, dialogues, seed)
        for table in corpora.with_shared_features(tables)
    ]
    kinds = [f"source{n}" if n != target else "target" for n in range(len(parts))]
    return _joined(parts[target], zip(kinds, parts, strict=True))


def _as_it_comes(table, dialogues, seed):
    """Divide by the official split, or leave a fifth of the dialogues out."""
    split = default_split(table)
    first = next(iter(folds(table, split, 5)))
    return divide(table, split, 5, first, dialogues=dialogues, seed=seed)


def _joined(tested, parts):
    """One training table of several, whose ids of dialogues tell them apart."""
    parts = [(kind, part, pd.Series(kind, index=part.X.index)) for kind, part in parts]
    tables = [p.X.assign(**{ID: kind + "/" + p.X[ID]}) for _, p, kind in parts]
    labels = np.concatenate([part.y for _, part, _ in parts])
    X = pd.concat(tables, ignore_index=True)
    return Division(X, labels, tested.X_test, tested.y_test)
