"""A graph convolution that hears wrong neighbours in training."""

import torch
from torch_geometric.nn import SAGEConv


class NoisyConv(SAGEConv):
    """Mean of the neighbours, some of whom are others of the same dialogue in training.

    The paper adds its noise to the training data once; here it is drawn at each step.
    """

    def __init__(self, in_size, size, noise=0.0):
        super().__init__(in_size, size)
        self.noise = noise

    def forward(self, x, edge_index):
        """Pass messages."""
        if self.training and self.noise and edge_index.shape[1]:
            edge_index = rewired(edge_index, len(x), self.noise)
        return super().forward(x, edge_index)


def rewired(edges, n_nodes, share):
    """Let a share of the edges come from any utterance of the same dialogue."""
    first, last = dialogue_bounds(edges, n_nodes)
    target = edges[1]
    draw = torch.rand(len(target), device=edges.device)
    anyone = first[target] + (draw * (last - first + 1)[target]).long()
    moved = torch.rand(len(target), device=edges.device) < share
    return torch.stack([torch.where(moved, anyone, edges[0]), target])


def dialogue_bounds(edges, n_nodes):
    """First and last utterance of each one's dialogue.

    Windows join neighbours, so that a dialogue ends where no edge goes on.
    """
    low, high = edges.min(dim=0).values, edges.max(dim=0).values
    step = torch.zeros(n_nodes + 1, dtype=torch.long, device=edges.device)
    step.index_add_(0, low, torch.ones_like(low))
    step.index_add_(0, high, -torch.ones_like(high))
    joined = step.cumsum(0)[: n_nodes - 1] > 0
    start = torch.ones(n_nodes, dtype=torch.bool, device=edges.device)
    start[1:] = ~joined
    number = start.long().cumsum(0) - 1
    size = torch.bincount(number)
    first = size.cumsum(0) - size
    return first[number], (first + size - 1)[number]
