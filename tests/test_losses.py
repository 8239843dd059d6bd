"""Losses against numbers worked out by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from skmerc.losses import (
    adversarial_loss,
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
