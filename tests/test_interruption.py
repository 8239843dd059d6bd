"""An interrupt by the user leaves what was learned until then, and says so."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from imblearn.pipeline import make_pipeline
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback, EarlyStopping
from systems import FURTHER, answer_of, make_model, mostly_slow

from skmerc import (
    CBERLClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    JoyfulRegressor,
    MultimodalGANSampler,
)
from skmerc.datasets import make_conversations
from skmerc.exceptions import InterruptedTrainingWarning
from skmerc.frame import mark_validation

SMALL = {"hidden_size": 8, "max_epochs": 4, "device": "cpu", "random_state": 0}
JOYFUL = SMALL | {"fusion_size": 8, "heads": 2, "n_bases": 4, "batch_size": 64}
MODELS = {
    "cberl": (CBERLClassifier, SMALL | {"lstm_layers": 1}),
    "joyful": (JoyfulClassifier, JOYFUL),
    "regressor": (JoyfulRegressor, JOYFUL),
    "fuser": (DJVAEFuser, SMALL | {"latent_size": 4}),
    **{name: (make_model, SMALL | {"name": name}) for name in FURTHER},
}


class Interrupt(Callback):
    """Press Ctrl+C in an epoch, or in one of its batches."""

    def __init__(self, epoch, moment="on_epoch_end"):
        self.epoch, self.moment = epoch, moment

    def _press(self, net, moment):
        if moment == self.moment and len(net.history) == self.epoch:
            raise KeyboardInterrupt

    def on_epoch_begin(self, net, **kwargs):
        self._press(net, "on_epoch_begin")

    def on_batch_end(self, net, training=False, **kwargs):
        self._press(net, "on_batch_end")

    def on_epoch_end(self, net, **kwargs):
        self._press(net, "on_epoch_end")


@pytest.fixture(scope="module")
def table():
    return make_conversations(12, n_turns=(7, 10), random_state=0)


@pytest.fixture(params=mostly_slow(MODELS))
def make(request):
    kind, settings = MODELS[request.param]
    return lambda **changes: kind(**(settings | changes))


def answers(model, X):
    names = {JoyfulRegressor: "regressor", DJVAEFuser: "fuser"}
    return answer_of(model, names.get(type(model)), X)


def target_for(model, table):
    return table[0]["text__0"] if isinstance(model, JoyfulRegressor) else table[1]


@pytest.mark.parametrize("patience", mostly_slow([None, 10]))
@pytest.mark.parametrize("moment", mostly_slow(["on_epoch_begin", "on_batch_end"]))
def test_an_interrupt_leaves_the_finished_epochs(table, make, moment, patience):
    model = make(callbacks=[Interrupt(3, moment)], patience=patience)
    y = target_for(model, table)
    with pytest.warns(InterruptedTrainingWarning, match="in epoch 3 of 4"):
        model.fit(table[0], y)
    assert model.n_iter_ == len(model.history_) == len(model.net_.history) == 2
    assert np.isfinite(answers(model, table[0])).all()
    whole = make(max_epochs=4 if hasattr(model, "schedule") else 2, patience=patience)
    whole.fit(table[0], y)
    losses = [epoch["train_loss"] for epoch in whole.history_[:2]]
    assert [epoch["train_loss"] for epoch in model.history_] == losses


@pytest.mark.slow
def test_an_interrupt_after_an_epoch_is_that_epoch_s_model(table):
    X, y = table
    make, settings = CBERLClassifier, SMALL | {"patience": None}
    with pytest.warns(InterruptedTrainingWarning, match="in epoch 3 of 4"):
        model = make(**settings, callbacks=[Interrupt(2)]).fit(X, y)
    expected = make(**(settings | {"max_epochs": 2})).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


@pytest.mark.slow
def test_with_early_stopping_the_best_epoch_is_kept(table):
    X, y = table
    settings = SMALL | {"max_epochs": 8, "lr": 0.05, "validation_fraction": 0.4}
    whole = CBERLClassifier(**settings).fit(X, y)
    scores = [epoch["valid_weighted_f1"] for epoch in whole.history_[:4]]
    best = int(np.argmax(scores)) + 1
    expected = CBERLClassifier(**(settings | {"max_epochs": best})).fit(X, y)
    press = Interrupt(5, "on_batch_end")
    with pytest.warns(InterruptedTrainingWarning, match="in epoch 5 of 8"):
        model = CBERLClassifier(**settings, callbacks=[press]).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


@pytest.mark.parametrize("moment", ["on_epoch_begin", "on_batch_end"])
def test_before_the_first_epoch_is_finished_it_is_passed_on(table, make, moment):
    model = make(callbacks=[Interrupt(1, moment)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(table[0], target_for(model, table))
    with pytest.raises(NotFittedError):
        answers(model, table[0])


def test_what_was_fitted_before_stays_until_another_fit_is_whole(table, make):
    model = make().fit(table[0], target_for(make(), table))
    before = answers(model, table[0])
    model.set_params(callbacks=[Interrupt(1, "on_batch_end")])
    with pytest.raises(KeyboardInterrupt):
        model.fit(table[0].iloc[::-1], target_for(model, table)[::-1])
    np.testing.assert_array_equal(answers(model, table[0]), before)


def test_partial_fit_is_all_or_nothing(table):
    X, y = table
    model = CBERLClassifier(**SMALL).partial_fit(X, y, np.unique(y))
    before = model.predict_proba(X)
    model.set_params(callbacks=[Interrupt(1, "on_batch_end")])
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.n_iter_ == 1


@pytest.mark.slow
def test_early_stopping_is_no_interrupt(table, make):
    X, y = table[0], target_for(make(), table)
    stopper = EarlyStopping("train_loss", patience=2, threshold=10, sink=lambda _: None)
    assert make(max_epochs=9, callbacks=[stopper]).fit(X, y).n_iter_ == 3
    assert make(callbacks=[Interrupt(4)]).fit(X, y).n_iter_ == 4


@pytest.mark.parametrize("marked", [False, True])
def test_a_fuser_keeps_the_best_of_its_finished_epochs(table, marked):
    X = mark_validation(table[0], fraction=0.3, random_state=0) if marked else table[0]
    settings = SMALL | {"latent_size": 4, "batch_size": 1000, "lr": 1e-4}
    press = Interrupt(3, "on_epoch_begin")
    with pytest.warns(InterruptedTrainingWarning, match="in epoch 3 of 4"):
        model = DJVAEFuser(**settings, callbacks=[press]).fit(X)
    assert ("valid_loss" in model.history_[-1]) == marked
    assert not model.vae_.training
    expected = DJVAEFuser(**(settings | {"max_epochs": 2})).fit(X)
    assert model.transform(X).equals(expected.transform(X))


def test_a_sampler_passes_it_on_and_the_pipeline_stops(table, monkeypatch):
    def press(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("skmerc.sampling._gan.play", press)
    model = make_pipeline(MultimodalGANSampler(random_state=0), CBERLClassifier())
    with pytest.raises(KeyboardInterrupt):
        model.fit(*table)
    with pytest.raises(NotFittedError):
        model.predict(table[0])


SCRIPT = """
import warnings
from skorch.callbacks import Callback
from skmerc import CBERLClassifier
from skmerc.datasets import make_conversations

class Tell(Callback):
    def on_epoch_end(self, net, **kwargs):
        print("epoch", flush=True)

X, y = make_conversations(30, random_state=0)
settings = {"hidden_size": 8, "max_epochs": 100000, "patience": None}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model = CBERLClassifier(**settings, callbacks=[Tell()], random_state=0).fit(X, y)
print([w.category.__name__ for w in caught][-1], model.predict(X).shape == y.shape)
"""


@pytest.mark.slow
def test_a_signal_does_the_same():
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert [process.stdout.readline() for _ in range(2)] == ["epoch\n"] * 2
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert output.splitlines()[-1] == "InterruptedTrainingWarning True"
