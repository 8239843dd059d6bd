"""Sentence models that read an utterance among its neighbours."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from systems import mostly_slow

from skmerc.exceptions import (
    DuplicateTurnWarning,
    MissingModalityWarning,
    TextTruncationWarning,
)
from skmerc.features import FineTunedTextEmbedder, TextEmbedder, _cache
from skmerc.features._passages import Passage, make_passages
from skmerc.features._reading import _cut
from skmerc.frame import KEYS, drop_keys
from skmerc.model_selection import DialogueKFold
from skmerc.persistence import load_model, save_model

SAID = [
    "why are you so sad",
    "this is not a day",
    "i am happy today",
    "what",
    "you are great",
    "awful day",
]
LIMIT = 40  # tokens that the small model reads, two of which frame the rest


@pytest.fixture(autouse=True)
def empty_process_cache(monkeypatch):
    monkeypatch.setattr(_cache, "PROCESS_CACHE", _cache.MemoryCache())


def make_table(n_dialogues=2, said=SAID):
    """Dialogues of these texts, the second in another order, and so on."""
    n_turns = len(said)
    texts = [
        said[(turn + d) % n_turns]
        for d in range(n_dialogues)
        for turn in range(n_turns)
    ]
    return pd.DataFrame(
        {
            "utterance": texts,
            "dialogue__id": np.repeat([f"d{d}" for d in range(n_dialogues)], n_turns),
            "dialogue__turn": np.tile(np.arange(n_turns), n_dialogues),
            "dialogue__speaker": np.tile(["a", "day"], len(texts))[: len(texts)],
            "dialogue__role": "utterance",
        }
    )


def embed(model, X, **settings):
    return TextEmbedder(model, cache=None, **settings).fit_transform(X)


def read_by_hand(model, tokens, own, pooling="mean"):
    """What the model makes of these tokens, pooled over a slice of them."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    ids = AutoTokenizer.from_pretrained(model).convert_tokens_to_ids(tokens)
    network = AutoModel.from_pretrained(model).eval()
    with torch.no_grad():
        states = (
            network(input_ids=torch.tensor([ids])).last_hidden_state[0, own].numpy()
        )
    pooled = {"mean": states.mean(0), "max": states.max(0), "cls": states[0]}[pooling]
    return pooled / np.linalg.norm(pooled)


# What is read


@pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
def test_the_tokens_of_the_utterance_itself_are_pooled(model, pooling):
    X = make_table(1)
    features = embed(model, X, context_past=1, context_future=1, pooling=pooling)
    tokens = ["[CLS]", *SAID[1].split(), "[SEP]", *SAID[2].split(), "[SEP]"]
    own = slice(7, 11)
    tokens += [*SAID[3].split(), "[SEP]"]
    expected = read_by_hand(model, tokens, own, pooling)
    np.testing.assert_allclose(features[2], expected, atol=1e-5)


def test_the_first_utterance_of_a_dialogue_is_pooled_by_its_own_tokens(model):
    features = embed(model, make_table(1), context_past=3)
    tokens = ["[CLS]", *SAID[0].split(), "[SEP]"]
    np.testing.assert_allclose(
        features[0], read_by_hand(model, tokens, slice(1, 6)), atol=1e-5
    )


def test_names_stand_in_front_and_are_not_pooled(model):
    features = embed(model, make_table(1), context_past=1, speakers=True)
    tokens = ["[CLS]", "a", "[UNK]", *SAID[0].split(), "[SEP]"]  # no colon is known
    tokens += ["day", "[UNK]", *SAID[1].split(), "[SEP]"]
    np.testing.assert_allclose(
        features[1], read_by_hand(model, tokens, slice(11, 16)), atol=1e-5
    )


def test_names_may_be_read_without_context_and_need_no_dialogue(model):
    X = make_table(1)
    X.loc[1, "dialogue__speaker"] = ""
    expected = embed(model, X, speakers=True)
    found = embed(model, X[["dialogue__speaker", "utterance"]], speakers=True)
    np.testing.assert_array_equal(found, expected)
    alone = read_by_hand(model, ["[CLS]", *SAID[1].split(), "[SEP]"], slice(1, 6))
    np.testing.assert_allclose(found[1], alone, atol=1e-5)


