"""Searches on a Dask cluster: a scheduler and two workers, processes of their own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV, cross_val_score
from test_searches import three_steps

from skmerc._training import resolve_device
from skmerc.datasets import make_conversations
from skmerc.metrics import weighted_f1_scorer
from skmerc.model_selection import DialogueKFold

distributed = pytest.importorskip("distributed", reason="needs Dask: skmerc[dask]")

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def table():
    return make_conversations(50, n_turns=(5, 8), imbalance=4, random_state=0)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Two workers, which see one GPU each where there are two."""
    folder = tmp_path_factory.mktemp("dask")
    path = {"PYTHONPATH": os.pathsep.join(map(str, [HERE, *HERE.parents[:2]]))}
    processes = []

    # Without what tests/conftest.py says of threads, which Dask says by itself.
    rest = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}

    def start(*arguments, **variables):
        command = [sys.executable, "-m", "dask", *arguments]
        environment = rest | path | variables
        processes.append(subprocess.Popen(command, env=environment, cwd=folder))

    place = ["--scheduler-file", "scheduler.json", "--host", "127.0.0.1"]
    start("scheduler", *place, "--port", "0", "--no-dashboard")
    for gpu in "01":
        worker = [*place, "--nthreads", "1", "--no-dashboard"]
        start("worker", *worker, CUDA_VISIBLE_DEVICES=gpu)
    file = folder / "scheduler.json"
    try:
        while not file.exists():
            time.sleep(0.1)
        with distributed.Client(scheduler_file=str(file)) as client:
            client.wait_for_workers(2, timeout=120)
            client.amm.stop()  # or it would drop the second copy of what is scattered
            yield client
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=60)


def folds_and_shared(X, y):
    """Folds, and all that each task needs, to be sent to each worker once."""
    folds = list(DialogueKFold(2).split(X, y))
    assert min(rows.nbytes for rows in folds[0]) > 1000  # what joblib shares by itself
    return folds, [X, y, *(rows for fold in folds for rows in fold)]


def small():
    return three_steps().set_params(sampler="passthrough", clf__max_epochs=1)


def test_cross_validation_is_the_same_on_dask(client, table):
    X, y = table
    settings = {"cv": DialogueKFold(3), "scoring": weighted_f1_scorer}
    alone = cross_val_score(small(), X, y, **settings)
    with parallel_config("dask"):
        together = cross_val_score(small(), X, y, **settings, error_score="raise")
    np.testing.assert_array_equal(together, alone)


def test_a_grid_over_all_steps_is_the_same_on_dask(client, table):
    X, y = table
    grid = {"fuser__latent_size": [2, 4], "clf__lr": [1e-3, 1e-1]}
    folds, shared = folds_and_shared(X, y)
    settings = {"cv": folds, "scoring": "neg_log_loss", "error_score": "raise"}
    alone = GridSearchCV(three_steps(), grid, **settings).fit(X, y)
    with parallel_config("dask", scatter=shared):
        together = GridSearchCV(three_steps(), grid, **settings).fit(X, y)
    for name in ("split0_test_score", "split1_test_score"):
        scores = together.cv_results_[name]
        assert len(set(scores)) == 4
        np.testing.assert_allclose(scores, alone.cv_results_[name], rtol=1e-6)
    assert together.best_params_ == alone.best_params_


class KillingScorer:
    """Weighted F1; who first asks for it a third time kills its own process instead."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, estimator, X, y):
        (self.folder / f"{os.getpid()}-{time.time_ns()}").touch()
        own = list(self.folder.glob(f"{os.getpid()}-*"))
        if len(own) == 3 and not (self.folder / "dead").exists():
            (self.folder / "dead").write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return weighted_f1_scorer(estimator, X, y)


def test_a_search_survives_the_death_of_a_worker(client, table, tmp_path):
    X, y = table
    grid = {"clf__lr": [1e-4, 1e-3, 1e-2, 1e-1], "clf__focal_gamma": [0.0, 2.0]}
    folds, shared = folds_and_shared(X, y)
    settings = {"cv": folds, "error_score": "raise"}
    alone = GridSearchCV(small(), grid, scoring=weighted_f1_scorer, **settings)
    alone.fit(X, y)
    before = client.run(os.getpid).values()
    together = GridSearchCV(small(), grid, scoring=KillingScorer(tmp_path), **settings)
    with parallel_config("dask", scatter=shared):
        together.fit(X, y)
    dead = int((tmp_path / "dead").read_text())
    assert dead in before
    assert dead not in client.run(os.getpid).values()
    for name in ("mean_test_score", "split0_test_score", "split1_test_score"):
        scores = together.cv_results_[name]
        np.testing.assert_array_equal(scores, alone.cv_results_[name])


def threads():
    import torch

    return torch.get_num_threads()


def visible_and_chosen():
    return os.environ["CUDA_VISIBLE_DEVICES"], str(resolve_device("auto"))


def test_workers_have_one_thread_and_one_gpu_each(client):
    assert set(client.run(threads).values()) == {1}
    visible, chosen = zip(*client.run(visible_and_chosen).values(), strict=True)
    assert sorted(visible) == ["0", "1"]
    assert all(":" not in device for device in chosen)
