"""How a sentence model learns: among neighbours, in parts, by layers, after a crash."""

import json
import os
import pickle
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from systems import mostly_slow

from skmerc import FineTunedTextEmbedder
from skmerc.exceptions import (
    DamagedCheckpointWarning,
    OtherThreadsWarning,
    TextTruncationWarning,
)
from skmerc.features import _fine_tuned_text
from skmerc.features._fine_tuning import FineTuning, parts_of_tokens
from skmerc.features._fine_tuning_checkpoint import FineTuningCheckpoint, ModelFile
from skmerc.features._layers import LowerLayers
from skmerc.persistence import load_model, save_model

torch = pytest.importorskip("torch")
WORDS = ["i", "am", "are", "you", "so", "why", "this", "a", "day", "today", "what"]
EMOTIONS = ["happy", "sad", "angry"]
FAST = {
    "lr": 1e-2,
    "max_epochs": 2,
    "batch_size": 8,
    "precision": "float32",  # on every processor
    "cache": None,
    "random_state": 0,
}
CONTEXT = {"context_past": 2, "context_future": 1, "speakers": True}


def make_table(n_dialogues=6, n_turns=4, seed=0):
    """Dialogues in which everybody feels what was named the turn before."""
    rng = np.random.default_rng(seed)
    n = n_dialogues * n_turns
    said = rng.choice(EMOTIONS, n)
    texts = [" ".join([*rng.choice(WORDS, rng.integers(1, 6)), word]) for word in said]
    X = pd.DataFrame(
        {
            "utterance": texts,
            "dialogue__id": np.repeat([f"d{d}" for d in range(n_dialogues)], n_turns),
            "dialogue__turn": np.tile(np.arange(n_turns), n_dialogues),
            "dialogue__speaker": np.tile(["a", "day"], n)[:n],
            "dialogue__role": "utterance",
        }
    )
    return X, np.roll(said, 1)


@pytest.fixture
def steady_model(model, tmp_path):
    """The small model without dropout, which draws nothing in training."""
    own = shutil.copytree(model, tmp_path / "steady")
    path = own / "config.json"
    settings = json.loads(path.read_text())
    settings |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    path.write_text(json.dumps(settings))
    return own


def fit(model, X, y, **settings):
    return FineTunedTextEmbedder(model, **(FAST | settings)).fit(X, y)


def assert_equal(one, two):
    assert one.weights_.keys() == two.weights_.keys()
    for name, weights in one.weights_.items():
        np.testing.assert_array_equal(weights, two.weights_[name], err_msg=name)
    assert one.history_ == two.history_


def differ(one, two):
    pairs = zip(one.weights_.values(), two.weights_.values(), strict=True)
    return any((a != b).any() for a, b in pairs)


# Among neighbours


def test_it_learns_from_neighbours(model):
    X, y = make_table()
    before = fit(model, X, y, cv=None, **CONTEXT)
    X.loc[0, "utterance"] = "awful"
    X.loc[0, "dialogue__role"] = "context"
    y = y.astype(object)
    y[0] = None
    with_context = fit(model, X, y, cv=None, **CONTEXT)
    without = fit(model, X.drop(index=0), y[1:], cv=None, **CONTEXT)
    assert differ(with_context, without)
    assert differ(with_context, before)


@pytest.mark.parametrize("settings", mostly_slow([{}, {"layers": 1}]))
def test_a_dialogue_is_embedded_by_a_model_that_learned_from_all_others(
    model, settings
):
    X, y = make_table(4)
    settings = CONTEXT | settings
    embedder = FineTunedTextEmbedder(model, **FAST, cv=4, **settings)
    features = embedder.fit_transform(X, y)
    for first in range(0, len(X), 4):
        own = np.arange(first, first + 4)
        others = np.delete(np.arange(len(X)), own)
        alone = fit(model, X.iloc[others], y[others], cv=None, **settings)
        expected = alone.transform(X.iloc[own])
        np.testing.assert_allclose(features[own], expected, atol=1e-5)


@pytest.mark.slow
def test_copies_embed_alike_in_context(model, tmp_path, monkeypatch):
    pytest.importorskip("skops", reason="needs skops: skmerc[persistence]")
    X, y = make_table()
    settings = CONTEXT | {"layers": 1, "class_weight": "balanced", "max_tokens": 20}
    embedder = fit(str(model), X, y, cv=2, **settings)
    expected = embedder.transform(X)
    save_model(embedder, tmp_path / "text.skmerc")
    for again in (
        pickle.loads(pickle.dumps(embedder)),
        load_model(tmp_path / "text.skmerc"),
        clone(embedder).fit(X, y),
    ):
        monkeypatch.setattr(_fine_tuned_text, "_TUNED", {})
        np.testing.assert_allclose(again.transform(X), expected, atol=1e-6)
        assert again.get_params() == embedder.get_params()


