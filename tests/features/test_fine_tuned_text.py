"""A sentence model that learns emotions, as its users see it."""

import json
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from systems import mostly_slow

from skmerc import CBERLClassifier, FineTunedTextEmbedder, TextEmbedder
from skmerc.exceptions import (
    DivergenceError,
    MissingModalityWarning,
    TextEncodingWarning,
)
from skmerc.features import _fine_tuning, _sentence_model
from skmerc.features._fine_tuning import (
    batches_of_like_length,
    deal_dialogues,
    rate_for,
)
from skmerc.features._reading import embed
from skmerc.frame import KEYS, drop_keys, make_frame
from skmerc.frame._columns import synthetic_id
from skmerc.model_selection import DialogueKFold
from skmerc.persistence import load_model, save_model

WORDS = ["i", "am", "are", "you", "so", "why", "this", "a", "day", "today", "what"]
EMOTIONS = ["happy", "sad", "angry", "afraid"]
FAST = {
    "lr": 1e-2,
    "max_epochs": 1,
    "batch_size": 8,
    "precision": "float32",  # on every processor
    "cache": None,
    "random_state": 0,
}
ONE = FAST | {"cv": None}
LONGER = {"max_epochs": 4}


def say(n, seed=0):
    """Texts, each with an emotion among other words, and the emotions."""
    rng = np.random.default_rng(seed)
    label = rng.choice(EMOTIONS, n)
    texts = []
    for emotion in label:
        words = list(rng.choice(WORDS, rng.integers(2, 7)))
        words.insert(rng.integers(len(words)), emotion)
        texts.append(" ".join(words))
    return texts, label


def make_table(n_dialogues=10, n_turns=4):
    """The same in dialogues, with keys."""
    texts, label = say(n_dialogues * n_turns)
    X = make_frame(
        {"audio": np.zeros((len(texts), 1))},
        dialogue=np.repeat(np.arange(n_dialogues), n_turns),
        turn=np.tile(np.arange(n_turns), n_dialogues),
        speaker=np.tile(["a", "b"], len(texts) // 2),
    ).drop(columns="audio__0")
    return X.assign(utterance=texts), label


def say_alone(n):
    """Texts as they are said, each in a dialogue of its own with keys."""
    texts, label = say(n)
    return make_frame({"x": np.zeros((n, 1))}, dialogue=range(n)).drop(
        columns="x__0"
    ).assign(utterance=texts), label


def columns(embedder):
    return ColumnTransformer(
        [
            ("keys", "passthrough", list(KEYS)),
            ("text", embedder, ["utterance", *KEYS]),
        ]
    ).set_output(transform="pandas")


@pytest.fixture(scope="module")
def fitted(model):
    return FineTunedTextEmbedder(model, **ONE | LONGER).fit(*say(120))


@pytest.fixture(scope="module")
def fitted_in_folds(model):
    settings = FAST | LONGER | {"cv": 2}
    return FineTunedTextEmbedder(model, **settings).fit(*say_alone(40))


# What it learns


@pytest.mark.slow
def test_new_texts_are_told_apart_better_than_before(model, fitted):
    texts, label = say(120)
    new, expected = say(200, seed=1)

    def score(embedder):
        reader = NearestCentroid().fit(embedder.transform(texts), label)
        return reader.score(embedder.transform(new), expected)

    before = score(TextEmbedder(model, normalize=False).fit(texts))
    assert score(fitted) > max(0.9, before)


def test_the_loss_of_each_epoch_is_told_and_falls(fitted, fitted_in_folds):
    losses = [epoch["train_loss"] for epoch in fitted.history_]
    assert [epoch["epoch"] for epoch in fitted.history_] == [1, 2, 3, 4]
    assert not any("fold" in epoch for epoch in fitted.history_)
    folds = [epoch["fold"] for epoch in fitted_in_folds.history_]
    assert folds == [0] * 4 + [1] * 4
    assert losses[-1] < 0.7 * losses[0]
    assert fitted.classes_.tolist() == sorted(EMOTIONS)


def test_a_seed_repeats_and_another_differs(model, global_state_untouched):
    new, _ = say(5, seed=1)
    tuned = FineTunedTextEmbedder(model, **ONE).fit(*say(40))
    with global_state_untouched():
        again = clone(tuned).fit(*say(40))
    np.testing.assert_array_equal(again.transform(new), tuned.transform(new))
    other = clone(tuned).set_params(random_state=1).fit(*say(40))
    assert np.abs(other.transform(new) - tuned.transform(new)).max() > 1e-3


def test_the_model_that_others_use_stays_as_it_was(model):
    new, _ = say(5, seed=1)
    plain = TextEmbedder(model, cache=None).fit(new)
    before = plain.transform(new)
    tuned = FineTunedTextEmbedder(model, **ONE | LONGER).fit(*say(40))
    np.testing.assert_array_equal(plain.transform(new), before)
    assert np.abs(tuned.transform(new) - before).max() > 0.1
    assert tuned.model_digest_ != plain.model_digest_


@pytest.mark.slow
def test_each_parameter_of_training_matters(model, fitted):
    new, _ = say(5, seed=1)
    base = clone(fitted).set_params(max_epochs=1).fit(*say(40))
    for change in (
        {"max_epochs": 2},
        {"lr": 1e-3},
        {"weight_decay": 10.0},
        {"dropout": 0.9},
        {"batch_size": 4},
        {"pooling": "cls"},
        {"normalize": True},
    ):
        other = clone(base).set_params(**change).fit(*say(40))
        difference = np.abs(other.transform(new) - base.transform(new)).max()
        assert difference > 1e-5, change
        pairs = zip(other.weights_.values(), base.weights_.values(), strict=True)
        assert any((one != two).any() for one, two in pairs), change


@pytest.mark.slow
def test_wide_models_learn_slowly_by_default(model):
    assert [rate_for(width) for width in (8, 384, 768)] == [1e-4, 1e-4, 5e-5]
    X, y = say(16)
    by_default = FineTunedTextEmbedder(model, **(ONE | {"lr": "auto"})).fit(X, y)
    given = FineTunedTextEmbedder(model, **(ONE | {"lr": 1e-4})).fit(X, y)
    assert by_default.lr_ == given.lr_ == 1e-4
    np.testing.assert_array_equal(by_default.transform(X), given.transform(X))


def test_embeddings_are_of_unit_length_where_asked(model):
    tuned = FineTunedTextEmbedder(model, **FAST, normalize=True)
    texts, label = say_alone(40)
    for features in (tuned.fit_transform(texts, label), tuned.transform(texts)):
        np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)


