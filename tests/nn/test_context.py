"""The packed Bi-LSTM against torch's own packing and against loops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from skmerc.nn.context import DialogueRNN, packing_order

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=7)


def dialogues(lengths, seed=0):
    x = torch.randn(sum(lengths), 3, generator=torch.Generator().manual_seed(seed))
    return x, torch.tensor(lengths)


def encoder(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DialogueRNN(3, 4, **settings).eval()


def weights_of(module):
    """Name the weights as one LSTM of several layers does."""
    return {
        name.replace("_l0", f"_l{number}"): value
        for number, layer in enumerate(module.layers)
        for name, value in layer.state_dict().items()
    }


@quick
@given(LENGTHS)
def test_packing_is_that_of_torch(lengths):
    x, n = dialogues(lengths)
    order, batch_sizes = packing_order(n)
    packed = pack_padded_sequence(
        pad_sequence(x.split(lengths)), n, enforce_sorted=False
    )
    assert torch.equal(batch_sizes, packed.batch_sizes)
    assert sorted(order.tolist()) == list(range(len(x)))
    # Among dialogues of one length torch may choose another order.
    for mine, theirs in zip(
        x[order].split(batch_sizes.tolist()),
        packed.data.split(batch_sizes.tolist()),
        strict=True,
    ):
        assert sorted(mine.tolist()) == sorted(theirs.tolist())


@pytest.mark.slow
@quick
@given(LENGTHS)
@torch.no_grad()
def test_each_dialogue_is_encoded_as_if_alone(lengths):
    x, n = dialogues(lengths)
    module, both = encoder(layers=2), torch.nn.LSTM(3, 4, 2, bidirectional=True)
    both.load_state_dict(weights_of(module))
    found = module(x, n).split(lengths)
    for dialogue, encoded in zip(x.split(lengths), found, strict=True):
        alone, _ = both(dialogue[:, None])
        torch.testing.assert_close(encoded, alone[:, 0], atol=1e-6, rtol=0)


def test_gradients_stay_inside_the_dialogue():
    x, n = dialogues([3, 5, 2])
    x.requires_grad_()
    encoder()(x, n)[4].sum().backward()
    assert x.grad.abs().sum(1).nonzero().flatten().tolist() == [3, 4, 5, 6, 7]


def test_there_is_dropout_between_layers_and_nowhere_else():
    x, n = dialogues([3, 5, 2])
    for layers, differs in ((1, False), (2, True)):
        module = encoder(layers=layers, dropout=0.5).train()
        assert torch.equal(module(x, n), module(x, n)) != differs


def test_training_draws_as_one_lstm_of_several_layers_does():
    x, n = dialogues([4, 4])
    module = encoder(layers=3, dropout=0.5).train()
    whole = torch.nn.LSTM(3, 4, 3, dropout=0.5, bidirectional=True)
    whole.load_state_dict(weights_of(module))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        found = module(x, n)
        torch.manual_seed(1)
        expected, _ = whole(pack_padded_sequence(torch.stack(x.split(4), 1), n))
    assert torch.equal(found[packing_order(n)[0]], expected.data)


@pytest.mark.slow
@quick
@given(LENGTHS)
@torch.no_grad()
def test_one_direction_is_an_lstm_that_hears_the_past_alone(lengths):
    x, n = dialogues(lengths)
    module = encoder(layers=2, bidirectional=False)
    forward = torch.nn.LSTM(3, 4, 2)
    forward.load_state_dict(weights_of(module))
    for dialogue, encoded in zip(
        x.split(lengths), module(x, n).split(lengths), strict=True
    ):
        alone, _ = forward(dialogue[:, None])
        torch.testing.assert_close(encoded, alone[:, 0], atol=1e-6, rtol=0)
        first = module(dialogue[:1], torch.tensor([1]))
        torch.testing.assert_close(encoded[:1], first, atol=1e-6, rtol=0)
