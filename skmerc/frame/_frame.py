"""Tables made of blocks and keys, and taken apart again."""

import reprlib
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils import check_random_state

from skmerc._utils.types import Modalities, RandomState, Table
from skmerc.frame._blocks import Block, join_blocks, read_block
from skmerc.frame._columns import (
    KEYS,
    is_array_like,
    key_columns,
    locate_blocks,
    make_keys,
    parse_table,
)
from skmerc.frame._numbers import without_own_kinds
from skmerc.frame._warnings import warn_without_dialogues


def make_frame(
    blocks: Mapping[str, Table],
    *,
    dialogue: ArrayLike | None = None,
    turn: ArrayLike | None = None,
    speaker: ArrayLike | None = None,
    role: ArrayLike | None = None,
) -> pd.DataFrame:
    """Join blocks of features and keys into one table of utterances.

    Parameters
    ----------
    blocks : mapping of str to array-like of shape (n_utterances, n_features)
        The features of each modality. A row that is NaN throughout means that
        the modality is missing there. Columns of a table, of pandas, polars or
        Arrow, keep their names behind the prefix ``<modality>__``; others are
        numbered. Rows belong together by position.
    dialogue : array-like of shape (n_utterances,), default=None
        Identity of the dialogue, stored as text. By default every utterance
        is a dialogue of its own; turns or speakers without dialogues warn.
    turn : array-like of shape (n_utterances,), default=None
        Number or time that orders the utterances of a dialogue. By default
        they stand in the order of the rows.
    speaker : array-like of shape (n_utterances,), default=None
        Who speaks, stored as text; missing or empty where unknown, and by
        default unknown everywhere. The unknown speaker of a dialogue is one
        person.
    role : str or array-like of shape (n_utterances,), default=None
        What a row is for, one of :data:`ROLES`; by default ``"utterance"``.

    Returns
    -------
    X : DataFrame of shape (n_utterances, 4 + n_features)
        The four key columns :data:`KEYS`, then float32 features, with the index
        that all pandas objects among the arguments share, if they do.

    Raises
    ------
    ValueError
        If the blocks differ in length or in the order of one index, one has no
        columns or holds text, a name holds ``__``, a role is unknown, a dialogue is
        missing or blank, or differs from another in blanks around it alone, or a
        dialogue or speaker is 7 in one row and 7.0 in another, which would be two as
        text, a float of 2**53 or more, where whole numbers run together, or a number
        that a spreadsheet has shortened (``1.23E+15``).

    See Also
    --------
    split_frame : The way back.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.frame import make_frame
    >>> X = make_frame(
    ...     {"text": np.eye(3), "audio": np.ones((3, 1))},
    ...     dialogue=["call1", "call1", "call2"],
    ...     speaker=["agent", "customer", "agent"],
    ... )
    >>> list(X.columns[:5])
    ['dialogue__id', 'dialogue__turn', 'dialogue__speaker', 'dialogue__role', 'text__0']
    >>> X["dialogue__turn"].tolist()
    [0, 1, 0]
    """
    if not hasattr(blocks, "items") or isinstance(blocks, pd.DataFrame):
        raise ValueError(
            "blocks is no mapping; give {'text': features}, one entry per modality."
        )
    parts = [read_block(name, block) for name, block in blocks.items()]
    keys = {"dialogue": dialogue, "turn": turn, "speaker": speaker, "role": role}
    _check_lengths(blocks, parts, keys)
    named = zip(KEYS, keys.values(), strict=True)
    warn_without_dialogues([key for key, given in named if given is not None])
    X = pd.concat([make_keys(len(parts[0]), **keys), join_blocks(parts)], axis=1)
    key_columns(X)  # refuses columns of one name, and a second set of keys
    index = _common_index([*blocks.items(), *keys.items()])
    return X if index is None else X.set_axis(index)


def _common_index(given: list[tuple[str, Any]]) -> pd.Index | None:
    """Return the index that all pandas parts share; refuse one in another order."""
    indexed = [
        (name, part.index)
        for name, part in given
        if isinstance(part, pd.DataFrame | pd.Series)
    ]
    if not indexed:
        return None
    (first, shared), *others = indexed
    different = [(name, index) for name, index in others if not index.equals(shared)]
    for name, index in different:
        if index.isin(shared).all() and shared.isin(index).all():
            raise ValueError(
                f"{first!r} and {name!r} have the same index in different orders, and "
                "rows are joined by position. Bring both into one order."
            )
    return None if different else shared


def _check_lengths(blocks: Any, parts: list[Block], keys: dict[str, Any]) -> None:
    if not parts:
        raise ValueError("make_frame needs at least one block of features.")
    lengths = {f"block {n!r}": len(p) for n, p in zip(blocks, parts, strict=True)}
    for name, key in keys.items():
        if key is None or (name == "role" and isinstance(key, str)):
            continue
        is_values = is_array_like(key) and not issparse(key)
        if not is_values or getattr(key, "ndim", 1) == 0:
            raise ValueError(
                f"{name}={reprlib.repr(key)} is one value, or in no order; give one "
                "per utterance."
            )
        lengths[name] = len(key)
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        raise ValueError(f"All parts need the same number of utterances; got {found}.")


def read_keys(X: Table) -> pd.DataFrame:
    """Read the keys of a table, with their defaults where they are absent.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_utterances, n_columns)
        A table of utterances. Without keys every row is a dialogue of its own.

    Returns
    -------
    keys : DataFrame of shape (n_utterances, 4)
        The columns :data:`KEYS`, numbered from zero.

    Raises
    ------
    ValueError
        If a dialogue, turn or role is missing in a row, a role is unknown or
        a key stands twice.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.frame import read_keys
    >>> read_keys(np.zeros((2, 3)))["dialogue__id"].tolist()
    ['0', '1']
    """
    return parse_table(X).keys