def test_batches_hold_each_text_once_and_need_little_padding():
    rng = np.random.default_rng(0)
    texts = ["x" * n for n in rng.integers(1, 100, 500)]
    first = batches_of_like_length(texts, 8, rng)
    assert sorted(np.concatenate(first)) == list(range(500))
    spread = [np.ptp([len(texts[i]) for i in batch]) for batch in first]
    assert np.mean(spread) < 10
    second = batches_of_like_length(texts, 8, rng)
    assert [list(b) for b in first] != [list(b) for b in second]


# Dialogues that a model has not seen


def embed_in_folds(model, X, y, **changes):
    """Fit in folds of dialogues: the embedder, and what `fit_transform` returned."""
    embedder = FineTunedTextEmbedder(model, **(FAST | changes))
    return embedder, embedder.fit_transform(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("cache", mostly_slow([None, "process", "folder"]))
def test_a_dialogue_is_embedded_by_a_model_that_learned_from_all_others(
    model, cache, tmp_path
):
    X, y = make_table(5)
    X.loc[2, "dialogue__role"] = "context"
    cache = tmp_path if cache == "folder" else cache
    embedder, features = embed_in_folds(model, X, y, cv=5, cache=cache)
    embedder.transform(X)  # what is kept of it must not come back
    for first in range(0, len(X), 4):
        own = X.index[first : first + 4]
        others = X.index.difference([*own, 2])
        alone = FineTunedTextEmbedder(model, **ONE)
        alone.fit(X["utterance"][others], y[others])
        expected = alone.transform(X["utterance"][own])
        np.testing.assert_allclose(features[own], expected, atol=1e-5)


@pytest.mark.slow
def test_the_order_of_rows_is_no_matter(model):
    X, y = make_table(4)
    expected = embed_in_folds(model, X, y, cv=2)[1]
    order = np.random.default_rng(0).permutation(len(X))
    found = embed_in_folds(model, X.iloc[order], y[order], cv=2)[1]
    np.testing.assert_allclose(found, expected[order], atol=1e-5)


def test_new_texts_are_embedded_by_the_mean_of_all_weights(model):
    X, y = make_table(2)[0], np.tile(EMOTIONS, 2)
    embedder, features = embed_in_folds(model, X, y, cv=2)
    each = [
        FineTunedTextEmbedder(model, **ONE).fit(X["utterance"][rows], y[rows]).weights_
        for rows in (slice(0, 4), slice(4, 8))
    ]
    for name, weights in embedder.weights_.items():
        expected = (each[0][name] + each[1][name]) / 2
        np.testing.assert_allclose(weights, expected, atol=1e-6)
    assert np.abs(embedder.transform(X) - features).max() > 1e-3


def test_validation_dialogues_are_embedded_as_new_ones(model):
    X, y = make_table()
    X.loc[36:, "dialogue__role"] = "validation"
    embedder, features = embed_in_folds(model, X, y)
    new = embedder.transform(X)
    # Rounded as their neighbours in a batch have it.
    np.testing.assert_allclose(features[36:], new[36:], atol=1e-5)
    assert (np.abs(features[:36] - new[:36]).max(axis=1) > 1e-4).all()


@pytest.mark.slow
def test_the_labels_of_a_dialogue_reach_none_of_its_own_rows(model):
    X, y = make_table(8)
    made = synthetic_id("0", 0)
    X.loc[3, "dialogue__role"] = "context"
    X.loc[28:, ["dialogue__id", "dialogue__role"]] = [made, "synthetic"]
    _, before = embed_in_folds(model, X, y, cv=7)
    y = y.copy()
    y[:4] = np.where(y[:4] == "sad", "happy", "sad")
    _, after = embed_in_folds(model, X, y, cv=7)
    own = X["dialogue__id"].isin(["0", made])
    np.testing.assert_array_equal(after[own], before[own])
    assert (np.abs(after[~own] - before[~own]).max(axis=1) > 1e-5).all()


def test_folds_are_drawn_by_the_seed_and_equal_in_size():
    dialogue, label = pd.Series(np.repeat(np.arange(20), 3).astype(str)), np.arange(60)
    one, same, other = (deal_dialogues(dialogue, label, 4, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert np.bincount(one).tolist() == np.bincount(other).tolist() == [15] * 4


@pytest.mark.slow
def test_dialogues_of_one_turn_are_left_out_one_by_one(model):
    X, label = say_alone(12)
    _, features = embed_in_folds(model, X, label, cv=12)
    alone = FineTunedTextEmbedder(model, **ONE).fit(X[1:], label[1:])
    np.testing.assert_allclose(features[:1], alone.transform(X[:1]), atol=1e-5)


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ([], "no dialogue__id and no dialogue__role"),
        (["dialogue__role"], "no dialogue__id beside"),
        (["dialogue__id"], "no dialogue__role beside"),
    ],
)
def test_without_keys_nothing_is_left_out_in_silence(model, kept, told):
    X, y = make_table()
    X = X[["utterance", *kept]]
    tuned = FineTunedTextEmbedder(model, **FAST)
    for call in (tuned.fit, tuned.fit_transform):
        with pytest.raises(ValueError, match=f"{told}.*cv=None"):
            call(X, y)
    if not kept:
        for texts in (X["utterance"], X["utterance"].to_numpy(), list(X["utterance"])):
            with pytest.raises(ValueError, match=told):
                tuned.fit(texts, y)


def test_a_class_may_be_absent_where_its_only_dialogue_is_left_out(model):
    X, _ = make_table(4)
    y = np.array(["happy", "angry"] * 8)
    y[0] = "sad"
    embedder, features = embed_in_folds(model, X, y)
    assert embedder.classes_.tolist() == ["angry", "happy", "sad"]
    X["dialogue__role"] = ["validation"] * 4 + ["utterance"] * 12
    alone = FineTunedTextEmbedder(model, **ONE)
    two_classes = alone.fit(X, y).transform(X)
    # A layer of three classes is drawn otherwise than one of two.
    assert np.abs(features[:4] - two_classes[:4]).max() > 1e-4


def test_a_model_that_is_left_with_one_class_is_refused(model):
    X, _ = make_table(4)
    y = np.repeat(["happy", "happy", "happy", "sad"], 4)
    told = "Without 2 of 4 dialogues one class is left to learn"
    with pytest.raises(ValueError, match=told):
        FineTunedTextEmbedder(model, **(FAST | {"cv": 2})).fit(X, y)


def test_fewer_dialogues_than_folds_are_refused(model):
    X, y = make_table(3)
    with pytest.raises(ValueError, match="3 dialogues .* cv=4.*cv=None"):
        FineTunedTextEmbedder(model, **FAST).fit(X, y)


@pytest.mark.slow
def test_a_pipeline_learns_from_dialogues_that_a_model_has_not_seen(model):
    X, y = make_table()
    _, expected = embed_in_folds(model, X, y)
    table = columns(FineTunedTextEmbedder(model, **FAST)).fit_transform(X, y)
    np.testing.assert_array_equal(table.filter(like="text__"), expected)
    embedder = FineTunedTextEmbedder(model, **FAST).set_output(transform="pandas")
    np.testing.assert_array_equal(embedder.fit_transform(X, y), expected)


# Rows that it learns from


@pytest.mark.parametrize("role", mostly_slow(["validation", "context", "synthetic"]))
def test_rows_of_other_roles_teach_nothing(model, role):
    X, y = make_table()
    kept = np.arange(len(X)) < 28
    X["dialogue__role"] = np.where(kept, "utterance", role)
    wrong = np.where(kept, y, "afraid")
    tuned = FineTunedTextEmbedder(model, **ONE)
    part = clone(tuned).fit(X.loc[kept, ["utterance"]], y[kept])
    whole = clone(tuned).fit(X[["dialogue__role", "utterance"]], wrong)
    np.testing.assert_array_equal(
        whole.transform(X[["utterance"]]), part.transform(X["utterance"])
    )


def test_missing_texts_and_labels_of_context_are_left_out(model):
    X, y = make_table()
    y = y.astype(object)
    X.loc[[0, 5], "utterance"] = [None, " "]
    X.loc[7, "dialogue__role"], y[7] = "context", None
    kept = X.index.difference([0, 5, 7])
    tuned = FineTunedTextEmbedder(model, **ONE)
    whole = clone(tuned).fit(X[["utterance", "dialogue__role"]], y)
    part = clone(tuned).fit(X.loc[kept, "utterance"], y[kept])
    with pytest.warns(MissingModalityWarning, match="2 of 40"):
        features = whole.transform(X[["utterance", "dialogue__role"]])
    assert np.isnan(features[[0, 5]]).all()
    expected = part.transform(X.loc[kept, "utterance"])
    np.testing.assert_allclose(features[kept], expected, atol=1e-5)


@pytest.mark.parametrize(
    "form",
    mostly_slow(
        [list, np.array, pd.Series, pl.Series, lambda t: pl.DataFrame({"u": t})]
    ),
)
def test_texts_are_read_in_every_form(model, form):
    texts, label = say(24)
    tuned = FineTunedTextEmbedder(model, **ONE)
    expected = clone(tuned).fit(texts, label).transform(texts)
    np.testing.assert_array_equal(tuned.fit_transform(form(texts), label), expected)


def test_bytes_are_texts(model):
    texts, label = say(24)
    tuned = FineTunedTextEmbedder(model, **ONE)
    expected = clone(tuned).fit(texts, label).transform(texts)
    told = "of 24 texts 24 were bytes"
    with pytest.warns(TextEncodingWarning, match=told) as warned:
        features = tuned.fit_transform([text.encode() for text in texts], label)
    assert len(warned) == 1
    np.testing.assert_array_equal(features, expected)


def test_labels_may_be_one_column_or_numbers(model):
    texts, label = say(24)
    tuned = FineTunedTextEmbedder(model, **ONE)
    expected = clone(tuned).fit(texts, label).transform(texts)
    number = np.unique(label, return_inverse=True)[1]
    for y in (label[:, None], pd.DataFrame({"emotion": label}), number, list(label)):
        np.testing.assert_array_equal(tuned.fit(texts, y).transform(texts), expected)


@pytest.mark.slow
def test_the_models_own_prompt_is_read_in_training_too(make_model, tmp_path):
    texts, label = say(24)
    weights = []
    for prompt in ("", "why why why "):
        folder = shutil.copytree(make_model(), tmp_path / f"model{len(weights)}")
        path = folder / "config_sentence_transformers.json"
        settings = json.loads(path.read_text())
        settings |= {"prompts": {"own": prompt}, "default_prompt_name": "own"}
        path.write_text(json.dumps(settings))
        tuned = FineTunedTextEmbedder(folder, **ONE).fit(texts, label)
        weights.append(tuned.weights_)
    pairs = zip(*(part.values() for part in weights), strict=True)
    assert any((one != two).any() for one, two in pairs)


# What it refuses


def test_without_labels_there_is_nothing_to_learn(model):
    embedder = FineTunedTextEmbedder(model)
    for call in (embedder.fit, embedder.fit_transform):
        with pytest.raises(ValueError, match="requires y to be passed.*TextEmbedder"):
            call(say(9)[0])


def test_training_that_diverges_is_told_and_leaves_nothing_behind(model):
    embedder = FineTunedTextEmbedder(model, **(ONE | {"lr": 1e30}))
    with pytest.raises(DivergenceError, match="pass 1: .*which is lr=1e"):
        embedder.fit(*say(24))
    with pytest.raises(NotFittedError):
        embedder.transform(["i am so happy"])


def test_finite_weights_that_give_no_numbers_are_those_of_a_training(model):
    embedder = FineTunedTextEmbedder(model, **ONE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fine_tuning, "embed", _overflowing)
        with pytest.raises(DivergenceError, match="network gives.*which is lr="):
            embedder.fit(*say(24))


def _overflowing(network, inputs, normalize):
    vectors = embed(network, inputs, normalize)
    return vectors if network.training else vectors * np.inf


def test_a_missing_text_is_an_error_where_that_is_wanted(model):
    with pytest.raises(ValueError, match="1 of 2 .* first in row 1; leave"):
        FineTunedTextEmbedder(model, errors="raise").fit(["i am", " "], ["a", "b"])


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (["sad"] * 8, "8 rows can be learned from.*1 classes"),
        (["sad"] * 7, "inconsistent numbers of samples"),
        (["sad", None, *["glad"] * 6], "label is missing in 1 rows, first in row 1"),
        (np.eye(8), "one emotion for each text"),
        (np.linspace(0, 1, 8), "Unknown label type: continuous"),
    ],
)
def test_labels_that_are_no_classes_are_refused(model, y, told):
    with pytest.raises(ValueError, match=told):
        FineTunedTextEmbedder(model).fit(say(8)[0], y)


