"""What a classifier must learn, and cannot, where the answer is known beforehand."""

import numpy as np
import pytest
from sklearn.base import clone
from systems import FURTHER, make_model, mostly_slow

from skmerc import CBERLClassifier, JoyfulClassifier, JoyfulRegressor
from skmerc.frame import make_frame

SETTINGS = {
    "hidden_size": 16,
    "lr": 1e-2,
    "batch_size": 8,
    "max_epochs": 20,
    "patience": None,
    "device": "cpu",
    "random_state": 0,
}
JOYFUL = SETTINGS | {"heads": 2, "fusion_size": 16, "n_bases": 4, "context_layers": 1}
CLASSIFIERS = [
    CBERLClassifier(**SETTINGS, heads=2, lstm_layers=1),
    JoyfulClassifier(**JOYFUL),
    *(make_model(name, **SETTINGS) for name in FURTHER),
]
N_DIALOGUES, N_TURNS = 60, 6
MOOD = np.arange(N_DIALOGUES) % 2
LEARNED = np.arange(N_DIALOGUES * N_TURNS) < N_DIALOGUES * N_TURNS // 2


def table_of(shown):
    return make_frame(
        {"text": shown.reshape(-1, 1)},
        dialogue=np.repeat(np.arange(N_DIALOGUES), N_TURNS).astype(str),
    )


@pytest.mark.parametrize(
    "model",
    mostly_slow([*CLASSIFIERS, JoyfulRegressor(**JOYFUL)]),
    ids=lambda m: type(m).__name__,
)
def test_what_another_turn_shows_is_learned(model):
    """Of the other turns, who reads them alone is right in half."""
    who = np.random.default_rng(0).integers(0, N_TURNS, (N_DIALOGUES, 1))
    shown, shows = np.zeros((N_DIALOGUES, N_TURNS)), np.arange(N_TURNS) == who
    shown[shows] = 2.0 * MOOD - 1
    X, y = table_of(shown), np.repeat(MOOD, N_TURNS)
    answers = model.fit(X[LEARNED], y[LEARNED]).predict(X[~LEARNED]) > 0.5
    assert (answers == y[~LEARNED])[~shows.ravel()[~LEARNED]].mean() > 0.9


@pytest.mark.parametrize(
    "model", mostly_slow(CLASSIFIERS), ids=lambda m: type(m).__name__
)
def test_what_nothing_shows_is_not_learned(model):
    """More than two thirds of 180 fair coins would be one case in a million."""
    rng = np.random.default_rng(0)
    X, y = table_of(rng.normal(size=LEARNED.size)), rng.integers(0, 2, LEARNED.size)
    model = clone(model).set_params(max_epochs=10).fit(X[LEARNED], y[LEARNED])
    assert model.score(X[~LEARNED], y[~LEARNED]) < 2 / 3
