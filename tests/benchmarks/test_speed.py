"""Time and memory of every step, at sizes that show how both grow.

    pytest -n 0 -p benchmark -m benchmark tests/benchmarks

Nothing is asserted about seconds: machines differ. What matters is that ten times as
many utterances take about ten times as long.
"""

import ctypes
import time
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch_geometric import loader as pyg_loader
from torch_geometric import nn as pyg

from skmerc import (
    CBERLClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    MultimodalGANSampler,
)
from skmerc._training import DialogueDataset, DialogueLoader
from skmerc.datasets import make_conversations
from skmerc.frame._conversations import read_conversations
from skmerc.graph import NeighborMean, speaker_relations, to_pyg, window_edges

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

SIZES = [1_000, 10_000, 100_000]
MODALITIES = {"text": 384, "audio": 200, "visual": 116}


@pytest.fixture(scope="module", params=SIZES, ids=lambda n: f"{n} utterances")
def table(request):
    """A table of narrow blocks: 50 dialogues, or 500, or 5000 of 20 turns."""
    n_dialogues = request.param // 20
    X, y = make_conversations(n_dialogues, n_turns=20, imbalance=8, random_state=0)
    return X, y


def measure(benchmark, function, *arguments):
    """Time a function three times; then note the memory that one more call adds."""
    result = benchmark.pedantic(function, arguments, rounds=3)
    benchmark.extra_info["peak MiB"] = round(peak_memory(function, *arguments))
    return result


def peak_memory(function, *arguments):
    """MiB by which the process grows at most while the function runs."""
    # What earlier calls freed goes back first, or this one would take it unseen.
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")  # forget the peak so far
    before = memory("VmRSS")
    function(*arguments)
    return memory("VmHWM") - before


def memory(name):
    with open("/proc/self/status") as lines:
        kib = next(line.split()[1] for line in lines if line.startswith(name))
    return int(kib) / 1024


def classifier(**changes):
    return CBERLClassifier(patience=None, max_epochs=1, random_state=0, **changes)


def test_read_the_table(benchmark, table):
    X, _ = table
    measure(benchmark, lambda: read_conversations(DJVAEFuser(), X, reset=True))


