"""JOYFUL's graph network and its two views: who hears whom, and who never does."""

import copy
import pickle

import pytest
import torch
from systems import mostly_slow

from skmerc.graph import (
    NeighborMean,
    distant_pairs,
    speaker_pairs,
    window_edges,
)
from skmerc.nn import joyful_graph
from skmerc.nn.joyful_graph import JoyfulGraph, JoyfulLayer, TwoViews

LENGTHS = torch.tensor([12, 1, 25, 12])
N = 50
DIALOGUE = torch.arange(4).repeat_interleave(LENGTHS)
CONVS = ["mean", "rgcn", "attention"]


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def speakers(n=N, count=3):
    return torch.randint(count, (n,), generator=torch.Generator().manual_seed(0))


def apart(edges):
    return edges[:, edges[0] != edges[1]]


def pairs_of(edges):
    return set(zip(*edges.tolist(), strict=True))


class Spy(torch.nn.Module):
    """Stands for the graph network, and keeps what it is given."""

    def forward(self, x, edges, speaker, sequence):
        self.x, self.edges, self.speaker, self.sequence = x, edges, speaker, sequence
        return x


def given_to_both_views(views, x, lengths=LENGTHS):
    """Features and edges of each view, as the graph network gets them."""
    sequence = torch.arange(len(lengths)).repeat_interleave(lengths)
    spy, n = Spy(), len(x)
    views.train()(spy, x, lengths, torch.zeros(n, dtype=torch.long), sequence)
    source, target = spy.edges
    assert torch.equal(source < n, target < n), "an edge joins the two views"
    first = spy.edges[:, target < n]
    second = spy.edges[:, target >= n] - n
    return spy, (spy.x[:n], first), (spy.x[n:], second)


class TestNeighborMean:
    def test_it_is_the_dense_formula(self):
        layer, x = NeighborMean(6, 4), torch.randn(N, 6)
        edges = apart(window_edges(LENGTHS, 3, 1))
        adjacency = torch.zeros(N, N)
        adjacency[edges[1], edges[0]] = 1
        degree = adjacency.sum(1, keepdim=True).clamp(min=1)
        expected = adjacency / degree @ (x @ layer.value.weight.T)
        torch.testing.assert_close(layer(x, edges), expected)

    def test_relations_are_averaged_apart(self):
        layer, x = NeighborMean(6, 4, n_relations=3), torch.randn(N, 6)
        edges = apart(window_edges(LENGTHS, 3, 1))
        relation = edges.sum(0) % 3
        expected = torch.zeros(N, 4)
        for r, weight in enumerate(layer.value.weight.chunk(3)):
            adjacency = torch.zeros(N, N)
            adjacency[edges[1], edges[0]] = (relation == r).float()
            degree = adjacency.sum(1, keepdim=True).clamp(min=1)
            expected += adjacency / degree @ (x @ weight.T)
        torch.testing.assert_close(layer(x, edges, relation), expected)

    def test_relations_that_are_told_apart_must_be_given(self):
        layer, edges = NeighborMean(6, 4, n_relations=3), window_edges(LENGTHS, 1, 1)
        with pytest.raises(ValueError, match="tells 3 relations apart"):
            layer(torch.randn(N, 6), edges)

    def test_an_utterance_without_neighbours_hears_nothing(self):
        layer, x = NeighborMean(6, 4), torch.randn(3, 6)
        nobody = torch.zeros(2, 0, dtype=torch.long)
        assert torch.equal(layer(x, nobody), torch.zeros(3, 4))

    def test_gradients_are_those_of_the_formula(self):
        layer, lengths = NeighborMean(3, 2).double(), torch.tensor([4, 1])
        edges = apart(window_edges(lengths, 2, 1))
        x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x: layer(x, edges), x)


def test_a_layer_combines_an_utterance_with_what_it_hears():
    layer, x = JoyfulLayer(6, 4, NeighborMean(6, 4)), torch.randn(N, 6)
    edges = apart(window_edges(LENGTHS, 3, 1))
    both = torch.cat([x, layer.aggregate(x, edges)], dim=1)
    expected = (both @ layer.combine.weight.T + layer.combine.bias).relu()
    torch.testing.assert_close(layer(x, edges, None), expected)


