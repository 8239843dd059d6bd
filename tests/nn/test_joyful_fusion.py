"""JOYFUL's two fusions and the topic vector, against their formulas."""

import math

import pytest
import torch
from torch.nn import functional as F

from skmerc.nn.joyful_fusion import (
    GlobalFusion,
    JoyfulFusion,
    SpecificFusion,
    share_width,
    topic_before,
)

WIDTHS = [5, 3, 4]
LENGTHS = torch.tensor([4, 1, 6])
N = 11
TINY = {"heads": 2, "layers": 1, "dropout": 0.0}


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def blocks_of(widths, n=N):
    return [torch.randn(n, width) for width in widths]


def all_present(widths, n=N):
    return torch.ones(n, len(widths), dtype=torch.bool)


def brute_force_topic(x, lengths, eta):
    """The weighted mean of the utterances before, one dialogue at a time."""
    topics = []
    for talk in x.split(lengths.tolist()):
        for i in range(len(talk)):
            weight = torch.exp(eta * (torch.arange(i) - i))[:, None].to(x.dtype)
            mean = (weight * talk[:i]).sum(0) / weight.sum().clamp(min=1e-30)
            topics.append(mean)
    return torch.stack(topics)


def moving_average(x, eta):
    """Kingma and Ba's average with bias correction, before each utterance."""
    decay, state, topics = math.exp(-eta), torch.zeros_like(x[0]), []
    for k, row in enumerate(x, start=1):
        state = decay * state + (1 - decay) * row
        topics.append(state / (1 - decay**k))
    return torch.stack([torch.zeros_like(x[0]), *topics[:-1]])


class TestTopic:
    @pytest.mark.parametrize("eta", [0.0, 0.05, 0.2, 1.0, 5.0])
    def test_it_is_the_weighted_mean_of_what_was_said_before(self, eta):
        x = torch.randn(N, 3, dtype=torch.float64)
        topic, started = topic_before(x, LENGTHS, eta)
        torch.testing.assert_close(topic, brute_force_topic(x, LENGTHS, eta))
        assert started.nonzero().flatten().tolist() == [1, 2, 3, 6, 7, 8, 9, 10]

    @pytest.mark.parametrize("eta", [0.05, 0.2, 1.0])
    @pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 110])
    def test_it_is_the_bias_corrected_moving_average(self, eta, n):
        x = torch.randn(n, 3, dtype=torch.float64)
        topic, _ = topic_before(x, torch.tensor([n]), eta)
        torch.testing.assert_close(topic, moving_average(x, eta))

    def test_infinite_smoothing_gives_the_utterance_before(self):
        x = torch.randn(N, 3)
        topic, started = topic_before(x, LENGTHS, math.inf)
        torch.testing.assert_close(topic[1:], x[:-1] * started[1:, None])

    def test_no_smoothing_gives_the_running_mean(self):
        x = torch.randn(6, 3)
        topic, _ = topic_before(x, torch.tensor([6]), 0.0)
        expected = x.cumsum(0) / torch.arange(1, 7)[:, None]
        torch.testing.assert_close(topic[1:], expected[:-1])

    def test_dialogues_do_not_see_each_other(self):
        x = torch.randn(N, 3)
        together, _ = topic_before(x, LENGTHS, 0.2)
        alone = [
            topic_before(talk, torch.tensor([len(talk)]), 0.2)[0]
            for talk in x.split(LENGTHS.tolist())
        ]
        torch.testing.assert_close(together, torch.cat(alone))

    @pytest.mark.parametrize("eta", [0.0, 0.2, 3.0, math.inf])
    def test_5000_turns_do_not_overflow(self, eta):
        topic, _ = topic_before(torch.ones(5000, 2), torch.tensor([5000]), eta)
        torch.testing.assert_close(topic[1:], torch.ones(4999, 2))


class Same(torch.nn.Module):
    """Stands for a transformer that changes nothing."""

    def forward(self, x, lengths):
        return x


