"""Losses against numbers worked out by hand."""

import math
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from skmerc import losses
from skmerc.losses import (
    adversarial_loss,
    contrastive_loss,
    focal_loss,
    kl_between_normals,
    kl_to_standard_normal,
    scaled_cosine_error,
    weighted_mean,
)


def normal(mean, variance):
    return torch.tensor([[float(mean)]]), torch.tensor([[math.log(variance)]])


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class TestWeightedMean:
    def test_weights_are_shares(self):
        values, weight = torch.tensor([1.0, 5.0]), torch.tensor([6.0, 2.0])
        assert weighted_mean(values, weight).item() == 2.0
        assert weighted_mean(values).item() == 3.0

    def test_weight_0_is_absence_and_2_is_repetition(self):
        values = random(4)
        weight = torch.tensor([0.0, 2.0, 1.0, 1.0])
        repeated = values[[1, 1, 2, 3]].mean()
        torch.testing.assert_close(weighted_mean(values, weight), repeated)

    def test_no_weight_at_all_gives_0_with_a_finite_gradient(self):
        values = random(3).requires_grad_()
        loss = weighted_mean(values, torch.zeros(3))
        loss.backward()
        assert loss.item() == 0
        assert torch.equal(values.grad, torch.zeros(3))

    @pytest.mark.parametrize("unit", [1e-44, 1e-39, 1e-30, 1e30])
    def test_the_size_of_all_weights_changes_nothing(self, unit):
        values = torch.tensor([1.0, 5.0], requires_grad=True)
        mean = weighted_mean(values, torch.full((2,), unit))
        mean.backward()
        torch.testing.assert_close(mean.detach(), torch.tensor(3.0))
        torch.testing.assert_close(values.grad, torch.tensor([0.5, 0.5]))


class TestFocalLoss:
    @pytest.mark.parametrize(
        ("p", "expected"), [(0.9, 0.001054), (0.5, 0.1733), (0.1, 1.8651)]
    )
    def test_published_values(self, p, expected):
        logits = torch.log(torch.tensor([[1 - p, p]]))
        loss = focal_loss(logits, torch.tensor([1]))
        assert loss.item() == pytest.approx(expected, rel=1e-3)

    def test_without_focus_it_is_cross_entropy(self):
        logits, target = random(20, 5), torch.arange(20) % 5
        weight = random(20, seed=1).abs()
        expected = F.cross_entropy(logits, target, reduction="none")
        torch.testing.assert_close(focal_loss(logits, target, 0), expected.mean())
        torch.testing.assert_close(
            focal_loss(logits, target, 0, weight),
            (expected * weight).sum() / weight.sum(),
        )

    def test_label_smoothing_is_that_of_torch(self):
        logits, target = random(20, 5), torch.arange(20) % 5
        torch.testing.assert_close(
            focal_loss(logits, target, 0, label_smoothing=0.2),
            F.cross_entropy(logits, target, label_smoothing=0.2),
        )

    def test_smoothing_leaves_the_focus_alone(self):
        logits, target = random(6, 3), torch.arange(6) % 3
        even = -F.log_softmax(logits, dim=1).mean()
        expected = 0.7 * focal_loss(logits, target) + 0.3 * even
        torch.testing.assert_close(
            focal_loss(logits, target, label_smoothing=0.3), expected
        )

    @pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
    def test_certainty_right_or_wrong_keeps_gradients_finite(self, gamma):
        logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
        loss = focal_loss(logits, torch.tensor([0, 0]), gamma)
        loss.backward()
        assert loss.item() == pytest.approx(200, rel=1e-5)
        assert logits.grad.isfinite().all()