def test_two_columns_of_texts_are_refused(model):
    X = pd.DataFrame({"a": ["i am"] * 4, "b": ["you are"] * 4})
    told = "FineTunedTextEmbedder reads one column of texts, and X has the shape"
    with pytest.raises(ValueError, match=told):
        FineTunedTextEmbedder(model).fit(X, list("abab"))


def test_parameters_out_of_range_are_refused(model):
    estimator_checks.check_param_validation(
        "FineTunedTextEmbedder", FineTunedTextEmbedder(model)
    )


# Among others


@pytest.mark.slow
def test_it_stands_in_a_pipeline_and_a_search(model):
    X, y = make_table(40)
    reader = make_pipeline(
        columns(FineTunedTextEmbedder(model, **ONE)),
        FunctionTransformer(drop_keys),
        NearestCentroid(),
    )
    name = "columntransformer__text__max_epochs"
    search = GridSearchCV(reader, {name: [1, 8]}, cv=DialogueKFold(2), refit=False)
    search.fit(X, y)
    assert search.best_params_[name] == 8
    assert search.best_score_ > 0.6


@pytest.mark.slow
def test_its_table_keeps_dialogues_for_what_comes_after(model):
    X, y = make_table()
    features = columns(FineTunedTextEmbedder(model, **ONE))
    table = features.fit_transform(X, y)
    assert table.columns[:5].tolist() == [*(f"keys__{key}" for key in KEYS), "text__0"]
    recogniser = CBERLClassifier(hidden_size=8, max_epochs=2, random_state=0)
    model = make_pipeline(features, recogniser).fit(X, y)
    assert model.predict(X).shape == (40,)


