"""The objective: what is fitted, reported, pruned and kept."""

import pickle
import warnings

import numpy as np
import optuna
import pandas as pd
import pytest
from imblearn.pipeline import Pipeline
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.pruners import BasePruner, NopPruner, ThresholdPruner
from optuna.trial import FixedTrial, TrialState
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import EarlyStopping, EpochScoring, EpochTimer
from skorch.utils import noop
from systems import make_model, mostly_slow

from skmerc import (
    CBERLClassifier,
    DJVAEFuser,
    MultimodalGANSampler,
)
from skmerc.datasets import make_conversations
from skmerc.exceptions import UntidyTableWarning
from skmerc.frame import drop_keys
from skmerc.metrics import (
    accuracy_scorer,
    macro_f1_scorer,
    neg_log_loss_scorer,
    roc_auc_ovr_scorer,
    weighted_f1_scorer,
)
from skmerc.model_selection import DialogueKFold, LeaveDialogueGroupOut
from skmerc.tuning import DialogueObjective

CLASSIFIER = CBERLClassifier(
    hidden_size=8,
    lstm_layers=1,
    heads=2,
    max_epochs=2,
    batch_size=8,
    validation_fraction=0.5,  # or too few utterances to score would be left out
    random_state=0,
    device="cpu",
)
LR = {"lr": FloatDistribution(1e-3, 1e-1, log=True)}
WORDS = make_pipeline(FunctionTransformer(drop_keys), LogisticRegression(max_iter=500))
C = {"logisticregression__C": FloatDistribution(1e-4, 1.0, log=True)}


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(level)


@pytest.fixture(scope="module")
def table():
    return make_conversations(24, n_turns=(8, 12), random_state=0)


def new_study(pruner=None, seed=0, **settings):
    return optuna.create_study(
        direction="maximize",
        pruner=pruner or NopPruner(),
        sampler=optuna.samplers.RandomSampler(seed=seed),
        **settings,
    )


def count(monkeypatch, cls, method="fit"):
    calls, original = [], getattr(cls, method)

    def counted(self, *args, **kwargs):
        calls.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(cls, method, counted)
    return calls


class PruneAt(BasePruner):
    """Prune every trial that has reported a step of its own."""

    def __init__(self, step):
        self.step = step

    def prune(self, study, trial):
        return trial.last_step >= self.step


@pytest.mark.slow
def test_a_trial_is_scored_as_by_cross_validation(table):
    X, y = table
    study = new_study()
    study.optimize(DialogueObjective(CLASSIFIER, X, y, LR), n_trials=1)
    expected = cross_validate(
        clone(CLASSIFIER).set_params(**study.best_params),
        X,
        y,
        cv=DialogueKFold(3),
        scoring=weighted_f1_scorer,
    )["test_score"]
    told = study.best_trial.user_attrs
    assert study.best_value == told["mean_test_score"] == np.mean(expected)
    assert [told[f"split{k}_test_score"] for k in range(3)] == list(expected)
    assert study.best_trial.intermediate_values == pytest.approx(
        {k: np.mean(expected[: k + 1]) for k in range(3)}
    )


@pytest.mark.slow
def test_the_same_parameters_have_the_same_score(table):
    objective = DialogueObjective(CLASSIFIER, *table, LR, cv=2)
    assert objective(FixedTrial({"lr": 0.01})) == objective(FixedTrial({"lr": 0.01}))
    assert objective(FixedTrial({"lr": 0.01})) != objective(FixedTrial({"lr": 0.1}))


@pytest.mark.slow
def test_the_best_parameters_go_back_into_a_pipeline(table):
    X, y = table
    pipeline = Pipeline([("clf", clone(CLASSIFIER))])
    before = repr(pipeline.get_params())
    space = {"clf__lr": LR["lr"], "clf__mask": CategoricalDistribution(["node"])}
    study = new_study()
    study.optimize(DialogueObjective(pipeline, X, y, space, cv=2), n_trials=2)
    assert repr(pipeline.get_params()) == before
    pipeline.set_params(**study.best_params)
    assert pipeline["clf"].lr == study.best_params["clf__lr"]


