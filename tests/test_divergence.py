"""Training that leaves the finite numbers is told where it happens, by all alike."""

import functools

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback
from systems import (
    TRAINED_BY_EPOCHS,
    answer_of,
    fit_model,
    make_model,
    mostly_slow,
    target_of,
)

from skmerc.datasets import make_conversations
from skmerc.exceptions import DivergenceError
from skmerc.frame import drop_keys

TRAINED = [*TRAINED_BY_EPOCHS, "sampler"]
# The gates of what reads their features first saturate, and numbers stay finite.
SATURATING = {"dialoguegcn"}


@pytest.fixture(scope="module")
def table():
    return make_conversations(12, n_turns=(3, 6), random_state=0)


class Spoil(Callback):
    """Put a number that is not finite into a weight at the end of an epoch."""

    def __init__(self, epoch, value=np.nan):
        self.epoch, self.value = epoch, value

    def on_batch_end(self, net, training=False, **kwargs):
        if training and len(net.history) == self.epoch:
            with torch.no_grad():
                next(net.module_.parameters()).view(-1)[0] = self.value


@pytest.mark.parametrize("name", mostly_slow(TRAINED))
def test_a_rate_that_is_too_high_is_one_kind_of_error(table, name):
    model = make_model(name, lr=1e30, **({"n_steps": 30} if name == "sampler" else {}))
    with pytest.raises(DivergenceError, match=r"in pass \d.*which is lr=1e\+30\."):
        fit_model(model, name, *table)
    if name != "sampler":
        with pytest.raises(NotFittedError):
            check_is_fitted(model)


@pytest.mark.parametrize("name", mostly_slow(sorted({*TRAINED} - SATURATING)))
def test_features_that_are_too_large_to_go_unscaled_too(table, name):
    X, y = table
    features = drop_keys(X)
    X = X.assign(**{column: features[column] * 1e25 for column in features})
    with pytest.raises(DivergenceError, match="pass 1: .*standardize=True"):
        fit_model(make_model(name, standardize=False), name, X, y)


@pytest.mark.parametrize("value", mostly_slow([np.nan, np.inf]))
@pytest.mark.parametrize("name", mostly_slow(["cberl", "joyful", "regressor"]))
def test_weights_are_looked_at_and_the_checkpoint_keeps_the_last_good_pass(
    table, tmp_path, name, value
):
    X, y = table
    settings = {"max_epochs": 4, "patience": None, "checkpoint": tmp_path}
    spoiled = make_model(name, callbacks=[Spoil(3, value)], **settings)
    with pytest.raises(DivergenceError, match="pass 3"):
        fit_model(spoiled, name, X, y)
    names = sorted(path.name for path in tmp_path.glob("epoch-*.pt"))
    assert names == ["epoch-000001.pt", "epoch-000002.pt"]


def test_a_fit_that_diverges_leaves_the_one_before(table):
    X, y = table
    model = make_model("cberl").fit(X, y)
    before = model.predict_proba(X)
    model.set_params(lr=1e30)
    with pytest.raises(DivergenceError):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_both_phases_are_looked_at(table):
    X, y = table
    steep = functools.partial(torch.optim.SGD, momentum=0.9)
    settings = {"training": "two-phase", "batch_size": 4}
    model = make_model("joyful", **settings, optimizer=steep, lr=1e30)
    with pytest.raises(DivergenceError, match="the loss 'fusion' is"):
        model.fit(X, target_of("joyful", X, y))


@pytest.mark.parametrize("name", mostly_slow(TRAINED_BY_EPOCHS))
def test_answers_that_are_no_numbers_are_told_by_row(table, name):
    """As of a model that was saved before this was looked at in training."""
    X, y = table
    model = fit_model(make_model(name), name, X, y)
    network = model.vae_ if name == "fuser" else model.net_.module_
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(np.nan)
    with pytest.raises(ValueError, match="answer for row 0, .* no finite number"):
        answer_of(model, name, X)
