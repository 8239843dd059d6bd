"""Fits and answers on a GPU that is not there: nothing mixes tensors of two places."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from elsewhere import HERE, THERE, Elsewhere, place_of
from sklearn.base import clone
from systems import mostly_slow
from test_gpu import MODELS, SAMPLER, answers

from skmerc import JoyfulClassifier, JoyfulRegressor
from skmerc._utils.random import Source
from skmerc.datasets import make_conversations
from skmerc.inspection import explain


@pytest.fixture
def elsewhere(monkeypatch):
    # What torch itself thinks of GPUs stays, also where it could compute on one.
    cuda = SimpleNamespace(is_available=lambda: True, device_count=lambda: 1)
    seen = SimpleNamespace(cuda=cuda, device=torch.device)
    monkeypatch.setattr("skmerc._utils.device.torch", seen)
    monkeypatch.setattr(torch.backends.cudnn, "is_acceptable", lambda tensor: False)
    on = Source.on
    monkeypatch.setattr(Source, "on", lambda self, device: on(self, HERE))
    with Elsewhere():
        yield


@pytest.fixture(scope="module")
def table():
    return make_conversations(8, n_turns=(3, 8), imbalance=4, missing=0.1)


def test_what_is_there_must_not_mix_with_what_is_here(elsewhere):
    here = torch.ones(2)
    there, layer = here.to("cuda"), torch.nn.Linear(2, 1).to(THERE)
    layer(there).sum().backward()
    assert {there.device, layer.weight.device, layer.weight.grad.device} == {THERE}
    assert here.device == HERE
    for mix in (lambda: here + there, lambda: layer(here), lambda: here[there.long()]):
        with pytest.raises(RuntimeError, match="from here and there"):
            mix()
    with pytest.raises(TypeError, match="numpy"):
        there.numpy()
    assert (there + torch.tensor(1.0)).cpu().numpy().tolist() == [2, 2]


@pytest.mark.parametrize("name", mostly_slow(MODELS))
def test_a_fit_and_its_answers_stay_in_one_place(table, elsewhere, name):
    X, y = table
    model = clone(MODELS[name]).fit(X, y)
    assert len(answers(model, X)) == len(X)


def test_the_sampler_stays_in_one_place_and_comes_back(table, elsewhere):
    sampler = clone(SAMPLER)
    sampler.fit_resample(*table)
    places = {place_of(weights) for weights in sampler.gan_.parameters()}
    assert places == {HERE}


def test_scores_and_reasons_come_back(table, elsewhere):
    X, y = table
    model = JoyfulRegressor(max_epochs=1, device="cuda", random_state=0)
    assert np.isfinite(model.fit(X, np.arange(len(y)) / 9).predict(X)).all()
    model = JoyfulClassifier(max_epochs=1, device="cuda", random_state=0).fit(X, y)
    for method in ("occlusion", "integrated_gradients"):
        explain(model, X, 0, method=method)