def test_whole_dialogues_are_left_out(table):
    X, y = table
    seen = []

    class Spy(LogisticRegression):
        def fit(self, X, y):
            seen.append(set(X["dialogue__id"]))
            return super().fit(drop_keys(X), y)

        def predict(self, X):
            seen.append(set(X["dialogue__id"]))
            return super().predict(drop_keys(X))

    space = {"C": FloatDistribution(0.1, 1.0)}
    DialogueObjective(Spy(max_iter=500), X, y, space, cv=2)(FixedTrial({"C": 1.0}))
    for train, test in (seen[:2], seen[2:]):
        assert train.isdisjoint(test)
        assert train | test == set(X["dialogue__id"])


@pytest.mark.parametrize("as_pairs", [False, True], ids=["splitter", "pairs"])
def test_folds_may_be_given(table, as_pairs):
    X, y = table
    cv = DialogueKFold(4)
    if as_pairs:
        cv = StratifiedGroupKFold(4).split(X, y, X["dialogue__id"])
    study = new_study()
    study.optimize(DialogueObjective(WORDS, X, y, C, cv=cv), n_trials=2)
    assert all(len(trial.intermediate_values) == 4 for trial in study.trials)


@pytest.mark.parametrize("splitter", [GroupKFold(3), LeaveOneGroupOut()])
def test_splitters_that_ask_for_groups_get_the_dialogues(table, splitter):
    X, y = table
    y = np.asarray(y)
    found = DialogueObjective(WORDS, X, y, C, cv=splitter)
    pairs = splitter.split(X, y, X["dialogue__id"].astype(str))
    expected = DialogueObjective(WORDS, X, y, C, cv=pairs)
    for one, other in zip(found._folds, expected._folds, strict=True):
        np.testing.assert_array_equal(one[1], other[1])
        np.testing.assert_array_equal(one[0], other[0])


def test_a_splitter_that_reads_its_groups_from_x_keeps_them(table):
    X, y = table
    ids = X["dialogue__id"].astype(str)
    X = X.assign(dialogue__id=np.where(ids < ids.max(), "a_", "b_") + ids)
    cv = LeaveDialogueGroupOut(by=r"^(\w)_")
    assert len(DialogueObjective(WORDS, X, y, C, cv=cv)._folds) == 2


def test_of_several_scores_the_first_decides_and_all_are_kept(table):
    scoring = {"macro": macro_f1_scorer, "accuracy": accuracy_scorer}
    study = new_study()
    objective = DialogueObjective(WORDS, *table, C, cv=2, scoring=scoring)
    study.optimize(objective, n_trials=1)
    told = study.best_trial.user_attrs
    assert len(told) == 6
    assert study.best_value == told["mean_test_macro"] != told["mean_test_accuracy"]
    folds = [told["split0_test_accuracy"], told["split1_test_accuracy"]]
    assert told["mean_test_accuracy"] == np.mean(folds)


@pytest.mark.parametrize(
    ("scoring", "name"),
    [("accuracy", "score"), (["accuracy", "f1_macro"], "accuracy")],
    ids=["one", "list"],
)
def test_scores_may_be_named(table, scoring, name):
    trial = FixedTrial({"logisticregression__C": 1.0})
    value = DialogueObjective(WORDS, *table, C, scoring=scoring)(trial)
    assert trial.user_attrs[f"mean_test_{name}"] == value


def test_pruning_after_a_fold_spares_the_other_fits(table, monkeypatch):
    fits = count(monkeypatch, LogisticRegression)
    study = new_study(ThresholdPruner(lower=2.0))
    study.optimize(DialogueObjective(WORDS, *table, C, cv=3), n_trials=2)
    assert len(fits) == 2
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED] * 2
    assert [*study.trials[0].user_attrs] == ["split0_test_score"]
    assert study.trials[0].value == study.trials[0].user_attrs["split0_test_score"]


