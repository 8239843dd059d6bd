"""The packed transformer against dense attention, one dialogue at a time."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from systems import mostly_slow
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from skmerc.nn.transformer import DialogueTransformer

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
LENGTHS = [1, 16, 17, 40, 3, 33, 64, 2]
POSITIONS = [None, "rotary", "sinusoidal"]
WINDOWS = [None, 0, 1, 4, 15, 16, 17, 40, 256]


def dialogues(lengths, size=8, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(sum(lengths), size, generator=generator, dtype=dtype)
    return x, torch.tensor(lengths)


def encoder(size=8, *, layers=2, heads=2, dtype=torch.float64, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = DialogueTransformer(size, layers=layers, heads=heads, **settings)
    return module.to(dtype).eval()


def rotated(x):
    """Heads (turns, heads, width), each pair of numbers as a complex one."""
    turns, _, width = x.shape
    real, imaginary = x.chunk(2, dim=2)
    pair = torch.arange(width // 2)
    angle = torch.arange(turns)[:, None] * 10000.0 ** (-2 * pair / width)
    turned = torch.complex(real, imaginary) * torch.exp(1j * angle.double())[:, None]
    return torch.cat([turned.real, turned.imag], dim=2)


def wave(turn, column, size):
    angle = turn / 10000 ** (2 * (column // 2) / size)
    return math.cos(angle) if column % 2 else math.sin(angle)


def waves(turns, size):
    return torch.tensor([[wave(i, j, size) for j in range(size)] for i in range(turns)])


def hidden(turns, window, causal):
    """Who does not see whom."""
    gap = torch.arange(turns)[:, None] - torch.arange(turns)
    far = torch.zeros_like(gap, dtype=torch.bool)
    if window is not None:
        far = gap.abs() > window
    return far | (gap < 0) if causal else far


def dense_attention(layer, x, module):
    heads = layer.attention.heads
    q, k, v = layer.attention.qkv(x).unflatten(1, (3, heads, -1)).unbind(1)
    if module.position == "rotary":
        q, k = rotated(q), rotated(k)
    scores = torch.einsum("ihd,jhd->hij", q, k) / math.sqrt(q.shape[2])
    scores = scores.masked_fill(
        hidden(len(x), module.window, module.causal), -torch.inf
    )
    mixed = torch.einsum("hij,jhd->ihd", scores.softmax(dim=2), v)
    return layer.attention.out(mixed.flatten(1))


def dense(module, x):
    """One dialogue through the module's own weights."""
    if module.position == "sinusoidal":
        x = x + waves(*x.shape)
    for layer in module.layers:
        x = x + dense_attention(layer, layer.norms[0](x), module)
        x = x + layer.feedforward(layer.norms[1](x))
    return module.norm(x)


