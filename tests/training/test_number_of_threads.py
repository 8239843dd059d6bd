"""Networks compute with as many threads as are worth it, and leave those of torch."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from torch import nn

from skmerc import (
    CBERLClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    MultimodalGANSampler,
)
from skmerc._utils import threads
from skmerc._utils.threads import one_thread, threads_for
from skmerc.datasets import make_conversations

ROOT = Path(__file__).parents[2]
TABLE = make_conversations(6, random_state=0)
MODELS = {
    "cberl": CBERLClassifier(max_epochs=1, hidden_size=8, random_state=0),
    "joyful": JoyfulClassifier(max_epochs=1, random_state=0),
    "fuser": DJVAEFuser(max_epochs=1, random_state=0),
    "sampler": MultimodalGANSampler(n_steps=2, random_state=0),
}

pytestmark = pytest.mark.skipif(
    not torch.backends.openmp.is_available(), reason="torch has no threads of OpenMP"
)


@pytest.fixture
def of_torch():
    """The number of threads that the user has given torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


@pytest.fixture
def seen(monkeypatch):
    """Numbers of threads that linear layers have computed with."""
    numbers, forward = set(), nn.Linear.forward

    def watch(self, values):
        numbers.add(torch.get_num_threads())
        return forward(self, values)

    monkeypatch.setattr(nn.Linear, "forward", watch)
    return numbers


def use(model, X, y):
    """Fit a model and return what it answers."""
    if hasattr(model, "fit_resample"):
        return model.fit_resample(X, y)[0].filter(like="__").select_dtypes("number")
    model.fit(X, y)
    return getattr(model, "predict_proba", model.transform)(X)


@pytest.mark.parametrize("name", MODELS)
def test_a_small_network_has_one_thread(name, of_torch, seen):
    use(MODELS[name], *TABLE)
    assert seen == {1}
    assert torch.get_num_threads() == of_torch


@pytest.mark.parametrize("name", MODELS)
def test_a_large_network_has_those_of_torch(name, of_torch, monkeypatch):
    class Seen(Exception):
        pass

    def tell(self, values):
        raise Seen(torch.get_num_threads())

    monkeypatch.setattr(threads, "_FEW_WEIGHTS", 0)
    monkeypatch.setattr("joblib.cpu_count", lambda: 64)
    monkeypatch.setattr(nn.Linear, "forward", tell)
    with pytest.raises(Seen, match=f"^{of_torch}$"):
        use(MODELS[name], *TABLE)
    assert torch.get_num_threads() == of_torch


def test_no_more_threads_than_cores_that_the_process_may_use(of_torch, monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)
    with threads_for(nn.Linear(2001, 2000)):
        assert torch.get_num_threads() == 1


def test_inside_a_small_step_a_large_network_has_its_own_number(of_torch, monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 64)
    with one_thread(), one_thread(), threads_for(nn.Linear(2001, 2000)):
        assert torch.get_num_threads() == of_torch
        with threads_for(nn.Linear(2, 2)):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == of_torch


def test_other_threads_of_the_process_keep_theirs(of_torch):
    told = []
    with one_thread():
        other = threading.Thread(target=lambda: told.append(torch.get_num_threads()))
        other.start()
        other.join()
    assert told == [of_torch]


def test_an_error_gives_the_number_back(of_torch):
    with pytest.raises(ZeroDivisionError), one_thread():
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == of_torch


@pytest.mark.parametrize("name", MODELS)
def test_the_number_of_torch_decides_about_nothing(name, of_torch):
    with_two = use(MODELS[name], *TABLE)
    torch.set_num_threads(1)
    np.testing.assert_array_equal(use(MODELS[name], *TABLE), with_two)


@pytest.mark.slow
def test_the_number_of_cores_decides_about_nothing():
    """What torch takes without being told is the number of cores, or this variable."""

    def answers(n_threads):
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        environment.pop("MKL_NUM_THREADS", None)  # which tests set to one
        environment["OMP_NUM_THREADS"] = str(n_threads)
        command = [sys.executable, str(__file__)]
        told = subprocess.run(command, env=environment, check=True, capture_output=True)
        return told.stdout.decode().split()

    assert answers(1) == answers(2)


if __name__ == "__main__":
    for model in MODELS.values():
        print(joblib.hash(np.asarray(use(model, *TABLE))))
