"""Standardisation as a layer."""

import numpy as np
import pytest
import torch

from skmerc.nn.standardize import CLIP, Standardize

MEAN, SCALE = np.array([1.0, -2.0, 0.0]), np.array([2.0, 0.5, 1.0])
NAN = float("nan")


def test_shift_scale_and_fill():
    x = torch.tensor([[3.0, -2.0, NAN], [NAN, -1.0, 4.0]])
    expected = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 4.0]])
    assert torch.equal(Standardize(MEAN, SCALE)(x), expected)


def test_beyond_ten_deviations_it_clips():
    x = torch.tensor([[1e30, -1e30, 10.5]])
    assert Standardize(MEAN, SCALE)(x).tolist() == [[CLIP, -CLIP, 10.0]]


def test_inactive_it_fills_alone():
    layer = Standardize(MEAN, SCALE, active=False)
    x = torch.tensor([[1e30, NAN, 7.0]])
    assert torch.equal(layer(x), torch.tensor([[1e30, -2.0, 7.0]]))
    assert torch.equal(layer.inverse(x[:, [0, 2, 2]]), x[:, [0, 2, 2]])


def test_inverse_is_the_way_back():
    layer = Standardize(MEAN, SCALE)
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layer.inverse(layer(x)), x)


def test_it_travels_with_the_weights_and_takes_no_part_in_training():
    layer = Standardize(MEAN, SCALE)
    assert set(layer.state_dict()) == {"mean", "scale"}
    assert not list(layer.parameters())
    assert layer.mean.dtype == layer.scale.dtype == torch.float32


@pytest.mark.parametrize("value", [NAN, 0.0])
def test_a_missing_cell_has_no_gradient(value):
    x = torch.tensor([[value, 0.0, 0.0]], requires_grad=True)
    Standardize(MEAN, SCALE)(x).sum().backward()
    assert x.grad.tolist() == [[0.0 if np.isnan(value) else 0.5, 2.0, 1.0]]


def test_its_memory_is_its_own():
    """Torch moves that of a tensor away where it is sent to another process."""
    given = {
        "mean": MEAN.astype(np.float32),
        "scale": SCALE.astype(np.float32),
        "seen": np.array([True, False, True]),
        "varied": np.array([True, True, False]),
    }
    layer = Standardize(**given)
    told = layer.settings
    for name, expected in given.items():
        np.testing.assert_array_equal(told[name], expected)
        held = getattr(layer, name).numpy()
        assert not np.shares_memory(held, expected)
        assert not np.shares_memory(held, told[name])