def passages(X, past=0, future=0, speakers=False):
    texts = [text if isinstance(text, str) else None for text in X["utterance"]]
    return make_passages(
        texts, X, past=past, future=future, speakers=speakers, name="Embedder"
    )


def test_neighbours_are_those_of_the_dialogue_in_its_order():
    X = make_table()
    first, *_, last = passages(X, past=2, future=1)
    assert first == Passage((), "", SAID[0], (SAID[1],))
    assert last == Passage((SAID[4], SAID[5]), "", SAID[0], ())
    assert passages(X, past=99)[5].before == tuple(SAID[:5])


def test_missing_texts_are_passed_over_and_context_is_read():
    X = make_table(1)
    X.loc[[1, 2], "utterance"] = None
    X.loc[3, "dialogue__role"] = "context"
    found = passages(X, past=2, future=1, speakers=True)
    assert found[1] is found[2] is None
    assert found[4].before == (f"a: {SAID[0]}", f"day: {SAID[3]}")
    assert found[0].after == (f"day: {SAID[3]}",)


def test_synthetic_rows_are_no_neighbours():
    X = make_table(1)
    X.loc[3, "dialogue__role"] = "synthetic"
    found = passages(X, past=1, future=1)
    assert found[4].before == (SAID[2],)
    assert found[2].after == (SAID[4],)
    assert found[3] == Passage((SAID[2],), "", SAID[3], (SAID[4],))


@pytest.mark.parametrize("how", ["numbers", "times"])
def test_the_order_of_rows_does_not_matter(model, how):
    X = make_table()
    if how == "times":
        X["dialogue__turn"] = pd.Timestamp(2026, 1, 1) + pd.to_timedelta(
            X["dialogue__turn"], unit="min"
        )
    settings = {"context_past": 2, "context_future": 1, "speakers": True}
    expected = embed(model, X, **settings)
    order = np.random.default_rng(0).permutation(len(X))
    found = embed(model, X.iloc[order], **settings)
    np.testing.assert_allclose(found, expected[order], atol=1e-5)


def test_without_future_a_prefix_gives_the_same_vectors(model):
    X = make_table()
    whole = embed(model, X, context_past=9, speakers=True)
    for n in range(1, 6):
        prefix = X[X["dialogue__turn"] < n]
        found = embed(model, prefix, context_past=9, speakers=True)
        np.testing.assert_allclose(found, whole[prefix.index], atol=1e-5)


def test_each_neighbour_is_heard(model):
    X = make_table(1)
    settings = {"context_past": 2, "context_future": 1}
    before = embed(model, X, **settings)
    X.loc[2, "utterance"] = "angry afraid"
    changed = np.abs(embed(model, X, **settings) - before).max(axis=1) > 1e-4
    assert changed.tolist() == [False, True, True, True, True, False]


def test_equal_turns_are_told(model):
    X = make_table(1)
    X.loc[1, "dialogue__turn"] = 0
    with pytest.warns(DuplicateTurnWarning, match="1 utterances share"):
        embed(model, X, context_past=1)


@pytest.mark.parametrize("errors", ["warn", "raise"])
def test_missing_texts_are_told_as_without_context(model, errors):
    X = make_table(1)
    X.loc[2, "utterance"] = " "
    embedder = TextEmbedder(model, context_past=2, errors=errors).fit(X)
    if errors == "raise":
        with pytest.raises(ValueError, match="1 of 6 .* first in row 2"):
            embedder.transform(X)
        return
    with pytest.warns(MissingModalityWarning, match="1 of 6 .* first in row 2"):
        features = embedder.transform(X)
    assert np.isnan(features[2]).all()
    rest = embed(model, X.drop(index=2), context_past=2)
    np.testing.assert_allclose(np.delete(features, 2, axis=0), rest, atol=1e-5)


# What is too long


