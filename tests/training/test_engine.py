"""The net behind the estimators: its history, its validation, its progress bar."""

import io
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from sklearn.base import BaseEstimator
from sklearn.metrics import f1_score
from skorch.callbacks import LRScheduler

from skmerc._training import DialogueDataset, infer, seeded
from skmerc._training._engine import LossTerms, ValidationScore, make_net
from skmerc.frame import make_frame
from skmerc.frame._conversations import read_conversations
from skmerc.recognition._tasks import Classes, LabelSets


class Linear(torch.nn.Module):
    """Logits of each utterance on its own."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 3)

    def forward(self, features, sequence, speaker):
        return SimpleNamespace(logits=self.layer(features))


class Loss(torch.nn.Module):
    """Cross-entropy, with a second term that numbers the batches."""

    def __init__(self):
        super().__init__()
        self.number = 0.0

    def forward(self, output, answer):
        error = torch.nn.functional.cross_entropy(output.logits, answer["target"])
        self.terms = {"error": error.detach(), "number": torch.tensor(self.number)}
        self.number += 1
        return error


def dialogues(n=30, seed=0):
    """Dialogues of three turns, whose classes lie apart; every third row is context."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, n)
    centre = np.array([[0, 2], [2, 0], [-2, -2]])[target]
    X = make_frame(
        {"text": centre + rng.normal(size=(n, 2))},
        dialogue=[f"{i // 3:03d}" for i in range(n)],
    )
    table = read_conversations(BaseEstimator(), X, reset=True)
    weight = np.tile([1.0, 2.0, 0.0], n // 3)
    return DialogueDataset(table, table.sequences(), target, weight)


def train(validation=None, max_epochs=4, batch_size=4, lr=0.05, **settings):
    with seeded(0, torch.device("cpu")):
        net = make_net(
            Linear,
            Loss,
            validation=validation,
            max_epochs=max_epochs,
            batch_size=batch_size,
            lr=lr,
            **({"verbose": 0, "measure": Classes()} | settings),
        )
        return net.initialize().partial_fit(dialogues(), None)


def scripted(scores):
    """A task that gives the scores of successive epochs, whatever the answers."""

    class Scripted(Classes):
        def score(self, logits, target, weight):
            return {"valid_weighted_f1": next(left)}

    left = iter(scores)
    return Scripted()


def test_history_records_the_mean_of_each_term_over_the_batches_of_an_epoch():
    net = train(max_epochs=2)
    # Ten dialogues make three batches of at most four, numbered on and on.
    assert net.history[:, "number"] == [1.0, 4.0]
    losses = [
        np.mean([batch["train_loss"] for batch in epoch["batches"]])
        for epoch in net.history
    ]
    assert net.history[:, "error"] == pytest.approx(losses)


def test_terms_are_those_of_training_batches_alone():
    terms = LossTerms()
    net = SimpleNamespace(
        criterion_=SimpleNamespace(terms={"error": torch.tensor(3.0)}),
        history=SimpleNamespace(record=lambda name, value: recorded.append(value)),
    )
    recorded = []
    terms.on_epoch_begin(net)
    terms.on_batch_end(net, training=True)
    net.criterion_.terms = {"error": torch.tensor(99.0)}
    terms.on_batch_end(net, training=False)
    terms.on_epoch_end(net)
    assert recorded == [3.0]


def test_validation_is_scored_on_the_rows_that_count():
    net, held_out = train(), dialogues(seed=1)
    net.history.new_epoch()
    ValidationScore(held_out, Classes()).on_epoch_end(net)
    rows = held_out.weight > 0
    logits, target = infer(net, held_out, "logits")[rows], held_out.target[rows]
    error = -log_softmax(logits, axis=1)[np.arange(len(target)), target]
    weight = held_out.weight[rows]
    expected = f1_score(
        target, logits.argmax(axis=1), average="weighted", sample_weight=weight
    )
    assert 0 < expected < 1
    assert net.history[-1, "valid_weighted_f1"] == pytest.approx(expected)
    expected = np.average(error, weights=weight)
    assert net.history[-1, "valid_loss"] == pytest.approx(expected)


def test_validation_changes_no_weight_and_is_let_go_of():
    held_out = dialogues(seed=1)
    watched, alone = train(held_out), train()
    assert len(watched.history[:, "valid_loss"]) == 4
    assert "valid_loss" not in alone.history[-1]
    pairs = zip(watched.module_.parameters(), alone.module_.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert dict(watched.callbacks_)["validation_score"].dataset is None
    assert held_out.conversations is not None
    large = train(dialogues(3000, seed=1))
    assert len(pickle.dumps(large)) < len(pickle.dumps(watched)) + 1000


def test_patience_ends_training_and_restores_the_best_weights():
    held_out = dialogues(seed=1)
    scores = [0.1, 0.3, 0.2, 0.4, 0.4, 0.3, 0.4, 0.9]
    net = train(held_out, max_epochs=9, patience=3, measure=scripted(scores))
    assert net.history[:, "valid_weighted_f1"] == scores[:7]
    again = train(held_out, max_epochs=4)
    pairs = zip(net.module_.parameters(), again.module_.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_the_mean_of_the_latest_scores_decides_where_one_is_asked_for():
    held_out = dialogues(seed=1)
    scores = [0.2, 0.6, 0.1, 0.1, 0.4, 0.6, 0.6, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    net = train(held_out, max_epochs=99, patience=5, window=4, measure=scripted(scores))
    means = [np.mean(scores[max(0, i - 3) : i + 1]) for i in range(13)]
    assert net.history[:, "valid_weighted_f1_mean"] == pytest.approx(means)
    assert np.argmax(means) + 1 == 8
    again = train(held_out, max_epochs=8)
    pairs = zip(net.module_.parameters(), again.module_.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_while_all_answers_are_one_class_the_loss_decides():
    held_out, losses = dialogues(seed=1), iter([1.0, 0.9, 0.8, 0.85, 0.9, 0.1])

    class Plateau(Classes):
        def score(self, logits, target, weight):
            return {"valid_weighted_f1": 0.7, "valid_loss": next(losses)}

        def is_constant(self, answers):
            return True

    net = train(held_out, max_epochs=6, patience=2, measure=Plateau())
    assert net.history[:, "valid_best_epoch"] == [1, 2, 3, 3, 3]
    again = train(held_out, max_epochs=3)
    pairs = zip(net.module_.parameters(), again.module_.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_answers_of_one_class_are_constant():
    one = np.array([[2.0, 1.0], [3.0, 1.0]])
    assert Classes().is_constant(one)
    assert LabelSets(2).is_constant(one)
    assert not Classes().is_constant(one - [[0, 0], [3, 0]])
    assert not LabelSets(2).is_constant(one - [[0, 0], [3, 3]])


def test_without_validation_or_patience_training_goes_to_the_end():
    assert len(train(patience=1, max_epochs=9).history) == 9
    assert len(train(dialogues(seed=1), patience=None, max_epochs=9).history) == 9


def test_the_callers_callbacks_come_last_and_settings_win():
    seen = []

    class Watch(LossTerms):
        def on_epoch_end(self, net, **kwargs):
            seen.append(net.history[-1, "number"])

    net = train(callbacks=[("watch", Watch())], iterator_train__shuffle=False)
    assert seen == net.history[:, "number"]
    assert not net.get_iterator(dialogues(), training=True).shuffle


def test_callbacks_of_a_trained_net_hold_no_weights():
    """Not even in a schedule, or weights on a GPU would be pickled as such."""

    class FindTensors(pickle.Pickler):
        def persistent_id(self, thing):
            assert not isinstance(thing, torch.Tensor)

    schedule = LRScheduler("CosineAnnealingLR", T_max=4)
    net = train(dialogues(seed=1), callbacks=[("schedule", schedule)], patience=1)
    assert net.optimizer_.param_groups[0]["lr"] < net.lr
    FindTensors(io.BytesIO()).dump(net.callbacks_)


@pytest.mark.parametrize("validated", [False, True])
def test_the_bar_appears_only_if_asked_for(capsys, validated):
    held_out = dialogues(seed=1) if validated else None
    train(held_out, verbose=0)
    assert capsys.readouterr() == ("", "")
    net = train(held_out, verbose=1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "4/4" in shown.err
    assert "train_loss" in shown.err
    assert ("valid_weighted_f1" in shown.err) == validated
    assert dict(net.callbacks_)["progress"].bar is None


def test_terms_of_a_loss_are_averaged_where_they_are(monkeypatch):
    places = []

    def weighted_mean(values, weight):
        places.append((values.device.type, weight.device.type))
        return 0.0

    monkeypatch.setattr("skmerc._training._engine.weighted_mean", weighted_mean)
    # Another device than that of numbers which come without one.
    criterion = SimpleNamespace(terms={"loss": torch.empty((), device="meta")})
    history = SimpleNamespace(record=lambda *given: None)
    net = SimpleNamespace(criterion_=criterion, history=history)
    callback = LossTerms()
    callback.on_epoch_begin(net)
    callback.on_batch_end(net, training=True)
    callback.on_epoch_end(net)
    assert places == [("meta", "meta")]
