"""What further calls of partial_fit add to, beside the weights."""

import pickle

import numpy as np
import pandas as pd
import pytest
from systems import FURTHER, make_model, mostly_slow

from skmerc import CBERLClassifier, JoyfulClassifier, JoyfulRegressor
from skmerc.datasets import make_conversations
from skmerc.persistence import load_model, save_model

TRAINING = {"max_epochs": 1, "patience": None, "random_state": 0}
CBERL = {"hidden_size": 4, "heads": 1, "lstm_layers": 0} | TRAINING
JOYFUL = {"fusion_size": 4, "hidden_size": 4, "heads": 1, "n_bases": 2} | TRAINING
MODELS = [
    CBERLClassifier(**CBERL),
    JoyfulClassifier(**JOYFUL),
    JoyfulRegressor(**JOYFUL),
    *(make_model(name, hidden_size=4, **TRAINING) for name in FURTHER),
]
every_model = pytest.mark.parametrize(
    "model", mostly_slow(MODELS), ids=lambda m: type(m).__name__
)
pytestmark = [
    pytest.mark.filterwarnings("ignore::skmerc.exceptions.PartialMissingWarning"),
    pytest.mark.filterwarnings("ignore::skmerc.exceptions.SplitDialogueWarning"),
]


@pytest.fixture(scope="module")
def data():
    """Dialogues with missing cells, weights, and synthetic and context rows."""
    rng = np.random.default_rng(0)
    X, y = make_conversations(12, missing=0.2, n_classes=3, random_state=0)
    features = X.columns[4:]
    X[features] = X[features] * rng.lognormal(0, 3, len(features)) + 5
    X.iloc[3::7, 4] = np.nan
    X["dialogue__role"] = rng.choice(
        ["utterance", "synthetic", "context"], len(X), p=[0.7, 0.2, 0.1]
    )
    # The last dialogue is synthetic throughout, and far away.
    alone = (X["dialogue__id"] == "dia11").to_numpy()
    X.loc[alone, "dialogue__role"] = "synthetic"
    X.loc[alone, features] += 100
    weight = rng.integers(0, 3, len(X)).astype(float)
    return X.astype(dict.fromkeys(features, np.float32)), y, weight


def parts_of(data, sizes=(4, 7, 1)):
    """The table in parts of so many dialogues, the last one all synthetic."""
    ids = data[0]["dialogue__id"].to_numpy()
    for some in np.split(pd.unique(ids), np.cumsum(sizes)[:-1]):
        yield tuple(part[np.isin(ids, some)] for part in data)


def answers_for(model, y):
    return y if hasattr(model, "predict_proba") else (y == "joy") * 2.0 + 1


def begin(model):
    again = type(model)(**model.get_params())
    if hasattr(model, "predict_proba"):
        return again, {"classes": ["joy", "neutral", "sadness"]}
    return again, {}


def teach(model, parts, classes):
    for X, y, weight in parts:
        y = answers_for(model, y)
        model.partial_fit(X, y, sample_weight=weight, **classes)
    return model


def scales_of(model):
    reader = model.net_.module_.state_dict()
    return [value for name, value in reader.items() if ".standardize." in name]