def test_texts_that_are_cut_are_counted_once(model):
    X, y = make_table()
    X.loc[3, "utterance"] = "happy " * 50
    embedder = FineTunedTextEmbedder(model, **FAST, cv=2, **CONTEXT)
    for call in (embedder.fit, embedder.fit_transform):
        with pytest.warns(TextTruncationWarning, match="1 of 24 .* row 3") as caught:
            call(X, y)
        assert len(caught) == 1


# Weights of classes


@pytest.mark.slow
def test_weights_of_classes_are_those_of_scikit_learn(model):
    X, y = make_table()
    y[:3] = "sad"
    even = fit(model, X, y, cv=2)
    assert_equal(fit(model, X, y, cv=2, class_weight=dict.fromkeys(EMOTIONS, 1)), even)
    balanced = fit(model, X, y, cv=2, class_weight="balanced")
    assert differ(balanced, even)
    names, counts = np.unique(y, return_counts=True)
    given = dict(zip(names.tolist(), (len(y) / (3 * counts)).tolist(), strict=True))
    assert_equal(fit(model, X, y, cv=2, class_weight=given), balanced)
    absent = given | {"bored": 9.0}
    assert_equal(fit(model, X, y, cv=2, class_weight=absent), balanced)
    assert differ(fit(model, X, y, cv=2, class_weight={"sad": 3.0}), even)


def test_a_class_without_weight_has_no_part_in_the_loss(steady_model):
    X, y = make_table()
    settings = {"cv": None, "class_weight": {"sad": 0}, "batch_size": 24}
    other = X.copy()
    other.loc[y == "sad", "utterance"] = "great"
    first, second = (
        fit(steady_model, x, y, **settings, max_epochs=1, dropout=0.0).history_
        for x in (X, other)
    )
    assert first[0]["train_loss"] == pytest.approx(second[0]["train_loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("weight", "told"),
    [
        ({"glad": 2}, "names 'glad', which is not among"),
        ({"sad": -1}, "gives -1 to 'sad'"),
        ({"sad": np.nan}, "gives nan to 'sad'"),
        ({"sad": "much"}, "gives 'much' to 'sad'"),
    ],
)
def test_weights_of_no_class_are_refused(model, weight, told):
    with pytest.raises(ValueError, match=told):
        fit(model, *make_table(), class_weight=weight)


# Layers


@pytest.mark.slow
def test_the_last_layers_learn_and_all_else_stays(model):
    X, y = make_table()
    before = FineTunedTextEmbedder(model, **(FAST | {"lr": 1e-12})).fit(X, y).weights_
    for n_layers, moved in {1: {"1"}, 2: {"0", "1"}}.items():
        tuned = fit(model, X, y, cv=2, layers=n_layers)
        changed = {
            name.partition("layer.")[2].partition(".")[0]
            for name, weights in tuned.weights_.items()
            if np.abs(weights - before[name]).max() > 1e-5
        }
        assert changed == moved
    assert any(  # with all of it learn the vectors of tokens
        np.abs(weights - before[name]).max() > 1e-5
        for name, weights in fit(model, X, y, cv=2).weights_.items()
        if "embeddings" in name
    )


@pytest.mark.parametrize("settings", mostly_slow([{}, CONTEXT]))
def test_lower_layers_read_each_input_once(model, monkeypatch, settings):
    X, y = make_table()
    X.loc[5, "utterance"] = X.loc[0, "utterance"]
    read, keep = [], LowerLayers._keep

    def log(self, texts, *args):
        read.extend(texts)
        keep(self, texts, *args)

    monkeypatch.setattr(LowerLayers, "_keep", log)
    embedder = fit(model, X, y, cv=3, layers=1, **settings)
    assert len(read) == len(set(read))
    assert set(read) == set(embedder._read(X))


@pytest.mark.parametrize("settings", mostly_slow([{}, CONTEXT]))
def test_what_was_kept_is_what_the_layers_would_say(
    steady_model, monkeypatch, settings
):
    X, y = make_table()
    settings = settings | {"cv": 2, "layers": 1, "tokens_at_once": 60}
    kept = fit(steady_model, X, y, **settings)
    monkeypatch.setattr(
        LowerLayers, "standing_in", lambda self, *args: open(os.devnull)
    )
    anew = fit(steady_model, X, y, **settings)
    for one, two in zip(kept.history_, anew.history_, strict=True):
        assert one["train_loss"] == pytest.approx(two["train_loss"], rel=1e-4)
    np.testing.assert_allclose(kept.transform(X), anew.transform(X), atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", mostly_slow(["MPNet", "DistilBert", "Roberta", "ModernBert"])
)
def test_layers_of_other_models_are_found(model, kind, tmp_path):
    import transformers
    from sentence_transformers import SentenceTransformer

    sizes = {"num_hidden_layers": 3, "num_attention_heads": 2, "hidden_size": 16}
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=50, intermediate_size=16, max_position_embeddings=60, **sizes,
        pad_token_id=0,
    )  # fmt: skip
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    tokenizer.save_pretrained(tmp_path / "plain")
    getattr(transformers, f"{kind}Model")(config).save_pretrained(tmp_path / "plain")
    network = SentenceTransformer(str(tmp_path / "plain"), device="cpu")
    network.save(str(tmp_path / "model"), create_model_card=False)
    X, y = make_table()
    embedder = FineTunedTextEmbedder(
        tmp_path / "model", **FAST, cv=2, layers=2, **CONTEXT
    )
    assert np.isfinite(embedder.fit_transform(X, y)).all()
    prefix = clone(embedder).set_params(context_future=0, layers=None).fit(X, y)
    whole, part = (prefix.transform(x) for x in (X, X[X["dialogue__turn"] < 2]))
    np.testing.assert_allclose(whole[X["dialogue__turn"] < 2], part, atol=1e-5)