def test_a_trial_whose_folds_are_all_done_is_not_pruned(table):
    study = new_study(PruneAt(2))
    study.optimize(DialogueObjective(WORDS, *table, C, cv=3), n_trials=1)
    assert study.trials[0].state == TrialState.COMPLETE


def test_epochs_are_reported_between_folds(table):
    X, y = table
    study = new_study()
    pipeline = Pipeline([("clf", clone(CLASSIFIER).set_params(max_epochs=3))])
    space = {"clf__lr": LR["lr"]}
    objective = DialogueObjective(pipeline, X, y, space, cv=2, report="epoch")
    study.optimize(objective, n_trials=1)
    trial = study.best_trial
    told, reported = trial.user_attrs, trial.intermediate_values
    assert sorted(reported) == list(range(8))
    assert reported[3] == told["split0_test_score"]
    assert reported[7] == study.best_value
    model = clone(pipeline).set_params(**trial.params)
    for fold, (train, _) in enumerate(DialogueKFold(2).split(X)):
        history = model.fit(X.iloc[train], y[train])["clf"].history_
        scores = [epoch["valid_weighted_f1"] for epoch in history]
        before = [told["split0_test_score"]] * fold
        expected = [np.mean([*before, score]) for score in scores]
        assert [reported[4 * fold + k] for k in range(3)] == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "scoring", mostly_slow([neg_log_loss_scorer, "accuracy"]), ids=str
)
def test_epochs_are_reported_in_the_units_of_the_score(table, scoring):
    X, y = table
    model = clone(CLASSIFIER).set_params(max_epochs=3, patience=9)
    objective = DialogueObjective(
        model,
        X,
        y,
        LR,
        cv=2,
        scoring={"first": scoring, "x": "f1_macro"},
        report="epoch",
    )
    study = new_study()
    study.optimize(objective, n_trials=1)
    reported = study.best_trial.intermediate_values
    scored = EpochScoring(scoring, name="score")
    model = clone(model).set_params(**study.best_params, callbacks=[scored])
    train, _ = next(DialogueKFold(2).split(X))
    history = model.fit(X.iloc[train], y[train]).history_
    assert [reported[k] for k in range(3)] == [epoch["score"] for epoch in history]


def test_epochs_of_a_regressor_are_reported(table):
    X, _ = table
    model = make_model("regressor", validation_fraction=0.4, patience=9)
    objective = DialogueObjective(
        model,
        X,
        X["text__0"].to_numpy(),
        {"lr": LR["lr"]},
        cv=2,
        scoring="neg_mean_absolute_error",
        report="epoch",
    )
    study = new_study()
    study.optimize(objective, n_trials=1)
    assert max(study.best_trial.intermediate_values.values()) < 0


def test_a_regressor_is_judged_by_its_error(table):
    X, _ = table
    y = X["text__0"].to_numpy(float)
    model, space = make_model("regressor"), {"lr": LR["lr"]}
    study = new_study()
    study.optimize(DialogueObjective(model, X, y, space, cv=2), n_trials=1)
    model = clone(model).set_params(**study.best_params)
    scores = cross_val_score(
        model, X, y, cv=DialogueKFold(2), scoring="neg_mean_absolute_error"
    )
    assert study.best_value == pytest.approx(scores.mean())


def test_a_score_that_epochs_cannot_have_is_told(table):
    X, y = table
    held_out = X["dialogue__id"].isin(X["dialogue__id"].unique()[::3])
    X = X.assign(dialogue__role=np.where(held_out, "validation", "utterance"))
    y = np.where(held_out, "joy", y)  # the other classes are absent
    objective = DialogueObjective(
        CLASSIFIER, X, y, LR, cv=2, scoring="neg_log_loss", report="epoch"
    )
    message = r"scorer could not score validation rows.*lack \['anger'"
    with pytest.raises(ValueError, match=message):
        objective(FixedTrial({"lr": 0.01}))


def test_reports_change_no_score(table):
    trial = {"lr": 0.01}
    by_fold = DialogueObjective(CLASSIFIER, *table, LR, cv=2)
    by_epoch = DialogueObjective(CLASSIFIER, *table, LR, cv=2, report="epoch")
    assert by_fold(FixedTrial(trial)) == by_epoch(FixedTrial(trial))


