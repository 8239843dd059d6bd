import inspect
import json
import logging
import pickle
import shutil
import sys
from enum import Enum
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks, get_tags
from systems import mostly_slow

from skmerc.exceptions import (
    MissingModalityWarning,
    TextEncodingWarning,
    TextTruncationWarning,
)
from skmerc.features import FineTunedTextEmbedder, TextEmbedder, _cache, _sentence_model
from skmerc.features._sentence_model import SentenceModel
from skmerc.frame import KEYS, drop_keys
from skmerc.model_selection import DialogueKFold

TEXTS = ["I am so happy today!", "Why are you angry?", "What a day.", "not this"]
LOG = "embedded.txt"


class CountingEmbedder(TextEmbedder):
    """Logs what the model reads beside the model, from all processes."""

    def _embed(self, texts):
        with (Path(self.model) / LOG).open("a") as log:
            log.write("".join(f"{self.pooling}: {text}\n" for text in texts))
        return super()._embed(texts)


@pytest.fixture(autouse=True)
def empty_process_cache(monkeypatch):
    monkeypatch.setattr(_cache, "PROCESS_CACHE", _cache.MemoryCache())


@pytest.fixture
def own_model(model, tmp_path):
    """A copy of the small model that a test may change."""
    return Path(shutil.copytree(model, tmp_path / "own"))


def reads(folder):
    log = folder / LOG
    return log.read_text().splitlines() if log.exists() else []


