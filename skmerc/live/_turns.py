"""From what is said in a turn to a row of the table that a model reads."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from skmerc.frame._columns import (
    KEYS,
    as_pandas,
    is_array_like,
    key_columns,
    locate_blocks,
)
from skmerc.frame._conversations import blocks_of
from skmerc.frame._numbers import array_of
from skmerc.frame._texts import decode, is_missing, is_whole
from skmerc.recognition._base import DialogueEstimator
from skmerc.recognition._parts import Parts, columns_of_texts, is_embedder

_DIALOGUE = "live"


def turns_read(transformer: Any) -> int | None:
    """How many earlier texts it reads with a row; None where nobody knows what else."""
    if transformer is None or isinstance(transformer, str):
        return 0
    if is_embedder(transformer):
        context = transformer._context_read()
        return None if context["future"] else context["past"]
    inner = _inside(transformer)
    if inner is not None:
        return most_turns_read(inner)
    if isinstance(transformer, FunctionTransformer):
        return 0 if transformer.func is None else None
    room = type(transformer).__module__.split(".")[0]
    alone = room in ("skmerc", "sklearn")
    return 0 if alone and not isinstance(transformer, DialogueEstimator) else None


def most_turns_read(transformers: list) -> int | None:
    """How many earlier texts any of them reads; None where one is unknown."""
    known = [turns_read(each) for each in transformers]
    found = [n for n in known if n is not None]
    return max(found, default=0) if len(found) == len(known) else None


def _inside(transformer: Any) -> list | None:
    if isinstance(transformer, ColumnTransformer):
        return [each for _, each, _ in transformer.transformers_]
    if isinstance(transformer, FeatureUnion):
        return [each for _, each in transformer.transformer_list]
    if isinstance(transformer, Pipeline):
        return [each for _, each in transformer.steps]
    return None


class TurnReader:
    """Makes rows of the table that a model was fitted on.

    Parameters
    ----------
    parts : Parts
        The model.
    """

    def __init__(self, parts: Parts):
        first = parts.first
        names = getattr(first, "feature_names_in_", None)
        if names is None:
            raise ValueError(
                f"{type(first).__name__} does not know the names of its columns, so "
                "that turns cannot be put in their places: it was fitted on an array, "
                "or reads one column. Fit the model on a table as "
                "skmerc.frame.make_frame makes it, texts in a ColumnTransformer with "
                'remainder="passthrough".'
            )
        names = list(names)
        keys = key_columns(pd.DataFrame(columns=names))
        self.features = [name for name in names if name not in keys.values()]
        self.keys = keys or {key: key for key in KEYS}
        self.columns = names if keys else [*KEYS, *names]
        self.texts = [
            column
            for transformer in parts.transformers
            for column in columns_of_texts(transformer)
            if column in self.features
        ]
        self.numbers = [name for name in self.features if name not in self.texts]
        self.empty = {
            name: None if name in self.texts else np.nan for name in self.columns
        }
        columns = pd.Index(self.features)
        if hasattr(first, "modalities"):
            located = blocks_of(first)
        else:
            located = locate_blocks(columns, len(columns))
        self.blocks = {name: columns[where] for name, where in located.items()}

    def read(self, number: int, speaker: str, text: Any, features: Any) -> dict:
        """Return the cells of a turn, in the order of the columns."""
        cells = self._cells(features)
        if isinstance(text, str) and not is_whole(text):
            raise ValueError(
                f"text is {text!r:.200}, which holds half a character (a surrogate): "
                "read it again with its right encoding."
            )
        if text is not None:
            cells |= {self._text_column(): text}
        if not cells:
            raise ValueError(
                "The turn has neither text nor features. A modality that is missing "
                "may be left out or None, but not all of them: give the blocks that "
                "are missing as None if that is meant."
            )
        cells = {
            name: self.empty[name] if cell is None or cell is pd.NA else cell
            for name, cell in cells.items()
        }
        turn = dict(zip(KEYS, (_DIALOGUE, number, speaker, "utterance"), strict=True))
        cells |= {self.keys[key]: turn[key] for key in self.keys}
        return self.empty | cells

    def table(self, rows: list[dict]) -> pd.DataFrame:
        """Return turns as a table."""
        return pd.DataFrame(rows, columns=self.columns)

    @staticmethod
    def part(features: Any) -> tuple[Any, Any]:
        """Part the features of a row of a table from its keys; return its speaker, too.

        Other keys are left out, since the conversation knows them.
        """
        features = _one_row("features", features)
        if not isinstance(features, Mapping | pd.Series):
            return features, None
        keys = key_columns(pd.DataFrame(columns=list(features.keys())))
        if not keys:
            return features, None
        left = {n: v for n, v in features.items() if n not in keys.values()}
        return left, features.get(keys.get(KEYS[2]))

    def _text_column(self) -> str:
        if len(self.texts) == 1:
            return self.texts[0]
        if self.texts:
            raise ValueError(
                f"The model reads texts from {self.texts}: give them in features, as "
                f"features={{{self.texts[0]!r}: ...}}."
            )
        raise ValueError(
            "The model has no text embedder: it reads features, which are given as "
            "features={...}, and no text."
        )

    def _cells(self, features: Any) -> dict:
        if features is None:
            return {}
        if isinstance(features, Mapping | pd.Series):
            cells = [self._given(name, value) for name, value in features.items()]
            return {column: value for part in cells for column, value in part.items()}
        return _paired("features", self.numbers, features)

    def _given(self, name: Any, value: Any) -> dict:
        if name in self.empty and name not in self.keys.values():
            return {name: value}
        if name in self.blocks:
            return _paired(f"features[{name!r}]", self.blocks[name], value)
        raise ValueError(
            f"features names {name!r}, which is neither a modality nor a column of "
            f"the table that the model was fitted on. It has the modalities "
            f"{', '.join(map(repr, self.blocks))}."
        )


def _one_row(what: str, given: Any) -> Any:
    """Return the only row of a table, and anything else as it is."""
    if not (hasattr(given, "columns") or hasattr(given, "column_names")):
        return given
    table = as_pandas(given)
    if len(table) != 1:
        raise ValueError(f"{what} has {len(table)} rows; a turn is one.")
    return table.iloc[0]


def _paired(what: str, columns: Any, values: Any) -> dict:
    if values is None:
        return dict.fromkeys(columns, np.nan)
    values = _one_row(what, values)
    if not is_array_like(values):
        raise TypeError(f"{what} is a {type(values).__name__}; give an array.")
    if isinstance(values, pd.Series):
        values = _in_order(what, columns, values)
    if isinstance(values, np.ma.MaskedArray):
        values = np.atleast_2d(values)  # so that an error counts turns as rows
    values = array_of(values, what)
    values = values[0] if values.ndim == 2 and len(values) == 1 else values
    if values.shape != (len(columns),):
        raise ValueError(
            f"{what} has the shape {values.shape}; a turn has ({len(columns)},)."
        )
    return dict(zip(columns, values.tolist(), strict=True))


def _in_order(what: str, columns: Any, values: pd.Series) -> pd.Series:
    """Put named features in the order of the table; numbers as labels are no names."""
    numbered = values.index.equals(pd.RangeIndex(len(columns)))
    if (
        isinstance(values.index, pd.RangeIndex)
        or numbered
        or len(values) != len(columns)
    ):
        return values
    short = [str(column).partition("__")[2] for column in columns]
    for names in (list(columns), short):
        if set(names) == set(values.index) and values.index.is_unique:
            return values[names]
    raise ValueError(
        f"{what} is a Series with the labels {values.index[0]!r}, ..., and the model "
        f"knows {columns[0]!r}, .... Give these labels, or an array in their order."
    )


def speaker_name(speaker: Any) -> str:
    """Write a speaker as tables do."""
    return "" if is_missing(speaker) else str(decode(speaker))
