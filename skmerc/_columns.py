"""Which columns of a table are keys, and which belong to a modality."""

import re
from numbers import Integral

import numpy as np
import pandas as pd

KEYS = ("dialogue__id", "dialogue__turn", "dialogue__speaker", "dialogue__role")
ROLES = ("utterance", "context", "validation", "synthetic")
UTTERANCE, CONTEXT, VALIDATION, SYNTHETIC = range(len(ROLES))

UNNAMED_BLOCK = "features"
FLOAT32_MAX = np.finfo(np.float32).max
_KEY_PATTERN = re.compile(r"(?:^|__)(dialogue__(?:id|turn|speaker|role))$")
_SYNTHETIC_MARK = "#synthetic"


def as_pandas(X):
    """Return a frame as pandas (polars is converted), anything else as it is."""
    if isinstance(X, pd.DataFrame) or not hasattr(X, "columns"):
        return X
    if hasattr(X, "get_column"):
        return pd.DataFrame({name: X.get_column(name).to_numpy() for name in X.columns})
    raise TypeError(
        f"X is a {type(X).__module__}.{type(X).__name__}; give a pandas or polars "
        "DataFrame or an array."
    )


def key_columns(X):
    """Find the key columns of a frame: mapping of canonical name to column."""
    if not isinstance(X, pd.DataFrame):
        return {}
    if isinstance(X.columns, pd.MultiIndex):
        raise ValueError(
            "X has MultiIndex columns; flatten them first: "
            "X.columns = ['__'.join(map(str, column)) for column in X.columns]."
        )
    found = {}
    for column in X.columns:
        match = _KEY_PATTERN.search(column) if isinstance(column, str) else None
        if match and match[1] in found:
            raise ValueError(
                f"X has the key {match[1]!r} twice: as {found[match[1]]!r} and as "
                f"{column!r}; keep one."
            )
        if match:
            found[match[1]] = column
    return {key: found[key] for key in KEYS if key in found}


def make_keys(n_rows, dialogue, turn, speaker, role):
    """Make the four key columns, with defaults where None is given."""
    rows = pd.RangeIndex(n_rows)
    ids = pd.Series(rows) if dialogue is None else _as_values(dialogue)
    _refuse_missing(ids, "dialogue")
    ids = ids.astype(str)
    if turn is None:
        turns = ids.groupby(ids, sort=False).cumcount()
    else:
        turns = _as_values(turn)
        _refuse_missing(turns, "turn")
    speakers = pd.Series("", index=rows) if speaker is None else _as_values(speaker)
    speakers = speakers.astype(object).where(speakers.notna(), "").astype(str)
    role = "utterance" if role is None else role
    roles = pd.Series(role, index=rows) if isinstance(role, str) else _as_values(role)
    roles = roles.astype(object)
    _check_roles(roles)
    columns = (ids, turns, speakers, roles.astype(str))
    return pd.DataFrame(dict(zip(KEYS, columns, strict=True)))


def _as_values(column):
    return pd.Series(column).reset_index(drop=True)


def _refuse_missing(values, name):
    missing = np.flatnonzero(values.isna())
    if len(missing):
        raise ValueError(
            f"{name} is missing in {len(missing)} rows, first in row {missing[0]}; "
            "every utterance needs one."
        )


def _check_roles(roles):
    unknown = np.flatnonzero(~roles.isin(ROLES))
    if len(unknown):
        raise ValueError(
            f"Unknown role {roles.iloc[unknown[0]]!r} in row {unknown[0]}; "
            f"a role is one of {', '.join(ROLES)}."
        )


def synthetic_id(source_id, number):
    """Name the one-turn dialogue of a synthetic utterance that stands alone."""
    return f"{source_id}{_SYNTHETIC_MARK}{number}"


def source_ids(ids):
    """Name the dialogues that synthetic utterances were made from."""
    return pd.Series(ids).astype(str).str.partition(_SYNTHETIC_MARK)[0]


def locate_blocks(columns, n_features, modalities=None):
    """Positions of each modality's columns among the features, a slice if possible."""
    if modalities is not None and not modalities:
        raise ValueError(
            "modalities is empty; name at least one modality, or give None."
        )
    if modalities is None:
        positions = _positions_by_prefix(columns, n_features)
    else:
        positions = {
            name: _positions_given(name, given, columns, n_features)
            for name, given in modalities.items()
        }
    return {name: _as_slice(where) for name, where in positions.items()}


def _positions_by_prefix(columns, n_features):
    named = columns is not None and all(isinstance(c, str) for c in columns)
    if not named:
        return {UNNAMED_BLOCK: list(range(n_features))}
    positions = {}
    for position, column in enumerate(columns):
        prefix, separator, _ = column.partition("__")
        name = prefix if separator else UNNAMED_BLOCK
        positions.setdefault(name, []).append(position)
    return positions


def _positions_given(name, given, columns, n_features):
    if isinstance(given, slice):
        where = list(range(n_features))[given]
    else:
        where = [_position(name, column, columns, n_features) for column in given]
    if not where:
        raise ValueError(f"Modality {name!r} is given no column.")
    return where


def _position(name, column, columns, n_features):
    if isinstance(column, str):
        matches = [] if columns is None else np.flatnonzero(columns == column)
        if len(matches) == 1:
            return int(matches[0])
    elif _is_position(column) and -n_features <= column < n_features:
        return int(column) % n_features
    raise ValueError(
        f"Modality {name!r} names the column {column!r}, which X does not have "
        f"among its {n_features} feature columns."
    )


def _is_position(column):
    return isinstance(column, Integral) and not isinstance(column, bool)


def _as_slice(positions):
    first, last = positions[0], positions[-1]
    if positions == list(range(first, last + 1)):
        return slice(first, last + 1)
    return np.asarray(positions)
