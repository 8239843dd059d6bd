"""A fit's own random numbers: those that torch would draw, and none of torch's."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skmerc._utils.random import (
    Dropout,
    Source,
    generator_on,
    rand,
    randint,
    randn,
    randperm,
)
from skmerc._utils.seeding import drawing, seeded

CPU = torch.device("cpu")
X = torch.linspace(-1, 1, 24).reshape(2, 3, 4)
TORCHS = {
    "rand": lambda: torch.rand(5),
    "rand of a device": lambda: torch.rand(5, device="cpu"),
    "randn": lambda: torch.randn(2, 3, dtype=torch.float64),
    "randint": lambda: torch.randint(9, (5,)),
    "randperm": lambda: torch.randperm(9),
    "rand_like": lambda: torch.rand_like(X),
    "randn_like": lambda: torch.randn_like(X),
    "bernoulli": lambda: torch.bernoulli(X.abs()),
    "multinomial": lambda: torch.multinomial(X[0].abs(), 2),
    "normal": lambda: torch.normal(X, 1.0),
    "in place": lambda: torch.empty(5).uniform_(-1, 1).normal_(2, 3).exponential_(),
    "dropout": lambda: F.dropout(X, 0.3),
    "a module of dropout": lambda: nn.Dropout(0.3)(X),
    "weights": lambda: nn.Linear(3, 4).weight.detach(),
    "weights of an LSTM": lambda: nn.LSTM(3, 4).weight_hh_l0.detach(),
    "initialised": lambda: nn.init.trunc_normal_(torch.empty(3, 4)),
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(3, 4)),
}
ATTENTION = {
    "plain": {},
    "words that may not be seen": {"attn_mask": torch.eye(3, dtype=torch.bool)},
    "biased": {"attn_mask": torch.arange(9.0).reshape(3, 3)},
    "causal": {"is_causal": True},
    "scaled": {"scale": 0.1},
}


def drawn_by_torch(draw, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return draw()


@pytest.mark.parametrize("name", TORCHS)
def test_the_draws_of_torch_come_from_the_source(name, global_state_untouched):
    expected = drawn_by_torch(TORCHS[name], 3)
    with global_state_untouched(), seeded(3, CPU):
        assert torch.equal(TORCHS[name](), expected)


@pytest.mark.parametrize("name", ATTENTION)
def test_so_does_the_dropout_of_attention(name, global_state_untouched):
    def attend():
        settings = {"dropout_p": 0.4, **ATTENTION[name]}
        return F.scaled_dot_product_attention(X, 2 * X, X + 1, **settings)

    expected = drawn_by_torch(attend, 3)
    with global_state_untouched(), seeded(3, CPU):
        torch.testing.assert_close(attend(), expected)


@pytest.mark.parametrize(
    ("own", "of_torch"),
    [
        (lambda: rand(2, 3), lambda: torch.rand(2, 3)),
        (lambda: randn(2, 3), lambda: torch.randn(2, 3)),
        (lambda: randint(9, (4,), CPU), lambda: torch.randint(9, (4,))),
        (lambda: randperm(9, CPU), lambda: torch.randperm(9)),
        (lambda: Dropout(0.3)(X), lambda: nn.Dropout(0.3)(X)),
    ],
)
def test_own_draws_are_those_of_torch_from_that_seed(
    own, of_torch, global_state_untouched
):
    expected = drawn_by_torch(of_torch, 5)
    with global_state_untouched(), drawing(5, CPU):
        assert torch.equal(own(), expected)
    assert torch.equal(drawn_by_torch(own, 5), expected)  # where no source is open


def test_dropout_of_everything_and_of_nothing():
    assert Dropout(0.0)(X) is X
    assert not Dropout(1.0)(X).any()
    assert Dropout(0.5).eval()(X) is X


def test_a_source_goes_on_where_another_stood():
    source, again = Source(1), Source(2)
    with source.opened():
        rand(7)
        state = source.get_state()
        expected = rand(3)
    again.set_state(state | {"cuda:63": torch.zeros(16, dtype=torch.uint8)})
    with again.opened():
        assert torch.equal(rand(3), expected)


def test_tensors_without_numbers_need_no_generator():
    with Source(0).opened():
        assert generator_on(torch.device("meta")) is None
    with seeded(0, CPU), torch.device("meta"):
        assert nn.Linear(3, 4).weight.is_meta
        assert randn(10**9).is_meta
