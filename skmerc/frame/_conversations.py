"""The one immutable view of a table of utterances that all estimators read."""

import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pandas.api.types import is_bool_dtype
from sklearn.utils.validation import validate_data

from skmerc.frame._columns import (
    FLOAT32_MAX,
    KEYS,
    ROLES,
    SYNTHETIC,
    UTTERANCE,
    VALIDATION,
    locate_blocks,
    parse_table,
    source_ids,
)
from skmerc.frame._labels import NO_LABELS, complete_labels
from skmerc.frame._numbers import (
    array_of,
    as_floats,
    find_no_number,
    may_hold_numbers,
    refuse_masked,
)
from skmerc.frame._warnings import (
    warn_of_equal_turns,
    warn_of_ids,
    warn_of_other_order,
    warn_of_split_dialogues,
    warn_without_dialogues,
)

_CHUNK = 1024
"""Rows that are looked at together, where looking takes memory."""


@dataclass(frozen=True)
class Sequences:
    """Rows of the table in the order in which context models read them.

    A sequence is a dialogue, or a copy of one in which synthetic utterances
    stand in place of the turns that they are alternatives to. Position ``p`` of
    sequence ``s``, ``offsets[s] <= p < offsets[s + 1]``, shows ``rows[p]``, and
    answers for that row only where ``owned[p]``.
    """

    rows: np.ndarray
    offsets: np.ndarray
    owned: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Number of turns of each sequence."""
        return np.diff(self.offsets)

    def take(self, which: np.ndarray) -> "Sequences":
        """Keep the sequences `which`, in that order."""
        starts = self.offsets[which]
        lengths = self.offsets[which + 1] - starts
        positions = ranges(starts, lengths)
        return Sequences(
            self.rows[positions], offsets_of(lengths), self.owned[positions]
        )


@dataclass(frozen=True)
class Conversations:
    """A table of utterances taken apart: keys as integer codes, features, roles.

    Attributes
    ----------
    features : ndarray of shape (n_rows, n_features)
        All feature columns, in the caller's order of rows; NaN where missing.
    blocks : dict of str to slice or ndarray of int
        The columns of each modality in `features`.
    dialogue, speaker, role : ndarray of shape (n_rows,)
        Codes of the dialogue (in the order of their ids), of the speaker, and the
        index of the role in :data:`skmerc.frame.ROLES`.
    group : ndarray of shape (n_rows,)
        As `dialogue`, but a synthetic utterance belongs to its source's group.
    turn : ndarray of shape (n_rows,)
        Number that orders the utterances inside a dialogue.
    keyed : bool
        Whether the table had any key column.
    """

    features: np.ndarray
    blocks: dict
    dialogue: np.ndarray
    group: np.ndarray
    turn: np.ndarray
    speaker: np.ndarray
    role: np.ndarray
    keyed: bool

    def __len__(self) -> int:
        return len(self.features)

    @property
    def present(self) -> np.ndarray:
        """Whether each modality is there: bool array (n_rows, n_modalities)."""
        there = np.empty((len(self), len(self.blocks)), bool)
        for rows in chunks(len(self)):
            for number, where in enumerate(self.blocks.values()):
                missing = np.isnan(self.features[rows, where])
                there[rows, number] = ~missing.all(axis=1)
        return there

    @property
    def held_out(self) -> np.ndarray:
        """Whether a row belongs to a dialogue with validation rows."""
        return np.isin(self.group, self.group[self.role == VALIDATION])

    @property
    def learnable(self) -> np.ndarray:
        """Whether a model may learn from a row, given its label."""
        return np.isin(self.role, (UTTERANCE, SYNTHETIC)) & ~self.held_out

    def select(self, chosen: np.ndarray) -> np.ndarray:
        """Rows where `chosen`, by dialogue and turn, whatever the caller's order."""
        order = np.lexsort((self.turn, self.dialogue))
        return order[chosen[order]]

    def sequences(self) -> Sequences:
        """Order all rows by dialogue and turn; see :class:`Sequences`."""
        real = self.select(self.role != SYNTHETIC)
        lengths = np.bincount(self.dialogue[real]) if len(real) else real
        lengths = lengths[lengths > 0]
        dialogues = Sequences(real, offsets_of(lengths), np.ones(len(real), bool))
        synthetic = self.select(self.role == SYNTHETIC)
        if not len(synthetic):
            return dialogues
        return self._with_alternatives(dialogues, synthetic)

    def _with_alternatives(
        self, dialogues: Sequences, synthetic: np.ndarray
    ) -> Sequences:
        """Append one copy of a dialogue per set of alternatives to its turns."""
        position = self._positions_replaced(dialogues, synthetic)
        alone = synthetic[position < 0]
        synthetic, position = synthetic[position >= 0], position[position >= 0]
        sequence = np.searchsorted(dialogues.offsets, position, side="right") - 1
        number = pd.Series(position).groupby(position).cumcount().to_numpy()
        pairs = np.stack([sequence, number], axis=1)
        copies, copy = np.unique(pairs, axis=0, return_inverse=True)
        copy = copy.ravel()  # numpy 2.0 returns a column
        lengths = dialogues.lengths[copies[:, 0]]
        starts = dialogues.offsets[copies[:, 0]]
        rows = dialogues.rows[ranges(starts, lengths)]
        owned = np.zeros(len(rows), bool)
        target = offsets_of(lengths)[copy] + position - starts[copy]
        rows[target], owned[target] = synthetic, True
        return Sequences(
            np.concatenate([dialogues.rows, rows, alone]),
            offsets_of([*dialogues.lengths, *lengths, *np.ones(len(alone), int)]),
            np.concatenate([dialogues.owned, owned, np.ones(len(alone), bool)]),
        )

    def _positions_replaced(
        self, dialogues: Sequences, synthetic: np.ndarray
    ) -> np.ndarray:
        """Position of the real utterance at the same turn, -1 where there is none."""
        at = {"dialogue": self.dialogue, "turn": self.turn}
        real = pd.DataFrame({name: key[dialogues.rows] for name, key in at.items()})
        index = pd.MultiIndex.from_frame(real[~real.duplicated()])
        positions = np.flatnonzero(~real.duplicated())
        wanted = pd.MultiIndex.from_arrays([key[synthetic] for key in at.values()])
        found = index.get_indexer(wanted)
        found[found >= 0] = positions[found[found >= 0]]
        return found


