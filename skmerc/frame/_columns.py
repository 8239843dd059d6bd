"""Which columns of a table are keys, and which belong to a modality."""

import re
import reprlib
from collections.abc import Hashable, Mapping, Set, Sized
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skmerc._utils.compat import num_samples
from skmerc._utils.optional import need
from skmerc.frame._texts import decode, is_whole, refuse_alike

#: Columns that say where an utterance stands: dialogue, turn, speaker and role.
KEYS = ("dialogue__id", "dialogue__turn", "dialogue__speaker", "dialogue__role")
#: What a row can be for: learned from, only heard, held out, or made up.
ROLES = ("utterance", "context", "validation", "synthetic")
UTTERANCE, CONTEXT, VALIDATION, SYNTHETIC = range(len(ROLES))

UNNAMED_BLOCK = "features"
FLOAT32_MAX = np.finfo(np.float32).max
_KEY_PATTERN = re.compile(r"(?:^|__)(dialogue__(?:id|turn|speaker|role))$", re.I)
_KEY_PREFIX = "dialogue__"
_REMAINDER = "remainder__"
"""What ColumnTransformer puts in front of columns that it passes on."""
_SYNTHETIC_MARK = "#synthetic"
_SHORTENED = r"\d([.,]\d+)?E\+\d+"
_EXACT = 2.0**53
"""From here on floats leave whole numbers out."""


def as_pandas(X: Any) -> Any:
    """Return a table of any library as a frame of pandas, anything else as it is."""
    if isinstance(X, pd.DataFrame):
        return X
    if hasattr(X, "get_column"):
        return _by_column(X)
    frame = frame_of(X) if is_foreign(X) else None
    if frame is not None:
        return frame
    if hasattr(X, "columns") or not is_array_like(X):
        raise TypeError(
            f"X is a {type(X).__module__}.{type(X).__name__}; give a pandas or polars "
            "DataFrame, an Arrow table or an array."
        )
    return X


def is_foreign(given: Any) -> bool:
    """Tell whether this may be a table of another library than pandas."""
    if isinstance(given, pd.DataFrame | pd.Series | np.ndarray):
        return False
    named = hasattr(given, "columns") or hasattr(given, "column_names")
    converts = named and hasattr(given, "to_pandas")
    return converts or hasattr(given, "__arrow_c_stream__")


def frame_of(given: Any) -> pd.DataFrame | None:
    """Make a frame of pandas of a table of another library; None if it is none.

    Such are Arrow, polars, narwhals, Hugging Face's datasets, and what else has
    ``to_pandas`` or ``__arrow_c_stream__``.
    """
    frame = None
    if hasattr(given, "to_pandas"):
        try:
            frame = given.to_pandas()
        except ImportError:  # polars converts itself by pyarrow only
            if not hasattr(given, "get_column"):
                raise
            frame = _by_column(given)
    elif hasattr(given, "__arrow_c_stream__") and not isinstance(given, pd.Series):
        (pyarrow,) = need("parquet", "pyarrow")
        with suppress(pyarrow.ArrowInvalid):  # a stream of one column
            frame = pyarrow.table(given).to_pandas()
    return frame if isinstance(frame, pd.DataFrame) else None


def _by_column(frame: Any) -> pd.DataFrame:
    columns = {name: frame.get_column(name).to_numpy() for name in frame.columns}
    return pd.DataFrame(columns)


def is_array_like(values: Any) -> bool:
    """Tell whether these are values in an order, and no text."""
    if isinstance(values, str | bytes | Mapping | Set):
        return False
    return hasattr(values, "__array__") or isinstance(values, Sized)


def key_columns(X: Any) -> dict[str, str]:
    """Find the key columns of a frame: mapping of canonical name to column."""
    if not isinstance(X, pd.DataFrame):
        return {}
    if isinstance(X.columns, pd.MultiIndex):
        raise ValueError(
            "X has MultiIndex columns; flatten them first: "
            "X.columns = ['__'.join(map(str, column)) for column in X.columns]."
        )
    found: dict[str, str] = {}
    for column in X.columns:
        key = _key_of(column) if isinstance(column, str) else None
        if key in found:
            raise ValueError(
                f"X has the key {key!r} twice: as {found[key]!r} and as {column!r}; "
                "keep one."
            )
        if key:
            found[key] = column
    repeated = X.columns[X.columns.duplicated()]
    if len(repeated):
        raise ValueError(f"X has the column {repeated[0]!r} twice; rename or drop one.")
    return {key: found[key] for key in KEYS if key in found}


