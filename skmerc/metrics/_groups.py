"""Scores of groups, such as speakers."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import accuracy_score, f1_score

from skmerc._utils.compat import validate_params
from skmerc._utils.types import Table
from skmerc.frame._columns import KEYS, parse_table
from skmerc.frame._per_row import one_column
from skmerc.metrics._recognition import weighted_f1
from skmerc.metrics._rows import rows_with_labels

_ALL, _UNKNOWN = "(all)", "(unknown)"


def _macro_f1(y_true, y_pred):
    return f1_score(y_true, y_pred, average="macro", zero_division=0.0)


_SCORES = {
    "accuracy": accuracy_score,
    "macro F1": _macro_f1,
    "weighted F1": weighted_f1,
}


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "groups": "no_validation",
        "X": "no_validation",
        "scores": [dict, None],
    },
    prefer_skip_nested_validation=True,
)
def scores_by_group(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    groups: str | ArrayLike,
    *,
    X: Table | None = None,
    scores: Mapping[str, Callable] | None = None,
) -> pd.DataFrame:
    """Score each group of utterances, such as those of a group of speakers.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels. Rows without one (None, NaN or ``pandas.NA``) are left out.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.
    groups : str or array-like of shape (n_samples,)
        The group of each row, or the name of a column of `X`, such as
        ``"dialogue__speaker"``. Rows where it is missing or empty are one group,
        ``"(unknown)"``.
    X : DataFrame of shape (n_samples, n_columns), default=None
        The table of utterances, whose context rows are left out, whatever stands in
        `y_true`.
    scores : dict of str to callable, default=None
        Functions of true and predicted labels; by default accuracy, macro F1 over the
        classes of the group, and weighted F1.

    Returns
    -------
    DataFrame of shape (n_groups + 1, 1 + n_scores)
        One row per group, sorted, and ``"(all)"``: ``"support"``, the number of rows,
        and the scores. Differences between groups of few rows are mostly chance.

    Raises
    ------
    ValueError
        If no row has a label, X has no such column, or `groups` names one without X or
        has several columns.

    Examples
    --------
    >>> from skmerc.metrics import scores_by_group
    >>> y_true, y_pred = ["joy", "fear", "joy"], ["joy", "joy", "joy"]
    >>> scores_by_group(y_true, y_pred, ["agent", "customer", "agent"]).round(2)
              support  accuracy  macro F1  weighted F1
    group
    agent           2      1.00       1.0         1.00
    customer        1      0.00       0.0         0.00
    (all)           3      0.67       0.4         0.53
    """
    members = _read_groups(groups, X)
    true, pred, members = map(np.asarray, rows_with_labels(X, y_true, y_pred, members))
    scores = _SCORES if scores is None else scores
    names, rows = _rows_of_groups(members)
    names, rows = [*names, _ALL], [*rows, np.arange(len(true))]
    table = [
        {"support": len(chosen)}
        | {label: score(true[chosen], pred[chosen]) for label, score in scores.items()}
        for chosen in rows
    ]
    index = pd.Index(names, dtype=object, name="group")
    return pd.DataFrame(table, index=index).astype({"support": int})


def _rows_of_groups(members):
    """Name the groups in their order, and list the rows of each."""
    number, names = pd.factorize(members)
    try:
        order = sorted(range(len(names)), key=names.__getitem__)
    except TypeError:  # of several types
        order = sorted(range(len(names)), key=lambda k: str(names[k]))
    ends = np.bincount(number, minlength=len(names)).cumsum()
    rows = np.split(np.argsort(number, kind="stable"), ends[:-1])
    return [names[k] for k in order], [rows[k] for k in order]


def _read_groups(groups, X):
    if isinstance(groups, str):
        if X is None:
            raise ValueError(f"groups={groups!r} is a column; give the table as X=.")
        table = parse_table(X)
        keys = table.key_names if groups in KEYS else {}
        if groups not in keys and groups not in getattr(table.data, "columns", ()):
            raise ValueError(f"X has no column {groups!r} of groups.")
        groups = table.keys[groups] if groups in keys else table.data[groups]
    members = one_column(groups, "groups").astype(object)
    return members.mask(members.isna() | (members == ""), _UNKNOWN).to_numpy(object)
