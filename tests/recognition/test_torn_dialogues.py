"""Answers for rows that were torn out of their dialogues."""

import warnings

import numpy as np
import pytest
from systems import make_model, mostly_slow

from skmerc.datasets import make_conversations
from skmerc.exceptions import SplitDialogueWarning
from skmerc.frame import drop_keys
from skmerc.persistence import load_model, save_model

X, Y = make_conversations(30, n_turns=(8, 20), random_state=0)
TURN = X["dialogue__turn"]
ONE = X[X["dialogue__id"] == X["dialogue__id"].iloc[0]]


def some(share, seed=0):
    return X[np.random.RandomState(seed).rand(len(X)) < share]


@pytest.fixture(scope="module")
def model():
    return make_model("cberl", max_epochs=1).fit(X, Y)


@pytest.fixture(scope="module")
def fitted_to_gaps():
    """A model of a corpus that lacks a turn here and there."""
    gappy = some(0.93)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SplitDialogueWarning)
        return make_model("cberl", max_epochs=1).fit(gappy, Y[gappy.index])


TORN = {
    "two thirds": some(2 / 3),
    "a third": some(1 / 3),
    "one in twenty": some(0.05),
    "one in twenty, in disorder": some(0.05).sample(frac=1, random_state=0),
    "every other turn": X[TURN % 2 == 0],
    "one call, a third": ONE[ONE["dialogue__turn"] % 3 == 0],
}
WHOLE = {
    "all": X,
    "in disorder": X.sample(frac=1, random_state=0),
    "one dialogue": ONE,
    "one turn is absent": ONE.drop(ONE.index[3]),
    "a few are absent": some(0.97),
    "beginnings": X[TURN < 3],
    "first turns": X[TURN == 0],
    "counted from one": X.assign(dialogue__turn=TURN + 1),
    "what was said last": X[TURN >= 5],
    "one turn alone": X.iloc[[7]],
    "equal turns": X.assign(dialogue__turn=TURN // 5 * 5),
    "by times": X.assign(dialogue__turn=TURN * 1.5),
}


def told(model, method, X, *arguments):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        getattr(model, method)(X, *arguments)
    return [warning for warning in found if warning.category is SplitDialogueWarning]


@pytest.mark.parametrize("name", mostly_slow(TORN))
def test_rows_without_their_dialogues_are_told_once(model, name):
    for method in ("predict", "predict_proba", "transform"):
        (warning,) = told(model, method, TORN[name])
        assert warning.filename == __file__
    (warning,) = told(model, "score", TORN[name], Y[TORN[name].index])
    assert "take the answers that you need" in str(warning.message)


@pytest.mark.parametrize("name", mostly_slow(WHOLE))
def test_whole_dialogues_and_what_is_natural_are_not_told(model, name):
    assert not told(model, "predict", WHOLE[name])


def test_gaps_that_the_fit_has_seen_are_natural(fitted_to_gaps):
    for table in (X, some(0.93, seed=1), ONE.drop(ONE.index[[3, 5]])):
        assert not told(fitted_to_gaps, "predict", table)
    assert told(fitted_to_gaps, "predict", some(1 / 3))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skmerc.exceptions.NoDialogueWarning")
def test_without_keys_or_conversations_nothing_is_torn(model):
    alone = make_model("cberl", max_epochs=1).fit(drop_keys(X).to_numpy(), Y)
    assert not told(alone, "predict", drop_keys(X).iloc[[3]].to_numpy())
    assert not told(alone, "predict", some(1 / 3).pipe(drop_keys).to_numpy())
    single = X.assign(dialogue__id=np.arange(len(X)).astype(str))
    alone = make_model("cberl", max_epochs=1).fit(single, Y)
    assert not told(alone, "predict", some(1 / 3))


def test_speakers_of_half_the_turns_are_natural_where_the_fit_had_no_others():
    half = X[TURN % 2 == 0]
    own = make_model("cberl", max_epochs=1).fit(half, Y[half.index])
    assert not told(own, "predict", half)


def test_a_saved_model_tells_it_too(model, tmp_path):
    pytest.importorskip("skops")
    pytest.importorskip("safetensors")
    save_model(model, tmp_path / "emotions.skmerc")
    assert told(load_model(tmp_path / "emotions.skmerc"), "predict", TORN["a third"])
