"""The dialogue of one utterance, as an explanation looks at it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_scalar
from sklearn.utils.validation import validate_data

from skmerc.frame._columns import (
    KEYS,
    locate_blocks,
    parse_table,
)
from skmerc.frame._conversations import blocks_of, sortable
from skmerc.frame._numbers import as_floats, holds_numbers
from skmerc.recognition._parts import Parts, columns_of_texts


@dataclass(frozen=True)
class Scene:
    """The turns of a dialogue, in their order.

    Attributes
    ----------
    table : DataFrame of shape (n_turns, n_columns)
        The rows of the dialogue.
    id_column : str or None
        The column that names the dialogue.
    turns : DataFrame of shape (n_turns, 3)
        Turn, speaker and role of each, by the labels of the rows.
    at : int
        Position of the utterance that is explained.
    texts : list of str
        Columns of texts that an embedder reads.
    modalities : dict of str to list of str
        Columns of each modality.
    """

    table: pd.DataFrame
    id_column: str | None
    turns: pd.DataFrame
    at: int
    texts: list[str]
    modalities: dict[str, list[str]]

    @property
    def positions_by_speaker(self) -> dict[str, np.ndarray]:
        """Positions of the turns of each speaker, in the order of appearance."""
        groups = self.turns.groupby("speaker", sort=False).indices
        return {who: np.asarray(where) for who, where in groups.items()}


def scene_of(parts: Parts, X: Any, row: Any) -> Scene:
    """Find the dialogue of a row."""
    parsed = parse_table(X)
    table, keys = parsed.data, parsed.keys
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"X is a {type(table).__name__}; an explanation names turns and speakers, "
            "for which X must be a table with keys, as made by skmerc.frame.make_frame."
        )
    chosen = _position(table, row)
    if parsed.is_synthetic[chosen]:
        raise ValueError(f"Row {row!r} is synthetic; nobody has said it.")
    ids = keys[KEYS[0]]
    real = ~parsed.is_synthetic & (ids == ids.iloc[chosen])
    where = np.flatnonzero(real)
    where = where[np.argsort(sortable(keys[KEYS[1]])[where], kind="stable")]
    turns = keys.iloc[where, 1:].set_axis(["turn", "speaker", "role"], axis=1)
    table = table.iloc[where]
    texts = [
        column
        for transformer in parts.transformers
        for column in columns_of_texts(transformer)
        if column in table and column not in parsed.key_names.values()
    ]
    keys_of_table = list(parsed.key_names.values())
    table = _with_plain_numbers(table, [*keys_of_table, *texts])
    return Scene(
        table,
        parsed.key_names.get(KEYS[0]),
        turns.set_axis(table.index),
        int(np.flatnonzero(where == chosen)[0]),
        texts,
        _modalities(parts, table, keys_of_table),
    )


def _with_plain_numbers(table: pd.DataFrame, others: list[str]) -> pd.DataFrame:
    """Make floats of what pandas holds in a type of its own, or as objects."""
    changed = {
        name: as_floats(column.to_numpy(object))
        for name, column in table.drop(columns=others).items()
        if not (isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf")
        and holds_numbers(column)
    }
    return table.assign(**changed)


def _position(table: pd.DataFrame, row: Any) -> int:
    if not is_scalar(row) and not isinstance(row, tuple):
        raise TypeError(
            f"row is a {type(row).__name__}; give the index label of one utterance, as "
            "in X.loc[row]."
        )
    found = np.flatnonzero(table.index == row)
    if len(found) != 1:
        raise ValueError(
            f"{len(found)} rows of X have the index label {row!r}; give the label of "
            "one. Where labels are not unique, X.reset_index(drop=True) numbers the "
            "rows."
        )
    return int(found[0])


def _modalities(
    parts: Parts, table: pd.DataFrame, keys: list[str]
) -> dict[str, list[str]]:
    """Columns of each modality; what is no number is a modality by itself."""
    features = table.drop(columns=keys)
    whole = features.select_dtypes(exclude="number").columns
    if hasattr(parts.first, "modalities"):  # which may have learned truths and objects
        learned = getattr(parts.first, "feature_names_in_", [])
        whole = whole.difference(learned, sort=False)
        read = features.drop(columns=whole)
        validate_data(parts.first, read, reset=False, skip_check_array=True)
        located = blocks_of(parts.first)
    else:
        read = features.drop(columns=whole)
        located = locate_blocks(read.columns, read.shape[1]) if read.shape[1] else {}
    blocks: dict[str, list[str]] = {column: [column] for column in whole}
    return blocks | {name: list(read.columns[at]) for name, at in located.items()}
