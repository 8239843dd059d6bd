"""Explanations of answers whose cause is known by construction."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from systems import mostly_slow

from skmerc import (
    CBERLClassifier,
    DialogueGCNClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    JoyfulRegressor,
)
from skmerc.datasets import make_conversations
from skmerc.frame import drop_keys, make_frame, read_keys
from skmerc.inspection import explain
from skmerc.nn.base import DialogueNetwork

SHORT = {"max_epochs": 1, "random_state": 0, "device": "cpu"}
JOYFUL = {"fusion_size": 16, "hidden_size": 8, "n_bases": 4, "heads": 2, **SHORT}
GRADIENTS = {"method": "integrated_gradients"}
CAUSE, ANSWER = 3, 8


class Echo(ClassifierMixin, BaseEstimator):
    """Takes its answer for each turn from what was said five turns before."""

    classes_ = np.array(["calm", "glad"])

    def __init__(self):
        self.n_calls, self.n_rows = 0, 0

    def fit(self, X, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, X):
        self.n_calls, self.n_rows = self.n_calls + 1, self.n_rows + len(X)
        keys = read_keys(X)
        said = drop_keys(X).astype(float).fillna(0.0).reset_index(drop=True)
        heard = 3 * said["text__0"] + said["audio__0"]
        order = keys["dialogue__turn"].sort_values(kind="stable").index
        dialogues = keys["dialogue__id"].loc[order]
        echo = heard.loc[order].groupby(dialogues, sort=False).shift(5, fill_value=0)
        p = expit(echo.sort_index().to_numpy())
        return np.stack([1 - p, p], axis=1)


def dialogue(n_turns=12, **keys):
    """Two dialogues in one table; noise is of no use to anybody."""
    ones = np.ones((n_turns, 1))
    rng = np.random.default_rng(0)
    part = {"text": ones, "audio": ones, "noise": 100 * rng.normal(size=(n_turns, 3))}
    blocks = {name: np.tile(block, (2, 1)) for name, block in part.items()}
    return make_frame(
        blocks,
        dialogue=np.repeat(["a", "b"], n_turns),
        turn=np.tile(np.arange(n_turns), 2),
        speaker=np.tile(["Ann", "Ben", "Cem"], 2 * n_turns)[: 2 * n_turns],
        **keys,
    )


def test_the_turn_that_is_the_cause_comes_first():
    explanation = explain(Echo(), dialogue(), ANSWER)
    effects = explanation.turns["effect"]
    assert_allclose(effects[CAUSE], expit(4) - 0.5)
    assert_allclose(effects.drop(CAUSE), 0, atol=1e-12)
    assert explanation.turns.loc[CAUSE, ["turn", "speaker", "role"]].tolist() == [
        CAUSE, "Ann", "utterance",
    ]  # fmt: skip
    assert (explanation.target, explanation.baseline) == ("glad", None)
    assert_allclose(explanation.outcome, expit(4))
    assert explanation.words is None


def test_the_speaker_and_the_modalities_that_are_the_cause_come_first():
    explanation = explain(Echo(), dialogue(), ANSWER)
    speakers, modalities = explanation.speakers, explanation.modalities
    assert speakers["turns"].tolist() == [4, 4, 4]
    assert_allclose(speakers["effect"], [expit(4) - 0.5, 0, 0])
    whole = [expit(4) - expit(1), expit(4) - expit(3), 0]
    assert modalities.index.tolist() == ["text", "audio", "noise"]
    assert_allclose(modalities["effect"], whole)
    assert (modalities["own"] == 0).all()


def test_another_class_loses_what_this_one_gains():
    glad = explain(Echo(), dialogue(), ANSWER)
    calm = explain(Echo(), dialogue(), ANSWER, target="calm")
    assert_allclose(calm.turns["effect"], -glad.turns["effect"])
    assert calm.target == "calm"


def test_rows_are_named_by_labels_and_ordered_by_turn():
    X = dialogue().set_axis([f"r{at}" for at in range(24)])
    shuffled = X.iloc[np.random.default_rng(1).permutation(24)]
    first = explain(Echo(), X, "r20")
    second = explain(Echo(), shuffled, "r20")
    assert first.turns.index.tolist() == [f"r{at}" for at in range(12, 24)]
    pd.testing.assert_frame_equal(first.turns, second.turns)
    assert first.turns["effect"].idxmax() == "r15"


def test_synthetic_rows_take_no_part():
    X = dialogue()
    X.loc[12:, "dialogue__id"] = "a"
    X.loc[12:, "dialogue__role"] = "synthetic"
    explanation = explain(Echo(), X, ANSWER)
    assert len(explanation.turns) == 12
    with pytest.raises(ValueError, match="synthetic"):
        explain(Echo(), X, 14)


def test_a_long_dialogue_takes_few_calls():
    model = Echo()
    explain(model, dialogue(200), 150)
    # The dialogue as it is, and without 200 turns, 3 speakers and 3 modalities.
    assert model.n_rows == 200 + (200 + 3 + 2 * 3) * 200
    assert model.n_calls == 6


def test_words_that_are_the_cause_come_first(monkeypatch):
    from sklearn.compose import ColumnTransformer

    import skmerc.recognition._parts as parts

    class Counts(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            self.fitted_ = True
            return self

        def transform(self, X):
            words = [t.split() if isinstance(t, str) else [] for t in X]
            return np.array([[w.count("sad"), w.count("not")] for w in words], float)

        def get_feature_names_out(self, names=None):
            return np.array(["sad", "not"], dtype=object)

    monkeypatch.setattr(parts, "is_embedder", lambda step: isinstance(step, Counts))
    X = pd.DataFrame({"utterance": ["i am not sad", "so sad", None], "audio__0": 1.0})
    X["dialogue__id"] = "a"
    features = ColumnTransformer(
        [("text", Counts(), "utterance"), ("audio", "passthrough", ["audio__0"])]
    )

    class Sum(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.array([0, 1])
            return self

        def predict_proba(self, X):
            p = expit(np.nan_to_num(np.asarray(X)) @ [2.0, -1.0, 0.0])
            return np.stack([1 - p, p], axis=1)

    model = make_pipeline(features, Sum()).fit(X, [0, 1, 0])
    explanation = explain(model, X, 0, target=1)
    assert explanation.words["word"].tolist() == ["i", "am", "not", "sad"]
    assert (explanation.words["column"] == "utterance").all()
    gains = [0, 0, expit(1) - expit(2), expit(1) - expit(-1)]
    assert_allclose(explanation.words["effect"], gains)
    assert explanation.modalities.index.tolist() == ["utterance", "audio"]
    assert_allclose(explanation.modalities["own"], [expit(1) - 0.5, 0])
    assert "sad" in str(explanation)
    assert explain(model, X, 2).words.empty


class Told(NamedTuple):
    logits: torch.Tensor
    embedding: torch.Tensor


class Lag(DialogueNetwork):
    """A weighted sum of the first two features, as they were five turns before."""

    embedding_size = 1

    def forward(self, features, sequence, speaker):
        values = self.reader.standardize(features)
        heard = 3 * values[:, 0] + values[:, 1]
        same = sequence[5:] == sequence[:-5]
        echo = torch.zeros_like(heard)
        echo[5:] = heard[:-5] * same
        return Told(echo[:, None], echo[:, None])


@pytest.fixture(scope="module")
def lag():
    """A regressor with a network whose gradients are known, and a table."""
    rng = np.random.default_rng(0)
    X = dialogue()
    X[X.columns[4:]] = rng.normal(size=(24, 5))
    X.loc[4, "noise__0":"noise__2"] = np.nan
    model = JoyfulRegressor(**JOYFUL, patience=None).fit(X, rng.normal(size=24))
    module = model.net_.module_
    reader = module.reader.standardize.settings | {
        "blocks": [slice(0, 1), slice(1, 2), slice(2, 5)]
    }
    model.net_.module_ = Lag(reader)
    return model, X


def test_gradients_of_a_linear_path_are_known(lag):
    model, X = lag
    explanation = explain(model, X, ANSWER, n_steps=1, **GRADIENTS)
    unit, layer = model._task.unit, model.net_.module_.reader.standardize
    said = X.iloc[CAUSE, 4:6].to_numpy(float)
    apart = (said - layer.mean[:2].numpy()) / layer.scale[:2].numpy()
    shares = unit * apart * [3, 1]
    effects = explanation.turns["effect"]
    assert_allclose(effects[CAUSE], shares.sum(), rtol=1e-5)
    assert (effects.drop(CAUSE) == 0).all()
    assert_allclose(explanation.modalities["effect"], [*shares, 0], rtol=1e-5)
    assert_allclose(explanation.speakers["effect"], [shares.sum(), 0, 0], rtol=1e-5)
    assert_allclose(explanation.baseline, model._task.mean)
    assert_allclose(explanation.outcome, model.predict(X)[ANSWER], rtol=1e-6)
    assert explanation.target is None
    assert "score" in str(explanation)


@pytest.fixture(scope="module")
def table():
    X, y = make_conversations(8, n_turns=(4, 7), random_state=0)
    X.loc[1, X.columns.str.startswith("audio")] = np.nan
    return X, y


SYSTEMS = {
    "joyful": JoyfulClassifier(**JOYFUL),
    "regressor": JoyfulRegressor(**JOYFUL, window_future=0),
    "cberl": CBERLClassifier(hidden_size=4, heads=2, prior="uniform", **SHORT),
    "dialoguegcn": DialogueGCNClassifier(hidden_size=4, n_bases=2, **SHORT),
    "fuser": make_pipeline(
        DJVAEFuser(latent_size=4, hidden_size=8, **SHORT),
        CBERLClassifier(hidden_size=4, heads=2, **SHORT),
    ),
}


@pytest.mark.parametrize("name", mostly_slow(SYSTEMS))
def test_shares_add_up_to_what_they_share_out(table, name):
    X, y = table
    model = SYSTEMS[name].fit(X, X["text__0"] if name == "regressor" else y)
    found = explain(model, X, 2, n_steps=400, **GRADIENTS)
    answer = model.predict(X) if name == "regressor" else model.predict_proba(X).max(1)
    assert_allclose(found.outcome, answer[2], atol=1e-6)
    gap = found.outcome - found.baseline
    for part in (found.turns, found.speakers, found.modalities):
        assert_allclose(part["effect"].sum(), gap, atol=0.01)
    assert found.words is None


def test_what_the_network_does_not_read_has_no_share(table):
    """Where no turn hears another, and weights of a modality are 0."""
    X, y = table
    model = CBERLClassifier(
        hidden_size=4, heads=2, lstm_layers=0, graph_layers=0, **SHORT
    ).fit(X, y)
    width = X.columns.str.startswith("text__").sum()
    with torch.no_grad():
        model.net_.module_.enter[1].weight[:, :width] = 0
        n_features = model.n_features_in_
        model.net_.module_.enter[1].weight[:, n_features] = 0  # that the text is there
    for method in ("occlusion", "integrated_gradients"):
        found = explain(model, X, 2, method=method)
        assert_allclose(found.turns["effect"].drop(2), 0, atol=1e-9)
        assert abs(found.turns.loc[2, "effect"]) > 1e-9
        assert_allclose(found.modalities.loc["text"], 0, atol=1e-9)
        gap = found.modalities["effect"] - found.modalities["own"]
        assert_allclose(gap, 0, atol=1e-9)


def test_several_emotions_at_once(table):
    X, y = table
    Y = np.stack([y == "joy", y != "neutral"], axis=1).astype(int)
    model = JoyfulClassifier(**JOYFUL).fit(X, Y)
    for method in ("occlusion", "integrated_gradients"):
        found = explain(model, X, 2, target=1, method=method)
        assert_allclose(found.outcome, model.predict_proba(X)[2, 1], atol=1e-6)


@pytest.mark.parametrize(
    "dtype", ["Int64", "boolean", "bool", "object", "Sparse[float64, nan]", "Arrow"]
)
def test_numbers_of_any_type_are_of_their_modality(table, dtype):
    if dtype == "Arrow":
        pytest.importorskip("pyarrow")
        dtype = "double[pyarrow]"
    X, y = table
    numbers = {name: X[name].fillna(0.5) for name in drop_keys(X)}
    X = X.assign(**numbers, audio__odd=np.arange(len(X)) % 2 * 1.0)
    model = CBERLClassifier(hidden_size=8, max_epochs=1, random_state=0).fit(X, y)
    other = X.assign(audio__odd=X["audio__odd"].astype(dtype))
    for method in ("occlusion", "integrated_gradients"):
        found, expected = (explain(model, t, 2, method=method) for t in (other, X))
        pd.testing.assert_frame_equal(found.modalities, expected.modalities)


def test_an_explanation_changes_neither_model_nor_table(table):
    X, y = table
    model, before = SYSTEMS["dialoguegcn"].fit(X, y), X.copy()
    answers = model.predict_proba(X)
    for method in ("occlusion", "integrated_gradients"):
        explain(model, X, 0, method=method)
    assert_array_equal(model.predict_proba(X), answers)
    pd.testing.assert_frame_equal(X, before)


def test_it_is_printed_with_the_strongest_first():
    lines = str(explain(Echo(), dialogue(), ANSWER)).splitlines()
    assert lines[0] == "Turn 8 (Cem): probability of glad 0.982, by occlusion"
    assert lines[1:3] == ["  turns", "    3 Ann  +0.482"]
    assert "    and 7 more" in lines


@pytest.mark.parametrize(
    ("row", "given", "words"),
    [
        (99, {}, "0 rows of X have the index label 99"),
        (0, {"target": "bored"}, "'bored' is none of the classes"),
        (0, GRADIENTS, "Echo has no gradients"),
        (0, {"method": "magic"}, "method"),
    ],
)
def test_what_cannot_be_explained_is_told(row, given, words):
    with pytest.raises(ValueError, match=words):
        explain(Echo(), dialogue(), row, **given)


def test_labels_must_tell_rows_apart():
    X = dialogue()
    with pytest.raises(ValueError, match="2 rows of X have the index label 0"):
        explain(Echo(), X.set_axis([0, 0, *range(1, 23)]), 0)
    with pytest.raises(TypeError, match="ndarray"):
        explain(Echo(), drop_keys(X).to_numpy(), 0)


def test_heads_and_classes_alone_have_no_gradients_or_numbers(table):
    X, y = table
    boosted = CBERLClassifier(
        hidden_size=4, heads=2, head=LogisticRegression(), **SHORT
    ).fit(X, y)
    with pytest.raises(ValueError, match="head LogisticRegression"):
        explain(boosted, X, 0, **GRADIENTS)
    assert explain(boosted, X, 0).turns["effect"].notna().all()
    with pytest.raises(ValueError, match="without probabilities"):
        explain(RidgeClassifier().fit(drop_keys(X).fillna(0), y), X, 0)
    with pytest.raises(ValueError, match="the model gives scores"):
        explain(SYSTEMS["regressor"].fit(X, X["text__0"]), X, 0, target="joy")
