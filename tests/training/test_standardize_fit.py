"""Means and deviations of the training rows, and the policy for single cells."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator

from skmerc._training import (
    check_partial_missing,
    fit_standardize,
)
from skmerc.exceptions import PartialMissingWarning
from skmerc.frame import make_frame
from skmerc.frame._conversations import read_conversations


def everything(x):
    return np.arange(len(x))


def sample(n=200, d=5, missing=0.2):
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (n, d)).astype(np.float32)
    x[rng.random((n, d)) < missing] = np.nan
    return x


def test_known_cells_get_mean_0_and_deviation_1():
    x = sample()
    z = fit_standardize(x, everything(x))(torch.from_numpy(x)).numpy()
    z[np.isnan(x)] = np.nan
    np.testing.assert_allclose(np.nanmean(z, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanstd(z, axis=0), 1, atol=1e-5)


def test_a_weight_is_a_number_of_repetitions():
    x, weight = sample(), np.random.default_rng(1).integers(0, 4, 200)
    weighted = fit_standardize(x, everything(x), weight.astype(float))
    repeated = fit_standardize(x, np.repeat(everything(x), weight))
    np.testing.assert_allclose(weighted.mean, repeated.mean, rtol=1e-6)
    np.testing.assert_allclose(weighted.scale, repeated.scale, rtol=1e-6)


def test_other_rows_and_rows_of_weight_0_are_not_looked_at():
    x = sample()
    expected = fit_standardize(x[:100], everything(x[:100]))
    x[100:] = 1e30
    weight = np.r_[np.ones(100), np.zeros(100)]
    for found in (
        fit_standardize(x, np.arange(100)),
        fit_standardize(x, everything(x), weight),
    ):
        assert torch.equal(found.mean, expected.mean)
        assert torch.equal(found.scale, expected.scale)


def test_chunks_change_nothing(monkeypatch):
    x = sample()
    whole = fit_standardize(x, everything(x))
    monkeypatch.setattr("skmerc.frame._conversations._CHUNK", 7)
    parts = fit_standardize(x, everything(x))
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-6)
    np.testing.assert_allclose(parts.scale, whole.scale, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6 / 3, 1e9 + 1])
def test_constant_columns_become_0(value):
    x = np.full((50, 1), value)
    layer = fit_standardize(x, everything(x))
    assert layer(torch.from_numpy(x.astype(np.float32))).abs().max() == 0
    if abs(value) <= 1e6:
        assert layer.scale.item() == 1


@pytest.mark.parametrize("deviation", [1e-33, 1e-40, 1e-45])
def test_columns_of_rounding_noise_are_not_blown_up(deviation):
    rng = np.random.default_rng(0)
    x = (rng.normal(0, 1, (50, 2)) * [1, deviation]).astype(np.float32)
    z = fit_standardize(x, everything(x))(torch.from_numpy(x))
    assert z.isfinite().all()
    assert z[:, 1].abs().max() < 1e-6
    assert z[:, 0].std() > 0.9


@pytest.mark.parametrize(
    "deviation", [1e-35, 1e-25, 1e-13, 1e-8, 1e-3, 1e5, 1e18, 1e37]
)
def test_columns_of_any_magnitude_are_equals(deviation):
    x = (np.random.default_rng(0).normal(0, deviation, (200, 1))).astype(np.float32)
    z = fit_standardize(x, everything(x))(torch.from_numpy(x))
    assert z.std(correction=0).item() == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("unit", [1e-13, 1e-30])
def test_each_modality_has_its_own_unit(unit):
    """Magnetic fields are some 1e-13 tesla, and lie beside sentences of length 1."""
    rng = np.random.default_rng(0)
    x = (rng.normal(0, 1, (50, 3)) * [1, unit, 1e-15 * unit]).astype(np.float32)
    layer = fit_standardize(x, everything(x), blocks=[slice(0, 1), slice(1, 3)])
    assert layer.varied.tolist() == [True, True, False]
    assert layer(torch.from_numpy(x))[:, 1].std(correction=0).item() == pytest.approx(1)


@pytest.mark.parametrize("deviation", [1.0, 500.0, 5000.0])
def test_a_small_deviation_beside_a_large_mean_is_not_clipped(deviation):
    x = np.random.default_rng(0).normal(1.7e9, deviation, (200, 1)).astype(np.float32)
    z = fit_standardize(x, everything(x))(torch.from_numpy(x))
    assert z.abs().max() < 5


def test_columns_without_any_value_have_mean_0_and_scale_1():
    x = np.full((4, 2), np.nan)
    x[:, 0] = [1, 2, 3, 4]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = fit_standardize(x, everything(x))
    assert layer.mean.tolist() == [2.5, 0]
    assert layer.scale[1].item() == 1
    assert torch.equal(layer(torch.full((1, 2), torch.nan)), torch.zeros(1, 2))


def test_inactive_it_still_knows_what_to_fill_in():
    x = sample()
    layer = fit_standardize(x, everything(x), active=False)
    found = layer(torch.full((1, 5), torch.nan))
    np.testing.assert_allclose(found[0], np.nanmean(x, axis=0), rtol=1e-5)


class TestPartialMissing:
    text = np.ones((4, 2))
    audio = np.ones((4, 3))

    def read(self, holes=(), **settings):
        X = make_frame({"text": self.text, "audio": self.audio})
        for row, column in holes:
            X.loc[row, column] = np.nan
        return read_conversations(BaseEstimator(), X, reset=True, **settings), X.columns

    def test_a_missing_modality_is_no_hole(self):
        whole_block = [
            (1, "text__0"),
            (1, "text__1"),
            *((3, f"audio__{j}") for j in "012"),
        ]
        table, _ = self.read(whole_block)
        check_partial_missing(table, "error")
        check_partial_missing(table, "mean")

    holes = ((2, "audio__1"), (2, "audio__2"), (3, "text__1"), (1, "audio__0"))

    def test_holes_are_counted_per_block(self):
        table, _ = self.read(self.holes)
        counts = r"\(text: 1, audio: 3\)"
        with pytest.warns(PartialMissingWarning, match=counts) as found:
            check_partial_missing(table, "mean")
        assert len(found) == 1
        check_partial_missing(table, "mean", warn=False)

    def test_holes_are_refused_by_place(self):
        table, columns = self.read(self.holes[:2])
        where = "row 2, column 'audio__1' of block 'audio'"
        with pytest.raises(ValueError, match=where):
            check_partial_missing(table, "error", columns[4:])
        with pytest.raises(ValueError, match="row 2, column 3 of block 'audio'"):
            check_partial_missing(table, "error")

    def test_holes_are_placed_right_where_columns_are_listed(self):
        names = ["audio__1", "text__0"]
        table, columns = self.read(self.holes[:1], modalities={"m": names})
        where = "row 2, column 'audio__1' of block 'm'"
        with pytest.raises(ValueError, match=where):
            check_partial_missing(table, "error", columns[4:])