def test_models_of_folds_share_what_does_not_learn(model):
    from skmerc.features._layers import copy_to_learn
    from skmerc.features._text import TextEmbedder

    base = TextEmbedder(model, device="cpu")._load().network
    frozen = {n for n, w in base.named_parameters() if "layer.1." not in n}
    copy = copy_to_learn(base, 1)
    for (name, weight), same in zip(
        base.named_parameters(), copy.parameters(), strict=True
    ):
        assert weight.requires_grad
        assert same.requires_grad == (name not in frozen)
        assert (weight.data_ptr() == same.data_ptr()) == (name in frozen)


def test_more_layers_than_there_are_are_refused(model):
    with pytest.raises(ValueError, match="layers=3, and the model has 2"):
        fit(model, *make_table(), layers=3)


# Parts of a batch


def test_parts_have_at_most_so_many_tokens():
    rng = np.random.default_rng(0)
    n_tokens = rng.integers(1, 50, 200)
    batch = rng.permutation(200)[:60]
    for n_most in (1, 30, 100, 10_000):
        parts = parts_of_tokens(batch, n_tokens, n_most)
        assert np.array_equal(np.concatenate(parts), batch)
        for part in parts:
            assert len(part) == 1 or max(n_tokens[part]) * len(part) <= n_most
    assert len(parts) == 1


@pytest.mark.parametrize("class_weight", mostly_slow([None, "balanced"]))
def test_gradients_of_parts_add_up_to_those_of_the_batch(
    steady_model, monkeypatch, class_weight
):
    X, y = make_table()
    seen = []

    def look(self, batch):
        gradients = []
        for n_most in (1, 50, 10_000):
            object.__setattr__(self.how, "tokens_at_once", n_most)
            self.optimizer.step = lambda: None
            step(self, batch)
            gradients.append([w.grad.clone() for w in self.head.parameters()])
        for other in gradients[1:]:
            for one, two in zip(gradients[0], other, strict=True):
                torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)
        seen.append(batch)
        return 1.0, 1.0

    step = FineTuning._step
    monkeypatch.setattr(FineTuning, "_step", look)
    settings = CONTEXT | {"class_weight": class_weight, "dropout": 0.0}
    fit(steady_model, X, y, cv=None, max_epochs=1, **settings)
    assert len(seen) == 3


# Types of numbers


def test_bfloat16_is_for_training_alone(model):
    X, y = make_table()
    whole, half = (
        fit(model, X, y, cv=2, precision=precision, **CONTEXT)
        for precision in ("float32", "bfloat16")
    )
    assert differ(whole, half)
    assert {w.dtype for w in half.weights_.values() if w.dtype.kind == "f"} == {
        np.dtype(np.float32)
    }
    assert half.transform(X).dtype == np.float32
    assert np.isfinite([epoch["train_loss"] for epoch in half.history_]).all()


