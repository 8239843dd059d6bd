import copy
import pickle

import pytest
import torch

from skmerc.exceptions import DivergenceError
from skmerc.nn.gan import ConditionalGenerator, MultimodalGAN, ProjectionDiscriminator
from skmerc.sampling._adversarial import (
    Batch,
    ClassBalancedBatches,
    Game,
    Utterances,
    Weights,
    discriminator_terms,
    generator_terms,
    make_fakes,
    play,
)

SIZES = (5, 3)


@pytest.fixture
def utterances():
    rng = torch.Generator().manual_seed(0)
    present = torch.ones(60, 2)
    present[:20, 1] = 0
    x = torch.randn(60, 8, generator=rng)
    x[:20, 5:] = 0
    return Utterances(x, present, torch.arange(60) % 3)


@pytest.fixture
def gan():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MultimodalGAN(SIZES, 3, hidden_size=16, noise_size=4)


@pytest.fixture
def batch(utterances, gan):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return ClassBalancedBatches(utterances, torch.tensor([1, 2]), 32).draw(gan)


def weights_of(gan):
    return {name: weight.clone() for name, weight in gan.named_parameters()}


def changed(gan, before):
    return {n for n, w in gan.named_parameters() if not torch.equal(w, before[n])}


def is_generator(name):
    return name.startswith(("to_target", "to_source"))


def test_a_discriminator_step_leaves_the_generators_untouched(gan, batch):
    before = weights_of(gan)
    Game(gan, Weights(), lr=0.01).discriminate(batch, make_fakes(gan, batch))
    assert changed(gan, before)
    assert not any(map(is_generator, changed(gan, before)))


def test_a_generator_step_leaves_the_discriminators_and_classifier_untouched(
    gan, batch
):
    before = weights_of(gan)
    game = Game(gan, Weights(), lr=0.01)
    fakes = make_fakes(gan, batch)
    game.discriminate(batch, fakes)
    middle = weights_of(gan)
    game.generate(batch, fakes)
    assert changed(gan, middle)
    assert all(map(is_generator, changed(gan, middle)))
    assert changed(gan, before) == set(before)
    assert all(weight.requires_grad for weight in gan.parameters())


def test_fakes_carry_no_gradient_to_the_generators_in_the_discriminators_loss(
    gan, batch
):
    terms = discriminator_terms(gan, batch, make_fakes(gan, batch), Weights())
    sum(terms.values()).backward()
    assert all(w.grad is None for w in gan.generator_parameters())


@pytest.mark.parametrize("form", ["least_squares", "log", "hinge"])
def test_missing_modalities_count_in_no_loss(gan, batch, form):
    weights = Weights(form, identity=1.0)
    # What stands in a missing block of a real utterance of the target class.
    real = batch.real.x.clone()
    real[batch.real.present[:, 1] == 0, 5:] = 7.0
    other = Batch(
        batch.source,
        Utterances(real, batch.real.present, batch.real.label),
        batch.noise,
    )
    assert not torch.equal(real, batch.real.x)
    fakes = make_fakes(gan, batch)
    for terms in (discriminator_terms, generator_terms):
        expected = terms(gan, batch, fakes, weights)
        found = terms(gan, other, fakes, weights)
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_translations_are_zero_where_a_modality_is_missing(gan, batch):
    fakes = make_fakes(gan, batch)
    missing = batch.source.present[:, 1] == 0
    assert missing.any()
    for x in (fakes.translated, fakes.returned):
        assert (x[missing, 5:] == 0).all()
        assert (x[~missing, 5:] != 0).any()


def test_the_cycle_loss_averages_over_the_rows_that_have_the_modality(gan, batch):
    fakes = make_fakes(gan, batch)
    present = batch.source.present[:, 1] == 1
    difference = (fakes.returned - batch.source.x).abs()
    expected = difference[:, :5].mean() + difference[present, 5:].mean()
    terms = generator_terms(gan, batch, fakes, Weights(cycle=10.0))
    torch.testing.assert_close(terms["cycle"], 10 * expected)


def test_a_generator_that_changes_nothing_has_no_cycle_loss(gan, batch):
    for generator in [*gan.to_target, *gan.to_source]:
        torch.nn.init.zeros_(generator.change[-1].weight)
        torch.nn.init.zeros_(generator.change[-1].bias)
    weights = Weights(identity=5.0)
    terms = generator_terms(gan, batch, make_fakes(gan, batch), weights)
    assert terms["cycle"] == 0
    assert terms["identity"] == 0


def test_weights_scale_their_terms(gan, batch):
    fakes = make_fakes(gan, batch)
    once = generator_terms(gan, batch, fakes, Weights("least_squares", 1.0, 0.0, 1.0))
    twice = generator_terms(gan, batch, fakes, Weights("least_squares", 2.0, 0.0, 3.0))
    torch.testing.assert_close(twice["cycle"], 2 * once["cycle"])
    for name in ("classifier_returned", "classifier_translated"):
        torch.testing.assert_close(twice[name], 3 * once[name])
    assert twice["generator_target"] == once["generator_target"]


