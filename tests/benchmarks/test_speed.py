"""Two ways of doing one thing: batches, and convolutions.

    pytest -n 0 -p benchmark -m benchmark tests/benchmarks/test_speed.py

Nothing is asserted about seconds: machines differ. ``examples/benchmark/speed.py``
measures the steps.
"""

import pytest
import torch
from torch_geometric import loader as pyg_loader
from torch_geometric import nn as pyg

from skmerc import DJVAEFuser
from skmerc._training import DialogueDataset, DialogueLoader
from skmerc.datasets import make_conversations
from skmerc.frame._conversations import read_conversations
from skmerc.graph import NeighborMean, speaker_relations, to_pyg, window_edges

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]


@pytest.fixture(params=[1_000, 10_000, 100_000], ids=lambda n: f"{n} utterances")
def table(request):
    """A table of narrow blocks: 50 dialogues, or 500, or 5000 of 20 turns."""
    n_dialogues = request.param // 20
    return make_conversations(n_dialogues, n_turns=20, imbalance=8, random_state=0)


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
    benchmark.pedantic(lambda: [None for _ in loader], rounds=3)


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
    benchmark.pedantic(lambda: convolve(x, edges, *known).sum().backward(), rounds=3)