def gradients(module, x, y):
    weight = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)
    return torch.autograd.grad((y * weight).sum(), [x, *module.parameters()])


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that any operation returns."""

    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(result) if torch.is_tensor(leaf)]
        self.numel = max([self.numel, *sizes])
        return result


def largest_tensor(lengths, **settings):
    """Of a forward and a backward pass."""
    x, n = dialogues(lengths, dtype=torch.float32)
    module = encoder(layers=1, heads=1, dtype=torch.float32, **settings)
    with Largest() as largest:
        module(x.requires_grad_(), n)[:, 0].sum().backward()
    return largest.numel


@pytest.mark.parametrize("causal", mostly_slow([False, True]))
@pytest.mark.parametrize("position", mostly_slow(POSITIONS))
@pytest.mark.parametrize("window", mostly_slow(WINDOWS))
def test_outputs_and_gradients_are_those_of_dense_attention(window, position, causal):
    x, n = dialogues(LENGTHS)
    module = encoder(window=window, position=position, causal=causal)
    x.requires_grad_()
    found = module(x, n)
    expected = torch.cat([dense(module, each) for each in x.split(LENGTHS)])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    for mine, theirs in zip(
        gradients(module, x, found), gradients(module, x, expected), strict=True
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@quick
@given(
    st.lists(st.integers(1, 70), min_size=1, max_size=6),
    st.none() | st.integers(0, 70),
    st.booleans(),
)
@torch.no_grad()
def test_any_lengths_and_windows_give_dense_attention(lengths, window, causal):
    x, n = dialogues(lengths)
    module = encoder(layers=1, window=window, causal=causal)
    expected = torch.cat([dense(module, each) for each in x.split(lengths)])
    torch.testing.assert_close(module(x, n), expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("turns", "window"), [(300, 20), (300, 256), (16, 14)])
@torch.no_grad()
def test_a_dialogue_of_many_chunks_or_one_is_dense(turns, window, causal):
    x, n = dialogues([turns])
    module = encoder(window=window, causal=causal)
    torch.testing.assert_close(module(x, n), dense(module, x), atol=1e-10, rtol=0)


@pytest.mark.parametrize("norm_first", [False, True])
@torch.no_grad()
def test_layers_are_those_of_torch(norm_first):
    module = encoder(layers=1, feedforward=12, norm_first=norm_first)
    layer = module.layers[0]
    theirs = nn.TransformerEncoderLayer(
        8, 2, 12, batch_first=True, norm_first=norm_first, dtype=torch.float64
    ).eval()
    pairs = {
        theirs.self_attn.in_proj_weight: layer.attention.qkv.weight,
        theirs.self_attn.in_proj_bias: layer.attention.qkv.bias,
        theirs.self_attn.out_proj.weight: layer.attention.out.weight,
        theirs.self_attn.out_proj.bias: layer.attention.out.bias,
        theirs.linear1.weight: layer.feedforward[0].weight,
        theirs.linear1.bias: layer.feedforward[0].bias,
        theirs.linear2.weight: layer.feedforward[3].weight,
        theirs.linear2.bias: layer.feedforward[3].bias,
    }
    for target, source in pairs.items():
        target.copy_(source)
    x, n = dialogues([9, 4])
    expected = torch.cat([theirs(each[None])[0] for each in x.split([9, 4])])
    torch.testing.assert_close(module(x, n), module.norm(expected), atol=1e-10, rtol=0)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("window", [None, 4, 32])
@torch.no_grad()
def test_a_dialogue_is_encoded_as_if_alone(window, position):
    x, n = dialogues(LENGTHS, size=32, dtype=torch.float32)
    module = encoder(32, window=window, position=position, dtype=torch.float32)
    found = module(x, n).split(LENGTHS)
    for dialogue, together in zip(x.split(LENGTHS), found, strict=True):
        alone = module(dialogue, torch.tensor([len(dialogue)]))
        torch.testing.assert_close(together, alone, atol=2e-6, rtol=0)


def test_gradients_stay_inside_the_dialogue():
    x, n = dialogues([3, 5, 2])
    encoder()(x.requires_grad_(), n)[4, 0].backward()
    assert x.grad.abs().sum(1).nonzero().flatten().tolist() == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("position", mostly_slow(POSITIONS))
@pytest.mark.parametrize("window", mostly_slow([None, 5, 20, 256]))
@torch.no_grad()
def test_a_causal_encoder_never_looks_ahead(window, position):
    x, n = dialogues([50])
    module = encoder(window=window, position=position, causal=True)
    whole = module(x, n)
    for so_far in (1, 2, 15, 16, 17, 31, 49):
        prefix = module(x[:so_far], torch.tensor([so_far]))
        torch.testing.assert_close(prefix, whole[:so_far], atol=1e-10, rtol=0)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("window", "layers"), [(1, 1), (3, 2), (16, 3), (17, 2)])
def test_layers_reach_as_many_windows_and_not_one_turn_further(window, layers, causal):
    x, n = dialogues([130])
    module = encoder(layers=layers, window=window, causal=causal)
    module(x.requires_grad_(), n)[70, 0].backward()
    reached = x.grad.abs().sum(1).nonzero().flatten().tolist()
    reach = layers * window
    assert reached == list(range(70 - reach, 71 + (0 if causal else reach)))


@torch.no_grad()
def test_only_positions_tell_the_order_of_turns():
    x, n = dialogues([12])
    for position in POSITIONS:
        module = encoder(position=position)
        same = torch.allclose(module(x.flip(0), n).flip(0), module(x, n), atol=1e-8)
        assert same == (position is None)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("window", [None, 0, 3])
@pytest.mark.parametrize("causal", [False, True])
def test_one_turn_attends_to_itself(window, position, causal):
    x, n = dialogues([1])
    module = encoder(window=window, position=position, causal=causal)
    torch.testing.assert_close(module(x, n), dense(module, x), atol=1e-10, rtol=0)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("window", [None, 0, 3, 40])
def test_gradients_in_training_are_finite(window, causal):
    x, n = dialogues([1, 50, 17, 100], dtype=torch.float32)
    module = encoder(window=window, causal=causal, dtype=torch.float32).train()
    y = module(100 * x.requires_grad_(), n)
    assert all(each.isfinite().all() for each in gradients(module, x, y))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("window", [0, 3, 40, 256])
@torch.no_grad()
def test_padding_sees_something(window, causal, monkeypatch):
    # Older releases of torch return NaN for rows that see nothing.
    masks = []

    def attend(q, k, v, attn_mask, is_causal):
        assert is_causal == (attn_mask is None)
        masks.append(attn_mask)
        return q

    monkeypatch.setattr(F, "scaled_dot_product_attention", attend)
    encoder(layers=1, window=window, causal=causal)(*dialogues([1, 50, 17, 300]))
    seen = [mask.isfinite().any(dim=-1) for mask in masks if mask is not None]
    assert len(seen) > 0
    assert all(rows.all() for rows in seen)


@pytest.mark.parametrize("causal", mostly_slow([False, True]))
@pytest.mark.parametrize("window", mostly_slow([None, 32]))
def test_memory_is_linear_in_the_length_of_a_dialogue(window, causal):
    short, long = (
        largest_tensor([n], window=window, causal=causal) for n in (1024, 4096)
    )
    assert short > 1024
    assert long <= 4 * short


@pytest.mark.parametrize("window", [None, 256])
def test_a_long_dialogue_does_not_pad_short_ones(window):
    short = largest_tensor([3] * 400, window=window)
    assert largest_tensor([3] * 400 + [250], window=window) < 2 * short


@pytest.mark.slow
def test_twenty_thousand_turns_run():
    x, n = dialogues([20_000], size=16, dtype=torch.float32)
    module = encoder(16, layers=1, dtype=torch.float32)
    module(x.requires_grad_(), n)[:, 0].sum().backward()
    assert x.grad.isfinite().all()
    # Scores of every pair would be 400 million numbers for each head.
    assert largest_tensor([20_000]) < 20_000 * 1000


def test_dropout_keeps_the_mean_and_stops_in_evaluation():
    dropout = encoder(dropout=0.3).layers[0].dropout
    x = torch.ones(200_000)
    assert torch.equal(dropout(x), x)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dropped = dropout.train()(x)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)


def test_half_precision_runs_under_autocast():
    x, n = dialogues([5, 40], dtype=torch.float32)
    for position in POSITIONS:
        module = encoder(window=16, position=position, dtype=torch.float32)
        with torch.autocast("cpu", torch.bfloat16):
            found = module(x, n)
        torch.testing.assert_close(found.float(), module(x, n), atol=0.1, rtol=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 100, "heads": 8}, "heads=8 does not divide size=100.* up to 104"),
        ({"size": 12, "heads": 4, "position": "rotary"}, "even: 12 / 4"),
        ({"size": 8, "position": "learned"}, "position='learned' is unknown"),
        ({"size": 8, "window": -1}, "window=-1 is negative"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DialogueTransformer(**settings)