@pytest.mark.parametrize(
    ("computes", "same"), mostly_slow([(True, "bfloat16"), (False, "float32")])
)
def test_the_type_is_what_the_processor_computes_in(model, monkeypatch, computes, same):
    X, y = make_table()
    monkeypatch.setattr(
        _fine_tuned_text, "computes_in_bfloat16", lambda device: computes
    )
    expected = fit(model, X, y, cv=None, precision=same)
    assert_equal(fit(model, X, y, cv=None, precision="auto"), expected)


# Checkpoints


class Killed(BaseException):
    """Stands for a process that ends."""


@pytest.fixture
def kill(monkeypatch):
    """A function: end training in so many passes, before or behind what is written."""
    one_pass, write = FineTuning.one_pass, ModelFile.write

    def set_up(number, written=True):
        passes = []

        def counted(self, bar):
            passes.append(len(self.losses))
            if len(passes) == number and not written:
                self._step(np.arange(4))  # in the middle of it
                raise Killed
            one_pass(self, bar)

        def killing(self, *state):
            write(self, *state)
            if len(passes) == number:
                raise Killed

        monkeypatch.setattr(FineTuning, "one_pass", counted)
        monkeypatch.setattr(ModelFile, "write", killing)
        return passes

    return set_up


@pytest.mark.parametrize("settings", mostly_slow([{}, CONTEXT | {"layers": 1}]))
@pytest.mark.parametrize("written", mostly_slow([True, False]))
def test_killed_in_each_pass_it_ends_with_the_same_weights(
    model, tmp_path, kill, written, settings
):
    X, y = make_table()
    embedder = FineTunedTextEmbedder(model, **FAST, cv=2, **settings)
    expected = clone(embedder)
    features = expected.fit_transform(X, y)
    embedder.set_params(checkpoint=tmp_path / "folder")
    for number in range(1, 5):
        kill(number, written)
        with pytest.raises(Killed):
            clone(embedder).fit(X, y)
        passes = kill(99)
        again = clone(embedder)
        np.testing.assert_array_equal(again.fit_transform(X, y), features)
        assert len(passes) == 4 - number + (not written)
        assert_equal(again, expected)
        assert os.listdir(tmp_path / "folder") == []


def test_a_crash_behind_training_trains_nothing_again(
    model, tmp_path, kill, monkeypatch
):
    X, y = make_table()
    embedder = FineTunedTextEmbedder(model, **FAST, cv=2, checkpoint=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(FineTunedTextEmbedder, "_features_left_out", fail)
        with pytest.raises(Killed):
            clone(embedder).fit_transform(X, y)
    assert sorted(os.listdir(tmp_path)) == [
        f"fine-tuning-0{n}.safetensors" for n in (0, 1)
    ]
    passes = kill(99)
    embedder.fit_transform(X, y)
    assert passes == []
    assert os.listdir(tmp_path) == []


def fail(*args):
    raise Killed


@pytest.mark.slow
def test_the_checkpoint_of_another_fit_is_refused_by_name(model, tmp_path, kill):
    X, y = make_table()
    embedder = FineTunedTextEmbedder(model, **FAST, cv=2, checkpoint=tmp_path)
    kill(1)
    with pytest.raises(Killed):
        clone(embedder).fit(X, y)
    kill(99)
    for change, data, told in (
        ({"lr": 0.1}, (X, y), "lr"),
        ({"context_past": 1}, (X, y), "X, context_past"),
        ({}, (X, np.roll(y, 1)), "y"),
        ({}, (X.assign(utterance=X["utterance"] + " so"), y), "X"),
        ({"pooling": "cls"}, (X, y), "pooling, the model"),
    ):
        with pytest.raises(ValueError, match=f"another fit, which differs in {told}"):
            clone(embedder).set_params(**change).fit(*data)
    other = shutil.copytree(model, tmp_path / "elsewhere")
    clone(embedder).set_params(model=other, verbose=1, cache="process").fit(X, y)


def test_a_seed_is_needed_to_go_on(model, tmp_path):
    embedder = FineTunedTextEmbedder(model, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="checkpoint needs an integer random_state"):
        embedder.fit(*make_table())


@pytest.mark.parametrize("how", mostly_slow(["cut", "changed", "other"]))
def test_a_damaged_file_is_told_and_its_model_trained_anew(model, tmp_path, kill, how):
    X, y = make_table()
    embedder = FineTunedTextEmbedder(model, **FAST, cv=2, checkpoint=tmp_path)
    expected = clone(embedder).set_params(checkpoint=None).fit(X, y)
    kill(3)
    with pytest.raises(Killed):
        clone(embedder).fit(X, y)
    path = tmp_path / "fine-tuning-00.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 255
    damaged = {"cut": content[:1000], "changed": content, "other": b"PK a file"}[how]
    path.write_bytes(bytes(damaged))
    passes = kill(99)
    with pytest.warns(DamagedCheckpointWarning, match="tuning-00.* is damaged"):
        assert_equal(embedder.fit(X, y), expected)
    assert len(passes) == 3


def test_another_number_of_threads_is_told(model, tmp_path, kill, monkeypatch):
    X, y = make_table()
    embedder = FineTunedTextEmbedder(model, **FAST, cv=None, checkpoint=tmp_path)
    kill(1)
    with pytest.raises(Killed):
        clone(embedder).fit(X, y)
    kill(99)
    n_threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads + 1)
    with pytest.warns(OtherThreadsWarning, match=f"had {n_threads} threads before"):
        embedder.fit(X, y)