class TestGraph:
    @pytest.mark.parametrize("conv", mostly_slow(CONVS))
    @pytest.mark.parametrize("layers", mostly_slow(range(1, 9)))
    def test_every_conv_and_depth_learns(self, conv, layers):
        graph = JoyfulGraph(6, 8, conv=conv, layers=layers)
        out = graph(
            torch.randn(N, 6), apart(window_edges(LENGTHS, 3, 3)), speakers(), DIALOGUE
        )
        assert out.shape == (N, 8)
        assert out.isfinite().all()
        out.sum().backward()
        assert len(graph.layers) == layers
        assert all(p.grad is not None for p in graph.parameters())

    @pytest.mark.parametrize("conv", CONVS)
    @pytest.mark.parametrize("layers", [1, 2, 3])
    def test_an_utterance_hears_as_many_windows_as_there_are_layers(self, conv, layers):
        graph = JoyfulGraph(6, 32, conv=conv, layers=layers)
        x, lengths = torch.randn(15, 6, requires_grad=True), torch.tensor([15])
        edges = window_edges(lengths, 1, 1)
        edges = edges if conv == "attention" else apart(edges)
        same = torch.zeros(15, dtype=torch.long)
        graph(x, edges, same, same)[7].sum().backward()
        heard = x.grad.abs().sum(1).nonzero().flatten().tolist()
        assert heard == list(range(7 - layers, 7 + layers + 1))

    @pytest.mark.parametrize(
        ("conv", "n_speakers"), [("rgcn", None), ("rgcn", 3), ("attention", None)]
    )
    def test_these_convs_know_who_speaks_and_no_names(self, conv, n_speakers):
        graph = JoyfulGraph(6, 8, conv=conv, n_speakers=n_speakers)
        x, edges = torch.randn(N, 6), apart(window_edges(LENGTHS, 3, 3))
        answer = graph(x, edges, speakers(), DIALOGUE)
        renamed = torch.tensor([9, 5, 7])[speakers()]
        torch.testing.assert_close(graph(x, edges, renamed, DIALOGUE), answer)
        monologue = graph(x, edges, torch.zeros_like(renamed), DIALOGUE)
        assert (monologue - answer).abs().max() > 1e-3

    @pytest.mark.parametrize("conv", CONVS)
    def test_dialogues_do_not_hear_each_other(self, conv):
        graph, x = JoyfulGraph(6, 8, conv=conv, layers=2), torch.randn(N, 6)
        together = graph(x, window_edges(LENGTHS, 3, 3), speakers(), DIALOGUE)
        for i, n in enumerate(LENGTHS):
            rows = DIALOGUE == i
            only = torch.zeros(n, dtype=torch.long)
            alone = graph(x[rows], window_edges(n[None], 3, 3), speakers()[rows], only)
            torch.testing.assert_close(together[rows], alone, atol=1e-6, rtol=0)


class TestSpeakerPairs:
    def brute_force(self, edges, speaker, sequence, n_speakers):
        names, relations = {}, []
        for talk, voice in zip(sequence.tolist(), speaker.tolist(), strict=True):
            known = names.setdefault(talk, [])
            if voice not in known:
                known.append(voice)
        for j, i in edges.T.tolist():
            known = names[int(sequence[i])]
            numbers = [known.index(int(speaker[k])) for k in (j, i)]
            source, target = (min(number, n_speakers - 1) for number in numbers)
            relations.append(2 * (source * n_speakers + target) + (j > i))
        return torch.tensor(relations)

    @pytest.mark.parametrize("n_speakers", [1, 2, 3, 5])
    @pytest.mark.parametrize("count", [1, 3, 7])
    def test_they_are_pair_and_direction(self, n_speakers, count):
        edges, voices = window_edges(LENGTHS, 4, 4), speakers(count=count)
        found = speaker_pairs(edges, voices, DIALOGUE, n_speakers)
        expected = self.brute_force(edges, voices, DIALOGUE, n_speakers)
        assert torch.equal(found, expected)
        assert found.min() >= 0
        assert found.max() < 2 * n_speakers**2

    def test_names_mean_nothing(self):
        edges, voices = window_edges(LENGTHS, 4, 4), speakers()
        renamed = torch.tensor([40, 2, 17])[voices]
        assert torch.equal(
            speaker_pairs(edges, renamed, DIALOGUE, 3),
            speaker_pairs(edges, voices, DIALOGUE, 3),
        )

    def test_speakers_beyond_the_number_count_as_the_last(self):
        edges = torch.tensor([[0, 1, 2, 3], [3, 3, 3, 3]])
        voices, only = torch.arange(4), torch.zeros(4, dtype=torch.long)
        assert speaker_pairs(edges, voices, only, 2).tolist() == [2, 6, 6, 6]

    def test_a_speaker_has_the_same_number_in_every_dialogue_or_another(self):
        edges = torch.tensor([[0, 2], [1, 3]])
        voices, talks = torch.tensor([5, 1, 1, 5]), torch.tensor([0, 0, 1, 1])
        assert speaker_pairs(edges, voices, talks, 2).tolist() == [2, 2]


