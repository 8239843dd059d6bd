"""The packed Bi-LSTM against torch's own packing and against loops."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from skmerc.nn.context import DialogueLSTM, packing_order

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=7)


def dialogues(lengths, seed=0):
    x = torch.randn(sum(lengths), 3, generator=torch.Generator().manual_seed(seed))
    return x, torch.tensor(lengths)


def encoder(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DialogueLSTM(3, 4, **settings).eval()


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


@quick
@given(LENGTHS)
@torch.no_grad()
def test_each_dialogue_is_encoded_as_if_alone(lengths):
    x, n = dialogues(lengths)
    module = encoder(layers=2)
    found = module(x, n).split(lengths)
    for dialogue, encoded in zip(x.split(lengths), found, strict=True):
        alone, _ = module.lstm(dialogue[:, None])
        torch.testing.assert_close(encoded, alone[:, 0], atol=1e-6, rtol=0)


def test_gradients_stay_inside_the_dialogue():
    x, n = dialogues([3, 5, 2])
    x.requires_grad_()
    encoder()(x, n)[4].sum().backward()
    assert x.grad.abs().sum(1).nonzero().flatten().tolist() == [3, 4, 5, 6, 7]


def test_one_layer_takes_dropout_without_a_warning():
    assert encoder(layers=1, dropout=0.5).lstm.dropout == 0
    assert encoder(layers=2, dropout=0.5).lstm.dropout == 0.5
