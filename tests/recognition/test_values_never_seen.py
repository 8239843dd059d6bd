"""Weights that no value has trained read none: the others decide alone."""

import numpy as np
import pandas as pd
import pytest
from systems import answer_of, fit_model, make_model, mostly_slow

from skmerc.datasets import make_conversations
from skmerc.exceptions import (
    ConstantFeatureWarning,
    PartialMissingWarning,
    UnseenModalityWarning,
)
from skmerc.persistence import load_model, save_model

NETWORKS = ["cberl", "djvae", "boost", "joyful", "regressor", "fuser"]


@pytest.fixture(scope="module")
def table():
    return make_conversations(12, n_turns=(3, 6), random_state=0)


def columns_of(X, modality):
    return [column for column in X if column.startswith(f"{modality}__")]


def with_values(X, columns, value):
    return X.assign(**dict.fromkeys(columns, value))


def scaled(X, columns, factor):
    return pd.concat([X.drop(columns=columns), X[columns] * factor], axis=1)[X.columns]


@pytest.mark.parametrize("standardize", mostly_slow([True, False]))
@pytest.mark.parametrize("name", mostly_slow(NETWORKS))
def test_a_modality_that_no_training_row_had_is_missing_in_answers(
    table, tmp_path, name, standardize
):
    X, y = table
    audio = columns_of(X, "audio")
    without = with_values(X, audio, np.nan)
    model = fit_model(make_model(name, standardize=standardize), name, without, y)
    expected = answer_of(model, name, without)
    save_model(model, tmp_path / "model")
    for each in (model, load_model(tmp_path / "model")):
        for factor in (1, 1000):
            with pytest.warns(UnseenModalityWarning, match="row 0, column 'audio__0'"):
                found = answer_of(each, name, scaled(X, audio, factor))
            np.testing.assert_array_equal(found, expected)


@pytest.mark.filterwarnings("ignore", category=PartialMissingWarning)
@pytest.mark.parametrize("name", mostly_slow(NETWORKS))
def test_so_is_a_single_column(table, name):
    X, y = table
    without = with_values(X, ["audio__1"], np.nan)
    model = fit_model(make_model(name), name, without, y)
    with pytest.warns(
        UnseenModalityWarning, match="column 'audio__1' of block 'audio'"
    ):
        found = answer_of(model, name, X)
    np.testing.assert_array_equal(found, answer_of(model, name, without))


@pytest.mark.parametrize("standardize", mostly_slow([True, False]))
@pytest.mark.parametrize("name", mostly_slow(NETWORKS))
def test_a_column_that_never_varied_is_read_as_it_was(table, name, standardize):
    X, y = table
    constant = with_values(X, ["audio__1"], 0.25)
    model = fit_model(make_model(name, standardize=standardize), name, constant, y)
    np.testing.assert_array_equal(
        answer_of(model, name, X), answer_of(model, name, constant)
    )


def test_rows_that_only_help_to_stop_are_no_training_rows(table):
    X, y = table
    audio = columns_of(X, "audio")
    held_out = X["dialogue__id"].isin(X["dialogue__id"].unique()[:4])
    role = np.where(held_out, "validation", "utterance")
    without = X.assign(dialogue__role=role)
    without.loc[~held_out, audio] = np.nan
    model = make_model("cberl").fit(without, y)
    with pytest.warns(UnseenModalityWarning):
        found = model.predict_proba(X)
    np.testing.assert_array_equal(
        found, model.predict_proba(with_values(X, audio, np.nan))
    )


def test_what_comes_in_a_later_part_is_read_from_then_on(table):
    X, y = table
    without = with_values(X, columns_of(X, "audio"), np.nan)
    model = make_model("cberl").partial_fit(without, y, classes=np.unique(y))
    model.partial_fit(X, y)
    assert abs(model.predict_proba(X) - model.predict_proba(without)).max() > 0


@pytest.mark.parametrize("name", mostly_slow(NETWORKS))
@pytest.mark.parametrize("sign", [1, -1])
def test_a_column_that_varies_by_too_little_is_told(table, name, sign):
    X, y = table
    varied = sign * (X["text__0"].astype(float) * 30 + 1.7e9)
    with pytest.warns(ConstantFeatureWarning, match="'text__0' of block 'text'"):
        fit_model(make_model(name), name, X.assign(text__0=varied), y)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6 / 3, 1.7e9])
def test_a_column_of_one_value_is_not(table, value):
    X, y = table
    fit_model(make_model("cberl"), "cberl", X.assign(text__0=value), y)


def test_nor_is_one_that_is_nearly_0_as_sentence_models_have_some(table):
    X, y = table
    nearly = X["text__0"].astype(float) * 3e-33 - 4.5e-33
    fit_model(make_model("cberl"), "cberl", X.assign(text__0=nearly), y)


@pytest.mark.parametrize("name", mostly_slow(NETWORKS))
def test_features_in_small_units_are_read_as_others(table, name):
    X, y = table
    expected = answer_of(fit_model(make_model(name), name, X, y), name, X)
    audio = columns_of(X, "audio")
    small = scaled(X.astype(dict.fromkeys(audio, np.float64)), audio, 2.0**-60)
    found = answer_of(fit_model(make_model(name), name, small, y), name, small)
    np.testing.assert_allclose(found, expected, atol=1e-6)