def test_build_the_graph(benchmark, table):
    X, _ = table
    lengths = torch.full((len(X) // 20,), 20)
    speaker = torch.from_numpy((X["dialogue__speaker"] == "A").to_numpy(int))

    def build():
        edges = window_edges(lengths, 10, 10)
        return speaker_relations(edges, speaker)

    measure(benchmark, build)


@pytest.mark.parametrize("of", ["table", "graphs"])
def test_batches(benchmark, table, of):
    X, _ = table
    if of == "graphs":
        loader = pyg_loader.DataLoader(to_pyg(X), batch_size=20)
    else:
        found = read_conversations(DJVAEFuser(), X, reset=True)
        loader = DialogueLoader(
            DialogueDataset(found, found.sequences()), batch_size=20
        )
    measure(benchmark, lambda: [None for _ in loader])


@pytest.mark.parametrize("layer", ["mean", "SAGEConv", "rgcn", "RGCNConv"])
def test_convolution_of_2000_utterances_there_and_back(benchmark, layer):
    """Our layers, and those of torch-geometric with the same numbers."""
    plain = {"root_weight": False, "bias": False}
    convolve = {
        "mean": lambda: NeighborMean(128, 128),
        "SAGEConv": lambda: pyg.SAGEConv(128, 128, **plain),
        "rgcn": lambda: NeighborMean(128, 128, 4),
        "RGCNConv": lambda: pyg.RGCNConv(128, 128, 4, **plain),
    }[layer]()
    edges = window_edges(torch.full((40,), 50), 6, 6)
    edges = edges[:, edges[0] != edges[1]]
    relations = speaker_relations(edges, torch.randint(2, (2000,)))
    known = [] if layer in ("mean", "SAGEConv") else [relations]
    x = torch.randn(2000, 128, requires_grad=True)
    with one_thread():
        measure(benchmark, lambda: convolve(x, edges, *known).sum().backward())


def test_gan_for_one_pass_over_the_table(benchmark, table):
    X, y = table
    sampler = MultimodalGANSampler(
        sampling_strategy="mean", n_steps=len(X) // 64, random_state=0
    )
    measure(benchmark, sampler.fit_resample, X, y)


def test_fuser_for_one_epoch(benchmark, table):
    X, y = table
    measure(benchmark, DJVAEFuser(max_epochs=1, random_state=0).fit, X, y)


def test_classifier_for_one_epoch(benchmark, table):
    X, y = table
    measure(benchmark, classifier().fit, X, y)


def test_predict(benchmark, table):
    X, y = table
    model = classifier().fit(X[:1000], y[:1000])
    measure(benchmark, model.predict, X)


def test_one_long_dialogue(benchmark, table):
    X, _ = table
    X_long = X.assign(dialogue__id="one", dialogue__turn=np.arange(len(X)))
    X_short, y_short = X[:1000], np.resize(["sad", "glad"], 1000)
    model = classifier().fit(X_short, y_short)
    measure(benchmark, model.predict, X_long)


def test_whole_pipeline_on_ten_thousand_utterances_of_700_columns(benchmark):
    """The settings of the table of results: defaults, classes raised to the mean."""
    from imblearn.pipeline import make_pipeline

    X, y = make_conversations(
        1000, n_turns=10, n_classes=7, imbalance=17, modalities=MODALITIES,
        random_state=0,
    )  # fmt: skip

    def fit():
        return make_pipeline(
            MultimodalGANSampler(sampling_strategy="mean", random_state=0),
            DJVAEFuser(random_state=0),
            CBERLClassifier(random_state=0),
        ).fit(X, y)

    benchmark.pedantic(fit, rounds=1)
    benchmark.extra_info["peak MiB"] = round(memory("VmHWM"))


def test_epoch_at_the_shapes_of_dialoguegcn_on_one_thread(benchmark):
    """IEMOCAP's 151 dialogues of 49 turns, 100 + 100 + 512 features, batches of 32."""
    X, y = make_conversations(
        151, n_turns=49, n_classes=6,
        modalities={"text": 100, "audio": 100, "visual": 512}, random_state=0,
    )  # fmt: skip
    model = classifier(batch_size=32, window_past=10, window_future=10, hidden_size=100)
    with one_thread():
        measure(benchmark, model.fit, X, y)


@pytest.mark.parametrize("size", ["default", "released"])
def test_joyful_epoch_at_the_shapes_of_iemocap_on_one_thread(benchmark, size):
    """One epoch with evaluation: 151 dialogues of 8 to 90 turns, batches of 32.

    Beside it three epochs, and three passes of a bare loop that does forward, backward
    and optimiser step of the same modules over batches made beforehand.
    """
    X, y = make_conversations(
        151, n_turns=(8, 90), n_classes=6,
        modalities={"text": 768, "audio": 100, "visual": 512}, random_state=0,
    )  # fmt: skip
    changes = {"max_epochs": 1, "batch_size": 32, "patience": None, "random_state": 0}
    model = JoyfulClassifier(**changes)
    if size == "released":
        model = JoyfulClassifier.from_preset("released", **changes)
    with one_thread():
        benchmark.pedantic(lambda: model.fit(X, y).predict(X), rounds=1)
        benchmark.extra_info["peak MiB"] = round(memory("VmHWM"))
        model.set_params(max_epochs=3)
        fit = cpu_seconds(model.fit, X, y)
        bare = cpu_seconds(bare_loop(model, X, y))
    benchmark.extra_info["utterances"] = len(X)
    benchmark.extra_info["CPU s of three epochs"] = round(fit, 2)
    benchmark.extra_info["CPU s of a bare loop"] = round(bare, 2)


def cpu_seconds(function, *arguments):
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start


def bare_loop(model, X, y):
    """Return a loop that costs what three passes do with nothing around them."""
    table = read_conversations(clone(model), X, reset=True)
    target = np.searchsorted(model.classes_, y)
    dataset = DialogueDataset(table, table.sequences(), target)
    batches = list(DialogueLoader(dataset, model.batch_size, shuffle=True))
    net = model.net_

    def run():
        net.module_.train()
        for inputs, answer in 3 * batches:
            net.optimizer_.zero_grad()
            net.criterion_(net.module_(**inputs), answer).backward()
            net.optimizer_.step()

    return run


@contextmanager
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