def test_a_pickle_embeds_alike_where_the_process_knows_nothing(
    fitted_in_folds, monkeypatch
):
    new, _ = say(9, seed=1)
    expected = fitted_in_folds.transform(new)
    again = pickle.loads(pickle.dumps(fitted_in_folds))
    monkeypatch.setattr("skmerc.features._fine_tuned_text._TUNED", {})
    before = vars(again).copy()
    np.testing.assert_allclose(again.transform(new), expected, atol=1e-6)
    assert vars(again).keys() == before.keys()
    assert all(vars(again)[name] is value for name, value in before.items())


def test_a_saved_one_embeds_alike(fitted_in_folds, tmp_path):
    pytest.importorskip("skops", reason="needs skops: skmerc[persistence]")
    new, _ = say(9, seed=1)
    save_model(fitted_in_folds, tmp_path / "text.skmerc")
    again = load_model(tmp_path / "text.skmerc")
    expected = fitted_in_folds.transform(new)
    np.testing.assert_allclose(again.transform(new), expected, atol=1e-6)


@pytest.mark.slow
def test_another_model_of_that_name_is_refused(make_model, fitted, tmp_path):
    folder = shutil.copytree(fitted.model, tmp_path / "own")
    tuned = clone(fitted).set_params(model=folder).fit(*say(24))
    again = pickle.loads(pickle.dumps(tuned)).set_params(pooling="max")
    with pytest.raises(ValueError, match="not what fit saw"):
        again.transform(["i am so happy"])