def test_what_is_too_long_is_cut_at_the_far_ends():
    for n_most in range(1, 20):
        for n_before, n_own, n_after in np.ndindex(7, 6, 7):
            before, own = list(range(n_before)), list(range(n_own))
            after = list(range(n_after))
            a, b, c = _cut(before, own, after, n_most)
            assert b == own[:n_most]
            assert a == before[n_before - len(a) :]
            assert c == after[: len(c)]
            assert len(a) + len(b) + len(c) == min(n_most, n_before + n_own + n_after)
            if len(a) < n_before and len(c) < n_after:
                assert abs(len(a) - len(c)) <= 1


def test_the_utterance_is_not_cut_where_its_context_is_too_long(model):
    X = make_table(1, said=["so " * 30, "happy " * 30, "sad " * 30])
    features = embed(model, X, context_past=2, context_future=2)
    tokens = ["[CLS]", *["so"] * 3, "[SEP]", *["happy"] * 30, "[SEP]", *["sad"] * 3]
    expected = read_by_hand(model, [*tokens, "[SEP]"], slice(5, 35))
    np.testing.assert_allclose(features[1], expected, atol=1e-5)


def test_an_utterance_that_is_itself_too_long_is_counted(model):
    X = make_table(1, said=["so", "happy " * 38, "sad " * 39, "sad " * 99])
    told = r"2 of 4 texts are longer than the 38 tokens .*, first in row 2"
    for settings in ({}, {"context_past": 2, "speakers": True}):
        embedder = TextEmbedder(model, **settings).fit(X)
        for _ in range(2):  # also where the cache has it
            with pytest.warns(TextTruncationWarning, match=told) as caught:
                features = embedder.transform(X)
            assert len(caught) == 1
            assert caught[0].filename == __file__
        assert np.isfinite(features).all()


def test_max_tokens_decides_how_much_is_read(model):
    X = make_table(1)
    long = embed(model, X, context_past=5)
    np.testing.assert_array_equal(embed(model, X, context_past=5, max_tokens=40), long)
    short = embed(model, X, context_past=5, max_tokens=7)
    alone = embed(model, X.assign(dialogue__id=list("abcdef")), context_past=5)
    np.testing.assert_allclose(
        short[:2], alone[:2], atol=1e-5
    )  # which have five tokens
    assert np.abs(short[3] - long[3]).max() > 1e-4
    with pytest.warns(TextTruncationWarning, match="2 of 6 .* 4 tokens"):
        embed(model, X["utterance"], max_tokens=6)


@pytest.mark.parametrize(
    ("n", "told"),
    [
        (41, r"places for 40 tokens.*\)\. Give at most 40"),
        (2, r"leaves none for the text.*\)\. The model adds 2 .*give more"),
    ],
)
def test_max_tokens_that_no_text_can_have_are_refused(model, n, told):
    with pytest.raises(OSError, match=told):
        TextEmbedder(model, max_tokens=n).fit(SAID)


def test_another_number_of_tokens_after_the_fit_is_refused(model):
    embedder = TextEmbedder(model).fit(SAID).set_params(max_tokens=9)
    with pytest.raises(ValueError, match="not what fit saw"):
        embedder.transform(SAID)


@pytest.mark.parametrize(
    "context",
    [
        {"context_past": 2},
        {"context_future": 1},
        {"speakers": True},
        {"context_past": 2, "context_future": 1, "speakers": True},
    ],
)
@pytest.mark.parametrize("before", ["alone", "in context"])
def test_another_context_counts_from_the_next_fit_on(model, context, before, tmp_path):
    X, alone = make_table(), dict.fromkeys(context, 0) | {"speakers": False}
    first, then = (alone, context) if before == "alone" else (context, alone)
    expected, other = embed(model, X, **first), embed(model, X, **then)
    assert not np.array_equal(expected, other)
    embedder = TextEmbedder(model, cache=None, **first).fit(X).set_params(**then)
    save_model(embedder, tmp_path / "embedder")
    for again in embedder, load_model(tmp_path / "embedder"):
        np.testing.assert_allclose(again.transform(X), expected, atol=1e-6)
        np.testing.assert_allclose(again.fit_transform(X), other, atol=1e-6)


