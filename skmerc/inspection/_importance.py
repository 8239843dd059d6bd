"""What a fitted model relies on: each modality as a whole, and the context."""

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import check_scoring
from sklearn.utils import check_array, check_consistent_length, check_random_state

from skmerc._utils.compat import Interval, StrOptions, validate_params
from skmerc._utils.types import Modalities, RandomState, Table
from skmerc.frame._columns import (
    KEYS,
    ParsedTable,
    locate_blocks,
    make_keys,
    parse_table,
)
from skmerc.frame._conversations import sortable
from skmerc.frame._numbers import holds_numbers

_CONTEXT = "(context)"  # in brackets, since a modality may be called context


@validate_params(
    {
        "modalities": [dict, None],
        "scoring": [str, callable, None],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "unit": [StrOptions({"utterance", "dialogue"})],
        "sample_weight": ["array-like", None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def modality_importance(
    estimator: Any,
    X: Table,
    y: ArrayLike,
    *,
    modalities: Modalities | None = None,
    scoring: str | Callable | None = None,
    n_repeats: int = 5,
    unit: Literal["utterance", "dialogue"] = "utterance",
    sample_weight: ArrayLike | None = None,
    random_state: RandomState = None,
) -> pd.DataFrame:
    """Measure how much a fitted model relies on each modality and on context.

    The importance of a modality is the score on X minus the score on X with the
    modality's block of columns handed to other rows. The block moves as a whole,
    a missing modality (NaN) with it; all other columns, the keys and `y` stay
    where they are. The importance of context is the score on X minus the score
    where every utterance stands alone, in a dialogue of one turn and without a
    speaker, with all its modalities.

    Parameters
    ----------
    estimator : object
        A fitted estimator or pipeline that takes X, of skmerc or not.
    X : DataFrame or array-like of shape (n_utterances, n_columns)
        Whole dialogues, best ones that the model was not fitted on. Rows of
        every role take part, since context rows are read as well.
    y : array-like of shape (n_utterances,) or (n_utterances, n_outputs)
        The labels or targets.
    modalities : mapping of str to list of str, slice or list of int, default=None
        The columns of each modality, by name or by position among the feature
        columns; columns of no modality are left alone. By default a modality
        is the text before the first ``__``, a column of texts or files is one that is
        called as the column, and the columns of a plain array are one, called
        ``"features"``.
    scoring : str or callable, default=None
        A scorer such as :data:`skmerc.metrics.weighted_f1_scorer`, or the name
        of one of scikit-learn's; by default ``estimator.score``. Those of
        skmerc leave out rows of role ``"context"``, the others do not.
    n_repeats : int, default=5
        Number of permutations. All modalities go through the same ones.
    unit : {"utterance", "dialogue"}, default="utterance"
        What blocks are exchanged between. ``"utterance"`` shuffles them among
        all rows. ``"dialogue"`` gives every dialogue the block of another one,
        in the order of its turns, cut where the other is longer and begun
        again where it is shorter: what is permuted still runs like a
        conversation, and a block that hardly changes inside a dialogue is
        lost nonetheless.
    sample_weight : array-like of shape (n_utterances,), default=None
        Weights that the scorer is given.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations.

    Returns
    -------
    DataFrame of shape (n_modalities + 1, 2 + n_repeats)
        One row per modality, the most important first, with the columns
        ``"mean"`` and ``"std"`` (over the repeats) and the importance in each
        repeat, ``"repeat_0"`` and so on. The row ``"(context)"`` is there if X
        has dialogues; nothing about it is random, and its repeats are equal.

    Raises
    ------
    ValueError
        If a modality names an unknown column, or ``unit="dialogue"`` finds
        fewer than two dialogues.
    TypeError
        If `scoring` gives anything but one number.

    See Also
    --------
    sklearn.inspection.permutation_importance : The same for single columns.

    Notes
    -----
    This tells what the model at hand reads, not what a modality is worth: where
    two modalities say the same, either can look unimportant. A model that reads
    neighbours loses theirs too, and a model that does not has a ``"(context)"``
    of exactly 0.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.frame import drop_keys
    >>> from skmerc.inspection import modality_importance
    >>> X, y = make_conversations(
    ...     40, information={"text": 3, "audio": 1, "visual": 0}, random_state=0
    ... )
    >>> model = make_pipeline(FunctionTransformer(drop_keys), LogisticRegression())
    >>> importance = modality_importance(model.fit(X, y), X, y, random_state=0)
    >>> importance.index[:2].tolist()
    ['text', 'audio']
    >>> print(importance.loc["(context)", "mean"])  # logistic regression reads none
    0.0

    ``importance["mean"].plot.barh(xerr=importance["std"])`` draws it.
    """
    table = _read(X)
    X = table.data
    check_consistent_length(X, y, sample_weight)
    blocks = _block_positions(table, modalities)
    donors = _draw_donors(table.keys, unit, n_repeats, random_state)
    score = _score_function(estimator, y, scoring, sample_weight)
    intact = score(X)
    drops = {
        name: [intact - score(_take_block(X, where, rows)) for rows in donors]
        for name, where in blocks.items()
    }
    if KEYS[0] in table.key_names:
        drops[_CONTEXT] = [intact - score(_stand_alone(table))] * n_repeats
    return _summarise(drops)


def _read(X: Any) -> ParsedTable:
    if hasattr(X, "columns"):
        return parse_table(X)
    X = check_array(X, dtype=None, ensure_all_finite="allow-nan")
    return ParsedTable(X, {})


def _block_positions(
    table: ParsedTable, modalities: Mapping | None
) -> dict[str, np.ndarray]:
    """Positions of each modality among all columns of a table, keys included."""
    X = table.data
    if not isinstance(X, pd.DataFrame):
        columns, features = None, np.arange(X.shape[1])
    else:
        features = np.flatnonzero(~X.columns.isin(table.key_names.values()))
        columns = X.columns[features]
    raw = {} if modalities is not None else _raw_columns(X, features)
    features = np.setdiff1d(features, list(raw.values()))
    columns = None if columns is None else X.columns[features]
    located = {}
    if len(features) or not raw:
        located = locate_blocks(columns, len(features), modalities)
    blocks = {name: np.unique(features[where]) for name, where in located.items()}
    return {name: np.array([where]) for name, where in raw.items()} | blocks


def _raw_columns(X: Any, features: np.ndarray) -> dict[str, int]:
    """Positions of columns of texts and files, each of which is a modality."""
    if not isinstance(X, pd.DataFrame):
        return {}
    return {
        str(X.columns[where]): int(where)
        for where in features
        if not holds_numbers(X.iloc[:, where])
    }


def _draw_donors(
    keys: pd.DataFrame,
    unit: str,
    n_repeats: int,
    random_state: RandomState,
) -> list[np.ndarray]:
    """For each repeat, the row that each row is given its block from."""
    rng = check_random_state(random_state)
    if unit == "utterance":
        return [rng.permutation(len(keys)) for _ in range(n_repeats)]
    names, dialogue = np.unique(keys[KEYS[0]], return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"X holds {len(names)} dialogue(s), and unit='dialogue' gives every "
            "dialogue the features of another one; use unit='utterance'."
        )
    order = np.lexsort((sortable(keys[KEYS[1]]), dialogue))
    return [
        _rows_of_others(dialogue, order, rng.permutation(len(names)))
        for _ in range(n_repeats)
    ]


def _rows_of_others(
    dialogue: np.ndarray, order: np.ndarray, circle: np.ndarray
) -> np.ndarray:
    """Pair rows with those at the same place of the next dialogue in the circle."""
    lengths = np.bincount(dialogue)
    starts = np.cumsum(lengths) - lengths
    place = np.empty_like(order)
    place[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    following = np.empty_like(circle)
    following[circle] = np.roll(circle, -1)
    other = following[dialogue]
    return order[starts[other] + place % lengths[other]]


def _score_function(
    estimator: Any, y: Any, scoring: Any, sample_weight: Any
) -> Callable[[Any], float]:
    scorer = check_scoring(estimator, scoring=scoring)
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}

    def score(X: Any) -> float:
        value = scorer(estimator, X, y, **weights)
        if not isinstance(value, Real):
            raise TypeError(
                f"scoring gives {value!r}, and an importance is a difference of two "
                "numbers; give a scorer that returns one."
            )
        return float(value)

    return score


def _take_block(X: Any, where: np.ndarray, rows: np.ndarray) -> Any:
    """Copy X with the columns `where` taken from other rows."""
    if not isinstance(X, pd.DataFrame):
        permuted = X.copy()
        permuted[:, where] = X[np.ix_(rows, where)]
        return permuted
    rest = np.setdiff1d(np.arange(X.shape[1]), where)
    block = X.iloc[rows, where].set_axis(X.index)
    positions = np.argsort(np.concatenate([rest, where]))
    return pd.concat([X.iloc[:, rest], block], axis=1).iloc[:, positions]


def _stand_alone(table: ParsedTable) -> pd.DataFrame:
    """Copy X with every utterance a dialogue of its own, turn and speaker gone."""
    X, found = table.data, table.key_names
    alone = make_keys(len(X), None, None, None, None)
    place = [key for key in KEYS[:3] if key in found]
    return X.assign(**{found[key]: alone[key].to_numpy() for key in place})


def _summarise(drops: dict[str, list[float]]) -> pd.DataFrame:
    repeats = pd.DataFrame.from_dict(drops, orient="index").add_prefix("repeat_")
    spread = {"mean": repeats.mean(axis=1), "std": repeats.std(axis=1, ddof=0)}
    table = pd.DataFrame(spread).join(repeats).rename_axis("modality")
    return table.sort_values("mean", ascending=False, kind="stable")