def offsets_of(lengths: ArrayLike) -> np.ndarray:
    """Start of each run of the given lengths, and the end of the last."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Concatenate ``arange(start, start + length)`` for all pairs."""
    lengths = np.asarray(lengths, dtype=np.int64)
    shift = np.repeat(starts - offsets_of(lengths)[:-1], lengths)
    return np.arange(lengths.sum()) + shift


def chunks(n_rows: int) -> Iterator[slice]:
    """Cut rows into slices, so that what is computed of them stays small."""
    for start in range(0, n_rows, _CHUNK):
        yield slice(start, min(start + _CHUNK, n_rows))


def read_conversations(
    estimator: Any,
    X: Any,
    y: Any = NO_LABELS,
    *,
    reset: bool,
    modalities: Mapping | None = None,
    **y_checks: Any,
) -> Any:
    """Validate a table, parsed or not, for an estimator and take it apart.

    `y_checks` are arguments of scikit-learn's check of `y`. Checks of feature names
    and numbers cover the feature columns alone. With `reset` the estimator keeps the
    blocks that `modalities` locate; without, those are read, whatever its parameters
    have become. Returns the :class:`Conversations`, and `y` as an array where it is
    given.
    """
    table = parse_table(X)
    warn_without_dialogues(table.key_names)
    keys = table.keys if table.key_names else None
    if y is not NO_LABELS:
        warn_of_other_order(table.data, y)
        numeric = y_checks.get("y_numeric", False)
        y = complete_labels(y, table.is_context, numeric=numeric)
    features = _numeric_features(table.features)
    checks = {
        "reset": reset,
        "dtype": [np.float64, np.float32],
        "ensure_all_finite": False,
    }
    values, y = _validate(estimator, features, y, checks, y_checks)
    columns = getattr(features, "columns", None)
    if reset:
        estimator._blocks = locate_blocks(columns, values.shape[1], modalities)
    blocks = blocks_of(estimator)
    refuse_infinite(values, columns, blocks)
    conversations = _take_apart(values, blocks, keys)
    if reset:
        warn_of_ids(features)
        warn_of_equal_turns(conversations)
        warn_of_split_dialogues(conversations)
    return conversations if y is NO_LABELS else (conversations, y)


def blocks_of(estimator: Any) -> dict[str, slice | np.ndarray]:
    """Columns of each modality that a fitted estimator reads."""
    known = getattr(estimator, "_blocks", None)  # estimators saved before lack it
    return blocks_asked(estimator) if known is None else known


def blocks_asked(estimator: Any) -> dict[str, slice | np.ndarray]:
    """Columns of each modality that another fit to the same columns would read."""
    columns = getattr(estimator, "feature_names_in_", None)
    columns = None if columns is None else pd.Index(columns)
    return locate_blocks(columns, estimator.n_features_in_, estimator.modalities)


def _validate(
    estimator: Any, features: Any, y: Any, checks: dict, y_checks: dict
) -> tuple[np.ndarray, Any]:
    try:
        if y is NO_LABELS:
            return validate_data(estimator, features, **checks), y
        return validate_data(estimator, features, y, **checks, **y_checks)
    except ValueError as error:
        if hasattr(features, "columns") or "string to float" not in str(error):
            raise
        raise ValueError(
            f"{error}: X is an array that holds text. If it comes out of a "
            "ColumnTransformer, its keys have lost their names: call "
            '.set_output(transform="pandas") on that.'
        ) from error