# Keys


@pytest.mark.parametrize("kind", [TextEmbedder, FineTunedTextEmbedder])
@pytest.mark.parametrize(
    ("absent", "settings"),
    [
        ("dialogue__id", {"context_past": 1}),
        ("dialogue__turn", {"context_future": 1}),
        ("dialogue__speaker", {"speakers": True}),
    ],
)
def test_context_without_keys_is_refused(model, kind, absent, settings):
    X = make_table().drop(columns=absent)
    told = rf"{kind.__name__} is asked for context.* no {absent} beside the texts"
    with pytest.raises(ValueError, match=told):
        kind(model, **settings).fit(X, ["sad", "glad"] * 6)
    for texts in (list(X["utterance"]), X["utterance"], X[["utterance"]]):
        with pytest.raises(ValueError, match=told.partition(".*")[0]):
            kind(model, **settings).fit(texts, ["sad", "glad"] * 6)


def test_new_texts_need_their_keys_too(model):
    X = make_table()
    embedder = TextEmbedder(model, context_past=1).fit(X)
    with pytest.raises(ValueError, match="no dialogue__id, dialogue__turn beside"):
        embedder.transform(X["utterance"])


def test_keys_beside_the_texts_change_nothing_where_no_context_is_asked_for(model):
    X = make_table()
    expected = embed(model, X["utterance"])
    np.testing.assert_array_equal(embed(model, X), expected)
    found = embed(model, pl.from_pandas(X.drop(columns="dialogue__role")))
    np.testing.assert_array_equal(found, expected)


def test_keys_are_read_from_polars_and_under_prefixes(model):
    X = make_table()
    expected = embed(model, X, context_past=2, speakers=True)
    other = X.rename(columns={key: f"keys__{key}" for key in KEYS})
    for table in (other, pl.from_pandas(X)):
        found = embed(model, table, context_past=2, speakers=True)
        np.testing.assert_array_equal(found, expected)


def make_columns(embedder):
    return ColumnTransformer(
        [
            ("keys", "passthrough", list(KEYS)),
            ("text", embedder, ["utterance", *KEYS]),
        ]
    ).set_output(transform="pandas")


def test_a_column_transformer_hands_keys_on(model):
    X = make_table()
    embedder = TextEmbedder(model, context_past=2, speakers=True)
    table = make_columns(embedder).fit_transform(X)
    expected = clone(embedder).fit_transform(X)
    np.testing.assert_array_equal(table.filter(like="text__"), expected)
    assert list(table.columns[:5]) == [*(f"keys__{key}" for key in KEYS), "text__0"]


# Each input once


class CountingEmbedder(TextEmbedder):
    """Logs what the model reads beside the model."""

    def _embed(self, texts):
        with (Path(self.model) / "log").open("a") as log:
            log.write("".join(f"{text}\n" for text in texts))
        return super()._embed(texts)


@pytest.mark.parametrize("cache", mostly_slow(["process", "folder"]))
def test_each_text_with_its_context_is_embedded_once(model, tmp_path, cache):
    own = shutil.copytree(model, tmp_path / "own")
    X, y = make_table(8), np.tile(["happy", "sad"], 24)
    again = X.assign(dialogue__id=[f"{d}, again" for d in X["dialogue__id"]])
    X, y = pd.concat([X, again], ignore_index=True), np.concatenate([y, y])
    cache = tmp_path / "cache" if cache == "folder" else cache
    embedder = CountingEmbedder(own, context_past=1, context_future=1, cache=cache)
    classifier = make_pipeline(
        make_columns(embedder), FunctionTransformer(drop_keys), LogisticRegression()
    )
    cross_val_score(classifier, X, y, cv=DialogueKFold(4), error_score="raise")
    read = (own / "log").read_text().splitlines()
    wanted = {str(passage) for passage in passages(X, past=1, future=1)}
    assert sorted(read) == sorted(wanted)


