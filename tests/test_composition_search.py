"""The three steps inside what scikit-learn wraps around a model."""

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from joblib import parallel_config
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.preprocessing import StandardScaler
from systems import mostly_slow
from test_composition import CLASSIFIER, three_steps

from skmerc.datasets import make_conversations
from skmerc.frame import KEYS
from skmerc.metrics import (
    minority_f1,
    minority_f1_scorer,
    weighted_f1,
    weighted_f1_scorer,
)
from skmerc.model_selection import DialogueKFold, StratifiedDialogueKFold


def name_of(thing):
    return type(thing).__name__


@pytest.fixture(scope="module")
def table():
    """Conversations with every emotion in each, so that no fold lacks one."""
    X, y = make_conversations(24, n_turns=(6, 12), imbalance=6, random_state=0)
    turn, y = X["dialogue__turn"].to_numpy(), y.copy()
    for number, emotion in enumerate(["anger", "joy", "neutral", "sadness"]):
        y[turn == number] = emotion
    return X, y


@pytest.mark.parametrize(
    "cv", mostly_slow([StratifiedGroupKFold(3), DialogueKFold(3)]), ids=name_of
)
def test_cross_validation_by_dialogue(table, cv):
    X, y = table
    scores = cross_validate(
        three_steps(),
        X,
        y,
        cv=cv,
        groups=X["dialogue__id"] if isinstance(cv, StratifiedGroupKFold) else None,
        scoring={"weighted": weighted_f1_scorer, "minority": minority_f1_scorer},
        error_score="raise",
        return_estimator=True,
        return_indices=True,
    )
    folds = scores["indices"]["test"]
    answers = [
        model.predict(X.iloc[rows])
        for model, rows in zip(scores["estimator"], folds, strict=True)
    ]
    for name, metric in {"weighted": weighted_f1, "minority": minority_f1}.items():
        expected = [metric(y[rows], p) for rows, p in zip(folds, answers, strict=True)]
        assert np.isfinite(expected).all()
        np.testing.assert_array_equal(scores[f"test_{name}"], expected)


@pytest.mark.slow
def test_a_grid_over_all_steps_is_the_same_in_two_processes(table):
    X, y = table
    grid = {
        "augment__sampling_strategy": ["mean", "not majority"],
        "fuse__latent_size": [4, 8],
        "recognise__graph_layers": [1, 2],
    }
    search = GridSearchCV(
        three_steps(),
        grid,
        cv=DialogueKFold(2),
        scoring="neg_log_loss",
        error_score="raise",
    )
    alone = clone(search).set_params(n_jobs=1).fit(X, y)
    # With this limit all arrays of the table reach the workers as memory maps.
    with parallel_config(max_nbytes=1):
        together = clone(search).set_params(n_jobs=2).fit(X, y)
    assert len(together.cv_results_["params"]) == 8
    for split in ("split0_test_score", "split1_test_score"):
        scores = together.cv_results_[split]
        assert np.isfinite(scores).all()
        assert len(set(scores)) == 8
        np.testing.assert_allclose(scores, alone.cv_results_[split], rtol=1e-6)
    assert together.best_params_ == alone.best_params_
    np.testing.assert_allclose(
        together.predict_proba(X), alone.predict_proba(X), atol=1e-6
    )