def test_least_squares_losses_have_their_closed_form(gan, batch):
    fakes = make_fakes(gan, batch)
    terms = discriminator_terms(gan, batch, fakes, Weights())
    real, fake = gan.of_source(batch.source.x), gan.of_source(fakes.returned)
    expected = ((real - 1) ** 2).mean() + (fake**2).mean()
    torch.testing.assert_close(terms["discriminator_source"], expected)


def test_batches_draw_all_source_classes_equally_and_only_the_wanted_targets(gan):
    label = torch.repeat_interleave(torch.arange(3), torch.tensor([900, 90, 10]))
    rows = torch.arange(1000.0)[:, None].repeat(1, 8)
    table = Utterances(rows, torch.ones(1000, 2), label)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        batch = ClassBalancedBatches(table, torch.tensor([1, 2]), 6000).draw(gan)
    source = torch.bincount(batch.source.label, minlength=3) / 6000
    target = torch.bincount(batch.target, minlength=3) / 6000
    torch.testing.assert_close(source, torch.full((3,), 1 / 3), atol=0.03, rtol=0)
    torch.testing.assert_close(target, torch.tensor([0, 0.5, 0.5]), atol=0.03, rtol=0)
    assert torch.equal(label[batch.real.x[:, 0].long()], batch.target)
    assert len(batch.source.x[batch.source.label == 2, 0].unique()) == 10


def test_noise_and_class_change_the_translation(gan, batch):
    x, present = batch.source.x, batch.source.present
    label, noise = torch.zeros(32, dtype=torch.long), batch.noise
    one = gan.translate(x, present, label, noise)
    assert torch.equal(one, gan.translate(x, present, label, noise))
    assert not torch.equal(one, gan.translate(x, present, label + 1, noise))
    assert not torch.equal(one, gan.translate(x, present, label, noise + 1))


def test_samples_stay_inside_the_range_of_the_training_data(gan, batch):
    gan.low.fill_(-0.1)
    gan.high.fill_(0.2)
    x, probability = gan.sample(batch.source.x, batch.source.present, batch.target)
    assert x.min() >= -0.1
    assert x.max() <= 0.2
    assert ((probability > 0) & (probability < 1)).all()


def test_a_discriminator_reads_the_class_only_if_it_has_classes():
    x, label = torch.randn(4, 3), torch.tensor([0, 1, 0, 1])
    conditional = ProjectionDiscriminator(3, 2, hidden_size=8)
    assert not torch.equal(conditional(x, label), conditional(x, 1 - label))
    assert ProjectionDiscriminator(3, 0, hidden_size=8)(x).shape == (4,)


def test_a_generator_without_noise_takes_none():
    generator = ConditionalGenerator(3, 2, hidden_size=8)
    assert generator(torch.zeros(4, 3), torch.tensor([0, 1, 0, 1])).shape == (4, 3)


def test_the_history_has_one_entry_per_epoch(gan, utterances):
    batches = ClassBalancedBatches(utterances, torch.tensor([1]), 8)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        history = play(Game(gan, Weights(), 1e-3), batches, 10, steps_per_epoch=4)
    assert len(history) == 3
    assert {"cycle", "change", "spread", "discriminator_target"} <= set(history[0])


def test_a_collapsed_generator_is_seen_in_the_history(gan, utterances):
    collapsed = copy.deepcopy(gan)
    collapsed.translate = lambda x, present, target, noise: x * 0
    batches = ClassBalancedBatches(utterances, torch.tensor([1]), 32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        healthy = play(Game(gan, Weights(), 1e-4), batches, 1, steps_per_epoch=1)
        flat = play(Game(collapsed, Weights(), 1e-4), batches, 1, steps_per_epoch=1)
    assert healthy[0]["spread"] > 0.5
    assert flat[0]["spread"] < 0.01


@pytest.mark.slow
def test_divergence_is_an_error_that_says_what_to_do(gan, utterances):
    huge = Utterances(utterances.x * 1e30, utterances.present, utterances.label)
    batches = ClassBalancedBatches(huge, torch.tensor([1]), 8)
    with (
        torch.random.fork_rng(devices=[]),
        pytest.raises(DivergenceError, match="pass 1: the loss .* lr=0.001"),
    ):
        play(Game(gan, Weights(), 1e-3), batches, 3, steps_per_epoch=3)


def test_the_networks_pickle(gan, batch):
    again = pickle.loads(pickle.dumps(gan))
    arguments = batch.source.x, batch.source.present, batch.target, batch.noise
    assert torch.equal(gan.translate(*arguments), again.translate(*arguments))
