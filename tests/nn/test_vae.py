import pytest
import torch

from skmerc.losses import kl_between_normals, kl_to_standard_normal
from skmerc.nn.vae import JointVAE, product_of_experts

WIDTHS = [7, 4, 3]


def make_batch(n=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    blocks = [torch.randn(n, width, generator=generator) for width in WIDTHS]
    present = torch.ones(n, len(WIDTHS), dtype=torch.bool)
    present[0, 1], present[1, :2], present[2] = False, False, False
    blocks = [x * present[:, [m]] for m, x in enumerate(blocks)]
    return blocks, present


def make_vae(posterior="joint", seed=0, **settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return JointVAE(
            WIDTHS, hidden_size=16, latent_size=5, posterior=posterior, **settings
        )


posteriors = pytest.mark.parametrize("posterior", ["joint", "poe"])


@pytest.mark.parametrize(
    ("mean", "variance", "expected"), [(1.0, 1.0, 0.5), (0.0, 4.0, 0.8069), (0, 1, 0)]
)
def test_divergence_from_the_prior_has_the_closed_form(mean, variance, expected):
    mean, log_var = torch.tensor([[mean * 1.0]]), torch.tensor([[variance * 1.0]]).log()
    zero = torch.zeros(1, 1)
    assert kl_to_standard_normal(mean, log_var).item() == pytest.approx(
        expected, abs=1e-4
    )
    assert kl_between_normals(mean, log_var, zero, zero).item() == pytest.approx(
        expected, abs=1e-4
    )


def test_product_of_two_unit_experts_and_the_prior():
    means = torch.tensor([[[0.0]], [[2.0]]])
    both = torch.tensor([[True, True]])
    mean, log_var = product_of_experts(means, torch.zeros(2, 1, 1), both)
    assert mean.item() == pytest.approx(2 / 3)
    assert (-log_var).exp().item() == pytest.approx(3.0)


def test_product_leaves_missing_experts_out():
    means, log_vars = torch.randn(2, 1, 4), torch.randn(2, 1, 4)
    first = product_of_experts(means, log_vars, torch.tensor([[True, False]]))
    alone = product_of_experts(means[:1], log_vars[:1], torch.tensor([[True]]))
    assert torch.equal(first[0], alone[0])
    assert torch.equal(first[1], alone[1])


@posteriors
def test_shapes(posterior):
    blocks, present = make_batch()
    fused = make_vae(posterior)(blocks, present)
    assert fused.code.shape == fused.mean.shape == fused.log_var.shape == (12, 5)
    assert fused.unimodal_mean.shape == fused.unimodal_log_var.shape == (3, 12, 5)
    assert [tuple(x.shape) for x in fused.reconstructions] == [(12, w) for w in WIDTHS]


@posteriors
def test_code_is_a_draw_in_training_and_the_mean_in_evaluation(posterior):
    vae, (blocks, present) = make_vae(posterior), make_batch()
    drawn = vae(blocks, present)
    assert not torch.equal(drawn.code, drawn.mean)
    fused = vae.eval()(blocks, present)
    assert torch.equal(fused.code, fused.mean)
    assert torch.equal(drawn.mean, fused.mean)


@pytest.mark.slow
def test_draws_have_the_variance_of_the_posterior():
    vae, (blocks, present) = make_vae(), make_batch()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        draws = torch.stack([vae(blocks, present).code for _ in range(4000)])
        fused = vae(blocks, present)
    torch.testing.assert_close(draws.mean(0), fused.mean, atol=0.1, rtol=0)
    torch.testing.assert_close(draws.var(0), fused.log_var.exp(), atol=0.01, rtol=0.1)


@posteriors
def test_nothing_present_gives_the_prior(posterior):
    blocks, present = make_batch()
    fused = make_vae(posterior).eval()(blocks, present)
    assert not fused.code[2].any()
    assert not fused.log_var[2].any()


@posteriors
def test_gradient_of_the_loss_with_respect_to_a_missing_block_is_zero(posterior):
    vae, (blocks, present) = make_vae(posterior), make_batch()
    blocks = [block.requires_grad_() for block in blocks]
    vae.loss(
        vae(blocks, present), blocks, present, beta=0.1, gamma=0.1
    ).sum().backward()
    for m, block in enumerate(blocks):
        assert not block.grad[~present[:, m]].any()
        assert block.grad[present[:, m]].abs().sum(dim=1).min() > 0


@posteriors
def test_loss_of_a_row_does_not_depend_on_its_batch(posterior):
    vae, (blocks, present) = make_vae(posterior).eval(), make_batch()
    weights = {"beta": 0.1, "gamma": 0.1}
    together = vae.loss(vae(blocks, present), blocks, present, **weights)
    for row in range(len(present)):
        one, there = [x[[row]] for x in blocks], present[[row]]
        alone = vae.loss(vae(one, there), one, there, **weights)
        torch.testing.assert_close(alone[0], together[row], atol=1e-6, rtol=1e-5)


@posteriors
def test_loss_is_the_sum_of_its_published_terms(posterior):
    vae, (blocks, present) = make_vae(posterior).eval(), make_batch()
    fused = vae(blocks, present)
    row, seen = 0, [0, 2]
    error = sum(
        ((blocks[m][row] - fused.reconstructions[m][row]) ** 2).sum() / WIDTHS[m]
        for m in seen
    )
    q = torch.distributions.Normal(fused.mean[row], (fused.log_var[row] / 2).exp())
    prior = torch.distributions.Normal(torch.zeros(5), torch.ones(5))
    kl = torch.distributions.kl_divergence(q, prior).sum()
    unimodal = sum(
        torch.distributions.kl_divergence(
            q,
            torch.distributions.Normal(
                fused.unimodal_mean[m, row], (fused.unimodal_log_var[m, row] / 2).exp()
            ),
        ).sum()
        for m in seen
    )
    loss = vae.loss(fused, blocks, present, beta=0.3, gamma=0.7)[row]
    torch.testing.assert_close(loss, error + 0.3 * kl + 0.7 * unimodal)


def test_wide_modalities_do_not_drown_narrow_ones():
    vae = JointVAE([1000, 10]).eval()
    blocks, present = [torch.ones(1, 1000), torch.ones(1, 10)], torch.ones(1, 2) > 0
    zeros = [torch.zeros(1, 1000), torch.zeros(1, 10)]
    fused = vae(blocks, present)._replace(reconstructions=zeros)
    assert vae.terms(fused, blocks, present).reconstruction.item() == pytest.approx(2.0)


@posteriors
def test_hidden_modalities_are_still_reconstructed(posterior):
    vae, (blocks, present) = make_vae(posterior).eval(), make_batch()
    shown = present.clone()
    shown[:, 0] = False
    other = [torch.randn_like(blocks[0]), *blocks[1:]]
    assert torch.equal(vae(blocks, shown).code, vae(other, shown).code)
    fused = vae(blocks, shown)
    whole = vae.terms(fused, blocks, present).reconstruction
    part = vae.terms(fused, blocks, shown).reconstruction
    assert (whole[3:] > part[3:]).all()


def test_joint_posterior_knows_missing_from_zero():
    vae = make_vae().eval()
    blocks = [torch.zeros(1, width) for width in WIDTHS]
    with torch.no_grad():
        for encoder in vae.encoders:
            encoder[0].bias.zero_()
    there, missing = torch.tensor([[True] * 3]), torch.tensor([[True, True, False]])
    assert not torch.equal(vae(blocks, there).mean, vae(blocks, missing).mean)


def test_unknown_posterior_is_refused():
    with pytest.raises(ValueError, match="posterior='mixture'"):
        JointVAE([2], posterior="mixture")
