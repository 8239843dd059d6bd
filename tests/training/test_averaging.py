"""The average of the latest weights, which answers in the place of the last ones."""

import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from test_engine import dialogues, train

from skmerc._training import infer


class Steps(Callback):
    """Notes the weights after every step, and breaks training off if asked."""

    def __init__(self, last=None):
        self.last, self.weights = last, []

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.weights.append(weights_of(net))
        if len(self.weights) == self.last:
            raise KeyboardInterrupt


def weights_of(net):
    return {n: v.clone() for n, v in net.module_.state_dict().items()}


def averages(weights, decay):
    """The averages after each step, by their definition."""
    average, found = weights[0], []
    for step, latest in enumerate(weights[1:], start=1):
        share = min(decay, (1 + step) / (10 + step))
        average = {n: share * average[n] + (1 - share) * latest[n] for n in latest}
        found.append(average)
    return found


@pytest.fixture(scope="module")
def start():
    """Weights before the first step."""
    return weights_of(train(max_epochs=0))


@pytest.mark.parametrize("decay", [0.1, 0.5, 0.98])
def test_net_ends_with_the_average_of_its_weights(start, decay):
    steps = Steps()
    net = train(callbacks=[steps], ema_decay=decay, max_epochs=5)
    expected = averages([start, *steps.weights], decay)[-1]
    for name, value in weights_of(net).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)
        assert not torch.equal(value, steps.weights[-1][name])


def test_training_does_not_know_of_the_average():
    averaged, plain = train(ema_decay=0.9), train()
    assert averaged.history[:, "train_loss"] == plain.history[:, "train_loss"]


def test_validation_scores_the_average():
    held_out = dialogues(seed=1)
    net = train(held_out, ema_decay=0.9, max_epochs=3)
    again = net.history[-1, "valid_loss"]
    rows = held_out.weight > 0
    logits = torch.from_numpy(infer(net, held_out, "logits")[rows])
    target = torch.from_numpy(held_out.target[rows])
    errors = torch.nn.functional.cross_entropy(logits, target, reduction="none")
    expected = np.average(errors.numpy(), weights=held_out.weight[rows])
    assert again == pytest.approx(expected, rel=1e-5)


def test_best_average_is_restored():
    held_out = dialogues(seed=1)
    net = train(held_out, ema_decay=0.9, max_epochs=9, patience=2)
    best = net.history[-1, "valid_best_epoch"]
    again = train(ema_decay=0.9, max_epochs=best)
    for name, value in weights_of(net).items():
        assert torch.equal(value, weights_of(again)[name])


@pytest.mark.parametrize("last", [2, 4, 5])
def test_interrupted_epoch_leaves_the_average(start, last):
    steps = Steps(last=last)
    net = train(callbacks=[steps], ema_decay=0.9, max_epochs=5)
    expected = averages([start, *steps.weights], 0.9)[-1]
    if last > 3:  # three steps an epoch; the one that breaks off is averaged, too
        assert len(net.history) == 2
    for name, value in weights_of(net).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)


def test_fitted_net_holds_no_second_weights():
    sizes = [len(pickle.dumps(train(ema_decay=decay))) for decay in (0.0, 0.9)]
    n_bytes = sum(v.nbytes for v in weights_of(train(max_epochs=0)).values())
    assert sizes[1] - sizes[0] < max(n_bytes, 1000)