def _key_of(column: str) -> str | None:
    """Canonical name of the key that a column is, or None; near misses are refused."""
    match = _KEY_PATTERN.search(column)
    if match and match[1] in KEYS:
        return match[1]
    if match:
        raise ValueError(
            f"X has the column {column!r}, and keys are written in lower case: rename "
            f"it {match[1].lower()!r}."
        )
    if column.startswith(_KEY_PREFIX):
        raise ValueError(
            f"X has the column {column!r}, which is no key, and the prefix "
            f"{_KEY_PREFIX!r} is for keys: {', '.join(KEYS)}. Rename the column."
        )
    return None


@dataclass(frozen=True)
class ParsedTable:
    """A table whose column names have been read.

    It is passed on in place of the table, so that names are read once.

    Attributes
    ----------
    data : DataFrame or array-like of shape (n_utterances, n_columns)
        The table; polars has become pandas.
    key_names : dict of str to str
        The column of each key that the table has.
    """

    data: Any
    key_names: dict[str, str]

    @property
    def keys(self) -> pd.DataFrame:
        """The four key columns, with defaults where absent; not to be written to."""
        # cached_property of Python 3.11 holds a lock meanwhile, which a process that
        # forks leaves locked in its child.
        if "_keys" not in self.__dict__:
            names = self.key_names
            given = (self.data[names[key]] if key in names else None for key in KEYS)
            self.__dict__["_keys"] = make_keys(num_samples(self.data), *given)
        return self.__dict__["_keys"]

    @property
    def features(self) -> Any:
        """The table without its keys; an array as it is."""
        if not isinstance(self.data, pd.DataFrame):
            return self.data
        return self.data.drop(columns=list(self.key_names.values()))

    @property
    def is_context(self) -> np.ndarray:
        """Whether each row has the role "context"."""
        return self._has_role(CONTEXT)

    @property
    def is_synthetic(self) -> np.ndarray:
        """Whether each row is an alternative to a turn, and no turn of its own."""
        return self._has_role(SYNTHETIC)

    def _has_role(self, role: int) -> np.ndarray:
        if not self.key_names:
            return np.zeros(num_samples(self.data), bool)
        return (self.keys[KEYS[3]] == ROLES[role]).to_numpy()

    @property
    def is_learnable(self) -> np.ndarray:
        """Whether a model may learn from each row, given its label."""
        roles, groups = self.keys[KEYS[3]], source_ids(self.keys[KEYS[0]])
        held_out = groups.isin(groups[roles == ROLES[VALIDATION]])
        learned = roles.isin([ROLES[UTTERANCE], ROLES[SYNTHETIC]])
        return (learned & ~held_out).to_numpy()


def parse_table(X: Any) -> ParsedTable:
    """Read the column names of a table, unless that was done before."""
    if isinstance(X, ParsedTable):
        return X
    X = as_pandas(X)
    return ParsedTable(X, key_columns(X))


def make_keys(
    n_rows: int, dialogue: Any, turn: Any, speaker: Any, role: Any
) -> pd.DataFrame:
    """Make the four key columns, with defaults where None is given."""
    rows = pd.RangeIndex(n_rows)
    ids = pd.Series(rows) if dialogue is None else _as_values(dialogue, "dialogue")
    refuse_missing(ids, "dialogue")
    ids = as_text(ids, "dialogue")
    refuse_alike(ids, "dialogue")
    refuse_missing(ids.where(ids.str.strip() != ""), "dialogue")
    if turn is None:
        turns = ids.groupby(ids, sort=False).cumcount()
    else:
        turns = _as_values(turn, "turn")
        refuse_missing(turns, "turn")
    speaker = pd.Series("", index=rows) if speaker is None else speaker
    speakers = _as_values(speaker, "speaker")
    if speakers.isna().any():
        speakers = speakers.astype(object).where(speakers.notna(), "")
    speakers = as_text(speakers, "speaker")
    role = "utterance" if role is None else role
    role = pd.Series(role, index=rows) if isinstance(role, str) else role
    roles = _as_values(role, "role").astype(object)
    _check_roles(roles)
    columns = (ids, turns, speakers, roles.astype(str))
    return pd.DataFrame(dict(zip(KEYS, columns, strict=True)))