class TestGlobalFusion:
    def fusion(self, **settings):
        return GlobalFusion(WIDTHS, 8, **(TINY | settings))

    def test_the_loss_is_the_equation(self):
        fusion, blocks = self.fusion(smoothing=0.3), blocks_of(WIDTHS)
        code, loss = fusion(blocks, all_present(WIDTHS), LENGTHS)
        z = torch.cat(
            [f(b) for f, b in zip(fusion.project, blocks, strict=True)], dim=1
        )
        started = torch.ones(N)
        started[[0, 4, 5]] = 0
        topic = brute_force_topic(code, LENGTHS, 0.3)
        expected = (code - z).square().mean(1)
        expected = expected + started * (code - topic).square().mean(1)
        torch.testing.assert_close(loss, expected)

    def test_constant_inputs_have_no_smoothing_loss(self):
        fusion = self.fusion()
        fusion.transformer = Same()
        constant = [torch.ones(N, width) for width in WIDTHS]
        _, loss = fusion(constant, all_present(WIDTHS), LENGTHS)
        assert loss.abs().max() < 1e-10

    def test_the_first_utterance_is_not_smoothed(self):
        fusion = self.fusion()
        fusion.transformer = Same()
        _, loss = fusion(blocks_of(WIDTHS), all_present(WIDTHS), LENGTHS)
        assert (loss == 0).nonzero().flatten().tolist() == [0, 4, 5]

    @pytest.mark.parametrize("topic_gradient", [False, True])
    def test_the_gradient_stops_at_the_topic_unless_asked(self, topic_gradient):
        fusion = self.fusion(topic_gradient=topic_gradient)
        fusion.transformer = Same()
        blocks = [block.requires_grad_() for block in blocks_of(WIDTHS)]
        _, loss = fusion(blocks, all_present(WIDTHS), LENGTHS)
        loss[10].backward()
        reached = blocks[0].grad.abs().sum(1).nonzero().flatten().tolist()
        assert reached == ([5, 6, 7, 8, 9, 10] if topic_gradient else [10])

    def test_no_grad_mode_stays_as_it_is(self):
        fusion = self.fusion(topic_gradient=True)
        with torch.no_grad():
            _, loss = fusion(blocks_of(WIDTHS), all_present(WIDTHS), LENGTHS)
        assert not loss.requires_grad

    @pytest.mark.parametrize("kind", ["global", "specific"])
    def test_detached_targets_have_no_gradient(self, kind):
        gradients = {}
        for detach in (False, True):
            torch.manual_seed(0)
            if kind == "global":
                fusion = self.fusion(detach_targets=detach)
                arguments = (LENGTHS,)
            else:
                fusion, arguments = SpecificFusion(WIDTHS, 4, detach_targets=detach), ()
            _, loss = fusion(blocks_of(WIDTHS), all_present(WIDTHS), *arguments)
            loss.sum().backward()
            gradients[detach] = next(fusion.project.parameters()).grad
        assert (gradients[False] - gradients[True]).abs().max() > 1e-4


def answer(fusion, blocks, lengths=LENGTHS):
    """What a fusion of either kind gives where all modalities are there."""
    present = torch.ones(len(blocks[0]), len(blocks), dtype=torch.bool)
    if isinstance(fusion, SpecificFusion):
        return fusion(blocks, present)
    return fusion(blocks, present, lengths)