def drop_keys(X: Table) -> Table:
    """Leave the key columns out, for estimators that take features only.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_utterances, n_columns)
        A table of utterances.

    Returns
    -------
    X : DataFrame or array-like of shape (n_utterances, n_features)
        The features; an array is returned as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skmerc.frame import drop_keys, make_frame
    >>> X = make_frame({"text": np.eye(4)}, dialogue=["a", "a", "b", "b"])
    >>> model = make_pipeline(FunctionTransformer(drop_keys), LogisticRegression())
    >>> model.fit(X, [0, 1, 0, 1]).predict(X).shape
    (4,)
    """
    return without_own_kinds(parse_table(X).features)


def split_frame(
    X: Table,
    *,
    modalities: Modalities | None = None,
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Split a table of utterances into its keys and its blocks of features.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n_utterances, n_columns)
        A table of utterances.
    modalities : mapping of str to list of str, slice or list of int, default=None
        The columns of each modality, by name or by position among the feature
        columns. By default a modality is the text before the first ``__``;
        columns without ``__`` form the block ``"features"``.

    Returns
    -------
    keys : DataFrame of shape (n_utterances, 4)
        The columns :data:`KEYS`, with defaults where absent.
    blocks : dict of str to ndarray of shape (n_utterances, n_features)
        The features of each modality.

    See Also
    --------
    make_frame : The way back.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.frame import make_frame, split_frame
    >>> keys, blocks = split_frame(make_frame({"text": np.eye(2)}, dialogue=[7, 7]))
    >>> keys["dialogue__id"].tolist(), blocks["text"].shape
    (['7', '7'], (2, 2))
    """
    table = parse_table(X)
    features = table.features
    columns = features.columns if isinstance(features, pd.DataFrame) else None
    values = features.iloc if columns is not None else np.asarray(features)
    shape = np.shape(features)
    if len(shape) != 2:
        raise ValueError(f"X has shape {shape}; give (utterances, columns).")
    located = locate_blocks(columns, shape[1], modalities)
    blocks = {name: values[:, where] for name, where in located.items()}
    return table.keys, {name: np.asarray(block) for name, block in blocks.items()}


def mark_validation(
    X: pd.DataFrame,
    *,
    dialogues: ArrayLike | None = None,
    fraction: float | None = None,
    random_state: RandomState = None,
) -> pd.DataFrame:
    """Mark dialogues as held out for early stopping and model selection.

    Samplers, fusers and standardisers learn nothing from rows of role
    ``"validation"``; classifiers only score them.

    Parameters
    ----------
    X : DataFrame of shape (n_utterances, n_columns)
        A table of utterances with keys.
    dialogues : array-like of str, default=None
        The dialogues to hold out.
    fraction : float in (0, 1), default=None
        Share to hold out of the dialogues that have rows of role
        ``"utterance"``, drawn at random. Give either this or `dialogues`.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

    Returns
    -------
    X : DataFrame of shape (n_utterances, n_columns)
        A copy; rows of role ``"utterance"`` in these dialogues are
        ``"validation"`` now, and no other role changes.

    Raises
    ------
    ValueError
        If both or none of `dialogues` and `fraction` are given, X has no
        dialogue ids, or a dialogue is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.frame import make_frame, mark_validation
    >>> X = make_frame({"text": np.eye(3)}, dialogue=["a", "a", "b"])
    >>> mark_validation(X, dialogues=["b"])["dialogue__role"].tolist()
    ['utterance', 'utterance', 'validation']
    """
    if (dialogues is None) == (fraction is None):
        raise ValueError("Give dialogues or fraction, one of the two.")
    table = parse_table(X)
    if "dialogue__id" not in table.key_names:
        raise ValueError("X has no column dialogue__id; see make_frame.")
    keys = table.keys
    ids, ordinary = keys["dialogue__id"], keys["dialogue__role"] == "utterance"
    if dialogues is None:
        dialogues = _draw_dialogues(np.unique(ids[ordinary]), fraction, random_state)
    several = is_array_like(dialogues) and getattr(dialogues, "ndim", 1) > 0
    names: Any = dialogues if several else [dialogues]
    wanted = pd.Index([str(name) for name in names], dtype=str)
    if not len(wanted):
        raise ValueError(
            "dialogues is empty: the table names no validation dialogues; give "
            "fraction=0.1 to draw some."
        )
    unknown = wanted.difference(ids)
    if len(unknown):
        known = f"; its ids are text such as {ids[0]!r}" if len(ids) else " and no row"
        raise ValueError(f"X has no dialogue {unknown[0]!r}{known}.")
    held_out = ids.isin(wanted) & ordinary
    roles = keys["dialogue__role"].mask(held_out, "validation")
    name = table.key_names.get(KEYS[3], KEYS[3])
    return table.data.assign(**{name: roles.to_numpy()})


def _draw_dialogues(
    ids: Any, fraction: float | None, random_state: RandomState
) -> np.ndarray:
    if not isinstance(fraction, Real) or not 0 < fraction < 1 or len(ids) < 2:
        raise ValueError(
            f"fraction={fraction!r} of {len(ids)} dialogues cannot be held out; give "
            "a number between 0 and 1 and at least two dialogues."
        )
    n_held_out = min(max(1, round(fraction * len(ids))), len(ids) - 1)
    return check_random_state(random_state).choice(ids, n_held_out, replace=False)
