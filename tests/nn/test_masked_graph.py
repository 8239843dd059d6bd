"""Masks, and the reconstruction of what they hide."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skmerc.graph import speaker_relations, window_edges
from skmerc.nn import masked_graph
from skmerc.nn.masked_graph import MaskedGraphEncoder, draw_mask

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
MODES = ["node", "neighbor", "class_aware"]


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def graph(lengths, window=None, width=8):
    n = torch.tensor(lengths)
    edges = window_edges(n, window, window)
    relations = speaker_relations(edges, torch.arange(sum(lengths)) % 2)
    return torch.randn(sum(lengths), width), edges, relations


def numbers(lengths):
    """Number of the dialogue of each utterance."""
    return torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))


class TestDrawMask:
    @quick
    @given(
        st.lists(st.integers(1, 400), min_size=1, max_size=6),
        st.integers(0, 100),
        st.booleans(),
    )
    def test_the_share_of_each_dialogue(self, lengths, percent, weighted):
        weight = torch.rand(sum(lengths)) + 0.1 if weighted else None
        mask = draw_mask(torch.tensor(lengths), percent / 100, weight)
        for n, part in zip(lengths, mask.split(lengths), strict=True):
            expected = max(1, percent * n // 100) if n > 1 and percent else 0
            assert part.sum() == expected

    @pytest.mark.parametrize("percent", [29, 53, 58, 59, 65, 70, 84])
    def test_no_utterance_is_lost_to_rounding(self, percent):
        lengths = [75, 100, 180, 300]
        mask = draw_mask(torch.tensor(lengths), percent / 100)
        drawn = [int(part.sum()) for part in mask.split(lengths)]
        assert drawn == [percent * n // 100 for n in lengths]

    @pytest.mark.slow
    def test_every_utterance_is_drawn_equally_often(self):
        draws = torch.stack([draw_mask(torch.tensor([3, 5]), 0.4) for _ in range(3000)])
        frequency = draws.float().mean(0)
        expected = torch.tensor([1 / 3] * 3 + [2 / 5] * 5)
        torch.testing.assert_close(frequency, expected, atol=0.04, rtol=0)

    @pytest.mark.slow
    def test_weights_are_chances_of_the_first_draw(self):
        weight = torch.tensor([1.0, 2.0, 5.0])
        n = torch.tensor([3])
        draws = torch.stack([draw_mask(n, 0.1, weight) for _ in range(3000)])
        torch.testing.assert_close(
            draws.float().mean(0), weight / weight.sum(), atol=0.04, rtol=0
        )


@pytest.mark.parametrize("mode", MODES)
class TestReconstruction:
    def test_only_hidden_utterances_have_an_error(self, mode):
        x, edges, relations = graph([4, 3])
        encoder = MaskedGraphEncoder(8, mode=mode)
        masked = torch.tensor([0, 1, 0, 0, 1, 0, 1]).bool()
        where = numbers([4, 3])
        error = encoder.reconstruction_error(x, edges, relations, masked, where)
        assert (error[masked] > 0).all()
        assert torch.equal(error[~masked], torch.zeros(4))
        nothing = torch.zeros(7, dtype=torch.bool)
        error = encoder.reconstruction_error(x, edges, relations, nothing, where)
        assert torch.equal(error, torch.zeros(7))

    def test_the_target_is_no_way_for_gradients(self, mode):
        # The one neighbour of a hidden utterance is outside the window, so that its
        # own features could reach the loss through the target alone.
        x, edges, relations = graph([2], window=0)
        x.requires_grad_()
        encoder = MaskedGraphEncoder(8, mode=mode)
        masked = torch.tensor([True, False])
        error = encoder.reconstruction_error(x, edges, relations, masked, numbers([2]))
        (gradient,) = torch.autograd.grad(
            error.sum(), x, allow_unused=True, materialize_grads=True
        )
        assert gradient[1].abs().max() == 0
        if mode == "neighbor":
            # The decoder sees the token in place of every hidden utterance.
            assert gradient[0].abs().max() == 0

    def test_what_shall_be_restored_may_be_another_than_what_is_read(
        self, mode, monkeypatch
    ):
        monkeypatch.setattr(masked_graph, "REPLACED", 0.0)
        x, edges, relations = graph([4, 3])
        encoder = MaskedGraphEncoder(8, mode=mode, exponent=1.0)
        masked = torch.tensor([0, 1, 0, 0, 1, 0, 1]).bool()
        read = x, edges, relations, masked, numbers([4, 3])
        error = encoder.reconstruction_error(*read)
        assert torch.equal(encoder.reconstruction_error(*read, 3 * x), error)
        opposite = encoder.reconstruction_error(*read, -x)
        torch.testing.assert_close((error + opposite)[masked], torch.full((3,), 2.0))

    def test_a_dialogue_does_not_depend_on_its_batch_mates(self, mode, monkeypatch):
        monkeypatch.setattr(masked_graph, "REPLACED", 0.0)
        x, edges, relations = graph([4, 3])
        encoder = MaskedGraphEncoder(8, mode=mode).eval()
        masked = torch.tensor([0, 1, 0, 0, 1, 0, 1]).bool()
        where = numbers([4, 3])
        error = encoder.reconstruction_error(x, edges, relations, masked, where)
        inside = edges[1] < 4
        alone = encoder.reconstruction_error(
            x[:4], edges[:, inside], relations[inside], masked[:4], where[:4]
        )
        torch.testing.assert_close(error[:4], alone, atol=1e-6, rtol=0)

    def test_nothing_of_other_dialogues_is_shown_in_training(self, mode, monkeypatch):
        monkeypatch.setattr(masked_graph, "REPLACED", 1.0)
        x, edges, relations = graph([4, 3])
        encoder = MaskedGraphEncoder(8, mode=mode).train()
        masked = torch.tensor([0, 1, 0, 1, 1, 0, 1]).bool()

        def error(x):
            torch.manual_seed(0)
            return encoder.reconstruction_error(
                x, edges, relations, masked, numbers([4, 3])
            )

        changed = torch.cat([x[:4], x[4:] + 5])
        assert torch.equal(error(x)[:4], error(changed)[:4])
        assert not torch.equal(error(x)[4:], error(changed)[4:])


def test_hidden_features_are_seen_by_nobody(monkeypatch):
    monkeypatch.setattr(masked_graph, "REPLACED", 0.0)
    x, edges, relations = graph([4])
    x.requires_grad_()
    encoder = MaskedGraphEncoder(8)
    masked = torch.tensor([False, True, False, False])
    error = encoder.reconstruction_error(x, edges, relations, masked, numbers([4]))
    error.sum().backward()
    assert x.grad[1].abs().max() == 0
    assert (x.grad[~masked].abs().sum(1) > 0).all()


def test_some_hidden_utterances_look_like_another_one():
    encoder = MaskedGraphEncoder(8)
    x = torch.randn(4000, 8)
    shown = encoder._disguise(x, torch.zeros(4000))
    replaced = (shown != encoder.token).any(dim=1)
    assert replaced.float().mean().item() == pytest.approx(0.1, abs=0.02)
    assert torch.isin(shown[replaced], x).all()


def test_no_hidden_utterance_stands_for_itself(monkeypatch):
    monkeypatch.setattr("skmerc.nn.masked_graph.REPLACED", 1.0)
    lengths = torch.tensor([2, 1, 5, 2])
    sequence = torch.arange(4).repeat_interleave(lengths)
    x = torch.arange(10.0)[:, None].expand(-1, 8)
    for _ in range(20):
        shown = MaskedGraphEncoder(8)._disguise(x, sequence)[:, 0]
        assert (shown != x[:, 0]).tolist() == (lengths[sequence] > 1).tolist()
        assert torch.equal(shown.sort().values, x[:, 0])
        assert torch.equal(sequence[shown.long()], sequence)


def test_a_hidden_neighbour_sends_nothing_to_others():
    x, edges, relations = graph([3])
    masked = torch.tensor([False, True, False])
    encoder = MaskedGraphEncoder(8, mode="neighbor")
    error = encoder.reconstruction_error(x, edges, relations, masked, numbers([3]))
    changed = x.clone()
    changed[1] *= 2  # same direction: the target of the cosine stays
    other = encoder.reconstruction_error(
        changed, edges, relations, masked, numbers([3])
    )
    torch.testing.assert_close(error, other)


@torch.no_grad()
def test_encoding_is_residual_and_reads_its_neighbours():
    x, edges, relations = graph([4, 3])
    encoder = MaskedGraphEncoder(8).eval()
    inside = edges[1] < 4
    torch.testing.assert_close(
        encoder(x, edges, relations)[:4],
        encoder(x[:4], edges[:, inside], relations[inside]),
        atol=1e-6,
        rtol=0,
    )
    for layer in encoder.layers:
        layer.value.weight.zero_()
    assert torch.equal(encoder(x, edges, relations), x)
