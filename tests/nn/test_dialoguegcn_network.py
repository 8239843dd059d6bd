"""DialogueGCN's layer and network against sums worked out edge by edge."""

import numpy as np
import pytest
import torch

from skmerc import DialogueGCNClassifier
from skmerc.datasets import make_conversations
from skmerc.graph import RelationalConvolution, speaker_pairs, window_edges
from skmerc.nn.dialoguegcn import DialogueGCNNetwork

LENGTHS = torch.tensor([4, 1, 2])
SPEAKER = torch.tensor([0, 1, 0, 2, 5, 3, 3])
SEQUENCE = torch.arange(3).repeat_interleave(LENGTHS)
SETTINGS = {
    "hidden_size": 4,
    "context_layers": 1,
    "n_bases": 3,
    "window_past": 1,
    "window_future": 1,
    "dropout": 0.0,
    "modality_dropout": 0.0,
}


@pytest.fixture
def network():
    torch.manual_seed(0)
    about = {"mean": torch.zeros(5), "scale": torch.ones(5)}
    reader = {"blocks": [slice(0, 3), slice(3, 5)]} | about
    settings = SETTINGS | {"n_outputs": 3, "n_speakers": 3}
    return DialogueGCNNetwork(reader, **settings).eval()


@pytest.fixture
def features():
    return torch.randn(7, 5, generator=torch.Generator().manual_seed(0))


def answers(network, features):
    return network(features, SEQUENCE, SPEAKER)


def test_a_convolution_adds_up_relation_by_relation():
    torch.manual_seed(0)
    convolve, x = (
        RelationalConvolution(2, 3, n_relations=4, n_bases=2),
        torch.randn(3, 2),
    )
    edges = torch.tensor([[0, 1, 2, 0, 2], [0, 0, 0, 1, 1]])
    relation, weight = torch.tensor([0, 1, 1, 3, 0]), torch.rand(5)
    found = convolve(x, edges, relation, weight)
    expected = torch.zeros(3, 3)
    for (source, target), r, a in zip(edges.T, relation, weight, strict=True):
        alike = ((edges[1] == target) & (relation == r)).sum()
        transform = sum(
            share * base
            for share, base in zip(convolve.shares[r], convolve.bases, strict=True)
        )
        expected[target] += a / alike * (x[source] @ transform)
    torch.testing.assert_close(found, expected)


def test_no_more_bases_than_relations_are_made():
    assert len(RelationalConvolution(2, 3, n_relations=4, n_bases=30).bases) == 4


def test_the_graph_is_that_of_the_paper(network):
    context = torch.randn(7, 8, generator=torch.Generator().manual_seed(1))
    found = network._convolve(context, SEQUENCE, SPEAKER, LENGTHS)
    source, target = edges = window_edges(LENGTHS, 1, 1)
    pairs = speaker_pairs(edges, SPEAKER, SEQUENCE, 3)
    transforms = torch.einsum(
        "rb,bio->rio", network.of_speakers.shares, network.of_speakers.bases
    )
    scores = context @ network.weigh.weight.T @ context.T
    first = torch.zeros(7, 4)
    for i in range(7):
        near = source[target == i]
        weights = scores[i, near].softmax(0)
        kinds = torch.where(near == i, 18, pairs[target == i])
        for j, weight, kind in zip(near, weights, kinds, strict=True):
            share = weight / (kinds == kind).sum()
            first[i] += share * (context[j] @ transforms[kind])
    first = first.relu()
    plain = network.of_neighbors
    expected = torch.stack(
        [
            plain.lin_rel(sum(first[j] for j in source[target == i] if j != i))
            + plain.lin_root(first[i])
            if (target == i).sum() > 1
            else plain.lin_rel(torch.zeros(4)) + plain.lin_root(first[i])
            for i in range(7)
        ]
    ).relu()
    torch.testing.assert_close(found, expected)


def test_an_utterance_looks_at_its_whole_dialogue(network):
    nodes = torch.randn(7, 12, generator=torch.Generator().manual_seed(2))
    found = network._look_around(nodes, LENGTHS)
    first = nodes[:4]
    for i in range(4):
        attention = (network.attend.weight @ first[i] @ first.T).softmax(0)
        torch.testing.assert_close(found[i], attention @ first)
    torch.testing.assert_close(found[4], nodes[4])


def test_dialogues_do_not_hear_each_other(network, features):
    before = answers(network, features).logits
    features[4] += 10
    after = answers(network, features).logits
    changed = (before != after).any(dim=1)
    assert changed.tolist() == [False] * 4 + [True] + [False] * 2


def test_speakers_beyond_those_known_count_as_the_last(network, features):
    many = torch.tensor([7, 8, 9, 10, 5, 3, 3])
    found = network(features, SEQUENCE, many).logits
    assert found.isfinite().all()


def test_speakers_who_only_speak_in_context_are_told_apart():
    X, y = make_conversations(6, n_turns=(6, 8), n_speakers=2, random_state=0)
    first = X.groupby("dialogue__id")["dialogue__speaker"].transform("first")
    mute = X["dialogue__speaker"] == first
    X = X.assign(dialogue__role=np.where(mute, "context", "utterance"))
    model = DialogueGCNClassifier(hidden_size=6, max_epochs=1, random_state=0)
    one_voice = X.assign(dialogue__speaker="Ann")
    answers = model.fit(X, y).predict_proba(X)
    assert not np.array_equal(answers, model.predict_proba(one_voice))


def test_relations_of_pairs_and_of_equal_speakers_differ():
    X, y = make_conversations(12, n_turns=(3, 6), random_state=0)
    settings = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}
    found = {}
    for relations in ("pairs", "speaker"):
        model = DialogueGCNClassifier(relations=relations, **settings).fit(X, y)
        found[relations] = len(model.net_.module_.of_speakers.shares)
    most = X.groupby("dialogue__id")["dialogue__speaker"].nunique().max()
    assert found == {"pairs": 2 * most**2 + 1, "speaker": 5}