def test_inputs_are_not_mistaken_for_each_other(model):
    X = make_table()
    for settings in (
        {},
        {"context_past": 1},
        {"context_future": 1},
        {"context_past": 2},
        {"context_past": 2, "speakers": True},
        {"context_past": 2, "max_tokens": 9},
        {"speakers": True},
    ):
        cached = TextEmbedder(model, **settings).fit_transform(X)
        np.testing.assert_allclose(cached, embed(model, X, **settings), atol=1e-5)


def test_a_text_that_looks_like_a_passage_is_none(model):
    X = make_table(1)
    inside = TextEmbedder(model, context_past=1).fit_transform(X)
    texts = [str(passage) for passage in passages(X, past=1)]
    alone = TextEmbedder(model, max_tokens=40).fit(SAID)
    with pytest.warns(TextTruncationWarning):
        features = alone.transform([texts[1] * 9])
    assert np.abs(alone.transform(texts[:1]) - inside[:1]).max() > 1e-4
    assert np.isfinite(features).all()


# Kept, copied, refused


def test_a_copy_embeds_alike(model):
    X = make_table()
    embedder = TextEmbedder(model, context_past=2, speakers=True, cache=None).fit(X)
    expected = embedder.transform(X)
    again = pickle.loads(pickle.dumps(embedder))
    np.testing.assert_array_equal(again.transform(X), expected)
    fresh = clone(embedder)
    assert fresh.get_params() == embedder.get_params()
    np.testing.assert_array_equal(fresh.fit_transform(X), expected)


def test_a_saved_one_embeds_alike(model, tmp_path):
    pytest.importorskip("skops", reason="needs skops: skmerc[persistence]")
    X = make_table()
    embedder = TextEmbedder(str(model), context_past=2, speakers=True, cache=None)
    features = make_columns(embedder)
    expected = features.fit_transform(X)
    save_model(features, tmp_path / "text.skmerc")
    found = load_model(tmp_path / "text.skmerc").transform(X)
    pd.testing.assert_frame_equal(found, expected)


def static_embedding():
    try:
        from sentence_transformers.sentence_transformer import modules
    except ImportError:  # before release 6
        from sentence_transformers import models as modules
    return modules.StaticEmbedding


def test_a_model_that_reads_no_tokens_is_refused(tmp_path):
    pytest.importorskip("sentence_transformers", reason="needs skmerc[text]")
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "so": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    static = static_embedding()(tokenizer, embedding_dim=4)
    network = SentenceTransformer(modules=[static], device="cpu")
    network.save(str(tmp_path / "static"), create_model_card=False)
    X = make_table()
    assert embed(tmp_path / "static", X).shape == (12, 4)
    with pytest.raises(ValueError, match="StaticEmbedding, and context is read by"):
        TextEmbedder(tmp_path / "static", context_past=1).fit(X)


def test_a_tokenizer_without_a_separator_is_refused(model, tmp_path):
    own = shutil.copytree(model, tmp_path / "own")
    path = own / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    settings.pop("sep_token")
    path.write_text(json.dumps(settings))
    (own / "special_tokens_map.json").unlink(missing_ok=True)
    with pytest.raises(ValueError, match="has no separator"):
        TextEmbedder(own, context_past=1).fit(make_table())


@pytest.mark.parametrize(
    "settings", mostly_slow([{}, {"context_past": 3, "speakers": True}])
)
def test_minilm_reads_context(minilm, settings):
    X = make_table(said=["Congratulations!", "I lost my job.", "Oh no, I am sorry."])
    features = embed(minilm, X, **settings)
    assert features.shape == (6, 384)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    one_by_one = embed(minilm, X, batch_size=1, **settings)
    np.testing.assert_allclose(features, one_by_one, atol=1e-5)


def test_a_text_of_which_no_token_is_left_is_embedded(minilm):
    X = make_table(1, said=["Congratulations!", "\N{ZERO WIDTH SPACE}", "Thanks."])
    for settings in ({"context_past": 2}, {"context_future": 2}, {"speakers": True}):
        assert np.isfinite(embed(minilm, X, **settings)).all()
