"""Time of every step on a GPU, beside one thread of a processor.

pytest -n 0 -p benchmark -m "benchmark or gpu" tests/benchmarks/test_gpu_speed.py
"""

import pytest
import torch

from skmerc import (
    CBERLClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    MultimodalGANSampler,
)
from skmerc.datasets import make_conversations

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

FIVE = {"max_epochs": 5, "patience": None, "random_state": 0}
STEPS = {
    "generator, 200 steps": MultimodalGANSampler(n_steps=200, random_state=0),
    "fuser, five epochs": DJVAEFuser(**FIVE),
    "CBERL, five epochs": CBERLClassifier(**FIVE),
    "CBERL, five epochs, batches of 32": CBERLClassifier(**FIVE, batch_size=32),
    "JOYFUL, five epochs": JoyfulClassifier(**FIVE),
    "JOYFUL, five epochs, batches of 32": JoyfulClassifier(**FIVE, batch_size=32),
    'JOYFUL, preset "released", one epoch': JoyfulClassifier.from_preset(
        "released", **FIVE | {"max_epochs": 1}
    ),
}


@pytest.fixture(scope="module")
def table():
    """IEMOCAP's shapes: 151 dialogues of 8 to 90 turns, 1380 columns."""
    return make_conversations(
        151, n_turns=(8, 90), n_classes=6, imbalance=3,
        modalities={"text": 768, "audio": 100, "visual": 512}, random_state=0,
    )  # fmt: skip


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("name", STEPS)
def test_one_step(benchmark, table, name, device):
    X, y = table
    step = STEPS[name].set_params(device=device)
    fit = step.fit_resample if hasattr(step, "fit_resample") else step.fit
    if device == "cuda":
        fit(X[:500], y[:500])  # or the first step would pay for loading the libraries
        torch.cuda.reset_peak_memory_stats()
    benchmark.pedantic(fit, table, rounds=1)
    benchmark.extra_info["utterances"] = len(X)
    if device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**20
        benchmark.extra_info["peak MiB of the GPU"] = round(peak)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("kind", [CBERLClassifier, JoyfulClassifier])
def test_answers(benchmark, table, kind, device):
    X, y = table
    model = kind(device=device, **FIVE | {"max_epochs": 1}).fit(X[:500], y[:500])
    benchmark.pedantic(model.predict, [X], rounds=3, warmup_rounds=1)