def test_two_fits_in_one_folder_are_refused(model, tmp_path):
    embedder = FineTunedTextEmbedder(model, **FAST, cv=2, checkpoint=tmp_path)
    with (
        FineTuningCheckpoint(tmp_path, {}),
        pytest.raises(ValueError, match="checkpoint of a fit that is running"),
    ):
        embedder.fit(*make_table())


def test_files_of_the_user_stay(model, tmp_path):
    mine = {"notes.txt", "fine-tuning-07.safetensors"}
    for name in mine:
        (tmp_path / name).write_text("mine")
    (tmp_path / ".fine-tuning-00.safetensors.0a1b.tmp").write_text("of a killed fit")
    fit(model, *make_table(), cv=2, checkpoint=tmp_path)
    assert set(os.listdir(tmp_path)) == mine


def test_a_file_of_the_user_is_not_written_over(model, tmp_path):
    path = shutil.copy(
        model / "model.safetensors", tmp_path / "fine-tuning-00.safetensors"
    )
    content = path.read_bytes()
    with pytest.raises(
        ValueError, match="not written by a fit, and would be written ov"
    ):
        fit(model, *make_table(), cv=2, checkpoint=tmp_path)
    assert path.read_bytes() == content


TRAINING = """
import pickle, sys
embedder, X, y = pickle.load(open(sys.argv[1], "rb"))
embedder.fit(X, y)
"""


@pytest.mark.slow
def test_a_process_that_is_killed_in_the_middle_changes_nothing(model, tmp_path):
    X, y = make_table(20)
    settings = FAST | {"cv": 2, "max_epochs": 20} | CONTEXT
    embedder = FineTunedTextEmbedder(model, **settings)
    expected = clone(embedder).fit(X, y)
    folder, question = tmp_path / "folder", tmp_path / "question.pkl"
    embedder.set_params(checkpoint=folder)
    question.write_bytes(pickle.dumps((embedder, X, y)))
    process = subprocess.Popen([sys.executable, "-c", TRAINING, question])
    while not list(folder.glob("fine-tuning-01*")) and process.poll() is None:
        time.sleep(0.01)  # until the first model is finished
    process.kill()
    assert process.wait() != 0
    assert_equal(embedder.fit(X, y), expected)
    assert os.listdir(folder) == []


# What it costs


def test_the_cost_is_told_by_the_script(model, monkeypatch, capsys):
    script = Path(__file__).parents[2] / "examples" / "text_cost.py"
    settings = ["--rows", "30", "--past", "2", "--speakers", "--layers", "1"]
    monkeypatch.setattr(sys, "argv", [str(script), "--model", str(model), *settings])
    runpy.run_path(str(script), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.partition(":")[0] for line in lines] == ["embedded", "one pass"]


# What is shown


@pytest.mark.slow
def test_the_bar_names_fold_and_pass(model, capfd):
    X, y = make_table()
    fit(model, X, y, cv=2)
    assert capfd.readouterr() == ("", "")
    fit(model, X, y, cv=2, verbose=1)
    shown = capfd.readouterr().err
    for fold in (1, 2):
        for number in (1, 2):
            assert f"fold {fold} of 2, pass {number} of 2" in shown
    fit(model, X, y, cv=None, verbose=1)
    assert "pass 2 of 2" in capfd.readouterr().err
