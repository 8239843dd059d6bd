"""Who decides when training stops: the user, enough validation utterances, nobody."""

import numpy as np
import pytest
from systems import make_model, mostly_slow

from skmerc import CBERLClassifier
from skmerc.datasets import make_conversations
from skmerc.frame import mark_validation
from skmerc.recognition import _base

NAMES = ["cberl", "dialoguegcn", "joyful"]


@pytest.fixture(scope="module")
def table():
    X, y = make_conversations(24, n_turns=(6, 9), random_state=0)
    return X, mark_validation(X, fraction=0.3, random_state=0), y


def fit(name, X, y, **settings):
    return make_model(name, **({"max_epochs": 3} | settings)).fit(X, y)


def n_validation(X):
    return (X["dialogue__role"] == "validation").sum()


@pytest.mark.slow
@pytest.mark.parametrize("name", mostly_slow(NAMES))
def test_without_validation_all_is_learned_to_the_end(name, table):
    X, _, y = table
    model, other = fit(name, X, y), fit(name, X, y, patience=None)
    assert model.n_iter_ == 3
    assert not any(term.startswith("valid") for term in model.history_[0])
    np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize("name", mostly_slow(NAMES))
def test_too_few_validation_utterances_are_scored_and_stop_nothing(
    name, table, monkeypatch
):
    _, X, y = table
    monkeypatch.setattr(_base, "_PATIENCE", 1)
    monkeypatch.setattr(_base, "_ENOUGH_TO_STOP", n_validation(X) + 1)
    settings = {"max_epochs": 12, "lr": 1e-9}  # no score changes
    model = fit(name, X, y, **settings)
    assert model.n_iter_ == 12
    assert "valid_weighted_f1" in model.history_[0]
    monkeypatch.setattr(_base, "_ENOUGH_TO_STOP", n_validation(X))
    assert fit(name, X, y, **settings).n_iter_ < 12


@pytest.mark.parametrize(
    "asked", mostly_slow([{"patience": 1}, {"validation_fraction": 0.4}])
)
@pytest.mark.parametrize("name", mostly_slow(NAMES))
def test_who_asks_for_it_stops_early(name, asked, table, monkeypatch):
    X, _, y = table
    monkeypatch.setattr(_base, "_PATIENCE", 1)
    monkeypatch.setattr(_base, "FRACTION", 0.4)
    model = fit(name, X, y, max_epochs=12, lr=1e-9, **asked)
    assert "valid_weighted_f1" in model.history_[0]
    assert model.n_iter_ < 12


@pytest.mark.slow
def test_the_boosting_head_keeps_dialogues_for_its_penalty(table, monkeypatch):
    X, _, y = table
    monkeypatch.setattr(_base, "FRACTION", 0.4)
    settings = {"hidden_size": 8, "max_epochs": 2, "random_state": 0, "head": "boost"}
    model = CBERLClassifier(**settings).fit(X, y)
    assert "valid_weighted_f1" in model.history_[0]
    assert model.n_iter_ == 2
    model = CBERLClassifier(**settings, patience=None).fit(X, y)
    assert "valid_weighted_f1" not in model.history_[0]
