"""Steps of a pipeline for one row, without the cost of tables where that is possible.

The cells of a row are a dict from the names of columns to values, in the order of the
table. A stage makes the cells of its output from those of its last rows.
"""

from collections import Counter
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer

from skmerc._training import in_double
from skmerc._utils.divergence import refuse_infinite_answers
from skmerc._utils.seeding import undisturbed
from skmerc.frame._columns import key_columns
from skmerc.frame._conversations import Conversations, refuse_infinite
from skmerc.frame._numbers import as_floats, find_no_number
from skmerc.frame._texts import clean, is_blank
from skmerc.fusion import DJVAEFuser
from skmerc.live._turns import turns_read


def stage_of(transformer: Any) -> Any:
    """Choose how a transformer reads one row."""
    if isinstance(transformer, DJVAEFuser):
        return FuserStage(transformer)
    pieces = _pieces_of(transformer)
    return TableStage(transformer) if pieces is None else ColumnsStage(pieces)


class TableStage:
    """Any transformer: it reads a table.

    Parameters
    ----------
    transformer : object
        The transformer.
    """

    def __init__(self, transformer: Any):
        self.transformer = transformer

    def __call__(self, rows: list[dict]) -> dict:
        """Return the cells of the last row."""
        table = self.transformer.transform(pd.DataFrame(rows))
        if isinstance(table, pd.DataFrame):
            return table.iloc[-1].to_dict()
        return dict(enumerate(np.asarray(table)[-1].tolist()))


class ColumnsStage:
    """A ColumnTransformer, which spends most of its time on tables.

    Parameters
    ----------
    pieces : list of tuple
        Of each transformer, itself (None passes cells on), its columns, and the names
        of what it gives.
    """

    def __init__(self, pieces: list[tuple]):
        self.pieces = pieces

    def __call__(self, rows: list[dict]) -> dict:
        """Return the cells of the last row."""
        cells: dict = {}
        for transformer, columns, names in self.pieces:
            if transformer is None:
                values = [rows[-1][column] for column in columns]
            else:
                read = rows if turns_read(transformer) else rows[-1:]
                table = _choose(read, columns)
                values = np.asarray(transformer.transform(table))[-1].tolist()
            cells |= zip(names, values, strict=True)
        return cells


def _choose(rows: list[dict], columns: Any) -> Any:
    if isinstance(columns, str):
        return pd.Series([row[columns] for row in rows], name=columns)
    chosen = [[row[column] for column in columns] for row in rows]
    return pd.DataFrame(chosen, columns=columns)


def _pieces_of(transformer: Any) -> list[tuple] | None:
    """Take a ColumnTransformer apart; None where it is none, or gives no table."""
    if not isinstance(transformer, ColumnTransformer):
        return None
    # What comes out without names has lost the names of keys.
    asked = getattr(transformer, "_sklearn_output_config", {}).get("transform")
    if asked != "pandas":
        return None
    known = transformer.feature_names_in_
    given = transformer.get_feature_names_out()
    pieces = []
    for name, inner, columns in transformer.transformers_:
        if not isinstance(columns, str):
            columns = _named(columns, known)
        if columns is None:
            return None
        passes = isinstance(inner, FunctionTransformer) and inner.func is None
        if isinstance(inner, str) or passes:
            columns = [columns] if isinstance(columns, str) else columns
            columns = [] if isinstance(inner, str) and inner == "drop" else columns
            inner = None
        pieces.append((inner, columns, list(given[transformer.output_indices_[name]])))
    return pieces


def _named(columns: Any, known: np.ndarray) -> list | None:
    """Names of columns that are given by names, positions or a mask."""
    if isinstance(columns, slice):
        return None
    columns = list(columns)
    if all(isinstance(column, str) for column in columns):
        return columns
    return known[np.asarray(columns)].tolist()


class FuserStage:
    """A fuser, whose network reads the row.

    Parameters
    ----------
    fuser : DJVAEFuser
        The fuser.
    """

    def __init__(self, fuser: DJVAEFuser):
        self.fuser, self.split = fuser, Splitter()
        self.blocks, self.names = fuser._blocks, fuser._value_names()
        latent = fuser.output == "latent"
        self.output = "mean" if latent else "mean_and_blocks"

    def __call__(self, rows: list[dict]) -> dict:
        """Return the cells of the last row."""
        features, keys = self.split(rows[-1])
        values = check_row(self.fuser, self.blocks, features)
        with undisturbed(), torch.no_grad():
            fused = in_double(self.fuser.net_.module_)(as_read(values))
            values = getattr(fused, self.output).numpy()
        refuse_infinite_answers(values[:, : self.fuser.vae_.latent_size])
        values = values[0].astype(np.float32).tolist()
        return keys | dict(zip(self.names, values, strict=True))


class Splitter:
    """Parts keys from features, by names that it reads once."""

    def __init__(self) -> None:
        self.names: dict[str, str] | None = None

    def __call__(self, cells: dict) -> tuple[dict, dict]:
        """Return the features, and the keys under their own names."""
        if self.names is None:
            self.names = key_columns(pd.DataFrame(columns=list(cells)))
        features = dict(cells)
        return features, {key: features.pop(name) for key, name in self.names.items()}


def check_row(estimator: Any, blocks: dict, features: dict) -> np.ndarray:
    """Check the features of a row as those of a table: float64 (1, n_features)."""
    values = _floats(features)
    width = estimator.n_features_in_
    if values.shape != (1, width):
        raise ValueError(
            f"A turn has {values.shape[1]} features, and {type(estimator).__name__} "
            f"was fitted on {width}."
        )
    zeros = np.zeros(1, np.int64)
    refuse_infinite(values, getattr(estimator, "feature_names_in_", None), blocks)
    roles = zeros.astype(np.int8)
    estimator._check_cells(
        Conversations(values, blocks, zeros, zeros, zeros, zeros, roles, True)
    )
    return values


def as_read(values: np.ndarray) -> torch.Tensor:
    """Round features as batches do, in double precision."""
    return torch.from_numpy(values.astype(np.float32)).double()


def is_text(value: Any) -> bool:
    """Tell whether an embedder hears something there."""
    text = clean(value, Counter())
    return isinstance(text, str) and not is_blank(text)


def _floats(cells: dict) -> np.ndarray:
    with suppress(ValueError):  # cells that are lists differ in length
        values = np.array([[*cells.values()]])
        if values.dtype.kind in "biuf":  # by far the faster way
            return values.astype(np.float64)
    values = np.empty((1, len(cells)), dtype=object)
    for at, value in enumerate(cells.values()):
        values[0, at] = value
    wrong = find_no_number(values)
    if wrong is not None:
        column = list(cells)[wrong[1]]
        raise ValueError(
            f"features hold {cells[column]!r} in column {column!r}, and features are "
            "numbers."
        )
    return as_floats(values)
