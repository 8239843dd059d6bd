"""What is said while a model trains or answers."""

import threading
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import make_pipeline
from skorch.callbacks import EarlyStopping
from systems import mostly_slow

import skmerc
from skmerc import (
    CBERLClassifier,
    DialogueSampler,
    DJVAEFuser,
    JoyfulClassifier,
    MultimodalGANSampler,
)
from skmerc._training._engine import EpochProgress
from skmerc._training._measures import BEST_EPOCH
from skmerc.datasets import make_conversations, to_frame
from skmerc.inspection import modality_importance

TINY = {"max_epochs": 1, "hidden_size": 4, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def table():
    return make_conversations(6, n_turns=(3, 4), random_state=0)


def make(kind):
    if kind is MultimodalGANSampler:
        return kind(n_steps=2, hidden_size=4, device="cpu", random_state=0)
    return kind(**(TINY | ({"latent_size": 2} if kind is DJVAEFuser else {})))


def learn(model, X, y):
    return getattr(model, "fit_resample", model.fit)(X, y)


@pytest.mark.parametrize(
    "kind", mostly_slow([CBERLClassifier, DJVAEFuser, MultimodalGANSampler])
)
def test_bars_name_the_estimator_and_appear_for_a_whole_block(kind, table, capsys):
    learn(make(kind), *table)
    assert capsys.readouterr() == ("", "")
    with skmerc.config_context(verbose=1):
        learn(make(kind), *table)
    assert f"{kind.__name__}, training" in capsys.readouterr().err
    learn(make(kind), *table)
    assert capsys.readouterr() == ("", "")


def test_the_bar_of_a_fit_that_stopped_early_is_full_and_says_so(table, capsys):
    never_better = EarlyStopping(
        monitor="train_loss", patience=1, threshold=1e9, threshold_mode="abs"
    )
    model = make(CBERLClassifier).set_params(
        max_epochs=50, patience=None, callbacks=[never_better], verbose=1
    )
    n_epochs = model.fit(*table).n_iter_
    assert n_epochs < 50
    last = capsys.readouterr().err.rstrip().splitlines()[-1].rpartition("\r")[2]
    assert last.startswith("CBERLClassifier, stopped early: 100%")
    assert f" {n_epochs}/{n_epochs} " in last


@pytest.mark.parametrize(
    ("misses", "said"), [(3, "stopped early, best epoch 2: 100%"), (0, "interrupted: ")]
)
def test_a_bar_tells_the_best_epoch_and_why_it_ended(misses, said, capsys):
    stopping = EarlyStopping(patience=3)
    stopping.misses_ = misses
    epoch = {"train_loss": 1.0, "valid_mae": 0.25, BEST_EPOCH: 2}
    net = SimpleNamespace(
        max_epochs=9, history=[epoch] * 5, callbacks_=[("stop", stopping)]
    )
    bar = EpochProgress("Model", "valid_mae")
    bar.on_train_begin(net)
    bar.on_epoch_end(net)
    bar.on_train_end(net)
    last = capsys.readouterr().err.rstrip().rpartition("\r")[2]
    assert last.startswith(f"Model, {said}")
    assert "best=0.25 (epoch 2)" in last


def test_settings_hold_in_their_thread_and_their_block():
    found = {}
    with skmerc.config_context(verbose=2):
        assert skmerc.get_config() == {"verbose": 2}
        thread = threading.Thread(target=lambda: found.update(skmerc.get_config()))
        thread.start()
        thread.join()
        with skmerc.config_context():
            assert skmerc.get_config() == {"verbose": 2}
    assert found == skmerc.get_config() == {"verbose": 0}


@pytest.mark.parametrize("wrong", [-1, "loud", 0.5])
def test_settings_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match="verbose is .*; give a whole number"):
        skmerc.set_config(verbose=wrong)


@pytest.mark.parametrize("sampler", [MultimodalGANSampler(), DialogueSampler()])
def test_a_sampler_in_the_pipeline_of_scikit_learn_names_the_right_one(sampler, table):
    with pytest.raises(TypeError, match="is a sampler.* of imblearn.pipeline"):
        make_pipeline(sampler, make(CBERLClassifier)).fit(*table)
    assert not hasattr(sampler, "transform")


def test_columns_of_texts_and_files_are_modalities_of_their_own():
    class Loud(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return np.where(X["utterance"].str.isupper(), "anger", "neutral")

    said = [("NO", "anger"), ("yes", "neutral"), ("WHY", "anger"), ("so", "neutral")]
    X, y = to_frame([[{"text": t, "label": e, "speaker": "a"} for t, e in said]])
    X = X.assign(wav=["a.wav", "b.wav", "c.wav", None], audio__0=1.0)
    importance = modality_importance(Loud().fit(X, y), X, y, random_state=0)
    assert set(importance.index) == {"utterance", "wav", "audio", "(context)"}
    assert importance.loc["wav", "mean"] == 0
    alone = modality_importance(
        Loud().fit(X, y), X.drop(columns=["wav", "audio__0"]), y, random_state=0
    )
    assert set(alone.index) == {"utterance", "(context)"}


def test_labels_of_several_emotions_keep_the_names_of_their_columns(table):
    X, y = table
    both = pd.DataFrame({"joy": y == "joy", "loud": y != "neutral"}).astype(int)
    settings = TINY | {"fusion_size": 8, "n_bases": 2, "heads": 2}
    model = JoyfulClassifier(**settings, warm_start=True).fit(X, both)
    assert model.classes_.tolist() == ["joy", "loud"]
    assert model.predict(X).shape == both.shape
    with pytest.raises(ValueError, match="columns of y are .* and were"):
        model.fit(X, both[["loud", "joy"]])
    plain = JoyfulClassifier(**settings).fit(X, both.to_numpy())
    assert plain.classes_.tolist() == [0, 1]