def test_a_fold_that_stops_early_leaves_its_steps_free(table):
    # No loss falls by ten times what it is, so that training stops after two epochs.
    stop = EarlyStopping("train_loss", patience=2, threshold=10, sink=noop)
    model = clone(CLASSIFIER).set_params(max_epochs=6, callbacks=[stop])
    objective = DialogueObjective(model, *table, LR, cv=2, report="epoch")
    study = new_study()
    study.optimize(objective, n_trials=1)
    assert sorted(study.trials[0].intermediate_values) == [0, 1, 6, 7, 8, 13]


@pytest.mark.parametrize(
    ("step", "fits", "steps"),
    mostly_slow([(1, 1, [0, 1]), (2, 1, [0, 1, 2]), (3, 2, [0, 1, 2, 3])]),
)
def test_pruning_within_a_fold(table, monkeypatch, step, fits, steps):
    counted = count(monkeypatch, CBERLClassifier)
    study = new_study(PruneAt(step))
    objective = DialogueObjective(CLASSIFIER, *table, LR, cv=2, report="epoch")
    study.optimize(objective, n_trials=1)
    assert study.trials[0].state == TrialState.PRUNED
    assert len(counted) == fits
    assert sorted(study.trials[0].intermediate_values) == steps


def test_global_state_is_untouched_by_pruning(table, global_state_untouched):
    objective = DialogueObjective(CLASSIFIER, *table, LR, cv=2, report="epoch")
    study = new_study(PruneAt(0))
    with global_state_untouched():
        study.optimize(objective, n_trials=1)
    assert study.trials[0].state == TrialState.PRUNED


@pytest.mark.slow
def test_no_model_carries_the_trial(table):
    models = []

    def keep(estimator, X, y):
        if isinstance(estimator, CBERLClassifier):  # and no epoch's answers
            models.append(estimator)
        return accuracy_scorer(estimator, X, y)

    objective = DialogueObjective(
        CLASSIFIER, *table, LR, cv=2, scoring=keep, report="epoch"
    )
    new_study().optimize(objective, n_trials=1)
    assert CLASSIFIER.callbacks is None
    assert len(models) == 2
    for model in models:
        assert b"optuna.trial" not in pickle.dumps(model)
        clone(model)


def test_callbacks_of_the_user_stay(table):
    model = clone(CLASSIFIER).set_params(callbacks=[("clock", EpochTimer())])
    told = []

    def keep(estimator, X, y):
        told.append(estimator.history_[0])
        return accuracy_scorer(estimator, X, y)

    objective = DialogueObjective(model, *table, LR, cv=2, scoring=keep, report="epoch")
    objective(FixedTrial({"lr": 0.01}))
    assert all("dur" in epoch for epoch in told)
    assert len(model.callbacks) == 1


@pytest.mark.slow
def test_a_search_over_the_classifier_fits_the_steps_before_once_per_fold(
    table, monkeypatch, tmp_path
):
    samples = count(monkeypatch, MultimodalGANSampler, "fit_resample")
    fusions = count(monkeypatch, DJVAEFuser)
    fits = count(monkeypatch, CBERLClassifier)
    pipeline = Pipeline(
        [
            ("sampler", MultimodalGANSampler(n_steps=2, random_state=0)),
            ("fuser", DJVAEFuser(latent_size=4, max_epochs=1, random_state=0)),
            ("clf", clone(CLASSIFIER)),
        ],
        memory=str(tmp_path),
    )
    space = {"clf__lr": LR["lr"]}
    objective = DialogueObjective(pipeline, *table, space, cv=2, report="epoch")
    new_study().optimize(objective, n_trials=3)
    assert (len(samples), len(fusions), len(fits)) == (2, 2, 6)


