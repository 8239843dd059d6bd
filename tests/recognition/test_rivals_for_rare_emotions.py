"""Logit adjustment and effective-number weights, and what answers mean then."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from systems import mostly_slow

from skmerc import CBERLClassifier, DialogueGCNClassifier, JoyfulClassifier
from skmerc.datasets import make_conversations
from skmerc.nn.cberl import CBERLLoss, Recognition
from skmerc.nn.dialoguegcn import DialogueGCNLoss, DialogueGCNOutput
from skmerc.nn.joyful import JoyfulLoss, JoyfulOutput
from skmerc.recognition._imbalance import class_factor
from skmerc.recognition._tasks import Classes

CLASSES = np.array(["anger", "fear", "joy"])
SMALL = {
    "max_epochs": 2,
    "batch_size": 8,
    "device": "cpu",
    "random_state": 0,
    "patience": None,
}
KINDS = [
    (CBERLClassifier, {"hidden_size": 8, "heads": 2}),
    (DialogueGCNClassifier, {"hidden_size": 6, "n_bases": 2}),
    (JoyfulClassifier, {"fusion_size": 16, "hidden_size": 16, "heads": 2}),
]
each_classifier = pytest.mark.parametrize(
    ("kind", "settings"), mostly_slow(KINDS), ids=[kind.__name__ for kind, _ in KINDS]
)


@pytest.fixture(scope="module")
def table():
    X, y = make_conversations(14, n_turns=(4, 9), random_state=0)
    # One emotion in two of three utterances.
    return X, np.where(np.arange(len(y)) % 3 > 0, "neutral", y)


def shares(y):
    return np.unique(y, return_counts=True)[1] / len(y)


def known(trained, adjustment=0.0):
    counts = np.asarray(trained, float)
    return Classes(CLASSES, counts, counts, counts, adjustment)


class TestEffectiveNumber:
    def test_by_hand(self):
        # (1 - 0.5 ** n) / 0.5 is 1, 1.5 and 1.75 utterances.
        inverse = np.array([1, 1 / 1.5, 1 / 1.75])
        found = class_factor(("effective", 0.5), CLASSES, np.array([1.0, 2.0, 3.0]))
        np.testing.assert_allclose(found, 3 * inverse / inverse.sum())

    @pytest.mark.parametrize("sum_of_weights", [1.0, 1e-13, 1e-25])
    @pytest.mark.parametrize("beta", [0.0, 0.5, 0.999])
    def test_small_weights_are_small_numbers(self, beta, sum_of_weights):
        """At its beginning the effective number is a line, as with normed weights."""
        share = np.array([0.1, 0.3, 0.6])
        found = class_factor(("effective", beta), CLASSES, sum_of_weights * share)
        n = sum_of_weights * share
        inverse = 1 / (n if beta and sum_of_weights < 1 else 1 - beta**n)
        np.testing.assert_allclose(found, 3 * inverse / inverse.sum())

    def test_the_default_beta(self):
        weight = np.array([40.0, 268.0, 4710.0])
        by_name = class_factor("effective", CLASSES, weight)
        expected = 1 / (1 - 0.999**weight)
        np.testing.assert_allclose(by_name, expected / expected.mean())

    def test_its_ends_are_no_weights_and_balanced_ones(self):
        weight = np.array([40.0, 268.0, 4710.0])
        none = class_factor(("effective", 0), CLASSES, weight)
        np.testing.assert_array_equal(none, 1)
        found = class_factor(("effective", 1 - 1e-9), CLASSES, weight)
        ratio = found / class_factor("balanced", CLASSES, weight)
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)

    def test_a_class_that_is_not_there_has_no_say(self):
        found = class_factor("effective", CLASSES, np.array([5.0, 0.0, 50.0]))
        assert found[1] == 1
        assert found[[0, 2]].mean() == pytest.approx(1)
        assert found[0] > found[2]

    @each_classifier
    def test_they_are_the_weights_of_a_dict(self, table, kind, settings):
        X, y = table
        labels, counts = np.unique(y, return_counts=True)
        factor = class_factor(("effective", 0.9), labels, counts)
        given = dict(zip(labels.tolist(), factor.tolist(), strict=True))
        answers = [
            kind(**SMALL, **settings, class_weight=weight).fit(X, y).predict_proba(X)
            for weight in (("effective", 0.9), given)
        ]
        np.testing.assert_allclose(*answers, atol=1e-6)


class TestSquareRoots:
    def test_by_hand(self):
        # Balanced, they are 6 / 3 / n.
        found = class_factor("sqrt", CLASSES, np.array([1.0, 2.0, 3.0]))
        np.testing.assert_allclose(found, np.sqrt([2, 1, 2 / 3]))

    def test_a_class_that_is_not_there_has_no_say(self):
        found = class_factor("sqrt", CLASSES, np.array([4.0, 0.0, 16.0]))
        np.testing.assert_allclose(found, np.sqrt([2.5, 1, 0.625]))


@each_classifier
@pytest.mark.parametrize(
    ("weight", "factor"), [(2.0**90, 2.0**90), (2.0**-90, 2.0**-90), (1.0, 2.0**-130)]
)
def test_weights_and_class_weights_may_have_any_size(
    table, kind, settings, weight, factor
):
    X, y = table
    classes = np.unique(y)
    even, given = (
        kind(**(SMALL | settings), class_weight=dict.fromkeys(classes, value))
        for value in (1.0, factor)
    )
    even.fit(X, y)
    given.fit(X, y, sample_weight=np.full(len(y), weight))
    np.testing.assert_allclose(given.predict_proba(X), even.predict_proba(X), atol=1e-6)


@each_classifier
def test_a_dialogue_of_vanishing_weight_does_no_harm(table, kind, settings):
    """A batch of it alone has weights whose inverse no float32 holds."""
    X, y = table
    weight = np.where(X["dialogue__id"] == X["dialogue__id"].iloc[0], 1e-40, 1.0)
    model = kind(**(SMALL | settings | {"batch_size": 1}))
    p = model.fit(X, y, sample_weight=weight).predict_proba(X)
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)


class TestSharesOfClasses:
    def test_the_shift_is_the_logarithm_of_the_shares(self):
        assert known([1, 1, 2]).logit_shift is None
        expected = 0.5 * np.log([0.25, 0.25, 0.5])
        np.testing.assert_allclose(known([1, 1, 2], 0.5).logit_shift, expected)

    @pytest.mark.parametrize("adjustment", [0.0, 0.5, 1.0, 2.0])
    def test_answers_assume_what_is_left_of_the_shares(self, adjustment):
        power = np.array([0.1, 0.3, 0.6]) ** (1 - adjustment)
        found = known([1, 3, 6], adjustment).answered_prior
        np.testing.assert_allclose(found, power / power.sum())

    def test_validation_has_the_shares_that_answers_assume(self):
        target = np.repeat([0, 1, 2], [1, 3, 6])
        for adjustment in (0.0, 0.5, 1.0, 50.0, 5000.0):
            task = known([1, 3, 6], adjustment)
            weight = np.bincount(target, task.validation_factor(target))
            np.testing.assert_allclose(weight / weight.sum(), task.answered_prior)

    def test_a_class_that_has_not_come_yet_is_not_lifted(self):
        task = known([2, 0, 6], 1.0)
        np.testing.assert_allclose(task.logit_shift, [np.log(0.25), 0, np.log(0.75)])
        np.testing.assert_allclose(task.answered_prior, [0.5, 0, 0.5])


def outputs(logits):
    """What each network says, with these logits."""
    n = len(logits)
    views, zero = torch.ones(2, n, 3), torch.zeros(n)
    sequence = torch.zeros(n, dtype=torch.long)
    weights = {"focal_gamma": 1.0, "label_smoothing": 0.1}
    contrast = {"contrast_weight": 1.0, "contrast": "paper", "temperature": 1.0}
    return [
        (
            CBERLLoss,
            weights | {"reconstruction_weight": 1.0, "fusion_weight": 1.0},
            Recognition(logits, logits, zero, zero),
        ),
        (DialogueGCNLoss, weights, DialogueGCNOutput(logits, logits)),
        (
            JoyfulLoss,
            weights
            | contrast
            | {"task": "classes", "fusion_weight": 1.0, "batch_negatives": False},
            JoyfulOutput(logits, logits, *views, sequence, zero),
        ),
    ]


@pytest.mark.parametrize("number", range(3), ids=["cberl", "dialoguegcn", "joyful"])
def test_every_loss_adds_the_shift_to_its_logits(number):
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    shift = [-1.0, 0.5, -2.0]
    answer = {
        "target": torch.tensor([0, 1, 2, 0, 1, 2]),
        "weight": torch.ones(6),
        "copy": torch.zeros(6, dtype=torch.bool),
    }
    kind, settings, output = outputs(logits)[number]
    _, _, moved = outputs(logits + torch.tensor(shift))[number]
    found = kind(**settings, logit_shift=shift)(output, answer)
    torch.testing.assert_close(found, kind(**settings)(moved, answer))
    assert (found - kind(**settings)(output, answer)).abs() > 1e-3


@each_classifier
class TestLogitAdjustment:
    def test_the_shift_is_that_of_the_training_utterances(self, table, kind, settings):
        X, y = table
        model = kind(**SMALL, **settings, logit_adjustment=2.0).fit(X, y)
        shift = model.net_.criterion_.logit_shift.numpy()
        np.testing.assert_allclose(shift, 2 * np.log(shares(y)), rtol=1e-6)

    def test_balanced_weights_leave_nothing_to_shift(self, table, kind, settings):
        X, y = table
        settings = SMALL | settings | {"class_weight": "balanced"}
        model = kind(**settings, logit_adjustment=1.0).fit(X, y)
        shift = model.net_.criterion_.logit_shift
        torch.testing.assert_close(shift, shift.mean().expand(len(shift)))
        weighted = kind(**settings).fit(X, y)
        answers = [each.predict_proba(X) for each in (model, weighted)]
        np.testing.assert_allclose(*answers, atol=1e-4)

    def test_a_prior_corrects_from_what_answers_assume(self, table, kind, settings):
        X, y = table
        model = kind(**SMALL, **settings, logit_adjustment=1.0).fit(X, y)
        even = model.predict_proba(X)
        model.set_params(prior="uniform")
        np.testing.assert_allclose(model.predict_proba(X), even, atol=1e-12)
        moved = even * shares(y)
        model.set_params(prior="train")
        np.testing.assert_allclose(
            model.predict_proba(X), moved / moved.sum(axis=1, keepdims=True)
        )
        # What has been trained is not changed by a parameter of the next fit.
        before = model.predict_proba(X)
        model.set_params(logit_adjustment=0.0)
        np.testing.assert_array_equal(model.predict_proba(X), before)

    def test_a_head_answers_with_the_shares_of_its_rows(self, table, kind, settings):
        X, y = table
        head = LogisticRegression(max_iter=1000)
        model = kind(**SMALL, **settings, logit_adjustment=1.0, head=head).fit(X, y)
        before = model.predict_proba(X)
        model.set_params(prior="train")
        np.testing.assert_allclose(model.predict_proba(X), before)

    def test_the_same_seed_answers_the_same(self, table, kind, settings):
        X, y = table
        first, second = (
            kind(**SMALL, **settings, logit_adjustment=1.0).fit(X, y).predict_proba(X)
            for _ in range(2)
        )
        np.testing.assert_array_equal(first, second)
        plain = kind(**SMALL, **settings).fit(X, y).predict_proba(X)
        assert np.abs(first - plain).max() > 1e-6


def test_part_by_part_the_shift_follows_all_that_came(table):
    X, y = table
    half = X["dialogue__id"].isin(["dia0", "dia1", "dia2", "dia3", "dia4"]).to_numpy()
    model = JoyfulClassifier(**SMALL, **KINDS[2][1], logit_adjustment=1.0)
    for rows in (half, half, ~half):
        model.partial_fit(X[rows], y[rows], classes=[*np.unique(y), "surprised"])
    labels, counts = np.unique([*y[half], *y], return_counts=True)
    shift = dict(zip(labels, np.log(counts / counts.sum()), strict=True))
    expected = [shift.get(label, 0) for label in model.classes_]
    found = model.net_.criterion_.logit_shift.numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


# What was never learned


UNLEARNED = {
    "validation rows alone": lambda X, last: (
        {},
        X.assign(dialogue__role=np.where(last, "validation", "utterance")),
        None,
    ),
    "weight 0": lambda X, last: ({}, X, np.where(last, 0.0, 1.0)),
    "class weight 0": lambda X, last: ({"class_weight": {"bored": 0.0}}, X, None),
}


@pytest.mark.parametrize("how", UNLEARNED)
@pytest.mark.parametrize("prior", ["uniform", "train", {"bored": 0.1, "neutral": 0.9}])
def test_a_prior_gives_nothing_to_a_class_that_was_not_learned(table, how, prior):
    X, y = table
    last = (X["dialogue__id"] == X["dialogue__id"].iloc[-1]).to_numpy()
    y = np.where(last, "bored", y)
    given, X, weight = UNLEARNED[how](X, last)
    model = CBERLClassifier(**SMALL, hidden_size=8, heads=2, **given)
    before = model.fit(X, y, sample_weight=weight).predict_proba(X)
    after = model.set_params(prior=prior).predict_proba(X)
    classes = model.classes_
    assert (classes == np.unique(y)).all()
    wanted = {
        "uniform": np.full(len(classes), 1 / len(classes)),
        "train": model.class_prior_,
    }.get(str(prior), np.where(classes == "bored", 0.1, 0.9 * (classes == "neutral")))
    shares = [np.mean(y[~last] == label) for label in classes]
    learned = np.where(classes == "bored", 1.0, shares)
    expected = before * np.maximum(wanted, 1e-12) / learned
    np.testing.assert_allclose(after, expected / expected.sum(axis=1, keepdims=True))


@each_classifier
def test_shares_of_the_classes_count_what_was_learned_from(table, kind, settings):
    X, y = table
    dropped = X["dialogue__id"].isin(X["dialogue__id"].unique()[:4]).to_numpy()
    model = kind(**SMALL, **settings)
    weighted = model.fit(X, y, sample_weight=~dropped * 1.0).class_prior_
    X, y = X[~dropped], y[~dropped]
    np.testing.assert_array_equal(weighted, model.fit(X, y).class_prior_)