class TestDivergence:
    @pytest.mark.parametrize(
        ("mean", "variance", "expected"), [(1, 1, 0.5), (0, 4, 0.8069), (0, 1, 0.0)]
    )
    def test_published_values(self, mean, variance, expected):
        one, standard = normal(mean, variance), normal(0, 1)
        for found in (kl_to_standard_normal(*one), kl_between_normals(*one, *standard)):
            assert found.item() == pytest.approx(expected, abs=1e-4)

    def test_against_torch_distributions(self):
        mean, log_var, other, other_log_var = random(4, 6, 3).unbind()
        expected = torch.distributions.kl_divergence(
            torch.distributions.Normal(mean, (log_var / 2).exp()),
            torch.distributions.Normal(other, (other_log_var / 2).exp()),
        ).sum(dim=1)
        found = kl_between_normals(mean, log_var, other, other_log_var)
        torch.testing.assert_close(found, expected)
        assert (found > 0).all()

    def test_it_is_0_only_between_equals(self):
        mean, log_var = random(2, 5, 3).unbind()
        assert kl_between_normals(mean, log_var, mean, log_var).abs().max() < 1e-6
        assert (kl_between_normals(mean, log_var, mean, log_var + 0.1) > 1e-4).all()


class TestScaledCosineError:
    @pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
    def test_parallel_orthogonal_and_opposite(self, exponent):
        x = torch.tensor([[1.0, 0.0]] * 3)
        y = torch.tensor([[7.0, 0.0], [0.0, 3.0], [-0.1, 0.0]])
        found = scaled_cosine_error(x, y, exponent)
        torch.testing.assert_close(found, torch.tensor([0.0, 1.0, 2.0**exponent]))

    def test_parallel_vectors_have_a_finite_gradient(self):
        x = random(50, 7).requires_grad_()
        scaled_cosine_error(x, 2 * x.detach()).sum().backward()
        assert x.grad.isfinite().all()

    def test_a_vector_of_zeros_is_orthogonal_and_has_a_gradient_of_its_size(self):
        x, y = torch.zeros(1, 4).requires_grad_(), torch.tensor([[2.0, 0, 0, 0]])
        error = scaled_cosine_error(x, y)
        error.sum().backward()
        assert error.item() == 1
        assert x.grad.tolist() == [[-2.0, 0, 0, 0]]


class TestAdversarialLoss:
    scores = torch.tensor([-2.0, 0.0, 0.5, 3.0])

    @pytest.mark.parametrize(
        ("form", "real", "generator", "expected"),
        [
            ("least_squares", True, False, [9, 1, 0.25, 4]),
            ("least_squares", False, False, [4, 0, 0.25, 9]),
            ("log", True, False, [2.126928, 0.693147, 0.474077, 0.048587]),
            ("log", False, False, [0.126928, 0.693147, 0.974077, 3.048587]),
            ("hinge", True, False, [3, 1, 0.5, 0]),
            ("hinge", False, False, [0, 1, 1.5, 4]),
            ("hinge", True, True, [2, 0, -0.5, -3]),
        ],
    )
    def test_by_hand(self, form, real, generator, expected):
        for score, value in zip(self.scores, expected, strict=True):
            loss = adversarial_loss(score[None], real, form, generator)
            assert loss.item() == pytest.approx(value, abs=1e-5)

    def test_weights(self):
        weight = torch.tensor([0.0, 1.0, 0.0, 3.0])
        loss = adversarial_loss(self.scores, True, weight=weight)
        assert loss.item() == pytest.approx((1 + 3 * 4) / 4)

    def test_an_unknown_form_is_refused(self):
        with pytest.raises(ValueError, match="form='wasserstein' is unknown"):
            adversarial_loss(self.scores, True, "wasserstein")


MANY_NODES = """
import resource
import torch
from skmerc.losses import contrastive_loss

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

view1, view2 = torch.randn(2, 50_000, 4).requires_grad_().unbind()
before = peak()
loss = contrastive_loss(view1, view2, torch.zeros(50_000))
loss.backward()
print(loss.item(), (peak() - before) / 1024)
"""