def make_table(n_dialogues=8, n_turns=4):
    """Dialogues of short texts, some of them said twice, and what they tell."""
    rng = np.random.default_rng(0)
    n_rows = n_dialogues * n_turns
    label = rng.choice(["happy", "sad", "angry"], n_rows)
    opening = rng.choice(["I am so", "You are", "Why so", "This is not"], n_rows)
    keys = (
        np.repeat([f"d{number}" for number in range(n_dialogues)], n_turns),
        np.tile(np.arange(n_turns), n_dialogues),
        np.tile(["a", "b"], n_rows // 2),
        "utterance",
    )
    X = pd.DataFrame(dict(zip(KEYS, keys, strict=True)))
    X["utterance"] = [f"{a} {b}." for a, b in zip(opening, label, strict=True)]
    return X, label


def make_columns(embedder):
    return ColumnTransformer(
        [("text", embedder, "utterance")], remainder="passthrough"
    ).set_output(transform="pandas")


def make_classifier(embedder):
    return make_pipeline(
        make_columns(embedder),
        FunctionTransformer(drop_keys),
        LogisticRegression(C=100.0),
    )


# Embeddings


def test_known_embeddings_of_minilm_come_out(minilm):
    texts = ["This is an example sentence", "Each sentence is converted"]
    features = TextEmbedder(minilm).fit_transform(texts)
    assert features.shape == (2, 384)
    assert features.dtype == np.float32
    # as the card of the model on the hub has them
    expected = [[0.0676, 0.0635, 0.0487], [0.0864, 0.1028, 0.0053]]
    np.testing.assert_allclose(features[:, :3], expected, atol=2e-4)


@pytest.mark.slow
def test_embeddings_of_meld_are_those_computed_elsewhere(minilm, real_data):
    texts = pd.read_csv(real_data / "meld_text_sentences.csv.gz", nrows=200)["sentence"]
    with np.load(real_data / "meld_text.npz") as table:
        expected = table["text"][:200]
    features = TextEmbedder(minilm).fit_transform(texts)
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_like_meanings_are_near(minilm):
    texts = ["I lost my keys again.", "Where did I put my keys?", "Happy birthday!"]
    a, b, c = TextEmbedder(minilm).fit_transform(texts)
    assert a @ b > 0.5 > 0.2 > a @ c


@pytest.mark.slow
def test_order_is_kept_and_batches_do_not_matter(model):
    rng = np.random.default_rng(0)
    words = ["i", "am", "so", "happy", "angry", "why", "great", "day"]
    texts = [" ".join(rng.choice(words, size)) for size in rng.integers(1, 30, 50)]
    one_by_one = [TextEmbedder(model, cache=None).fit_transform([t])[0] for t in texts]
    for batch_size in (1, 7, 64):
        embedder = TextEmbedder(model, batch_size=batch_size, cache=None)
        features = embedder.fit_transform(texts)
        np.testing.assert_allclose(features, one_by_one, atol=1e-5)
        np.testing.assert_array_equal(features, embedder.transform(texts))


def test_pooling_is_the_models_own_unless_one_is_chosen(model):
    own = TextEmbedder(model).fit(TEXTS)
    features = {
        pooling: TextEmbedder(model, pooling=pooling).fit_transform(TEXTS)
        for pooling in ("mean", "cls", "max")
    }
    np.testing.assert_array_equal(own.transform(TEXTS), features["mean"])
    for pooling in ("cls", "max"):
        assert np.abs(features[pooling] - features["mean"]).max() > 0.01


def test_the_first_token_is_what_cls_takes(model):
    from sentence_transformers import SentenceTransformer

    tokens = SentenceTransformer(str(model), device="cpu").encode(
        TEXTS[0], output_value="token_embeddings"
    )
    for pooling, expected in {"cls": tokens[0], "max": tokens.max(0).values}.items():
        embedder = TextEmbedder(model, pooling=pooling, normalize=False)
        np.testing.assert_allclose(
            embedder.fit_transform(TEXTS[:1])[0], expected, atol=1e-5
        )


@pytest.mark.parametrize("pooling", mostly_slow([None, "cls"]))
def test_normalize_decides_about_unit_length(minilm, pooling):
    settings = {"model": minilm, "pooling": pooling}
    unit = TextEmbedder(**settings).fit_transform(TEXTS)
    long = TextEmbedder(**settings, normalize=False).fit_transform(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-5)
    lengths = np.linalg.norm(long, axis=1, keepdims=True)
    assert (lengths > 2).all()
    np.testing.assert_allclose(long / lengths, unit, atol=1e-5)


def test_a_model_in_half_precision_is_read_in_full(model, tmp_path):
    from sentence_transformers import SentenceTransformer

    half = SentenceTransformer(str(model), device="cpu").half()
    half.save(str(tmp_path / "half"), create_model_card=False)
    texts = [*TEXTS, "i am " * 15]
    embedder = TextEmbedder(tmp_path / "half", cache=None)
    alone = [embedder.fit_transform([text])[0] for text in texts]
    np.testing.assert_allclose(embedder.transform(texts), alone, atol=1e-5)


# What goes in


@pytest.mark.parametrize(
    "shape",
    [
        list,
        tuple,
        np.array,
        pd.Series,
        lambda texts: pd.Series(texts, dtype="string"),
        lambda texts: pd.Series(texts, dtype="category"),
        lambda texts: pd.Series(texts, index=list("dcba")),
        lambda texts: pd.DataFrame({"utterance": texts}),
        lambda texts: np.array(texts, dtype=object)[:, None],
        lambda texts: [[text] for text in texts],
        pl.Series,
        lambda texts: pl.DataFrame({"utterance": texts}),
        lambda texts: dict(enumerate(texts)).values(),
        lambda texts: [Enum("Text", {"A": text}, type=str).A for text in texts],
    ],
)
def test_one_column_of_texts_is_read_in_every_form(model, shape):
    expected = TextEmbedder(model).fit_transform(TEXTS)
    features = TextEmbedder(model).fit_transform(shape(TEXTS))
    np.testing.assert_array_equal(features, expected)


@pytest.mark.parametrize(
    "missing",
    [None, np.nan, np.float32("nan"), pd.NA, pd.NaT, np.ma.masked, "", "  \n\t"],
)
def test_a_missing_or_blank_text_is_a_missing_modality(model, missing):
    embedder = TextEmbedder(model).fit(TEXTS)
    texts = [TEXTS[0], missing, TEXTS[1], missing]
    counted = "2 of 4 texts are missing or blank, first in row 1"
    with pytest.warns(MissingModalityWarning, match=counted) as caught:
        features = embedder.transform(pd.Series(texts, dtype=object))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert np.isnan(features[[1, 3]]).all()
    np.testing.assert_array_equal(features[[0, 2]], embedder.transform(TEXTS[:2]))


def test_a_missing_text_is_an_error_where_that_is_wanted(model):
    embedder = TextEmbedder(model, errors="raise").fit(TEXTS)
    with pytest.raises(ValueError, match="1 of 2 .* first in row 1; leave"):
        embedder.transform([TEXTS[0], " "])


def test_a_table_without_any_text_asks_no_model(own_model):
    embedder = CountingEmbedder(own_model).fit([None])
    with pytest.warns(MissingModalityWarning, match="2 of 2"):
        features = embedder.transform([None, ""])
    assert np.isnan(features).all()
    assert features.shape == (2, 16)
    assert embedder.transform([]).shape == (0, 16)
    assert reads(own_model) == []


@pytest.mark.parametrize("cell", [3, 2.5, True, ["a", "list"], {"a": 1}])
def test_a_cell_that_is_no_text_is_named(model, cell):
    texts = pd.Series([TEXTS[0], None, cell], dtype=object)
    kind = type(cell).__name__
    for call in (TextEmbedder(model).fit, TextEmbedder(model).fit(TEXTS).transform):
        with pytest.raises(TypeError, match=rf"Row 2 holds .* \({kind}\).* no text"):
            call(texts)


@pytest.mark.parametrize(
    "X", ["one text", np.array("one text"), pd.DataFrame({"a": TEXTS, "b": TEXTS})]
)
def test_what_is_no_column_is_refused(model, X):
    with pytest.raises(ValueError, match="one column of texts, and X has the shape"):
        TextEmbedder(model).fit(X)


BYTES = [
    "it’s great".encode(),
    "it’s great".encode("cp1252"),
    bytearray(b"it\x92s great"),
    np.bytes_(b"it\x92s great"),
]


@pytest.mark.parametrize(
    "column",
    [
        list,
        lambda texts: np.array(texts, dtype=object),
        lambda texts: pd.Series(texts, dtype=object),
        lambda texts: pd.DataFrame({"utterance": texts}, dtype=object),
        lambda texts: pl.DataFrame({"utterance": map(bytes, texts)}),
    ],
)
def test_bytes_are_texts(model, column):
    texts = column([*BYTES, b""])
    told = "of 5 texts 5 were bytes"
    embedder = TextEmbedder(model)
    with (
        pytest.warns(TextEncodingWarning, match=told) as warned,
        pytest.warns(MissingModalityWarning, match="1 of 5"),
    ):
        features = embedder.fit_transform(texts)
    assert len(warned) == 1
    expected = embedder.transform(["it’s great"])
    np.testing.assert_array_equal(features[:4], np.repeat(expected, 4, axis=0))
    assert np.isnan(features[4]).all()


def test_control_characters_of_windows_1252_are_signs(model):
    with pytest.warns(TextEncodingWarning, match="of 2 texts 1 held control charact"):
        features = TextEmbedder(model).fit_transform(["it\x92s great", "great"])
    np.testing.assert_array_equal(
        features, TextEmbedder(model).fit_transform(["it’s great", "great"])
    )


def test_half_an_emoji_is_named(model):
    with pytest.raises(ValueError, match="row 1 is no valid Unicode.*character 3"):
        TextEmbedder(model).fit(["hi \U0001f600", "hi \ud83d"])


def test_long_texts_and_unknown_words_are_embedded(model):
    texts = ["happy " * 500, "Zürich \U0001f600"]
    with pytest.warns(TextTruncationWarning, match="1 of 2 .* 38 tokens .* row 0"):
        features = TextEmbedder(model).fit_transform(texts)
    assert np.isfinite(features).all()


@pytest.mark.parametrize(
    ("kind", "n_places"), mostly_slow([("Bert", 42), ("Roberta", 41)])
)
@pytest.mark.parametrize("told", mostly_slow([None, 500]))
def test_texts_are_cut_where_a_model_ends(kind, n_places, told, model, tmp_path):
    import transformers
    from sentence_transformers import SentenceTransformer

    config = getattr(transformers, f"{kind}Config")(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=42,
        pad_token_id=0,
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    tokenizer.model_max_length = 10**30
    tokenizer.save_pretrained(tmp_path / "plain")
    getattr(transformers, f"{kind}Model")(config).save_pretrained(tmp_path / "plain")
    network = SentenceTransformer(str(tmp_path / "plain"), device="cpu")
    network.max_seq_length = told or network.max_seq_length
    network.save(str(tmp_path / "model"), create_model_card=False)
    n_words = n_places - 2  # beside what begins and ends a text
    texts = ["happy " * 500, "happy " * n_words, "happy " * (n_words - 1)]
    with pytest.warns(TextTruncationWarning, match=f"1 of 3 .* {n_words} tokens"):
        features = TextEmbedder(tmp_path / "model").fit_transform(texts)
    np.testing.assert_allclose(features[0], features[1], atol=1e-5)
    assert np.abs(features[1] - features[2]).max() > 1e-4


def test_a_tokenizer_need_not_tell_what_fills_up_batches(model, own_model):
    for path in own_model.glob("*token*.json"):
        settings = json.loads(path.read_text())
        settings.pop("pad_token", None)
        path.write_text(json.dumps(settings))
    texts = ["what a day", "so", "not you"]
    np.testing.assert_allclose(
        TextEmbedder(own_model).fit_transform(texts),
        TextEmbedder(model).fit_transform(texts),
        atol=1e-6,
    )


def test_a_tokenizer_that_knows_no_words_is_refused(own_model):
    for path in own_model.glob("*token*"):
        path.unlink()
    with pytest.raises(OSError, match=r"own' cannot be loaded \("):
        TextEmbedder(own_model).fit(TEXTS)


@pytest.mark.parametrize("errors", ["warn", "raise"])
def test_a_text_that_a_model_cannot_embed_is_named(errors, own_model):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(own_model)
    tokenizer.add_tokens(["zebra"])  # for which there are no weights
    tokenizer.save_pretrained(own_model)
    embedder = TextEmbedder(own_model, errors=errors).fit(TEXTS)
    with pytest.raises(
        ValueError, match=r"own' cannot embed the text in row 1 \("
    ) as e:
        embedder.transform(["so happy", "a zebra", "sad", "zebra"])
    assert "zebra" not in str(e.value)
    assert np.isfinite(embedder.transform(["so happy", "sad"])).all()


def test_messages_tell_nothing_of_what_was_said(model):
    secret = "my password is hunter2"
    for said in ([secret], secret + "\ud83d"):
        with pytest.raises((TypeError, ValueError), match="row 0|Row 0") as told:
            TextEmbedder(model).fit(pd.Series([said], dtype=object))
        assert "password" not in str(told.value)


@pytest.mark.parametrize(
    "embedder",
    mostly_slow(
        [
            TextEmbedder(cache=None, device="cpu"),
            FineTunedTextEmbedder(cv=None, cache=None, device="cpu"),
        ]
    ),
)
def test_a_model_of_broken_weights_is_refused(embedder, model, tmp_path):
    from sentence_transformers import SentenceTransformer

    network = SentenceTransformer(str(model), device="cpu")
    for weight in network.parameters():
        weight.data.fill_(np.nan)
    network.save(str(tmp_path), create_model_card=False)
    with pytest.raises(ValueError, match=r"not finite\. Its weights are broken"):
        embedder.set_params(model=tmp_path).fit(TEXTS, [0, 1, 0, 1])


def test_numbers_that_are_not_finite_are_no_missing_text(model, monkeypatch):
    embedder = TextEmbedder(model, cache=None).fit(TEXTS)
    embed = SentenceModel.embed

    def break_one(self, texts, batch_size):
        vectors = embed(self, texts, batch_size)
        vectors[[text == "a zebra ran" for text in texts]] = np.nan
        return vectors

    monkeypatch.setattr(SentenceModel, "embed", break_one)
    with pytest.raises(ValueError, match="not finite for 1 of 3 texts, first in row 2"):
        embedder.transform(["hello", "there", "a zebra ran"])


# As a transformer among others


def test_it_gives_a_column_transformer_our_layout(model):
    X, _ = make_table()
    table = make_columns(TextEmbedder(model)).fit_transform(X)
    texts = [f"text__{number}" for number in range(16)]
    assert list(table.columns) == [*texts, *(f"remainder__{key}" for key in KEYS)]
    assert (table[texts].dtypes == np.float32).all()
    np.testing.assert_array_equal(
        table[texts], TextEmbedder(model).fit_transform(X["utterance"])
    )
    assert table["remainder__dialogue__id"].equals(
        X["dialogue__id"].rename("remainder__dialogue__id")
    )


def test_frames_come_out_where_asked_with_the_index_of_the_texts(model):
    embedder = TextEmbedder(model).set_output(transform="pandas")
    features = embedder.fit_transform(pd.Series(TEXTS, index=list("dcba")))
    assert list(features.columns) == [str(number) for number in range(16)]
    assert list(features.index) == list("dcba")
    assert list(embedder.get_feature_names_out()) == list(features.columns)


def test_before_fit_nothing_is_known(model):
    with pytest.raises(NotFittedError):
        TextEmbedder(model).transform(TEXTS)
    with pytest.raises(NotFittedError):
        TextEmbedder(model).get_feature_names_out()


CHECKS = [
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_param_validation",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]


@pytest.mark.parametrize("name", CHECKS)
def test_the_checks_of_scikit_learn_that_need_no_numbers_pass(name):
    check = getattr(estimator_checks, name)
    wants_class = "estimator_cls" in inspect.signature(check).parameters
    check("TextEmbedder", TextEmbedder if wants_class else TextEmbedder())


def test_its_tags_tell_what_it_reads():
    tags = get_tags(TextEmbedder()).input_tags
    assert tags.string
    assert tags.one_d_array
    assert not tags.two_d_array


def test_a_pickle_holds_no_model_which_is_loaded_when_needed(model):
    embedder = TextEmbedder(model, cache=None).fit(TEXTS)
    features = embedder.transform(TEXTS)
    stored = pickle.dumps(embedder)
    assert len(stored) < 3000
    _sentence_model._load.cache_clear()
    np.testing.assert_array_equal(pickle.loads(stored).transform(TEXTS), features)


def test_a_clone_has_the_parameters_and_nothing_else(model):
    embedder = TextEmbedder(model, pooling="cls", cache=None).fit(TEXTS)
    copy = clone(embedder)
    assert copy.get_params() == embedder.get_params()
    assert not hasattr(copy, "embedding_size_")


def test_global_state_stays_as_it_was(model, global_state_untouched):
    import os
    import random

    from huggingface_hub.utils import are_progress_bars_disabled
    from transformers.utils import logging as hf_logging

    def state():
        loggers = [logging.getLogger(n) for n in ("transformers", "huggingface_hub")]
        return (
            random.getstate(),
            dict(os.environ),
            [(logger.level, list(logger.handlers)) for logger in loggers],
            hf_logging.is_progress_bar_enabled(),
            are_progress_bars_disabled(),
        )

    _sentence_model._load.cache_clear()
    before = state()
    with global_state_untouched():
        TextEmbedder(model).fit_transform(TEXTS)
    assert state() == before


def test_a_bar_is_shown_only_if_asked(model, capfd):
    _sentence_model._load.cache_clear()
    TextEmbedder(model).fit_transform(TEXTS)
    assert capfd.readouterr() == ("", "")
    TextEmbedder(model, cache=None, verbose=1).fit_transform(TEXTS)
    assert "4/4" in capfd.readouterr().err


def test_nothing_is_logged_of_a_text_that_is_not_read_to_its_end(model, caplog):
    logger = logging.getLogger("transformers")
    logger.addHandler(caplog.handler)
    try:
        with pytest.warns(TextTruncationWarning):
            TextEmbedder(model, max_tokens=3).fit_transform(TEXTS)
    finally:
        logger.removeHandler(caplog.handler)
    assert not caplog.records


# Each text once


def once(X, *poolings):
    return sorted(f"{p}: {text}" for text in X["utterance"].unique() for p in poolings)


def test_cross_validation_embeds_each_text_once(own_model):
    X, y = make_table()
    classifier = make_classifier(CountingEmbedder(own_model))
    scores = cross_val_score(classifier, X, y, cv=DialogueKFold(4))
    assert scores.mean() > 0.8
    assert sorted(reads(own_model)) == once(X, None)


@pytest.mark.slow
def test_a_grid_search_embeds_each_text_once_for_each_pooling(own_model):
    X, y = make_table()
    grid = {
        "columntransformer__text__pooling": ["cls", "max"],
        "logisticregression__C": [0.1, 1.0],
    }
    classifier = make_classifier(CountingEmbedder(own_model))
    search = GridSearchCV(classifier, grid, cv=DialogueKFold(3), error_score="raise")
    search.fit(X, y)
    assert sorted(reads(own_model)) == once(X, "cls", "max")


@pytest.mark.slow
def test_two_processes_that_share_a_folder_embed_each_text_once(own_model, tmp_path):
    X, y = make_table()
    embedder = CountingEmbedder(own_model, cache=tmp_path / "cache", batch_size=1)
    grid = {"logisticregression__C": [0.1, 1.0]}
    settings = {"cv": DialogueKFold(4), "error_score": "raise"}
    search = GridSearchCV(make_classifier(embedder), grid, n_jobs=2, **settings)
    together = search.fit(X, y).cv_results_["mean_test_score"]
    assert sorted(reads(own_model)) == once(X, None)
    search = GridSearchCV(make_classifier(TextEmbedder(own_model)), grid, **settings)
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_allclose(together, alone)


def test_a_folder_serves_processes_that_come_later(own_model, tmp_path):
    embedder = CountingEmbedder(own_model, cache=tmp_path / "cache").fit(TEXTS)
    features = embedder.transform(TEXTS)
    stored = pickle.dumps(embedder)
    shutil.move(own_model / "modules.json", tmp_path)  # no model is needed now
    np.testing.assert_array_equal(pickle.loads(stored).transform(TEXTS), features)
    assert len(reads(own_model)) == len(TEXTS)


def test_without_a_cache_all_is_embedded_again(own_model):
    embedder = CountingEmbedder(own_model, cache=None).fit(TEXTS)
    embedder.transform([*TEXTS, *TEXTS])
    embedder.transform(TEXTS)
    assert sorted(reads(own_model)) == sorted(f"None: {t}" for t in [*TEXTS, *TEXTS])


@pytest.mark.slow
def test_normalisation_and_models_do_not_share_embeddings(make_model, model):
    settings = [{"model": model, "normalize": False}, {"model": make_model(seed=1)}]
    for cached in (TextEmbedder(model), *(TextEmbedder(**s) for s in settings)):
        fresh = clone(cached).set_params(cache=None)
        np.testing.assert_allclose(
            cached.fit_transform(TEXTS), fresh.fit_transform(TEXTS), atol=1e-6
        )


def test_models_that_compute_otherwise_with_the_same_weights_share_nothing(
    model, own_model
):
    config = json.loads((own_model / "config.json").read_text())
    config["layer_norm_eps"] = 1.0
    (own_model / "config.json").write_text(json.dumps(config))
    one, two = (
        TextEmbedder(place).fit_transform(TEXTS) for place in (own_model, model)
    )
    assert np.abs(one - two).max() > 1e-3


def test_weights_that_a_model_lacks_are_the_same_in_every_process(
    own_model, global_state_untouched
):
    from safetensors.torch import load_file, save_file

    weights = load_file(own_model / "model.safetensors")
    assert weights.pop("pooler.dense.weight") is not None
    save_file(weights, own_model / "model.safetensors", {"format": "pt"})
    digests = set()
    for _ in range(2):
        _sentence_model._load.cache_clear()
        with global_state_untouched():
            digests.add(TextEmbedder(own_model).fit(TEXTS).model_digest_)
    assert len(digests) == 1


def test_the_same_model_elsewhere_shares_embeddings(model, own_model):
    TextEmbedder(model).fit_transform(TEXTS)
    CountingEmbedder(own_model).fit_transform(TEXTS)
    assert reads(own_model) == []


def test_a_model_that_changes_in_its_folder_is_seen(own_model, make_model):
    embedder = TextEmbedder(own_model).fit(TEXTS)
    before = embedder.transform(TEXTS)
    other = make_model(seed=1)
    shutil.copy(other / "model.safetensors", own_model / "model.safetensors")
    with pytest.raises(ValueError, match="not what fit saw; fit again"):
        embedder.transform(["this is new"])
    after = embedder.fit(TEXTS).transform(TEXTS)
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_array_equal(TextEmbedder(other).fit_transform(TEXTS), after)


def test_another_pooling_after_fit_is_refused(model):
    embedder = TextEmbedder(model).fit(TEXTS).set_params(pooling="cls")
    with pytest.raises(ValueError, match="not what fit saw"):
        embedder.transform(TEXTS)


# Models that are not there


def test_a_folder_that_is_not_there_is_named():
    for place in ("./no/model", Path("no") / "model", "~/no/model"):
        with pytest.raises(FileNotFoundError, match="There is no folder '.*no.model'"):
            TextEmbedder(place).fit(TEXTS)


def test_a_folder_without_a_model_is_named(tmp_path, own_model):
    with pytest.raises(FileNotFoundError, match="holds no model: neither"):
        TextEmbedder(tmp_path).fit(TEXTS)
    weights = own_model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(OSError, match=r"own' cannot be loaded \(SafetensorError") as e:
        TextEmbedder(own_model).fit(TEXTS)
    assert "\n" not in str(e.value)
    assert e.value.__cause__ is not None


def test_a_model_without_a_pooling_of_its_own_asks_for_one(model):
    plain = model.parent / "plain"
    with pytest.raises(OSError, match="no modules.json.*pooling"):
        TextEmbedder(plain).fit(TEXTS)
    np.testing.assert_allclose(
        TextEmbedder(plain, pooling="mean").fit_transform(TEXTS),
        TextEmbedder(model).fit_transform(TEXTS),
        atol=1e-6,
    )


def test_an_unknown_name_is_told_at_once_where_there_is_no_network(model, monkeypatch):
    import huggingface_hub

    def unreachable(*args, **kwargs):
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    for local in (True, False):
        embedder = TextEmbedder("no-such-owner/model", local_files_only=local)
        with pytest.raises(OSError, match="'no-such-owner/model'.*Check the name") as e:
            embedder.fit(TEXTS)
        assert ("local_files_only" in str(e.value)) is local
        assert "\n" not in str(e.value)


def test_the_extra_is_named_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ImportError, match=r"pip install 'skmerc\[text\]'"):
        TextEmbedder().fit(TEXTS)


def test_a_device_that_is_not_there_is_refused(model):
    with pytest.raises(ValueError, match="use 'auto', 'cpu' or 'cuda'"):
        TextEmbedder(model, device="gpu").fit(TEXTS)


@pytest.mark.gpu
def test_a_gpu_gives_the_same(model):
    features = [
        TextEmbedder(model, device=device, cache=None).fit_transform(TEXTS)
        for device in ("cpu", "auto")
    ]
    np.testing.assert_allclose(*features, atol=1e-4)
