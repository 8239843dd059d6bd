"""Tables that nobody can learn from: one error that tells where, before training."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import NETWORKS, REGRESSOR, fitted, judge, many
from systems import mostly_slow
from user_tables import FAULTS, FEATURES, WRONG_TABLES, tables, with_cell

from skmerc.datasets import make_conversations
from skmerc.frame import KEYS

NAMES = st.sampled_from(sorted(NETWORKS))


def targets(name, y):
    return np.arange(len(y)) * 0.5 if NETWORKS[name] is REGRESSOR else y


def assert_refused(outcome, message):
    result, error = outcome
    assert error is not None, result
    assert re.search(message, str(error)), error


@many
@given(tables(), NAMES, st.sampled_from(FAULTS), st.data())
def test_a_wrong_cell_is_told_by_its_row(table, name, fault, data):
    X, y = table
    column, value, message = fault
    row = data.draw(st.integers(0, len(X) - 1))
    wrong = with_cell(X, column, row, value)
    fit = lambda X, y: fitted(NETWORKS[name], X, y)  # noqa: E731
    outcome = judge(fit, wrong, targets(name, y))
    assert_refused(outcome, message)
    assert_refused(outcome, rf"row {row}\b")
    if not column.startswith("dialogue"):
        assert_refused(outcome, column)


@many
@given(tables(), NAMES, st.sampled_from(sorted(WRONG_TABLES)))
def test_a_wrong_table_is_refused(table, name, kind):
    X, y = table
    spoil, message = WRONG_TABLES[kind]
    wrong = spoil(X)
    y = targets(name, y)[: len(wrong)] if kind == "no rows" else targets(name, y)
    assert_refused(judge(lambda X, y: fitted(NETWORKS[name], X, y), wrong, y), message)


@pytest.mark.parametrize("kind", sorted(WRONG_TABLES))
def test_each_kind_of_wrong_table_is_refused(kind):
    X, y = make_conversations(3, modalities={"text": 2, "audio": 3}, random_state=0)
    spoil, message = WRONG_TABLES[kind]
    y = y[:0] if kind == "no rows" else y
    outcome = judge(lambda X, y: fitted(NETWORKS["cberl"], X, y), spoil(X), y)
    assert_refused(outcome, message)


@pytest.fixture(scope="module")
def models():
    X, y = make_conversations(4, modalities={"text": 2, "audio": 3}, random_state=0)
    X = X[[*KEYS, *FEATURES]]
    names = ("cberl", "joyful", "djvae", "regressor")
    return {name: fitted(NETWORKS[name], X, targets(name, y))[0] for name in names}


def answer(model):
    return model.predict if hasattr(model, "predict") else model.transform


@many
@given(tables(min_rows=1), st.sampled_from(FAULTS), st.data())
def test_a_wrong_cell_is_told_at_predict_too(models, table, fault, data):
    X, _ = table
    column, value, message = fault
    row = data.draw(st.integers(0, len(X) - 1))
    model = models[data.draw(st.sampled_from(sorted(models)))]
    outcome = judge(answer(model), with_cell(X, column, row, value))
    assert_refused(outcome, message)
    assert_refused(outcome, rf"row {row}\b")


OTHER_FEATURES = {
    "another name": lambda X: X.rename(columns={"text__0": "text__9"}),
    "one more": lambda X: X.assign(text__2=1.0),
    "a block less": lambda X: X.drop(columns=["text__0", "text__1"]),
    "another order": lambda X: X[X.columns[::-1]],
    "an array of other width": lambda X: np.zeros((len(X), 4)),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@many
@given(tables(), st.sampled_from(sorted(OTHER_FEATURES)), st.data())
def test_other_features_than_those_of_fit_are_refused(models, table, kind, data):
    model = models[data.draw(st.sampled_from(sorted(models)))]
    outcome = judge(answer(model), OTHER_FEATURES[kind](table[0]))
    assert_refused(outcome, "feature")


@pytest.mark.parametrize("name", mostly_slow(["cberl", "djvae", "repeat"]))
def test_a_name_of_a_million_characters_is_a_name(name):
    X, y = make_conversations(3, modalities={"text": 2}, random_state=0)
    X = X.rename(columns={"text__0": "text__" + "x" * 1_000_000})
    assert fitted(NETWORKS[name], X, y)[1] is not None
    with pytest.raises(ValueError, match="dialogue__xxx"):
        fitted(NETWORKS[name], X.assign(**{"dialogue__" + "x" * 1_000_000: 1}), y)


def test_a_table_of_ten_thousand_columns_is_read():
    X, y = make_conversations(2, modalities={"text": 2}, random_state=0)
    names = [f"wide__{i}" for i in range(10_000)]
    wide = pd.DataFrame(np.ones((len(X), len(names)), np.float32), X.index, names)
    assert len(fitted(NETWORKS["cberl"], pd.concat([X, wide], axis=1), y)[1]) == len(X)