def dense_contrast(view1, view2, group, form, temperature=0.2):
    """Loss of each node, from matrices of all pairs and the published formulas."""
    if form == "grace":
        both = (view1, view2), (view2, view1)
        return sum(grace_terms(*views, group, temperature) for views in both) / 2
    inter, intra = similarities(view1, view2), similarities(view1, view1)
    companions = group[:, None] == group
    sums = [(companions * matrix.exp()).sum(dim=1) for matrix in (inter, intra)]
    return (sums[0].log() + sums[1].log()) / 2 - inter.diagonal()


def grace_terms(view1, view2, group, temperature):
    inter = similarities(view1, view2) / temperature
    intra = similarities(view1, view1) / temperature
    companions = group[:, None] == group
    others = companions & ~torch.eye(len(group), dtype=torch.bool)
    total = (companions * inter.exp()).sum(1) + (others * intra.exp()).sum(1)
    return total.log() - inter.diagonal()


def dense_supervised(view1, view2, group, label, temperature=0.2):
    """The supervised form, vector by vector."""
    vectors = F.normalize(torch.cat([view1, view2]))
    group, label = group.repeat(2), label.repeat(2)
    found = []
    for a, vector in enumerate(vectors):
        near = (group == group[a]) & (torch.arange(len(vectors)) != a)
        logits = vectors @ vector / temperature
        kinds = [near & (label == kind) for kind in label[near].unique()]
        total = sum(logits[kind].exp().mean() for kind in kinds)
        found.append(total.log() - logits[near & (label == label[a])].mean())
    return torch.stack(found).view(2, -1).mean(dim=0)


def similarities(x, y):
    return F.cosine_similarity(x[:, None], y[None], dim=2)


FORMS = pytest.mark.parametrize("form", ["paper", "grace"])