class TestSpecificFusion:
    @pytest.mark.parametrize("similarity", ["scaled", "dot", "cosine"])
    def test_vectors_lie_in_the_convex_hull_of_the_basis(self, similarity):
        fusion = SpecificFusion(WIDTHS, 8, n_bases=5, similarity=similarity).double()
        blocks = [block.double() for block in blocks_of(WIDTHS)]
        code, _ = answer(fusion, blocks)
        basis = fusion.enter_basis(fusion.basis)
        for part in code.detach().chunk(3, dim=1):
            weight = torch.linalg.lstsq(basis.detach().T, part.T).solution.T
            torch.testing.assert_close(weight @ basis.detach(), part)
            torch.testing.assert_close(weight.sum(1), torch.ones_like(weight[:, 0]))
            assert weight.min() > -1e-9

    def test_one_basis_vector_makes_all_utterances_equal(self):
        fusion = SpecificFusion(WIDTHS, 6, n_bases=1)
        code, _ = answer(fusion, blocks_of(WIDTHS))
        vector = fusion.enter_basis(fusion.basis)
        torch.testing.assert_close(code, vector.repeat(N, 3))

    @pytest.mark.parametrize("similarity", ["scaled", "dot", "cosine"])
    def test_the_order_of_the_basis_means_nothing(self, similarity):
        fusion = SpecificFusion(WIDTHS, 6, n_bases=7, similarity=similarity)
        blocks = blocks_of(WIDTHS)
        before, loss = answer(fusion, blocks)
        with torch.no_grad():
            fusion.basis.copy_(fusion.basis[torch.randperm(7)])
        after, loss_after = answer(fusion, blocks)
        torch.testing.assert_close(after, before)
        torch.testing.assert_close(loss_after, loss)

    @pytest.mark.parametrize(
        ("similarity", "score"),
        [
            ("scaled", lambda z, b: z @ b / math.sqrt(len(z))),
            ("dot", lambda z, b: z @ b),
            ("cosine", lambda z, b: F.cosine_similarity(z, b, dim=0) / 0.1),
        ],
    )
    def test_similarities_are_their_formulas(self, similarity, score):
        fusion = SpecificFusion([9], 9, n_bases=4, similarity=similarity)
        [block] = blocks = blocks_of([9])
        code, loss = answer(fusion, blocks)
        z = fusion.project[0](block)
        basis = fusion.enter_basis(fusion.basis)
        rows = fusion.enter[0](z)
        scores = torch.stack([torch.stack([score(r, b) for b in basis]) for r in rows])
        torch.testing.assert_close(code, scores.softmax(1) @ basis)
        torch.testing.assert_close(loss, (code - z).square().mean(1))

    def test_an_unknown_similarity_is_refused(self):
        with pytest.raises(ValueError, match="similarity='euclidean' is unknown"):
            SpecificFusion(WIDTHS, 6, similarity="euclidean")

    def test_scores_are_not_of_rank_one(self):
        fusion = SpecificFusion([9], 9, n_bases=6)
        z, basis = torch.randn(N, 9), fusion.enter_basis(fusion.basis)
        assert torch.linalg.matrix_rank(fusion._scores(z, basis)) == 6
        code, _ = answer(fusion, [z])
        assert torch.linalg.matrix_rank(code - code.mean(0)) > 1


class TestWidths:
    @pytest.mark.parametrize("widths", [[7], [5, 3], [100, 768, 512], [1, 1, 1, 1]])
    @pytest.mark.parametrize("size", [None, 12, 100, 1023])
    @pytest.mark.parametrize("heads", [1, 3, 8, 10])
    def test_the_sum_is_the_next_multiple_of_the_heads(self, widths, size, heads):
        shares = share_width(widths, size, heads)
        wanted = sum(widths) if size is None else size
        assert sum(shares) % heads == 0
        assert wanted <= sum(shares) < wanted + heads
        if size is not None:
            assert max(shares) - min(shares) <= 1

    def test_widths_stay_where_the_sum_divides_already(self):
        assert share_width([512, 100, 768], None, 10) == [512, 100, 768]
        assert share_width([512, 100, 768], 1380, 10) == [460, 460, 460]

    def test_fusions_have_these_widths(self):
        fusion = JoyfulFusion([512, 100, 768], None, heads=10, layers=1)
        assert fusion.in_dialogue.size == fusion.on_basis.size == 1380
        assert fusion.on_basis.basis.shape == (64, 460)
        assert fusion.size == 2760