def _numeric_features(features: Any) -> Any:
    if not isinstance(features, pd.DataFrame):
        return _numeric_array(features)
    if not features.shape[1]:
        raise ValueError(
            f"X has {len(features)} rows and 0 feature(s) (shape={features.shape}) "
            "while a minimum of 1 is required; besides keys it needs columns such as "
            "'text__0'."
        )
    features = features.copy(deep=False)
    for column, dtype in features.dtypes.items():
        if isinstance(dtype, pd.SparseDtype):
            features[column] = features[column].sparse.to_dense()
        elif may_hold_numbers(dtype):
            features[column] = _floats_of(features[column])
        elif not pd.api.types.is_numeric_dtype(dtype) or dtype.kind == "c":
            _refuse_column(features[column])
    return features


def _numeric_array(features: Any) -> Any:
    refuse_masked(features, "X")
    if hasattr(features, "detach"):  # a tensor, which scikit-learn asks NumPy to read
        features = array_of(features, "X")
    kind = getattr(getattr(features, "dtype", None), "kind", None)
    if kind in tuple("mM"):
        raise ValueError(f"X holds {features.dtype} values, and features are numbers.")
    if kind == "O" and find_no_number(features) is None:
        return as_floats(features)
    return features  # others are for scikit-learn to convert or refuse


def _floats_of(column: pd.Series) -> np.ndarray:
    values = column.to_numpy(object)
    found = find_no_number(values)
    if found is not None:
        _refuse_column(column, f": {reprlib.repr(values[found])} in row {found[0]}")
    return as_floats(values)


def _refuse_column(column: pd.Series, where: str = "") -> None:
    raise ValueError(
        f"Column {column.name!r} holds {column.dtype} values, and features are "
        f"numbers{where}. Leave it out, turn it into features, or, if it is a key, "
        f"call it one of {KEYS}."
    )


def refuse_infinite(values: np.ndarray, columns: Any, blocks: dict) -> None:
    """Refuse values that single precision cannot hold."""
    for rows in chunks(len(values)):
        # Networks compute in float32, where larger values would become infinite.
        found = np.argwhere(np.abs(values[rows]) > FLOAT32_MAX)
        if len(found):
            row, column = int(found[0][0]) + rows.start, int(found[0][1])
            name = column if columns is None else columns[column]
            raise ValueError(
                "X contains infinity, or a value too large for float32, in row "
                f"{row}, column {name!r} (block {block_of(column, blocks)!r}): "
                f"{values[row, column]}. Mend the value or set the modality's columns "
                "to NaN in that row."
            )


def block_of(column: int, blocks: dict) -> str | None:
    """Name the modality that holds a feature column."""
    for name, where in blocks.items():
        inside = (
            where if not isinstance(where, slice) else range(where.start, where.stop)
        )
        if column in inside:
            return name
    return None


def _take_apart(
    values: np.ndarray, blocks: dict, keys: pd.DataFrame | None
) -> Conversations:
    n_rows = len(values)
    if keys is None:
        rows, zeros = np.arange(n_rows), np.zeros(n_rows, dtype=np.int64)
        roles = zeros.astype(np.int8)
        return Conversations(values, blocks, rows, rows, zeros, zeros, roles, False)
    ids, turns, speakers, roles = (keys[name] for name in KEYS)
    code, ids = pd.factorize(ids)  # each text once: rows are many more than dialogues
    sources = source_ids(ids)
    # Sorted, so that a model does not depend on the order of the rows it learned from.
    everyone = pd.Index(np.unique(np.concatenate([ids, sources])))
    return Conversations(
        features=values,
        blocks=blocks,
        dialogue=everyone.get_indexer(ids)[code],
        group=everyone.get_indexer(sources)[code],
        turn=sortable(turns),
        speaker=pd.factorize(speakers)[0],
        role=pd.Index(ROLES).get_indexer(roles).astype(np.int8),
        keyed=True,
    )


def sortable(turns: pd.Series) -> np.ndarray:
    """Turn the turns of a table into numbers that have their order."""
    turns = turns.infer_objects()
    if str(turns.dtype).startswith("date32"):  # of Arrow: as Python's own dates
        turns = turns.astype(object)
    if turns.dtype.kind in "mM":
        return turns.astype("int64").to_numpy()
    numbers = pd.to_numeric(turns, errors="coerce")
    if numbers.dtype.kind == "c":
        raise ValueError("dialogue__turn holds complex numbers, which have no order.")
    wrong = np.flatnonzero(~np.isfinite(numbers.to_numpy(float, na_value=np.nan)))
    if len(wrong):
        zones = {getattr(turn, "tzinfo", None) for turn in turns}
        how = ""
        if len(zones) > 1:
            how = (
                " These have other time zones, as before and after a clock is changed: "
                "pd.to_datetime(turns, utc=True) brings them into one."
            )
        raise ValueError(
            f"dialogue__turn is {turns.iloc[wrong[0]]!r} in row {wrong[0]}; turns are "
            f"finite numbers or timestamps.{how}"
        )
    return (numbers.astype(int) if is_bool_dtype(numbers) else numbers).to_numpy()