def assert_same_scales(found, expected):
    assert len(scales_of(found)) == 2
    for one, other in zip(scales_of(found), scales_of(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.slow
@every_model
def test_scales_of_parts_are_those_of_the_whole_table(model, data):
    X, y, weight = data
    whole = begin(model)[0].fit(X, answers_for(model, y), weight)
    parts = list(parts_of(data))
    for passes in (1, 2):
        growing = teach(begin(model)[0], passes * parts, begin(model)[1])
        assert_same_scales(growing, whole)
    first = teach(begin(model)[0], parts[:1], begin(model)[1])
    with pytest.raises(AssertionError):
        assert_same_scales(first, whole)


def test_a_first_part_that_is_synthetic_leaves_no_trace(data):
    model, classes = begin(MODELS[0])
    whole = begin(model)[0].fit(*data)
    parts = list(parts_of(data))[::-1]
    teach(model, parts[:1], classes)
    assert scales_of(model)[0].nan_to_num().abs().max() > 50
    assert_same_scales(teach(model, parts[1:], classes), whole)


@pytest.mark.slow
def test_units_of_scores_are_those_of_the_whole_table(data):
    model, (X, y, weight) = MODELS[2], data
    whole = begin(model)[0].fit(X, answers_for(model, y), weight)
    growing = teach(begin(model)[0], parts_of(data), {})
    assert growing._task.mean == pytest.approx(whole._task.mean)
    assert growing._task.unit == pytest.approx(whole._task.unit)


@pytest.mark.parametrize(
    "model", mostly_slow(MODELS[:2]), ids=lambda m: type(m).__name__
)
def test_shares_of_classes_are_those_of_all_parts(model, data):
    X, y, weight = data
    whole = begin(model)[0].fit(X, y, weight)
    growing = teach(begin(model)[0], parts_of(data), begin(model)[1])
    np.testing.assert_allclose(growing.class_prior_, whole.class_prior_)
    np.testing.assert_allclose(growing._task.trained_prior, whole._task.trained_prior)


def test_balanced_weights_follow_the_counts_of_all_parts(data):
    X, y, _ = data
    X = X.assign(dialogue__role="utterance")
    model = CBERLClassifier(**CBERL, class_weight="balanced")
    sad = y == "sadness"
    model.partial_fit(X, y, classes=np.unique(y))
    model.partial_fit(X[sad], y[sad])
    counts = np.unique(y, return_counts=True)[1] + np.array([0, 0, sad.sum()])
    # Of the second call, only the sad: at the weight that they have among all.
    first = np.full(3, len(y) / 3)
    second = np.array([0, 0, sad.sum() * counts.sum() / 3 / counts[2]])
    expected = (first + second) / (first + second).sum()
    np.testing.assert_allclose(model._task.trained_prior, expected)


@every_model
@pytest.mark.parametrize("way", mostly_slow(["pickle", "save_model"]))
def test_it_goes_on_after_loading(model, data, way, tmp_path):
    parts = list(parts_of(data))
    model, classes = begin(model)
    teach(model, parts[:1], classes)
    if way == "pickle":
        loaded = pickle.loads(pickle.dumps(model))
    else:
        save_model(model, tmp_path / "model.skmerc")
        loaded = load_model(tmp_path / "model.skmerc")
    teach(model, parts[1:], classes)
    teach(loaded, parts[1:], classes)
    answers = [m.predict(data[0]) for m in (model, loaded)]
    np.testing.assert_array_equal(*answers)
    assert_same_scales(loaded, model)


@pytest.mark.slow
@every_model
def test_a_call_that_fails_changes_nothing(model, data):
    first, second, _ = parts_of(data)
    model, classes = begin(model)
    undisturbed = teach(begin(model)[0], [first, second], classes)
    teach(model, [first], classes)
    model.set_params(hidden_size=8)
    with pytest.raises(ValueError, match="shape the network"):
        teach(model, [second], classes)
    teach(model.set_params(hidden_size=4), [second], classes)
    answers = [m.predict(data[0]) for m in (model, undisturbed)]
    np.testing.assert_array_equal(*answers)


def test_a_first_call_that_fails_leaves_nothing_fitted(data):
    X, y, _ = data
    model = CBERLClassifier(**CBERL, prior={"joy": -1.0})
    with pytest.raises(ValueError, match="gives -1.0 to"):
        model.partial_fit(X, y, classes=np.unique(y))
    assert not hasattr(model, "net_")
    with pytest.raises(ValueError, match="classes must be passed"):
        model.partial_fit(X, y)


@pytest.mark.slow
@every_model
def test_a_warm_start_keeps_its_scales_and_further_parts_add_to_them(model, data):
    first, second, _ = parts_of(data)
    model, classes = begin(model)
    expected = teach(begin(model)[0], [first], classes)
    y = answers_for(model, first[1])
    model.set_params(warm_start=True).fit(first[0], y, first[2])
    assert_same_scales(model, expected)
    model.fit(second[0], answers_for(model, second[1]), second[2])
    assert_same_scales(model, expected)
    teach(model, [second], classes)
    assert_same_scales(model, teach(expected, [second], classes))