class TestJoyfulFusion:
    @pytest.mark.parametrize("widths", [[5], [5, 3], WIDTHS, [2, 3, 4, 5, 6]], ids=len)
    @pytest.mark.parametrize("size", [None, 12])
    def test_both_stand_side_by_side_and_losses_add_up(self, widths, size):
        fusion, blocks = JoyfulFusion(widths, size, **TINY), blocks_of(widths)
        code, loss = answer(fusion, blocks)
        dialogue, first_loss = answer(fusion.in_dialogue, blocks)
        mixture, second_loss = answer(fusion.on_basis, blocks)
        expected = torch.cat([dialogue, fusion.norm(mixture)], dim=1)
        torch.testing.assert_close(code, expected)
        torch.testing.assert_close(loss, first_loss + second_loss)
        assert code.shape == (N, fusion.size)

    @pytest.mark.parametrize("switched_off", ["global_fusion", "specific_fusion"])
    def test_either_stands_alone(self, switched_off):
        fusion = JoyfulFusion(WIDTHS, 12, **TINY, **{switched_off: False})
        blocks = blocks_of(WIDTHS)
        part = fusion.in_dialogue or fusion.on_basis
        assert None in (fusion.in_dialogue, fusion.on_basis)
        assert fusion.size == part.size == 12
        (code, loss), (expected, expected_loss) = (
            answer(each, blocks) for each in (fusion, part)
        )
        expected = fusion.norm(expected) if fusion.on_basis else expected
        torch.testing.assert_close(code, expected)
        torch.testing.assert_close(loss, expected_loss)

    def test_without_either_a_modality_that_is_hidden_is_0(self):
        shown = all_present(WIDTHS)
        shown[::2, 1] = False
        fusion = JoyfulFusion(WIDTHS, 24, global_fusion=False, specific_fusion=False)
        node, _ = fusion(blocks_of(WIDTHS), shown, LENGTHS)
        hidden = node[:, 5:8] == 0
        assert torch.equal(hidden.all(dim=1), ~shown[:, 1])

    def test_neither_leaves_the_modalities_as_they_are(self):
        fusion = JoyfulFusion(WIDTHS, 12, global_fusion=False, specific_fusion=False)
        blocks = blocks_of(WIDTHS)
        code, loss = answer(fusion, blocks)
        assert torch.equal(code, torch.cat(blocks, dim=1))
        assert torch.equal(loss, torch.zeros(N))
        assert fusion.size == sum(WIDTHS)

    @pytest.mark.parametrize("make", [GlobalFusion, SpecificFusion, JoyfulFusion])
    def test_features_of_a_missing_modality_do_not_matter(self, make):
        settings = {} if make is SpecificFusion else TINY
        fusion, lengths = make(WIDTHS, 12, **settings), (LENGTHS,)
        blocks, present = blocks_of(WIDTHS), all_present(WIDTHS)
        present[2, 1] = present[7] = False
        other = [block.clone() for block in blocks]
        other[1][2] += 5
        for block in other:
            block[7] -= 5
        lengths = () if make is SpecificFusion else lengths
        first, second = (fusion(each, present, *lengths) for each in (blocks, other))
        for one, two in zip(first, second, strict=True):
            torch.testing.assert_close(one, two)
            assert one.isfinite().all()

    def test_a_missing_modality_carries_no_reconstruction_loss(self):
        fusion, blocks = SpecificFusion(WIDTHS, 4), blocks_of(WIDTHS)
        present = all_present(WIDTHS)
        present[2, 1] = present[7] = False
        code, loss = fusion(blocks, present)
        z = [f(b) for f, b in zip(fusion.project, blocks, strict=True)]
        seen = torch.cat([z[0][2], z[2][2]]) - code[2].view(3, 4)[[0, 2]].flatten()
        torch.testing.assert_close(loss[2], seen.square().mean())
        assert not code[2, 4:8].any()
        assert loss[7] == 0