def _as_values(column: Any, name: str) -> pd.Series:
    is_table = getattr(column, "ndim", 1) != 1 or issparse(column)
    is_table |= isinstance(column, pd.MultiIndex)
    if is_table or not is_array_like(column):
        raise ValueError(
            f"{name} is {_describe(column)}; give one value for each utterance."
        )
    # An index keeps its type, at which pandas 2 would guess with a warning.
    dtype = column.dtype if isinstance(column, pd.Index) else None
    try:
        values = pd.Series(column, dtype=dtype).reset_index(drop=True)
    except UnicodeEncodeError as error:
        raise _half_character(column, name) from error
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype(object)
    # Files of other machines have an order of bytes that pandas cannot work with.
    if isinstance(values.dtype, np.dtype) and not values.dtype.isnative:
        return values.astype(values.dtype.newbyteorder("="))
    return values


def _describe(values: Any) -> str:
    n_dimensions = getattr(values, "ndim", None)
    kind = type(values).__name__
    return f"a {kind}" + (f" of {n_dimensions} dimensions" if n_dimensions else "")


def as_text(values: pd.Series, name: str) -> pd.Series:
    """Write ids or names as text; refuse those that would merge or part by that.

    Bytes are decoded.
    """
    _refuse_inexact(values, name)
    try:
        if values.dtype == object:
            values = pd.Series(list(map(decode, values)), dtype=object)
        text = values.astype(str)
    except UnicodeEncodeError as error:
        raise _half_character(values, name) from error
    if values.dtype == object:
        _refuse_other_identities(values, text, name)
    if values.dtype == object or isinstance(values.dtype, pd.StringDtype):
        seen = pd.Index(text.unique())
        _refuse_two_forms(text, seen, name)
        _refuse_shortened(text, seen, name)
    return text


def _refuse_inexact(values: pd.Series, name: str) -> None:
    """Refuse floats so large that several whole numbers have become one."""
    is_text = isinstance(values.dtype, pd.StringDtype)  # which holds no floats
    if is_text or getattr(values.dtype, "kind", None) not in ("f", "O"):
        return
    floats = [v if isinstance(v, float | np.floating) else 0 for v in values]
    large = np.flatnonzero(np.abs(np.array(floats, dtype=float)) >= _EXACT)
    if len(large):
        raise ValueError(
            f"{name} is {floats[large[0]]} in row {large[0]}, a float too large "
            "to hold each whole number: other ids may have become the same. Read them "
            "as text, such as by dtype=str."
        )


def _refuse_other_identities(values: pd.Series, text: pd.Series, name: str) -> None:
    """Refuse values that are equal and other texts, or the other way round."""
    try:
        values_seen, texts_seen = pd.factorize(values)[0], pd.factorize(text)[0]
    except TypeError:
        row = int(np.argmax([not isinstance(value, Hashable) for value in values]))
        raise TypeError(
            f"{name} is {values.iloc[row]!r} in row {row}; give text or a number."
        ) from None
    differ = np.flatnonzero(values_seen != texts_seen)
    if len(differ):
        row = differ[0]
        other = min(np.argmax(seen == seen[row]) for seen in (values_seen, texts_seen))
        raise ValueError(
            f"{name} is {values.iloc[row]!r} in row {row} and {values.iloc[other]!r} "
            f"in row {other}: the same as values or as text, but not as both. Write "
            "all of them as text."
        )


def _half_character(values: Any, name: str) -> ValueError:
    """Make the error for text that no encoding can hold."""
    texts = enumerate(map(str, values))
    row, text = next((at, t) for at, t in texts if not is_whole(t))
    return ValueError(
        f"{name} is {text!r} in row {row}, which holds half a character (a surrogate); "
        "read it again with its right encoding."
    )


def _refuse_two_forms(text: pd.Series, found: pd.Index, name: str) -> None:
    """Refuse 7 beside 7.0, as programs write a whole number that was made a float."""
    floats = found[found.str.fullmatch(r"-?\d+\.0")]
    both = floats[floats.str[:-2].isin(found)]
    if len(both):
        whole = both[0][:-2]
        rows = [int(np.argmax(text == form)) for form in (whole, both[0])]
        raise ValueError(
            f"{name} is {whole!r} in row {rows[0]} and {both[0]!r} in row {rows[1]}, "
            "which are the same number, and would be two as text. Write all of them "
            "in one way."
        )


