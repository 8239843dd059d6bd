"""Models that several threads and processes use at once."""

import gc
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from systems import (
    ANSWERING,
    NAMES,
    SAVED,
    answer_of,
    fit_model,
    make_model,
    mostly_slow,
)
from torch import nn

from skmerc.datasets import make_conversations
from skmerc.persistence import load_model, save_model


@pytest.fixture(scope="module")
def table():
    return make_conversations(16, n_turns=(4, 10), random_state=0)


@contextmanager
def in_background(work):
    """Repeat some work in a thread, as long as the block lasts."""
    done, failures = threading.Event(), []

    def repeat():
        try:
            while not done.is_set():
                work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert failures == []


def numbers_in(model):
    """All weights of the networks that a model holds, and whether they are training."""
    found = {}
    for name, thing in vars(model).items():
        module = getattr(thing, "module_", thing)
        if isinstance(module, nn.Module):
            state = module.state_dict().items()
            found |= {f"{name}.{key}": value.clone() for key, value in state}
            found[name] = torch.tensor([part.training for part in module.modules()])
    return found


def assert_ready_to_answer(model, name, X):
    before, attributes = numbers_in(model), vars(model).copy()
    assert not any(
        value.any() for value in before.values() if value.dtype == torch.bool
    )
    answer_of(model, name, X)
    assert vars(model).keys() == attributes.keys()
    assert all(vars(model)[key] is value for key, value in attributes.items())
    after = numbers_in(model)
    assert all(torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.parametrize("name", mostly_slow(ANSWERING))
def test_a_fitted_model_is_ready_to_answer_and_answers_change_nothing(table, name):
    assert_ready_to_answer(fit_model(make_model(name), name, *table), name, table[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", mostly_slow(SAVED))
def test_so_is_a_loaded_one(table, tmp_path, name):
    save_model(fit_model(make_model(name), name, *table), tmp_path / "model")
    assert_ready_to_answer(load_model(tmp_path / "model"), name, table[0])


def ask_from_eight_threads(table, name, n_calls):
    X, y = table
    model = fit_model(make_model(name), name, X, y)
    alone = answer_of(model, name, X)
    with (
        in_background(lambda: fit_model(make_model(name), name, X, y)),
        ThreadPoolExecutor(8) as pool,
    ):
        questions = [model] * n_calls
        answers = list(pool.map(lambda m: answer_of(m, name, X), questions))
    for answer in answers:
        np.testing.assert_array_equal(answer, alone)


@pytest.mark.parametrize("name", mostly_slow(ANSWERING))
def test_eight_threads_beside_a_fit_get_the_answers_of_one(table, name):
    ask_from_eight_threads(table, name, n_calls=24)


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERING)
def test_five_hundred_answers_from_threads_are_those_of_one(table, name):
    ask_from_eight_threads(table, name, n_calls=500)


@pytest.mark.parametrize("name", mostly_slow(ANSWERING))
def test_while_a_model_is_fitted_again_it_answers_from_the_fit_before(table, name):
    X, y = table
    model = fit_model(make_model(name), name, X, y)
    half = X["dialogue__id"].isin(X["dialogue__id"].unique()[:8]).to_numpy()
    fits = [X, y], [X[half], y[half]]
    known = [
        answer_of(fit_model(make_model(name), name, *fit), name, X) for fit in fits
    ]
    turns = iter(range(10**6))
    with in_background(lambda: fit_model(model, name, *fits[next(turns) % 2])):
        for _ in range(4):
            copy = pickle.loads(pickle.dumps(model))
            for answer in (answer_of(model, name, X), answer_of(copy, name, X)):
                assert any(np.array_equal(answer, one) for one in known)


@pytest.mark.parametrize("name", mostly_slow(NAMES))
def test_what_other_threads_draw_changes_no_fit(table, name):
    X, y = table

    def draw():
        torch.manual_seed(0)
        torch.rand(100)
        np.random.seed(0)
        np.random.rand(100)

    def fit_and_answer():
        model = make_model(name)
        result = fit_model(model, name, X, y)
        if name == "sampler":
            return result[0].filter(like="__").select_dtypes("number").to_numpy()
        return answer_of(model, name, X)

    alone = fit_and_answer()
    with in_background(draw):
        beside = fit_and_answer()
    np.testing.assert_array_equal(beside, alone)


def test_a_fit_takes_nothing_from_other_threads(table):
    """A thread that seeds torch and draws finds the numbers of that seed."""
    X, y = table
    expected = torch.rand(50, generator=torch.Generator().manual_seed(7))
    with in_background(lambda: fit_model(make_model("cberl"), "cberl", X, y)):
        for _ in range(20):
            torch.manual_seed(7)
            drawn = []
            for _ in range(50):
                drawn.append(torch.rand(1))
                time.sleep(1e-4)
            assert torch.equal(torch.cat(drawn), expected)


FORK = """
import faulthandler, multiprocessing, os, sys, threading
import torch

torch.set_num_threads(1)
sys.path[:0] = [{tests!r}]
from systems import fit_model, make_model
from skmerc.datasets import make_conversations

X, y = make_conversations(16, n_turns=(3, 6), random_state=0)
done = threading.Event()

def train():
    while not done.is_set():
        fit_model(make_model("cberl"), "cberl", X, y)

thread = threading.Thread(target=train)
thread.start()
ended = []
for _ in range({n_children}):
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(60, exit=True)
        for name in ("cberl", "fuser", "sampler"):
            fit_model(make_model(name), name, X, y)
        os._exit(0)
    ended.append(os.waitpid(child, 0)[1])
arguments = make_model("cberl"), "cberl", X, y
child = multiprocessing.get_context("spawn").Process(target=fit_model, args=arguments)
child.start()
child.join()
ended.append(child.exitcode)
done.set()
thread.join()
print(ended)
"""


def fork_beside_training(pytestconfig, n_children):
    root = pytestconfig.rootpath
    script = FORK.format(tests=str(root / "tests"), n_children=n_children)
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([0] * (n_children + 1))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_forked_or_spawned_beside_training_train_too(pytestconfig):
    fork_beside_training(pytestconfig, n_children=8)


@pytest.mark.slow
def test_models_answer_the_same_in_another_process_and_here_afterwards(table):
    """As `multiprocessing` sends them, which shares the memory of tensors."""
    X, y = table
    models = {name: fit_model(make_model(name), name, X, y) for name in ANSWERING}
    expected = {name: answer_of(model, name, X) for name, model in models.items()}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        for name, model in models.items():
            found = pool.submit(answer_of, model, name, X).result()
            np.testing.assert_array_equal(found, expected[name])
    for name, model in models.items():
        np.testing.assert_array_equal(answer_of(model, name, X), expected[name])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_finds_locks_free_that_a_thread_holds():
    from skmerc._utils import locks, seeding

    held, done = threading.Event(), threading.Event()

    def hold():
        with seeding._TURN, locks.LOADING:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # a lock that is not free ends the child by this signal
        with seeding._TURN, locks.LOADING:
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    done.set()
    thread.join()
    assert status == 0


def what_is_open():
    gc.collect()
    return threading.active_count(), len(os.listdir("/proc/self/fd"))


def n_objects():
    """Count objects, without the notes that pandas keeps of tables that are gone."""
    notes = (o for o in gc.get_objects() if type(o) is weakref.ref)
    return len(gc.get_objects()) - sum(note() is None for note in notes)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs Linux")
@pytest.mark.parametrize("name", ["cberl", "joyful", "fuser", "sampler"])
def test_fifty_fits_leave_nothing_open_and_nothing_in_memory(table, name):
    def fit(times):
        for _ in range(times):
            fit_model(make_model(name), name, *table)

    fit(5)  # what libraries make once
    before, objects_before = what_is_open(), n_objects()
    fit(50)
    assert what_is_open() == before
    assert n_objects() - objects_before < 50  # not even one of each fit
