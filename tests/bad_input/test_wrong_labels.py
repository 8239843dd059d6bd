"""Labels and weights: missing, mixed, of other shapes and types."""

import enum
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import (
    BOOSTING,
    CLASSIFIERS,
    LABELLED,
    NETWORKS,
    REGRESSOR,
    SAMPLERS,
    few,
    fitted,
    judge,
    many,
)
from scipy.sparse import csr_matrix
from systems import mostly_slow
from user_tables import tables

from skmerc.frame import drop_keys

WEIGHTED = {name: NETWORKS[name] for name in NETWORKS.keys() - SAMPLERS.keys()}
Mood = enum.Enum("Mood", "happy sad")


def kinds(table):
    return st.sampled_from(sorted(table))


def with_label(y, row, label):
    labels = list(y)
    labels[row] = label
    return labels


WRONG_LABEL = {
    **dict.fromkeys([None, pd.NA, pd.NaT], "label is missing"),
    np.nan: "label is missing",
    3: "labels are all text|scores are numbers",
    True: "labels are all text|scores are numbers",
    Mood.sad: "labels are all text|scores are numbers",
}


@many
@given(
    tables(min_rows=3),
    st.sampled_from(sorted(LABELLED)),
    st.sampled_from(list(WRONG_LABEL)),
    st.data(),
)
def test_a_wrong_label_is_told_by_its_row(table, name, label, data):
    X, y = table
    X = drop_keys(X) if data.draw(st.booleans()) else X
    row = data.draw(st.integers(1, len(X) - 1))
    y = with_label(y, row, label)
    if data.draw(st.booleans()):
        y = pd.Series(y, dtype=object, index=range(100, 100 + len(y)))
    _, error = judge(lambda X, y: fitted(LABELLED[name], X, y), X, y)
    assert error is not None
    assert re.search(WRONG_LABEL[label], str(error)), error
    assert f"row {row}" in str(error)


WRONG_SCORES = ["high", "1.5", b"1", 1j, [1.0], Mood.sad, 1e300, -1e39, np.inf, None]


@many
@given(tables(), st.sampled_from(range(len(WRONG_SCORES))), st.data())
def test_a_wrong_score_is_told_by_its_row(table, which, data):
    X, y = table
    row = data.draw(st.integers(0, len(X) - 1))
    scores = with_label(np.arange(len(y)) * 0.5, row, WRONG_SCORES[which])
    scores = pd.Series(scores, dtype=object)
    _, error = judge(lambda X, y: fitted(REGRESSOR, X, y), X, scores)
    assert error is not None
    assert f"row {row}" in str(error) or "infinity" in str(error), error


WRONG_TARGETS = {
    "none": lambda y: None,
    "short": lambda y: y[:-1],
    "long": lambda y: [*y, "joy"],
    "empty": lambda y: [],
    "one value": lambda y: "joy",
    "a number": lambda y: 3,
    "text of that length": lambda y: "x" * len(y),
    "a set": lambda y: set(range(len(y))),
    "a dict": lambda y: dict(enumerate(y)),
    "a generator": lambda y: (label for label in y),
    "a row": lambda y: np.asarray(y)[None],
    "two columns": lambda y: np.stack([y, y], axis=1),
    "numbers in two columns": lambda y: np.arange(2 * len(y)).reshape(-1, 2),
    "no columns": lambda y: np.zeros((len(y), 0)),
    "a cube": lambda y: np.zeros((len(y), 2, 2)),
    "lists": lambda y: [["joy"], *[["joy", "anger"]] * (len(y) - 1)],
    "dicts": lambda y: [{"label": label} for label in y],
    "sparse": lambda y: csr_matrix(np.eye(len(y))),
    "measures": lambda y: np.linspace(0.1, 0.9, len(y)),
    "infinity": lambda y: np.full(len(y), np.inf),
    "complex": lambda y: np.full(len(y), 1j),
    "bytes": lambda y: np.array([b"joy"] * len(y)),
    "all missing": lambda y: [None] * len(y),
    "records": lambda y: np.zeros(len(y), dtype=[("a", int), ("b", int)]),
}


@many
@given(
    tables(), st.sampled_from(sorted(LABELLED)), st.sampled_from(sorted(WRONG_TARGETS))
)
def test_what_is_no_list_of_labels_is_refused(table, name, kind):
    X, y = table
    if (name, kind) == ("djvae", "none"):
        return
    wrong = WRONG_TARGETS[kind](y)
    _, error = judge(lambda X, y: fitted(LABELLED[name], X, y), X, wrong)
    assert error is not None


@pytest.mark.parametrize("dtype", [object, float, "Int64", "string", "category"])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_table_without_any_label_is_told(name, dtype):
    X = pd.DataFrame({"text__0": np.arange(4.0), "dialogue__role": "context"})
    y = pd.Series([None] * 4).astype(dtype)
    _, error = judge(lambda X, y: fitted(NETWORKS[name], X, y), X, y)
    assert re.search("none has a label|No row is left|no row to learn", str(error))


