"""Memory that large tables take besides their own.

    pytest -n 0 -p benchmark -m benchmark tests/benchmarks/test_large_tables.py

Takes about a quarter of an hour and 8 GB. Each classifier works in a process of its
own, whose growth is that of the call.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

from benchmark.timed import growth

from skmerc import CBERLClassifier, JoyfulClassifier
from skmerc.frame import make_frame

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

N_UTTERANCES, N_TURNS = 2_000_000, 20
WIDTHS = {"text": 200, "audio": 120, "visual": 80}
ONE_EPOCH = {"max_epochs": 1, "patience": None, "batch_size": 256, "random_state": 0}
CLASSIFIERS = {
    "cberl": CBERLClassifier(hidden_size=16, **ONE_EPOCH),
    "joyful": JoyfulClassifier(
        fusion_size=16, hidden_size=16, heads=4, n_bases=8, **ONE_EPOCH
    ),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_nothing_is_copied_whole(benchmark, name):
    found = benchmark.pedantic(measured_apart, (name, N_UTTERANCES), rounds=1)
    benchmark.extra_info |= found
    for call in ("fit", "predict"):
        grown = found[f"{call} MiB"] - found["model MiB"]
        assert found["table MiB"] + grown < 1.5 * found["table MiB"]


def measured_apart(name, n_utterances):
    command = [sys.executable, __file__, name, str(n_utterances)]
    answer = subprocess.run(command, capture_output=True, check=True, text=True)
    return json.loads(answer.stdout)


def measure(name, n_utterances):
    X, y = large_table(n_utterances)
    model = CLASSIFIERS[name]
    model.fit(X[:2000], y[:2000]).predict(X[:2000])  # loads what is loaded once
    found = {"table MiB": X.memory_usage(deep=True).sum() / 2**20}
    for call, arguments in (("fit", (X, y)), ("predict", (X,))):
        start = time.perf_counter()
        found[f"{call} MiB"] = growth(getattr(model, call), *arguments)
        found[f"{call} s"] = time.perf_counter() - start
    weights = sum(weight.nbytes for weight in model.net_.module_.parameters())
    found["model MiB"] = 4 * weights / 2**20  # with gradients and AdamW's two moments
    return {name: round(float(value), 1) for name, value in found.items()}


def large_table(n_utterances):
    rng = np.random.default_rng(0)
    shape = (n_utterances, sum(WIDTHS.values()))
    values = rng.standard_normal(shape, dtype=np.float32)
    edges = np.cumsum([0, *WIDTHS.values()])
    X = make_frame(
        {name: values[:, edges[i] : edges[i + 1]] for i, name in enumerate(WIDTHS)},
        dialogue=[f"dia{row // N_TURNS}" for row in range(n_utterances)],
        turn=np.arange(n_utterances) % N_TURNS,
        speaker=np.where(np.arange(n_utterances) % 2, "A", "B"),
    )
    return X, rng.choice(["anger", "fear", "joy", "neutral"], n_utterances)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