class TestTwoViews:
    @pytest.mark.parametrize("conv", CONVS)
    def test_without_a_rate_training_is_inference(self, conv):
        graph, x = JoyfulGraph(6, 8, conv=conv), torch.randn(N, 6)
        views, batch = TwoViews(rate=0.0), (LENGTHS, speakers(), DIALOGUE)
        answers = [*views.train()(graph, x, *batch), *views.eval()(graph, x, *batch)]
        for answer in answers[1:]:
            assert torch.equal(answer, answers[0])

    @pytest.mark.parametrize("conv", CONVS)
    def test_an_utterance_hears_itself_whatever_the_conv(self, conv):
        graph, views = JoyfulGraph(6, 8, conv=conv), TwoViews().eval()
        one_turn_each = torch.ones(5, dtype=torch.long)
        x, talks = torch.randn(5, 6), torch.arange(5)
        answer, _ = views(graph, x, one_turn_each, talks, talks)
        assert (answer - answer[0]).abs().sum(1)[1:].gt(0).all()

    def test_inference_is_not_augmented_and_draws_nothing(self, global_state_untouched):
        graph, x = JoyfulGraph(6, 8), torch.randn(N, 6)
        with global_state_untouched():
            one, two = TwoViews().eval()(graph, x, LENGTHS, speakers(), DIALOGUE)
        edges = apart(window_edges(LENGTHS, 6, 6))
        assert torch.equal(one, two)
        assert torch.equal(one, graph(x, edges, speakers(), DIALOGUE))

    def test_the_inputs_stay_as_they_are(self):
        x, voices, lengths = torch.randn(N, 6), speakers(), LENGTHS.clone()
        inputs = (x, lengths, voices, DIALOGUE)
        before = copy.deepcopy(inputs)
        views, graph = TwoViews(0.5), JoyfulGraph(6, 8)
        for _ in range(3):
            views(graph, *inputs)
        for now, then in zip(inputs, before, strict=True):
            assert torch.equal(now, then)
        assert torch.equal(views.edges(lengths), apart(window_edges(LENGTHS, 6, 6)))

    def test_no_edge_crosses_dialogues(self):
        for _ in range(20):
            _, *both = given_to_both_views(TwoViews(0.5, 2, 2), torch.randn(N, 6))
            for _, (source, target) in both:
                assert torch.equal(DIALOGUE[source], DIALOGUE[target])
                assert (source != target).all()

    def test_the_views_differ_in_their_edges(self):
        views, window = TwoViews(0.2, 2, 2), apart(window_edges(LENGTHS, 2, 2))
        _, (_, first), (_, second) = given_to_both_views(views, torch.randn(N, 6))
        perturbed, extended, plain = map(pairs_of, (first, second, window))
        assert first.shape == window.shape
        assert len(perturbed) == first.shape[1], "an edge stands twice"
        assert 0 < len(plain - perturbed) <= round(0.2 * len(plain)) + 4
        far = pairs_of(distant_pairs(window, LENGTHS))
        assert extended > plain
        assert extended - plain <= far
        assert perturbed != extended

    def test_the_views_differ_in_their_masks(self):
        x, masks = torch.randn(N, 10) + 9, []
        for _ in range(8):
            _, *both = given_to_both_views(TwoViews(0.3), x)
            for seen, _ in both:
                hidden = (seen == 0).all(dim=0)
                assert hidden.sum() == 3
                assert torch.equal(seen, x * ~hidden)
                masks.append(tuple(hidden.tolist()))
        assert any(masks[i] != masks[i + 1] for i in range(0, 16, 2))
        assert len(set(masks)) > 4

    @pytest.mark.parametrize(("mask", "edge"), [(0.3, 0.0), (0.0, 0.3), (0.5, None)])
    def test_features_and_edges_have_rates_of_their_own(self, mask, edge):
        x, window = torch.randn(N, 10) + 9, apart(window_edges(LENGTHS, 2, 2))
        views = TwoViews(0.2, 2, 2, feature_mask_rate=mask, edge_rate=edge)
        _, *both = given_to_both_views(views, x)
        for seen, _ in both:
            assert (seen == 0).all(dim=0).sum() == round(10 * mask)
        perturbed, extended, plain = map(pairs_of, (both[0][1], both[1][1], window))
        # Rates are of each dialogue, and rounded there.
        counts = DIALOGUE[window[1]].bincount(minlength=4)
        moved = sum(round((0.2 if edge is None else edge) * n) for n in counts.tolist())
        assert len(plain - perturbed) == moved
        assert len(extended - plain) <= moved
        assert bool(extended - plain) == bool(moved)

    @pytest.mark.parametrize("n_speakers", [None, 3])
    def test_relations_are_those_of_the_edges_of_the_view(self, n_speakers):
        seen = []
        graph = JoyfulGraph(6, 8, conv="rgcn", n_speakers=n_speakers)
        graph.layers[0].register_forward_pre_hook(lambda _, given: seen.append(given))
        views, x = TwoViews(0.5, 2, 2), torch.randn(N, 6)
        views.train()(graph, x, LENGTHS, speakers(), DIALOGUE)
        [(_, edges, relation)] = seen
        (source, target), voices = edges, speakers().repeat(2)
        if n_speakers:
            talks = torch.cat([DIALOGUE, DIALOGUE + 4])
            expected = TestSpeakerPairs().brute_force(edges, voices, talks, 3)
        else:
            other = (voices[source] != voices[target]).long()
            expected = 2 * other + (source > target).long()
        assert torch.equal(relation, expected)

    @pytest.mark.parametrize("causal", [False, True])
    @pytest.mark.parametrize("window", [1, 2, 6])
    def test_far_pairs_of_a_batch_are_those_of_its_dialogues(self, window, causal):
        views = TwoViews(0.2, window, 0 if causal else window)
        expected, start = set(), 0
        for n in LENGTHS.tolist():
            only = torch.tensor([n])
            pairs = distant_pairs(views.edges(only), only)
            pairs = pairs[:, pairs[0] < pairs[1]] if causal else pairs
            expected |= pairs_of(pairs + start)
            start += n
        found = views.far_pairs(LENGTHS)
        assert pairs_of(found) == expected
        assert found.shape[1] == len(expected)
        again = views.far_pairs(LENGTHS.flip(0))
        assert again.shape[1] == len(expected)

    def test_far_pairs_are_sought_once_for_each_length(self, monkeypatch):
        sought = []

        def search(edges, lengths):
            sought.append(lengths.tolist())
            return distant_pairs(edges, lengths)

        monkeypatch.setattr(joyful_graph, "distant_pairs", search)
        views = TwoViews()
        for lengths in (LENGTHS, LENGTHS.flip(0), LENGTHS[:3]):
            views.far_pairs(lengths)
        assert sorted(sought) == [[1], [12], [25]]

    def test_causal_views_have_no_edge_from_the_future(self):
        for _ in range(20):
            _, *both = given_to_both_views(TwoViews(0.5, 3, 0), torch.randn(N, 6))
            for _, (source, target) in both:
                assert (source < target).all()

    @pytest.mark.parametrize("lengths", [[1], [1, 1, 1], [2], [2, 1, 3]], ids=str)
    def test_the_shortest_dialogues_have_views(self, lengths):
        lengths = torch.tensor(lengths)
        x = torch.randn(int(lengths.sum()), 6)
        sequence = torch.arange(len(lengths)).repeat_interleave(lengths)
        for views in (TwoViews(), TwoViews(0.9), TwoViews(0.2, 6, 0)):
            for view in views(JoyfulGraph(6, 8), x, lengths, sequence, sequence):
                assert view.shape == (len(x), 8)
                assert view.isfinite().all()

    def test_a_pickle_or_copy_does_not_carry_the_far_pairs(self):
        views = TwoViews(0.5, 2, 0)
        pairs = views.far_pairs(LENGTHS)
        assert set(views._far_of_length) == {1, 12, 25}
        for again in (pickle.loads(pickle.dumps(views)), copy.deepcopy(views)):
            assert not again._far_of_length
            assert torch.equal(again.far_pairs(LENGTHS), pairs)
            assert (again.rate, again.window, again.causal) == (0.5, (2, 0), True)
        assert views._far_of_length