SAME_LABELS = {
    "list": list,
    "tuple": tuple,
    "objects": lambda y: np.asarray(y, dtype=object),
    "series": lambda y: pd.Series(y, index=range(len(y))[::-1]),
    "category": lambda y: pd.Categorical(y),
    "category series": lambda y: pd.Series(y, dtype="category"),
    "string": lambda y: pd.array(y, dtype="string"),
    "index": pd.Index,
    "polars": lambda y: pl.Series(np.asarray(y).astype(object)),
    "polars category": lambda y: pl.Series(np.asarray(y), dtype=pl.Categorical),
    "column": lambda y: np.asarray(y)[:, None],
    "frame": lambda y: pd.DataFrame({"emotion": y}),
    "polars frame": lambda y: pl.DataFrame({"emotion": np.asarray(y)}),
    "newest text": lambda y: np.asarray(y, dtype=np.dtypes.StringDType()),
}


@few
@given(
    tables(), st.sampled_from(sorted(LABELLED)), st.sampled_from(sorted(SAME_LABELS))
)
def test_labels_may_come_in_any_container(table, name, kind):
    X, y = table
    expected, error = judge(lambda X, y: fitted(LABELLED[name], X, y)[1], X, y)
    found, same_error = judge(
        lambda X, y: fitted(LABELLED[name], X, y)[1], X, SAME_LABELS[kind](y)
    )
    assert (error is None) == (same_error is None), same_error
    if error is None and name in CLASSIFIERS:
        np.testing.assert_array_equal(found, expected)
    if error is None and name in SAMPLERS:
        labels = np.asarray(found[1]).ravel()
        np.testing.assert_array_equal(labels, expected[1])


@pytest.mark.parametrize("dtype", [object, "Int64", "category", "int8", float, bool])
@pytest.mark.parametrize("name", mostly_slow(["cberl", "repeat", "regressor"]))
def test_numbers_may_be_labels_in_any_type(name, dtype):
    X = pd.DataFrame({"text__0": np.arange(8.0), "dialogue__id": [1] * 4 + [2] * 4})
    y = pd.Series([0, 1, 1, 0, 1, 1, 1, 1]).astype(dtype)
    if (name, dtype) == ("regressor", bool):
        with pytest.raises(ValueError, match="True in row|False in row"):
            fitted(NETWORKS[name], X, y)
        return
    assert fitted(NETWORKS[name], X, y)[1] is not None


WRONG_WEIGHTS = {
    "negative": lambda n: np.r_[np.ones(n - 1), -1],
    "NaN": lambda n: np.r_[np.ones(n - 1), np.nan],
    "infinite": lambda n: np.r_[np.ones(n - 1), np.inf],
    "missing": lambda n: [None] * n,
    "nullable": lambda n: pd.array([None] + [1.0] * (n - 1), dtype="Float64"),
    "too few": lambda n: np.ones(n - 1),
    "too many": lambda n: np.ones(n + 1),
    "all zero": np.zeros,
    "zero": lambda n: 0,
    "a negative number": lambda n: -1.0,
    "NaN alone": lambda n: np.nan,
    "infinity alone": lambda n: np.inf,
    "too large": lambda n: np.r_[np.ones(n - 1), 1e39],
    "too small": lambda n: np.full(n, 1e-50),
    "columns": lambda n: np.ones((n, 2)),
    "text": lambda n: ["heavy"] * n,
    "a name": lambda n: "balanced",
    "complex": lambda n: np.full(n, 1j),
}


@few
@given(
    tables(), st.sampled_from(sorted(WEIGHTED)), st.sampled_from(sorted(WRONG_WEIGHTS))
)
def test_wrong_weights_are_refused(table, name, kind):
    X, y = table
    y = np.arange(len(y)) * 0.5 if name == "regressor" else y
    weight = WRONG_WEIGHTS[kind](len(X))
    fit = lambda X, y, w: fitted(WEIGHTED[name], X, y, sample_weight=w)  # noqa: E731
    _, error = judge(fit, X, y, weight)
    assert error is not None
    if name == "djvae":
        return
    model, _ = fitted(WEIGHTED[name], X, y)
    _, error = judge(lambda X, y, w: model.score(X, y, sample_weight=w), X, y, weight)
    assert error is not None


@few
@given(tables(), st.sampled_from(sorted(CLASSIFIERS)), st.data())
def test_scores_refuse_what_fit_refuses(table, name, data):
    X, y = table
    model, answer = fitted(CLASSIFIERS[name], X, y)
    kinds = sorted(WRONG_TARGETS.keys() - {"dicts", "records"})
    wrong = WRONG_TARGETS[data.draw(st.sampled_from(kinds))](y)
    _, error = judge(model.score, X, wrong)
    assert error is not None
    kind = data.draw(st.sampled_from(sorted(SAME_LABELS.keys() - {"newest text"})))
    assert model.score(X, SAME_LABELS[kind](y)) == pytest.approx(np.mean(answer == y))


@few
@given(tables(), st.sampled_from(sorted(WRONG_TARGETS)), st.booleans())
def test_boosting_refuses_as_scikit_learn_does(table, kind, many):
    X, y = table
    features = drop_keys(X).fillna(0)
    fit = lambda X, y: BOOSTING.fit(X, y)  # noqa: E731
    try:
        fit(features, WRONG_TARGETS[kind](y))
    except (ValueError, TypeError):
        return
    assert kind in ("bytes", "records")