class TestContrastiveLoss:
    group = torch.tensor([0] * 5 + [1] + [4] * 7 + [5] * 2 + [9] * 20)

    def views(self, n=35, d=6):
        return random(2, n, d).double().unbind()

    @pytest.mark.parametrize("m", [1, 2, 9])
    def test_equal_vectors_give_the_logarithm_of_the_number_of_pairs(self, m):
        x, group = torch.ones(m, 3), torch.zeros(m)
        found = [
            contrastive_loss(x, x, group, form=form) for form in ("paper", "grace")
        ]
        expected = torch.tensor([m, 2 * m - 1]).log()
        torch.testing.assert_close(torch.stack(found), expected)

    def test_a_node_alone_has_no_inter_term(self):
        x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]])
        loss = contrastive_loss(x, y, torch.zeros(1))
        assert loss.item() == pytest.approx((1 - 0.6) / 2)
        assert contrastive_loss(x, y, torch.zeros(1), form="grace").abs() < 1e-6

    def test_bounds_of_the_paper_form(self):
        m = 6
        least = math.log(1 + (m - 1) * math.exp(-2))
        most = (math.log(1 + (m - 1) * math.exp(2)) + 2 + math.log(m)) / 2
        for seed in range(20):
            views = random(2, m, 3, seed=seed)
            assert least < contrastive_loss(*views, torch.zeros(m)) < most

    def test_the_bounds_are_reached(self):
        pole = torch.tensor([1.0, 0.0])
        # Node 0 agrees with itself and opposes all others, then the reverse.
        x = torch.stack([pole, *[-pole] * 5])
        weight = F.one_hot(torch.tensor(0), 6)
        least = contrastive_loss(x, x, torch.zeros(6), weight=weight)
        assert least.item() == pytest.approx(math.log(1 + 5 * math.exp(-2)))
        same = pole.expand(6, 2)
        most = contrastive_loss(same, x * -1, torch.zeros(6), weight=weight)
        inter, intra = math.log(1 + 5 * math.exp(2)), 2 + math.log(6)
        assert most.item() == pytest.approx((inter + intra) / 2)

    @FORMS
    def test_the_length_of_vectors_is_irrelevant(self, form):
        x, y = self.views()
        length = random(35, 1, seed=1).double().exp()
        torch.testing.assert_close(
            contrastive_loss(x * length, y / length, self.group, form=form),
            contrastive_loss(x, y, self.group, form=form),
        )

    def test_grace_vanishes_for_equal_views_of_distinct_nodes_when_cold(self):
        x, y = self.views()
        arguments = {"group": self.group, "form": "grace", "temperature": 1e-3}
        assert contrastive_loss(x, x, **arguments) < 1e-9
        assert contrastive_loss(x, y, **arguments) > 1

    def test_grace_is_symmetric_in_the_views_and_the_paper_is_not(self):
        x, y = self.views()
        exchanged = [
            contrastive_loss(*views, self.group, form=form)
            for form in ("grace", "paper")
            for views in ((x, y), (y, x))
        ]
        assert exchanged[0] == pytest.approx(exchanged[1])
        assert exchanged[2] != pytest.approx(exchanged[3])

    def test_the_temperature_is_that_of_grace(self):
        x, y = self.views()
        paper, grace = (
            [
                contrastive_loss(x, y, self.group, form=f, temperature=t)
                for t in (0.2, 1)
            ]
            for f in ("paper", "grace")
        )
        assert paper[0] == paper[1]
        assert grace[0] != grace[1]
        assert grace[0] == contrastive_loss(x, y, self.group, form="grace")

    @FORMS
    def test_groups_do_not_see_each_other(self, form):
        x, y = self.views()
        weight = random(35, seed=1).double().abs()
        alone = [
            contrastive_loss(x[part], y[part], self.group[part], form=form, weight=w)
            for part, w in ((self.group == g, weight[self.group == g]) for g in (0, 4))
        ]
        two = (self.group == 0) | (self.group == 4)
        both = contrastive_loss(
            x[two], y[two], self.group[two], form=form, weight=weight[two]
        )
        share = torch.stack([weight[self.group == g].sum() for g in (0, 4)])
        torch.testing.assert_close(both, weighted_mean(torch.stack(alone), share))

    @FORMS
    @pytest.mark.parametrize("block", [1, 3, 8, 64])
    def test_blocks_give_the_loss_and_gradient_of_all_pairs(
        self, form, block, monkeypatch
    ):
        monkeypatch.setattr(losses, "_BLOCK", block)
        views = [view.requires_grad_() for view in self.views()]
        weight = random(35, seed=1).double().abs()
        loss = contrastive_loss(*views, self.group, form=form, weight=weight)
        expected = weighted_mean(dense_contrast(*views, self.group, form), weight)
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(
            torch.autograd.grad(loss, views), torch.autograd.grad(expected, views)
        )

    @FORMS
    def test_second_derivatives(self, form):
        views = [view[:8, :2].clone().requires_grad_() for view in self.views()]
        assert torch.autograd.gradgradcheck(
            lambda x, y: contrastive_loss(x, y, self.group[:8], form=form), views
        )

    @FORMS
    def test_a_node_of_weight_0_still_is_a_negative(self, form):
        x, y = (view[:5] for view in self.views())
        weight = torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0]).double()
        kept, group = weight > 0, torch.zeros(5)
        loss = contrastive_loss(x, y, group, form=form, weight=weight)
        expected = dense_contrast(x, y, group, form)[kept].mean()
        torch.testing.assert_close(loss, expected)
        without = contrastive_loss(x[kept], y[kept], group[kept], form=form)
        assert loss > without + 0.01

    @FORMS
    def test_zero_vectors_have_no_direction_and_a_moderate_gradient(self, form):
        x, y = torch.zeros(2, 35, 6, requires_grad=True).unbind()
        x.retain_grad()
        contrastive_loss(x, random(35, 6), self.group, form=form).backward()
        assert 0 < x.grad.abs().max() < 10
        zeros = contrastive_loss(x, y, torch.zeros(35), form="paper")
        assert zeros.item() == pytest.approx(math.log(35))

    def test_group_may_be_a_column_of_a_table(self):
        table = torch.stack([self.group, self.group], dim=1)
        x, y = self.views()
        loss = contrastive_loss(x, y, table[:, 0])
        assert loss == contrastive_loss(x, y, self.group)

    @pytest.mark.slow
    def test_memory_does_not_grow_with_the_pairs_of_a_group(self):
        # One matrix of all pairs would take 10 GB.
        run = [sys.executable, "-c", MANY_NODES]
        answer = subprocess.run(run, check=True, capture_output=True, text=True)
        loss, growth = map(float, answer.stdout.split())
        assert math.log(50_000) < loss < math.log(50_000) + 1
        assert growth < 500

    def test_supervised_contrast_by_hand(self):
        # One utterance of class 0 and two of class 1, told apart by two directions.
        right, up = torch.eye(2).double()
        x, y = torch.stack([right, right, up]), torch.stack([up, right, up])
        arguments = {"form": "supervised", "label": torch.tensor([0, 1, 1])}
        mean = (math.e + 1) / 2  # of all similarities to the other class
        rare = math.log(1 + mean)
        frequent = math.log((math.e + 2) / 3 + mean) - 1 / 3
        for weight, expected in (
            ([1.0, 0.0, 0.0], rare),
            ([0.0, 1.0, 0.0], frequent),
            ([0.0, 0.0, 2.0], frequent),
            ([1.0, 1.0, 1.0], (rare + 2 * frequent) / 3),
        ):
            loss = contrastive_loss(
                x,
                y,
                torch.zeros(3),
                temperature=1,
                weight=torch.tensor(weight),
                **arguments,
            )
            assert loss.item() == pytest.approx(expected)

    def test_supervised_contrast_of_one_class_of_equal_vectors_is_0(self):
        x, label = torch.ones(4, 3), torch.zeros(4, dtype=torch.long)
        group = torch.tensor([0, 0, 0, 1])  # the last utterance is alone
        loss = contrastive_loss(x, x, group, form="supervised", label=label)
        assert loss.abs() < 1e-6

    def test_supervised_contrast_of_equal_vectors_counts_classes_not_utterances(self):
        x, label = torch.ones(9, 3), torch.tensor([0, 0, 0, 0, 0, 1, 1, 0, 2])
        loss = contrastive_loss(x, x, torch.zeros(9), form="supervised", label=label)
        assert loss.item() == pytest.approx(math.log(3), abs=1e-6)

    @pytest.mark.parametrize("block", [1, 3, 64])
    def test_supervised_blocks_give_the_loss_and_gradient_of_all_pairs(
        self, block, monkeypatch
    ):
        monkeypatch.setattr(losses, "_BLOCK", block)
        views = [view.requires_grad_() for view in self.views()]
        weight = random(35, seed=1).double().abs()
        label = torch.arange(35) * 7 % 4
        loss = contrastive_loss(
            *views, self.group, form="supervised", label=label, weight=weight
        )
        each = dense_supervised(*views, self.group, label)
        torch.testing.assert_close(loss, expected := weighted_mean(each, weight))
        torch.testing.assert_close(
            torch.autograd.grad(loss, views), torch.autograd.grad(expected, views)
        )

    @pytest.mark.parametrize("label", [None, torch.zeros(3)])
    def test_supervised_contrast_needs_labels(self, label):
        x, y = random(2, 4, 3)
        with pytest.raises(ValueError, match=r"label of each node, of shape \(4,\)"):
            contrastive_loss(x, y, torch.zeros(4), form="supervised", label=label)

    def test_bad_input_is_refused(self):
        x, y = random(2, 4, 3)
        with pytest.raises(ValueError, match="form='simclr' is unknown"):
            contrastive_loss(x, y, torch.zeros(4), form="simclr")
        for arguments in ((x, y[:3], torch.zeros(4)), (x, y, torch.zeros(3))):
            with pytest.raises(ValueError, match=r"view1, view2, group have shapes"):
                contrastive_loss(*arguments)
        with pytest.raises(ValueError, match=r"group falls after node 1; sort"):
            contrastive_loss(x, y, torch.tensor([0, 2, 1, 2]))
