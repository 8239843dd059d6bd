"""JOYFUL's regressor as its users see it."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from systems import mostly_slow

from skmerc import JoyfulRegressor
from skmerc.datasets import make_conversations
from skmerc.frame import make_frame, mark_validation
from skmerc.model_selection import DialogueKFold

SMALL = {
    "fusion_size": 8,
    "n_bases": 4,
    "context_layers": 1,
    "heads": 2,
    "hidden_size": 8,
    "lr": 3e-3,
    "batch_size": 8,
    "max_epochs": 3,
    "device": "cpu",
    "random_state": 0,
}
# Nothing random but the weights, and no rounding that hangs on the size of batches.
ONE_FULL_BATCH = SMALL | {
    "dropout": 0.0,
    "augmentation_rate": 0.0,
    "contrast_weight": 0.0,
    "batch_size": 1000,
    "patience": None,
}
VALENCE = {"neutral": 0.0, "joy": 1.5, "sadness": -1.0, "anger": -2.0}


def scored_conversations(n_dialogues, **settings):
    settings = {"n_turns": (4, 9), "random_state": 0} | settings
    X, y = make_conversations(n_dialogues, **settings)
    noise = np.random.default_rng(0).normal(0, 0.1, len(y))
    return X, np.array([VALENCE[emotion] for emotion in y]) + noise


@pytest.fixture(scope="module")
def table():
    return scored_conversations(16)


@pytest.fixture(scope="module")
def fitted(table):
    return JoyfulRegressor(**SMALL).fit(*table)


def weights_of(model):
    parameters = model.net_.module_.parameters()
    return torch.nn.utils.parameters_to_vector(parameters).detach().clone()


def test_it_repeats_exactly_and_leaves_global_state(
    table, fitted, global_state_untouched
):
    X, y = table
    with global_state_untouched():
        again = clone(fitted).fit(X, y).predict(X)
    np.testing.assert_array_equal(again, fitted.predict(X))
    other = clone(fitted).set_params(random_state=1).fit(X, y)
    assert np.abs(other.predict(X) - again).max() > 1e-4


@pytest.mark.slow
def test_answers_are_scores_of_rows_in_any_order(table, fitted):
    X, y = table
    order = np.random.default_rng(0).permutation(len(X))
    answers = fitted.predict(X)
    assert answers.shape == y.shape
    assert answers.dtype == float
    shuffled = fitted.predict(X.iloc[order])
    np.testing.assert_allclose(shuffled, answers[order], atol=1e-5)
    again = clone(fitted).fit(X.iloc[order], y[order])
    np.testing.assert_allclose(again.predict(X), answers, atol=1e-5)
    for rows in X.groupby("dialogue__id").indices.values():
        alone = fitted.predict(X.iloc[rows])
        np.testing.assert_allclose(alone, answers[rows], atol=1e-5)


@pytest.mark.slow
def test_answers_of_a_causal_model_stay_as_a_conversation_goes_on(table):
    X, y = table
    talk = X[X["dialogue__id"] == "dia3"]
    changes = []
    for future in (0, 6):
        model = JoyfulRegressor(**SMALL, window_future=future).fit(X, y)
        whole = model.predict(talk)
        prefixes = [model.predict(talk.iloc[:n]) for n in range(1, len(talk))]
        changes.append(max(np.abs(p - whole[: len(p)]).max() for p in prefixes))
    assert changes[0] < 1e-5
    assert changes[1] > 1e-4


@pytest.mark.slow
def test_history_holds_every_term_and_the_best_epoch_is_restored():
    X, y = scored_conversations(16, information=8)
    marked = mark_validation(X, fraction=0.4, random_state=0)
    held_out = (marked["dialogue__role"] == "validation").to_numpy()
    # Without a schedule, which a fit of fewer epochs would run through in these.
    settings = SMALL | {"max_epochs": 40, "lr": 1e-2, "schedule": None}
    settings["patience"] = 20  # errors rise before they fall
    model = JoyfulRegressor(**settings).fit(marked, y)
    terms = {"train_loss", "task_loss", "fusion_loss", "contrastive_loss", "valid_mae"}
    assert terms <= set(model.history_[0])
    errors = [epoch["valid_mae"] for epoch in model.history_]
    means = [epoch["valid_mae_mean"] for epoch in model.history_]
    assert means[-1] == pytest.approx(np.mean(errors[-5:]))
    best = int(np.argmin(means)) + 1
    assert best > 1
    assert model.n_iter_ == len(errors) == min(best + 20, 40)
    found = mean_absolute_error(y[held_out], model.predict(marked)[held_out])
    assert found == pytest.approx(errors[best - 1], abs=1e-5)
    again = clone(model).set_params(max_epochs=best, patience=None).fit(marked, y)
    assert torch.equal(weights_of(model), weights_of(again))


@pytest.mark.parametrize("unit", [2.0**-60, 2.0**60])
def test_training_stops_at_the_same_epoch_in_any_unit(unit):
    X, y = scored_conversations(16, information=8)
    marked = mark_validation(X, fraction=0.4, random_state=0)
    settings = SMALL | {"max_epochs": 6, "lr": 1e-2, "patience": 3}
    expected = JoyfulRegressor(**settings).fit(marked, y)
    found = JoyfulRegressor(**settings).fit(marked, y * unit)
    assert found.n_iter_ == expected.n_iter_
    np.testing.assert_allclose(found.predict(X) / unit, expected.predict(X), rtol=1e-5)


class TestUnits:
    @pytest.mark.parametrize(
        ("mean", "spread"), mostly_slow([(1000, 1), (-5, 0.01), (0, 300)])
    )
    def test_a_scale_of_its_own_is_no_obstacle(self, table, mean, spread):
        X, y = table
        settings = SMALL | {"max_epochs": 8, "patience": None}
        plain = JoyfulRegressor(**settings).fit(X, y)
        moved = JoyfulRegressor(**settings).fit(X, mean + spread * y)
        answers = (moved.predict(X) - mean) / spread
        np.testing.assert_allclose(answers, plain.predict(X), atol=2e-2)
        assert moved.score(X, mean + spread * y) == pytest.approx(
            plain.score(X, y), abs=0.02
        )
        first, second = plain.history_[0], moved.history_[0]
        assert second["task_loss"] == pytest.approx(first["task_loss"], rel=1e-2)

    @pytest.mark.slow
    @pytest.mark.parametrize("value", mostly_slow([0.0, 1 / 3, 1234.56]))
    def test_a_constant_target_is_learned(self, table, value):
        X, _ = table
        settings = SMALL | {"max_epochs": 15, "lr": 2e-2, "dropout": 0.0}
        settings["batch_size"] = 4
        model = JoyfulRegressor(**settings).fit(X, np.full(len(X), value))
        np.testing.assert_allclose(model.predict(X), value, atol=0.1)
        assert all(epoch["task_loss"] < 1 for epoch in model.history_)

    def test_weighted_targets_that_are_constant_have_no_tiny_unit(self, table):
        X, _ = table
        weight = np.random.default_rng(0).random(len(X))
        model = JoyfulRegressor(**SMALL).fit(X, np.full(len(X), 0.1), weight)
        assert all(epoch["task_loss"] < 1 for epoch in model.history_)


class TestRoles:
    @pytest.mark.slow
    def test_context_rows_need_no_score_and_are_not_scored(self, table):
        X, y = table
        hidden = np.arange(len(X)) % 3 == 0
        context = X.assign(dialogue__role=np.where(hidden, "context", "utterance"))
        lacking, wrong = y.copy(), y.copy()
        lacking[hidden], wrong[hidden] = np.nan, 99.0
        first, second = (
            JoyfulRegressor(**SMALL).fit(context, each) for each in (lacking, wrong)
        )
        np.testing.assert_array_equal(first.predict(X), second.predict(X))
        weight = np.random.default_rng(0).random(len(X))
        answers, shown = first.predict(context)[~hidden], y[~hidden]
        assert first.score(context, lacking) == r2_score(shown, answers)
        expected = r2_score(shown, answers, sample_weight=weight[~hidden])
        assert first.score(context, wrong, sample_weight=weight) == expected

    @pytest.mark.slow
    def test_validation_rows_teach_nothing(self, table):
        X, y = table
        marked = mark_validation(X, fraction=0.3, random_state=0)
        kept = (marked["dialogue__role"] != "validation").to_numpy()
        wrong = np.where(kept, y, 1e4)
        model = JoyfulRegressor(**SMALL, patience=None)
        with_rows = clone(model).fit(marked, wrong).predict(X)
        without = clone(model).fit(marked[kept], y[kept]).predict(X)
        np.testing.assert_array_equal(with_rows, without)

    def test_synthetic_rows_are_alternatives(self, table, fitted):
        X, y = table
        invented = X.assign(text__0=5.0, dialogue__role="synthetic")
        both = pd.concat([X, invented], ignore_index=True)
        answers = fitted.predict(both)
        np.testing.assert_allclose(answers[: len(X)], fitted.predict(X), atol=1e-5)

    @pytest.mark.slow
    def test_synthetic_rows_teach(self, table):
        """Three of four utterances like these score ten more than the table says."""
        X, y = table
        more = pd.concat([X.assign(dialogue__role="synthetic")] * 3)
        both = pd.concat([X, more], ignore_index=True)
        model = JoyfulRegressor(**(SMALL | {"lr": 1e-2, "max_epochs": 20}))
        taught = model.fit(both, np.append(y, np.tile(y + 10, 3))).predict(X)
        assert taught.mean() > y.mean() + 3


class TestPartialFit:
    @pytest.mark.slow
    def test_calls_add_up(self, table):
        X, y = table
        model, before = JoyfulRegressor(**SMALL).partial_fit(X, y), None
        for n in (1, 2, 3):
            assert len(model.history_) == model.n_iter_ == n
            after = weights_of(model)
            assert before is None or (after - before).abs().max() > 1e-4
            steps = {int(s["step"]) for s in model.net_.optimizer_.state.values()}
            assert steps == {n * 2}
            before = after
            model.partial_fit(X, y)

    def test_units_are_those_of_all_calls(self, table):
        X, y = table
        model = JoyfulRegressor(**(SMALL | {"lr": 1e-9})).partial_fit(X, y)
        before = (model.predict(X) - y.mean()) / y.std()
        other = 1000 + 50 * y
        both = np.append(y, other)
        answers = model.partial_fit(X, other).predict(X)
        expected = both.mean() + both.std() * before
        np.testing.assert_allclose(answers, expected, rtol=1e-4)


@pytest.mark.slow
def test_warm_start_goes_on(table):
    X, y = table
    model = JoyfulRegressor(**SMALL, warm_start=True).fit(X, y)
    before = model.predict(X)
    model.set_params(max_epochs=1, lr=1e-9).fit(X, y)
    np.testing.assert_allclose(model.predict(X), before, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [{"training": "two-phase"}, {"conv": "rgcn", "relations": "pairs"}],
    ids=str,
)
def test_parts_are_those_of_the_classifier(table, fitted, change):
    X, y = table
    answers = JoyfulRegressor(**SMALL, **change).fit(X, y).predict(X)
    assert np.abs(answers - fitted.predict(X)).max() > 1e-4


def test_a_missing_modality_is_no_obstacle(table):
    X, y = table
    lacking = X.copy()
    audio = [c for c in X if c.startswith("audio__")]
    lacking.loc[X.index % 2 == 0, audio] = np.nan
    answers = JoyfulRegressor(**SMALL).fit(lacking, y).predict(lacking)
    assert np.isfinite(answers).all()


def test_pickle_and_names_of_embeddings(table, fitted):
    X, _ = table
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    names = [f"joyfulregressor{i}" for i in range(8)]
    assert list(fitted.get_feature_names_out()) == names
    assert fitted.transform(X).shape == (len(X), 8)


@pytest.mark.slow
def test_cross_validation_and_grid_search_by_dialogue(table):
    X, y = table
    model, cv = JoyfulRegressor(**SMALL), DialogueKFold(2)
    scores = cross_val_score(model, X, y, cv=cv, error_score="raise")
    search = GridSearchCV(model, {"n_bases": [4, 6]}, cv=cv, error_score="raise")
    search.fit(X, y)
    assert search.cv_results_["mean_test_score"][0] == pytest.approx(scores.mean())


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.NoDialogueWarning")
def test_weights_two_and_zero_equal_repetition_and_removal(table):
    X, y = make_frame({"text": table[0].iloc[:60, 4:].to_numpy()}), table[1][:60]
    weight = np.array([0, 1, 2] * 20)
    repeated = np.repeat(np.arange(60), weight)
    weighted = JoyfulRegressor(**ONE_FULL_BATCH).fit(X, y, sample_weight=weight)
    again = X.iloc[repeated].reset_index(drop=True)
    again["dialogue__id"] = np.arange(len(again)).astype(str)
    plain = JoyfulRegressor(**ONE_FULL_BATCH).fit(again, y[repeated])
    assert np.abs(weighted.predict(X) - plain.predict(X)).max() < 1e-5


def test_scores_must_be_numbers_in_one_column(table):
    X, y = table
    with pytest.raises(ValueError, match="1d array"):
        JoyfulRegressor(**SMALL).fit(X, np.stack([y, y], axis=1))
    with pytest.raises(ValueError, match="label is missing in 1 rows, first in row 3"):
        JoyfulRegressor(**SMALL).fit(X, np.where(np.arange(len(y)) == 3, np.nan, y))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 7.0])
def test_whatever_stands_in_context_rows_is_ignored(table, value):
    X, y = table
    context = np.arange(len(y)) % 3 == 1
    X = X.assign(dialogue__role=np.where(context, "context", "utterance"))
    expected = JoyfulRegressor(**SMALL).fit(X, np.where(context, 0.0, y))
    model = JoyfulRegressor(**SMALL).fit(X, np.where(context, value, y))
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    assert model.score(X, np.where(context, value, y)) == expected.score(X, y)
