"""Relational attention against loops over utterances."""

import math

import pytest
import torch

from skmerc.graph import RelationalAttention, speaker_relations, window_edges


def graph(lengths, window=2, seed=0, width=6):
    generator = torch.Generator().manual_seed(seed)
    n = sum(lengths)
    x = torch.randn(n, width, generator=generator)
    speaker = torch.randint(0, 3, (n,), generator=generator)
    edges = window_edges(torch.tensor(lengths), window, window)
    return x, edges, speaker_relations(edges, speaker)


@pytest.fixture
def layer():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = RelationalAttention(6, 8, heads=2, dropout=0.5).eval()
        torch.nn.init.normal_(layer.preference)
    return layer


def loops(layer, x, edges, relations):
    """The equation of the docstring, one utterance and one head at a time."""
    n, heads = len(x), layer.heads
    queries, keys = layer.query_key(x).chunk(2, dim=1)
    values = layer.value.weight.chunk(5, dim=0)
    out = torch.zeros(n, 8)
    for i in range(n):
        incoming = [e for e in range(edges.shape[1]) if edges[1, e] == i]
        for h in range(heads):
            part = slice(4 * h, 4 * h + 4)
            scores = torch.stack(
                [
                    queries[i, part] @ keys[edges[0, e], part] / math.sqrt(4)
                    + layer.preference[relations[e], h]
                    for e in incoming
                ]
            ).softmax(0)
            for e, score in zip(incoming, scores, strict=True):
                out[i, part] += score * (values[relations[e]] @ x[edges[0, e]])[part]
    return out


@torch.no_grad()
def test_it_is_the_equation(layer):
    x, edges, relations = graph([5, 1, 3])
    torch.testing.assert_close(
        layer(x, edges, relations), loops(layer, x, edges, relations)
    )


@torch.no_grad()
def test_a_dialogue_does_not_depend_on_its_batch_mates(layer):
    x, edges, relations = graph([5, 4, 7])
    inside = (edges[1] >= 5) & (edges[1] < 9)
    alone = layer(x[5:9], edges[:, inside] - 5, relations[inside])
    found = layer(x, edges, relations)[5:9]
    torch.testing.assert_close(found, alone, atol=1e-6, rtol=0)


@torch.no_grad()
def test_the_order_of_edges_means_nothing(layer):
    x, edges, relations = graph([5, 4])
    order = torch.randperm(len(relations), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        layer(x, edges[:, order], relations[order]), layer(x, edges, relations)
    )


@torch.no_grad()
def test_dropout_works_in_training_alone(layer):
    x, edges, relations = graph([5, 4])
    assert torch.equal(layer(x, edges, relations), layer(x, edges, relations))
    with torch.random.fork_rng():
        layer.train()
        assert not torch.equal(layer(x, edges, relations), layer(x, edges, relations))


def test_messages_come_from_the_window_alone(layer):
    x, edges, relations = graph([6, 2], window=1)
    x.requires_grad_()
    layer(x, edges, relations)[2].sum().backward()
    assert x.grad.abs().sum(1).nonzero().flatten().tolist() == [1, 2, 3]


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="heads=3 does not divide out_size=8"):
        RelationalAttention(6, 8, heads=3)