def _refuse_shortened(text: pd.Series, found: pd.Index, name: str) -> None:
    """Refuse what a spreadsheet has made of whole numbers that were too long for it."""
    found = found[found.str.fullmatch(_SHORTENED)]
    if len(found):
        raise ValueError(
            f"{name} is {found[0]!r} in row {int(np.argmax(text == found[0]))}, a long "
            "number that a spreadsheet has shortened: other ids may have become the "
            "same. Export them again as text, or from where they came."
        )


def refuse_missing(values: pd.Series, name: str) -> None:
    """Refuse values of which some are missing."""
    missing = np.flatnonzero(values.isna())
    if len(missing):
        raise ValueError(
            f"{name} is missing in {len(missing)} rows, first in row {missing[0]}; "
            "every utterance needs one."
        )


def _check_roles(roles: pd.Series) -> None:
    unknown = np.flatnonzero(~roles.isin(ROLES))
    if len(unknown):
        raise ValueError(
            f"Unknown role {roles.iloc[unknown[0]]!r} in row {unknown[0]}; "
            f"a role is one of {', '.join(ROLES)}."
        )


def synthetic_id(source_id: str, number: int) -> str:
    """Name the one-turn dialogue of a synthetic utterance that stands alone."""
    return f"{source_id}{_SYNTHETIC_MARK}{number}"


def source_ids(ids: Any) -> pd.Series:
    """Name the dialogues that synthetic utterances were made from."""
    return pd.Series(ids, dtype=str).str.split(_SYNTHETIC_MARK, n=1).str[0]


def locate_blocks(
    columns: Any, n_features: int, modalities: Mapping | None = None
) -> dict[str, slice | np.ndarray]:
    """Positions of each modality's columns among the features, a slice if possible."""
    if modalities is not None and not modalities:
        raise ValueError(
            "modalities is empty; name at least one modality, or give None."
        )
    if modalities is None:
        positions = _positions_by_prefix(columns, n_features)
    else:
        if not isinstance(modalities, Mapping):
            raise TypeError(
                f"modalities is a {type(modalities).__name__}; give a mapping of names "
                "to columns."
            )
        positions = {
            name: _positions_given(name, given, columns, n_features)
            for name, given in modalities.items()
        }
    return {name: _as_slice(where) for name, where in positions.items()}


def _positions_by_prefix(columns: Any, n_features: int) -> dict[str, list[int]]:
    named = columns is not None and all(isinstance(c, str) for c in columns)
    if not named:
        return {UNNAMED_BLOCK: list(range(n_features))}
    positions: dict[str, list[int]] = {}
    for position, column in enumerate(columns):
        column = column.removeprefix(_REMAINDER)
        prefix, separator, _ = column.partition("__")
        name = prefix if separator else UNNAMED_BLOCK
        positions.setdefault(name, []).append(position)
    return positions


def check_modality(name: Any) -> None:
    """Refuse a name that columns could not carry as their prefix."""
    if not isinstance(name, str) or "__" in name or name in ("", "dialogue"):
        raise ValueError(
            f"A modality cannot be called {name!r}: use non-empty text other than "
            "'dialogue' and without '__', which separates it from its features."
        )


def _positions_given(name: str, given: Any, columns: Any, n_features: int) -> list[int]:
    check_modality(name)
    bounds = (given.start, given.stop, given.step) if isinstance(given, slice) else ()
    if not all(bound is None or _is_position(bound) for bound in bounds):
        raise TypeError(f"Modality {name!r} is given {given}; slices are of positions.")
    if isinstance(given, slice):
        where = list(range(n_features))[given]
    elif is_array_like(given):
        where = [_position(name, column, columns, n_features) for column in given]
    else:
        raise TypeError(
            f"Modality {name!r} is given {reprlib.repr(given)}; give a list of "
            "columns or a slice."
        )
    if not where:
        raise ValueError(f"Modality {name!r} is given no column.")
    return where


def _position(name: str, column: Any, columns: Any, n_features: int) -> int:
    if isinstance(column, str) and columns is not None:
        matches = np.flatnonzero(columns == column)
        if len(matches) == 1:
            return int(matches[0])
    elif _is_position(column) and -n_features <= column < n_features:
        return int(column) % n_features
    raise ValueError(
        f"Modality {name!r} names the column {column!r}, which X does not have "
        f"among its {n_features} feature columns."
    )


def _is_position(column: Any) -> bool:
    return isinstance(column, Integral) and not isinstance(column, bool)


def _as_slice(positions: list[int]) -> slice | np.ndarray:
    first, last = positions[0], positions[-1]
    if positions == list(range(first, last + 1)):
        return slice(first, last + 1)
    return np.asarray(positions)