def test_parameters_that_change_after_the_fit_are_not_overlooked(model):
    tuned = FineTunedTextEmbedder(model, **ONE).fit(*say(24))
    with pytest.raises(ValueError, match="not what fit saw"):
        tuned.set_params(normalize=True).transform(["i am so happy"])
    tuned.set_params(normalize=False).transform(["i am so happy"])
    with pytest.raises(ValueError, match="use 'auto', 'cpu' or 'cuda'"):
        tuned.set_params(device="gpu").transform(["you are so happy"])


@pytest.mark.slow
def test_models_that_load_meanwhile_change_no_fit(model):
    alone = FineTunedTextEmbedder(model, **ONE).fit(*say(24)).weights_

    def load():
        for _ in range(10):
            _sentence_model._load.cache_clear()
            TextEmbedder(model, cache=None).fit(["i am"])

    with ThreadPoolExecutor(1) as threads:
        loading = threads.submit(load)
        fits = [FineTunedTextEmbedder(model, **ONE).fit(*say(24)) for _ in range(3)]
        loading.result()
    for fit in fits:
        pairs = zip(fit.weights_.values(), alone.values(), strict=True)
        assert all(np.array_equal(one, two) for one, two in pairs)


def test_embeddings_of_two_fits_are_not_mistaken_for_each_other(model, tmp_path):
    new, _ = say(5, seed=1)
    settings = ONE | {"cache": tmp_path}
    first = FineTunedTextEmbedder(model, **settings).fit(*say(40))
    expected = first.transform(new)
    second = FineTunedTextEmbedder(model, **settings).fit(*say(40, seed=3))
    assert np.abs(second.transform(new) - expected).max() > 0.01
    np.testing.assert_array_equal(first.transform(new), expected)


