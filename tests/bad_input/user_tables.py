"""Strategies: tables of utterances, and what may be wrong or odd about them."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import strategies as st

from skmerc.frame import KEYS, make_frame

LABELS = ("anger", "joy", "neutral")
FEATURES = ("text__0", "text__1", "audio__0", "audio__1", "audio__2")


@st.composite
def tables(draw, min_rows=2, max_rows=12, roles=("utterance",)):
    """A sound table, its labels and its scores, drawn from one seed."""
    n_rows = draw(st.integers(min_rows, max_rows))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    role = rng.choice(roles, n_rows)
    role[0] = "utterance"
    ids = np.sort(rng.integers(0, draw(st.integers(1, 4)), n_rows)).astype(str)
    if "validation" in roles:
        ids[0] = "first"
        role[1:] = np.where(ids[1:] == "first", "utterance", role[1:])
    X = make_frame(
        {"text": rng.normal(size=(n_rows, 2)), "audio": rng.normal(size=(n_rows, 3))},
        dialogue=ids,
        turn=np.arange(n_rows),
        speaker=rng.choice(["Ann", "Bob", ""], n_rows),
        role=role,
    )
    y = rng.choice(LABELS, n_rows)
    if min_rows > 1:
        y[:2] = LABELS[:2]
    if draw(st.booleans()):
        X = lose_modalities(X, rng)
    return X, y


def lose_modalities(X, rng):
    X = X.copy()
    X.loc[rng.random(len(X)) < 0.3, ["text__0", "text__1"]] = np.nan
    return X


def with_cell(X, column, row, value):
    """A copy with one cell changed, in a column of objects where it must be."""
    values = X[column].astype(object).tolist()
    values[row] = value
    return X.assign(**{column: pd.Series(values, dtype=object, index=X.index)})


TURNS = [
    ("", "finite numbers or timestamps"),
    ("late", "finite numbers or timestamps"),
    ("0x2", "finite numbers or timestamps"),
    (np.inf, "finite numbers or timestamps"),
    ("-inf", "finite numbers or timestamps"),
    ([1], "finite numbers or timestamps"),
    ({"at": 1}, "finite numbers or timestamps"),
    (datetime.date(2024, 1, 1), "finite numbers or timestamps"),
    (None, "turn is missing"),
    (np.nan, "turn is missing"),
    (pd.NaT, "turn is missing"),
    (pd.NA, "turn is missing"),
]
IDS = [
    (None, "dialogue is missing"),
    (np.nan, "dialogue is missing"),
    (pd.NA, "dialogue is missing"),
    ([1], "dialogue is .1. in row"),
    ({"name": 1}, "dialogue is .*in row"),
]
ROLES = [
    (role, "Unknown role")
    for role in (None, np.nan, pd.NA, "train", "Utterance", "", 1, ["utterance"])
]
SPEAKERS = [(["Ann"], "speaker is"), ({"name": "Ann"}, "speaker is")]
CELLS = [
    *((value, "infinity") for value in (np.inf, -np.inf, 1e39, -1e300, 2**200)),
    (np.longdouble("1e4000"), "infinity"),
    *(
        (value, "features are numbers")
        for value in (
            "hello",
            "1.5",
            b"1",
            1j,
            [1.0],
            {"x": 1},
            np.array([1.0]),
            10**400,
            datetime.datetime(2024, 1, 1),
            datetime.timedelta(1),
            pd.Timestamp(2024, 1, 1),
        )
    ),
]
"""Bad values of a cell, by column, and what the message says beside the row."""

FAULTS = [
    *(("dialogue__turn", *fault) for fault in TURNS),
    *(("dialogue__id", *fault) for fault in IDS),
    *(("dialogue__role", *fault) for fault in ROLES),
    *(("dialogue__speaker", *fault) for fault in SPEAKERS),
    *((column, *fault) for column in FEATURES[1:4:2] for fault in CELLS),
]


def _renamed(**names):
    return lambda X: X.rename(columns=names)


def _nested_columns(X):
    return X.set_axis(pd.MultiIndex.from_product([["a"], X.columns]), axis=1)


WRONG_TABLES = {
    "no rows": (lambda X: X.iloc[:0], "0 sample"),
    "keys alone": (lambda X: X[list(KEYS)], "0 feature"),
    "nested columns": (_nested_columns, "MultiIndex"),
    "two columns of one name": (_renamed(text__1="text__0"), "'text__0' twice"),
    "two keys of one name": (
        lambda X: pd.concat([X, X[["dialogue__id"]]], axis=1),
        "'dialogue__id' twice",
    ),
    "a key twice": (
        lambda X: X.assign(remainder__dialogue__id=1),
        "remainder__dialogue__id",
    ),
    "a key in upper case": (_renamed(dialogue__id="DIALOGUE__ID"), "'DIALOGUE__ID'"),
    "a key that is none": (_renamed(dialogue__turn="dialogue__order"), "order"),
    "a number beside names": (_renamed(text__0=5), "feature name"),
    "a name that is None": (_renamed(text__0=None), "feature name"),
    "a tuple beside names": (_renamed(text__0=("a", "b")), "feature name"),
    "a sentence": (lambda X: X.assign(text__1="hello"), "'text__1'"),
    "a category": (
        lambda X: X.assign(text__1=pd.Categorical([1] * len(X))),
        "'text__1' holds category",
    ),
    "times": (lambda X: X.assign(text__1=pd.Timestamp(2024, 1, 1)), "'text__1'"),
    "durations": (lambda X: X.assign(text__1=pd.Timedelta(1)), "'text__1'"),
    "complex numbers": (lambda X: X.assign(text__1=1j), "'text__1' holds complex"),
    "complex turns": (lambda X: X.assign(dialogue__turn=1j), "dialogue__turn"),
    "ids that merge": (
        lambda X: X.assign(dialogue__id=pd.Series([1, "1"] * len(X))[: len(X)]),
        "dialogue is '1' in row 1 and 1 in row 0",
    ),
    "ids that part": (
        lambda X: X.assign(
            dialogue__id=pd.Series([1, 1.0] * len(X), dtype=object)[: len(X)]
        ),
        "dialogue is 1.0 in row 1 and 1 in row 0",
    ),
    "context alone": (lambda X: X.assign(dialogue__role="context"), "context|row"),
    "validation alone": (
        lambda X: X.assign(dialogue__role="validation"),
        "held out for validation|not held out",
    ),
    "one validation row in each dialogue": (
        lambda X: X.assign(
            dialogue__role=np.where(
                X["dialogue__id"].duplicated(), "utterance", "validation"
            )
        ),
        "held out for validation|not held out",
    ),
    "a lazy frame": (lambda X: pl.from_pandas(X).lazy(), "LazyFrame"),
    "a dict": (lambda X: X.to_dict("list"), "X is a .*dict"),
    "records": (lambda X: X[list(FEATURES)].to_records(), "record|X|2D"),
    "None": (lambda X: None, "X is a .*NoneType"),
    "text": (lambda X: "table", "X is a .*str"),
    "a generator": (lambda X: (row for row in X.to_numpy()), "X is a .*generator"),
    "a column": (lambda X: X["text__0"], "2|Series"),
    "a number": (lambda X: np.float32(1), "dim|2D|scalar"),
    "a cube": (lambda X: np.zeros((len(X), 2, 2)), "dim 3"),
    "an array of keys": (lambda X: X.to_numpy(), "text"),
    "a masked array": (
        lambda X: np.ma.masked_less(X[list(FEATURES)].fillna(-1).to_numpy(), 9),
        "masked cells",
    ),
    "an array of times": (lambda X: np.zeros((len(X), 2), "M8[s]"), "datetime64"),
}
"""What may be wrong with a whole table, and what the message says."""


def _as_nullable(X):
    return X.astype(dict.fromkeys(FEATURES, "Float64"))


def _as_objects(X):
    missing = X[list(FEATURES)].isna()
    return X.assign(**X[list(FEATURES)].astype(object).mask(missing, pd.NA))


def _as_categories(X):
    return X.astype({name: "category" for name in KEYS if name != "dialogue__turn"})


def _as_times(X):
    return X.assign(
        dialogue__turn=pd.Timestamp(2024, 1, 1)
        + pd.to_timedelta(X["dialogue__turn"], unit="s")
    )


def _as_polars(X):
    return pl.from_pandas(X)


ODD_TABLES = {
    "nullable features": _as_nullable,
    "objects": _as_objects,
    "category keys": _as_categories,
    "string keys": lambda X: X.astype({KEYS[0]: "string", KEYS[2]: "string"}),
    "nullable turns": lambda X: X.astype({"dialogue__turn": "Int64"}),
    "category turns": lambda X: X.astype({"dialogue__turn": "category"}),
    "turns as text": lambda X: X.astype({"dialogue__turn": str}),
    "turns as times": _as_times,
    "negative turns": lambda X: X.assign(dialogue__turn=X["dialogue__turn"] - 10**6),
    "turns with fractions": lambda X: X.assign(dialogue__turn=X["dialogue__turn"] / 7),
    "double precision": lambda X: X.astype(dict.fromkeys(FEATURES, float)),
    "long doubles": lambda X: X.astype(dict.fromkeys(FEATURES, np.longdouble)),
    "polars": _as_polars,
    "repeated index": lambda X: X.set_axis([0] * len(X)),
    "text index": lambda X: X.set_axis([f"row {i}" for i in range(len(X))]),
    "nested index": lambda X: X.set_axis(pd.MultiIndex.from_arrays([X.index] * 2)),
    "keys last": lambda X: X[[*FEATURES, *KEYS]],
    "prefixed keys": lambda X: X.rename(columns={k: f"remainder__{k}" for k in KEYS}),
    "long name of an id": lambda X: X.assign(
        dialogue__id="x" * 10_000 + X["dialogue__id"]
    ),
    "empty id": lambda X: X.assign(
        dialogue__id=X["dialogue__id"].where(X["dialogue__id"] != X.iloc[0, 0], "")
    ),
    "sparse features": lambda X: X.astype(
        {name: pd.SparseDtype(np.float32) for name in FEATURES}
    ),
    "name of columns": lambda X: X.rename_axis("columns", axis=1),
    "no duplicate labels": lambda X: X.set_flags(allows_duplicate_labels=False),
    "Fortran order": lambda X: pd.concat([X[[name]] for name in X], axis=1),
}
"""Tables that say the same in another way."""