@pytest.mark.slow
def test_out_of_fold_answers_are_those_of_models_fitted_by_hand(table):
    X, y = table
    cv = DialogueKFold(2)
    answers = cross_val_predict(three_steps(), X, y, cv=cv, method="predict_proba")
    for train, test in cv.split(X):
        model = three_steps().fit(X.iloc[train], y[train])
        np.testing.assert_array_equal(answers[test], model.predict_proba(X.iloc[test]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "cv",
    mostly_slow(
        [DialogueKFold(2), StratifiedGroupKFold(2), StratifiedDialogueKFold(2)]
    ),
    ids=name_of,
)
def test_a_class_absent_from_a_training_fold_gets_probability_zero(table, cv):
    X, y = table
    groups = X["dialogue__id"]
    only = (groups == groups.iloc[0]) & X["dialogue__turn"].isin([0, 4, 5])
    y = np.where(only, "anger", np.where(y == "anger", "neutral", y))
    folds = list(cv.split(X, y, groups))
    [(train, test)] = [fold for fold in folds if "anger" not in y[fold[0]]]
    model = three_steps().fit(X.iloc[train], y[train])
    assert list(model.classes_) == ["joy", "neutral", "sadness"]
    with pytest.warns(RuntimeWarning, match=r"classes in training fold \(3\)"):
        answers = cross_val_predict(
            three_steps(), X, y, cv=cv, groups=groups, method="predict_proba"
        )
    assert list(np.unique(y)) == ["anger", "joy", "neutral", "sadness"]
    assert (answers[test, 0] == 0).all()
    assert (answers[train] > 0).all()
    np.testing.assert_array_equal(answers[test, 1:], model.predict_proba(X.iloc[test]))
    np.testing.assert_allclose(answers.sum(axis=1), 1)


@pytest.mark.slow
def test_calibration_by_dialogue_learns_from_dialogues_that_were_not_sampled(table):
    X, y = table
    model = CalibratedClassifierCV(three_steps(), cv=DialogueKFold(2)).fit(X, y)
    apart = []
    for train, test in DialogueKFold(2).split(X, y):
        member = FrozenEstimator(three_steps().fit(X.iloc[train], y[train]))
        # A frozen member answers alike for all parts of what is calibrated on.
        calibrated = CalibratedClassifierCV(member, cv=DialogueKFold(2), ensemble=False)
        apart.append(calibrated.fit(X.iloc[test], y[test]).predict_proba(X))
    np.testing.assert_allclose(model.predict_proba(X), np.mean(apart, axis=0))


@pytest.mark.slow
def test_voting_gives_the_mean_of_its_members(table):
    X, y = table
    members = [("small", clone(CLASSIFIER)), ("steps", three_steps())]
    voting = VotingClassifier(members, voting="soft").fit(X, y)
    apart = [clone(member).fit(X, y).predict_proba(X) for _, member in members]
    np.testing.assert_allclose(voting.predict_proba(X), np.mean(apart, axis=0))
    assert np.abs(apart[0] - apart[1]).max() > 1e-3


@pytest.mark.slow
def test_stacking_reads_the_out_of_fold_answers_of_its_members(table):
    X, y = table
    members = [("small", clone(CLASSIFIER)), ("steps", three_steps())]
    cv, last = DialogueKFold(2), LogisticRegression(max_iter=1000)
    stacking = StackingClassifier(members, last, cv=cv).fit(X, y)
    answers = [
        cross_val_predict(member, X, y, cv=cv, method="predict_proba")
        for _, member in members
    ]
    expected = clone(last).fit(np.hstack(answers), y)
    np.testing.assert_allclose(stacking.final_estimator_.coef_, expected.coef_)
    np.testing.assert_allclose(stacking.predict_proba(X).sum(axis=1), 1)


@pytest.mark.slow
def test_learning_curve_by_dialogue(table):
    X, y = table
    sizes, train, test = learning_curve(
        three_steps(),
        X,
        y,
        cv=DialogueKFold(2),
        train_sizes=[0.5, 1.0],
        scoring=weighted_f1_scorer,
        error_score="raise",
    )
    assert sizes[0] == sizes[1] // 2
    assert train.shape == test.shape == (2, 2)
    assert np.isfinite(train).all()
    assert np.isfinite(test).all()


@pytest.mark.slow
def test_permuting_a_column_matters_unless_it_is_constant(table):
    X, y = table
    few = X[[*KEYS, "text__0", "text__1", "audio__0"]].assign(audio__silence=1.0)
    importance = permutation_importance(
        three_steps().fit(few, y),
        few,
        y,
        scoring="neg_log_loss",
        n_repeats=2,
        random_state=0,
    ).importances
    constant = (few.nunique() == 1).to_numpy()
    assert list(few.columns[constant]) == ["dialogue__role", "audio__silence"]
    assert (importance[constant] == 0).all()
    assert (importance[~constant] != 0).all()


@pytest.mark.parametrize(
    "estimator",
    [
        BaggingClassifier(CLASSIFIER),
        AdaBoostClassifier(CLASSIFIER),
        StackingClassifier(
            [("small", CLASSIFIER)], cv=DialogueKFold(2), passthrough=True
        ),
        StandardScaler(),
        LogisticRegression(),
        SMOTE(),
    ],
    ids=name_of,
)
def test_what_turns_tables_into_numbers_fails_loudly(table, estimator):
    X, y = table
    estimator = clone(estimator)
    fit = getattr(estimator, "fit_resample", estimator.fit)
    with pytest.raises(ValueError, match="could not convert string to float"):
        fit(X, y)
