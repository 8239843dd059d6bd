"""Learning from files part by part: under a cap on memory, and as well as at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from skmerc import CBERLClassifier, JoyfulClassifier
from skmerc.datasets import iter_table, make_conversations
from skmerc.metrics import weighted_f1

pytest.importorskip("pyarrow", reason="needs pyarrow: skmerc[parquet]")

PASSES = 8
TRAINING = {"hidden_size": 16, "heads": 2, "max_epochs": PASSES, "patience": None}
JOYFUL = {"fusion_size": 32, "n_bases": 8, "lr": 1e-3, "schedule": None}
MODELS = [
    CBERLClassifier(batch_size=8, **TRAINING),
    JoyfulClassifier(batch_size=8, **JOYFUL, **TRAINING),
]
WORKER = Path(__file__).with_name("capped_worker.py")


def write_parts(X, y, folder, n_parts):
    """Write dialogues in random order, in folders of one file each."""
    ids = np.random.default_rng(0).permutation(X["dialogue__id"].unique())
    for number, some in enumerate(np.array_split(ids, n_parts)):
        part = folder / f"part={number}"
        part.mkdir(parents=True)
        rows = X["dialogue__id"].isin(some)
        X.assign(label=y)[rows].to_parquet(part / "calls.parquet", row_group_size=1000)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="caps memory as Linux does")
def test_a_table_larger_than_the_memory_is_learned_from(tmp_path):
    widths = {"text": 200, "audio": 120, "visual": 80}
    X, y = make_conversations(4000, n_turns=20, modalities=widths, random_state=0)
    held_out = X["dialogue__id"].isin([f"dia{i}" for i in range(50)])
    X[held_out].assign(label=y[held_out]).to_parquet(tmp_path / "held_out.parquet")
    write_parts(X[~held_out], y[~held_out], tmp_path / "calls", 20)
    mib = round(X.memory_usage().sum() / 2**20 / 2)
    command = [sys.executable, WORKER, tmp_path / "calls"]
    command += [tmp_path / "held_out.parquet", mib, 2]
    # Arrow's other pools reserve memory ahead of time, which a cap counts as taken.
    environment = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"}
    answer = subprocess.run(
        [*map(str, command)], env=environment, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert found["whole"] == "MemoryError"
    assert found["calls"] >= 2 * 40
    assert found["accuracy"] > 0.6


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_scores_are_those_of_the_whole_table_within_noise(model, tmp_path):
    X, y = make_conversations(300, information=1.2, random_state=0)
    training = X["dialogue__id"].isin([f"dia{i}" for i in range(150)]).to_numpy()
    write_parts(X[training], y[training], tmp_path, 5)

    def score(fitted):
        return weighted_f1(y[~training], fitted.predict(X[~training]))

    at_once, by_parts = [], []
    for seed in range(4):
        whole, growing = (clone(model).set_params(random_state=seed) for _ in "ab")
        at_once.append(score(whole.fit(X[training], y[training])))
        for _ in range(PASSES):
            for X_part, y_part in iter_table(tmp_path, rows=500):
                growing.partial_fit(X_part, y_part, classes=np.unique(y))
        by_parts.append(score(growing))
    # Seeds alone move a score by 0.035, and the difference of such means by 0.025.
    assert abs(np.mean(by_parts) - np.mean(at_once)) < 0.05
    assert np.mean(by_parts) > 0.6