@pytest.mark.slow
def test_two_threads_find_what_one_finds(table, tmp_path, global_state_untouched):
    pipeline = Pipeline(
        [
            ("fuser", DJVAEFuser(latent_size=4, max_epochs=1, random_state=0)),
            ("clf", clone(CLASSIFIER)),
        ],
        memory=str(tmp_path),
    )
    space = {"clf__lr": LR["lr"]}
    objective = DialogueObjective(pipeline, *table, space, cv=2, report="epoch")
    study = new_study()
    with global_state_untouched():
        study.optimize(objective, n_trials=4, n_jobs=2)
    for trial in study.trials:
        assert objective(FixedTrial(trial.params)) == trial.value


def test_labels_in_another_order_are_told_before_the_folds_hide_it(table):
    X, y = table
    turned = pd.Series(y, index=X.index[::-1])
    with pytest.warns(UntidyTableWarning, match="in different orders"):
        DialogueObjective(WORDS, X, turned, C)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DialogueObjective(WORDS, X, pd.Series(y, index=X.index), C)


def test_the_objective_pickles(table):
    objective = DialogueObjective(WORDS, *table, C, cv=2)
    trial = FixedTrial({"logisticregression__C": 0.1})
    assert pickle.loads(pickle.dumps(objective))(trial) == objective(trial)


@pytest.mark.parametrize("directions", [["minimize"], ["maximize", "maximize"]])
def test_a_study_that_does_not_maximise_is_refused(table, directions):
    study = optuna.create_study(directions=directions)
    with pytest.raises(ValueError, match="direction='maximize'"):
        study.optimize(DialogueObjective(WORDS, *table, C), n_trials=1)


def test_a_range_that_is_none_of_optunas_is_refused(table):
    (name,) = C
    with pytest.raises(TypeError, match=r"'\] is \(0\.1, 1\); give a distribution"):
        DialogueObjective(WORDS, *table, {name: (0.1, 1)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"clf__lr": LR["lr"]}}, r"holds \['clf__lr'\]"),
        ({"space": {}}, "holds nothing"),
        ({"report": "batch"}, "'report' parameter"),
        ({"cv": 1}, "'cv' parameter"),
        ({"report": "epoch"}, "got LogisticRegression; use report='fold'"),
        ({"X": [[0.0]]}, "inconsistent numbers of samples"),
    ],
    ids=str,
)
def test_what_cannot_be_searched_is_refused_at_once(table, changes, message):
    X, y = table
    given = {"estimator": WORDS, "X": X, "y": y, "space": C}
    with pytest.raises(ValueError, match=message):
        DialogueObjective(**(given | changes))


def test_epochs_are_not_searched_where_they_are_reported(table):
    space = {"max_epochs": optuna.distributions.IntDistribution(1, 3)}
    with pytest.raises(ValueError, match="max_epochs cannot be searched"):
        DialogueObjective(CLASSIFIER, *table, space, report="epoch")
    DialogueObjective(CLASSIFIER, *table, space)


def test_epochs_without_a_validation_score_are_refused(table):
    model = clone(CLASSIFIER).set_params(patience=None)
    objective = DialogueObjective(model, *table, LR, report="epoch")
    with pytest.raises(ValueError, match="needs a score of validation dialogues"):
        objective(FixedTrial({"lr": 0.01}))


@pytest.mark.slow
def test_scores_of_probabilities_leave_context_out(table):
    X, y = table
    context = np.arange(len(X)) % 5 == 0
    X = X.assign(dialogue__role=np.where(context, "context", "utterance"))
    y = np.where(context, None, y)
    scoring = {"loss": neg_log_loss_scorer, "area": roc_auc_ovr_scorer}
    model = clone(CLASSIFIER).set_params(max_epochs=1)
    study, cv = new_study(), DialogueKFold(2)
    objective = DialogueObjective(
        model, X, y, {"lr": CategoricalDistribution([1e-3])}, cv=cv, scoring=scoring
    )
    study.optimize(objective, n_trials=1)
    expected = cross_validate(model, X, y, cv=cv, scoring=scoring, error_score="raise")
    assert study.best_value == pytest.approx(expected["test_loss"].mean())
    kept = study.best_trial.user_attrs["mean_test_area"]
    assert kept == pytest.approx(expected["test_area"].mean())