@pytest.mark.slow
def test_minilm_learns_emotions_of_meld(minilm, real_data):
    table = pd.read_csv(real_data / "meld_text_sentences.csv.gz", keep_default_na=False)
    with np.load(real_data / "meld_text.npz") as known:
        y = known["label_names"][known["label"]]
    train = np.flatnonzero(table["split"] == "train")[:3000]
    dev = np.flatnonzero(table["split"] == "dev")

    def score(embedder):
        reader = LogisticRegression(C=0.01, max_iter=2000)
        names = {"dialogue": "dialogue__id", "turn": "dialogue__turn"}
        X = table[["sentence", *names]].rename(columns=names)
        reader.fit(embedder.fit_transform(X.loc[train], y[train]), y[train])
        return reader.score(embedder.transform(X.loc[dev]), y[dev])

    tuned = FineTunedTextEmbedder(minilm, cv=2, random_state=0)
    assert score(tuned) > score(TextEmbedder(minilm)) + 0.02


@pytest.mark.gpu
def test_a_gpu_learns_as_well(model):
    new, expected = say(200, seed=1)
    texts, label = say(120)
    tuned = FineTunedTextEmbedder(model, **ONE, device="cuda").fit(texts, label)
    reader = LogisticRegression(C=100.0, max_iter=1000)
    reader.fit(tuned.transform(texts), label)
    assert reader.score(tuned.transform(new), expected) > 0.9
    again = pickle.loads(pickle.dumps(tuned)).set_params(device="cpu")
    np.testing.assert_allclose(again.transform(new), tuned.transform(new), atol=1e-4)
