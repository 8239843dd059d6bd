"""Tables of which a third or nearly all rows have no label, from fit to report."""

import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from systems import make_model, mostly_slow

from skmerc import (
    DialogueCalibratedClassifier,
    DialogueConformalClassifier,
    DialogueStackingClassifier,
    DialogueVotingClassifier,
    EmotionRecognizer,
    UtteranceClassifier,
)
from skmerc.datasets import make_conversations
from skmerc.frame import drop_keys, mark_validation
from skmerc.metrics import (
    accuracy_scorer,
    dialogue_confusion_matrix,
    minority_classes,
    minority_f1,
    neg_log_loss_scorer,
    recognition_report,
    weighted_f1,
    weighted_f1_scorer,
)
from skmerc.model_selection import (
    DialogueKFold,
    StratifiedDialogueKFold,
    fill_labels,
)

EMOTIONS = ["anger", "joy", "neutral", "sadness"]
CBERL = make_model("cberl", max_epochs=1)
LINEAR = UtteranceClassifier(make_pipeline(SimpleImputer(), LogisticRegression()))
CONSTANT = UtteranceClassifier(DummyClassifier(strategy="prior"))
STEPS = make_sampling_pipeline(
    make_model("sampler", n_steps=2), make_model("fuser", max_epochs=1), clone(CBERL)
)
SEARCH = GridSearchCV(
    CBERL, {"lr": [1e-3]}, cv=DialogueKFold(2), scoring=weighted_f1_scorer
)
MODELS = {
    "baseline": CONSTANT,
    "linear": LINEAR,
    "soft vote": DialogueVotingClassifier(
        [("network", CBERL), ("steps", STEPS), ("linear", LINEAR), ("none", "drop")],
        voting="soft",
        weights=[1, 2, 1, 1],
    ),
    "majority": DialogueVotingClassifier(
        [("a", CBERL), ("b", LINEAR), ("c", CONSTANT)]
    ),
    "vote of a search": DialogueVotingClassifier([("a", SEARCH)], voting="soft"),
    "stack": DialogueStackingClassifier([("a", CBERL), ("b", LINEAR)], cv=2),
    "stack of steps": DialogueStackingClassifier(
        [("a", STEPS), ("b", "drop")], KNeighborsClassifier(1), cv=DialogueKFold(2)
    ),
    "stack in a pipeline": make_pipeline(
        make_model("fuser", max_epochs=1),
        DialogueStackingClassifier([("a", CBERL)], cv=2),
    ),
    "calibrated": DialogueCalibratedClassifier(CBERL, cv=2),
    "calibrated steps": DialogueCalibratedClassifier(
        STEPS, cv=StratifiedDialogueKFold(2), method="isotonic"
    ),
    "calibrated once": DialogueCalibratedClassifier(CBERL, cv=2, ensemble=False),
    "calibrated by temperature": DialogueCalibratedClassifier(
        LINEAR, cv=2, method="temperature"
    ),
    "vote of calibrated": DialogueVotingClassifier(
        [("a", DialogueCalibratedClassifier(LINEAR, cv=2))], voting="soft"
    ),
}


@cache
def conversations(share):
    """A table, its labels with gaps, and the true ones; each class is in each half."""
    X, truth = make_conversations(16, n_turns=(16, 20), random_state=0)
    turn = X["dialogue__turn"].to_numpy()
    if share > 0.5:
        # One labelled row in each dialogue, of each class in turn.
        number = pd.factorize(X["dialogue__id"])[0]
        labelled = turn == 3 + number % 10
        truth = np.where(labelled, np.array(EMOTIONS)[number % 4], truth)
    else:
        labelled = turn % 3 != 1
    X = X.assign(dialogue__role=np.where(labelled, "utterance", "context"))
    return X, np.where(labelled, truth, None), np.asarray(truth)


@pytest.fixture(
    params=mostly_slow([1 / 3, 0.95]), ids=["a third unlabelled", "95 % unlabelled"]
)
def table(request):
    X, y, _ = conversations(request.param)
    gaps = (X["dialogue__role"] == "context").mean()
    assert abs(gaps - request.param) < 0.02
    return X, y


def filled_with(y, label):
    return np.array(
        [label if gap else one for gap, one in zip(pd.isna(y), y, strict=True)]
    )


def answers(model, X):
    return (
        model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
    )


@pytest.mark.parametrize("name", mostly_slow(MODELS))
def test_what_stands_in_rows_without_a_label_decides_about_nothing(table, name):
    X, y = table
    found = [
        answers(clone(MODELS[name]).fit(X, labels), X)
        for labels in (y, filled_with(y, "sadness"), filled_with(y, "anger"))
    ]
    assert found[0].shape in ((len(X), 4), (len(X),))  # every row is answered
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


@pytest.mark.parametrize("name", mostly_slow(MODELS))
def test_a_label_that_stands_in_such_rows_alone_is_no_class(table, name):
    X, y = table
    model = clone(MODELS[name]).fit(X, filled_with(y, "bored"))
    assert "bored" not in model.classes_
    expected = answers(clone(MODELS[name]).fit(X, y), X)
    np.testing.assert_array_equal(answers(model, X), expected)


MEMBERS = {
    "vote": lambda member: DialogueVotingClassifier([("a", member)], voting="soft"),
    "stack": lambda member: DialogueStackingClassifier([("a", member)], cv=2),
    "calibrated": lambda member: DialogueCalibratedClassifier(member, cv=2),
}


@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
@pytest.mark.parametrize("kind", MEMBERS)
def test_a_member_that_never_heard_of_a_class_is_told(kind):
    X, y = make_conversations(8, n_turns=(8, 10), random_state=0)
    last = X["dialogue__id"].unique()[-2:]
    y = np.where(X["dialogue__id"].isin(last), "bored", y)
    X = mark_validation(X, dialogues=last)
    with pytest.raises(ValueError, match="mark other dialogues for validation"):
        MEMBERS[kind](LINEAR).fit(X, y)


@pytest.mark.parametrize("name", mostly_slow(MODELS))
def test_scores_leave_rows_without_a_label_out(table, name):
    X, y = table
    model = clone(MODELS[name]).fit(X, y)
    rows = ~pd.isna(y)
    right = (model.predict(X) == y)[rows].mean()
    assert accuracy_scorer(model, X, y) == pytest.approx(right)
    if not name.endswith("pipeline"):
        assert model.score(X, y) == pytest.approx(right)


class Listening(UtteranceClassifier):
    """Remembers the labels and the rows that it was given."""

    heard: list = []

    def fit(self, X, y, sample_weight=None):
        self.heard.append((X, y))
        return super().fit(X, y, sample_weight)

    def _answer(self, method, X):
        self.heard.append((X, None))
        return super()._answer(method, X)


@pytest.mark.parametrize("kind", mostly_slow(["vote", "stack", "calibration"]))
def test_members_hear_whole_dialogues_and_no_label_that_was_made_up(table, kind):
    X, y = table
    Listening.heard = []
    member = Listening(LogisticRegression())
    model = {
        "vote": DialogueVotingClassifier([("a", member)], voting="soft"),
        "stack": DialogueStackingClassifier([("a", member)], cv=3),
        "calibration": DialogueCalibratedClassifier(member, cv=3),
    }[kind]
    model.fit(X, y).predict_proba(X)
    size = X.groupby("dialogue__id").size()
    assert len(Listening.heard) == {"vote": 2, "stack": 8, "calibration": 9}[kind]
    for rows, labels in Listening.heard:
        found = rows.groupby("dialogue__id").size()
        assert found.equals(size[found.index])
        if labels is not None:
            context = rows["dialogue__role"] == "context"
            assert [label is None for label in labels] == context.tolist()


@pytest.mark.parametrize(
    "kind", mostly_slow([list, pd.Series, lambda y: np.array(y, object)])
)
@pytest.mark.parametrize("missing", mostly_slow([None, np.nan, pd.NA]), ids=repr)
def test_gaps_of_any_kind_and_classes_that_are_numbers(kind, missing):
    X, y, _ = conversations(1 / 3)
    named = kind([missing if label is None else label for label in y])
    numbered = kind(
        [missing if label is None else EMOTIONS.index(label) for label in y]
    )
    for model in (
        DialogueVotingClassifier([("a", LINEAR)], voting="soft"),
        DialogueStackingClassifier([("a", LINEAR)], cv=2),
        DialogueCalibratedClassifier(LINEAR, cv=2),
        LINEAR,
    ):
        by_name = clone(model).fit(X, named)
        by_number = clone(model).fit(X, numbered)
        assert by_name.classes_.tolist() == EMOTIONS
        assert by_number.classes_.tolist() == [0, 1, 2, 3]
        np.testing.assert_array_equal(answers(by_name, X), answers(by_number, X))


def test_a_vote_is_the_mean_of_its_members(table):
    X, y = table
    vote = DialogueVotingClassifier([("a", CBERL), ("b", LINEAR)], voting="soft")
    vote.fit(X, y)
    alone = [clone(model).fit(X, y).predict_proba(X) for model in (CBERL, LINEAR)]
    np.testing.assert_allclose(
        vote.predict_proba(X), np.mean(alone, axis=0), atol=1e-12
    )
    assert type(vote.named_estimators_.a) is type(CBERL)
    assert [type(member) for member in vote.estimators_] == [type(CBERL), type(LINEAR)]


def test_a_baseline_learns_from_the_labelled_rows_alone(table):
    X, y = table
    rows = ~pd.isna(y)
    truth = y[rows].astype(str)
    inside = make_pipeline(SimpleImputer(), LogisticRegression())
    expected = clone(inside).fit(drop_keys(X)[rows], truth)
    model = LINEAR.__class__(inside).fit(X, y)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p, expected.predict_proba(drop_keys(X)), atol=1e-6)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    order = np.random.RandomState(0).permutation(len(X))
    # What a row is multiplied with depends, in the last digits, on its place.
    np.testing.assert_allclose(model.predict_proba(X.iloc[order]), p[order], atol=1e-5)
    shares = clone(CONSTANT).fit(X, y).estimator_.class_prior_
    assert shares == pytest.approx(np.unique(truth, return_counts=True)[1] / rows.sum())


def test_a_baseline_learns_from_synthetic_rows_and_not_from_held_out_dialogues():
    X, y, _ = conversations(1 / 3)
    ids = X["dialogue__id"]
    held_out = (ids == ids.iloc[0]).to_numpy()
    role = X["dialogue__role"].to_numpy(object)
    utterances = np.flatnonzero(held_out & (role == "utterance"))
    role[utterances[:2]] = "validation"  # the rest of the dialogue is held out as well
    synthetic = np.flatnonzero(~held_out & (role == "utterance"))[:5]
    role[synthetic] = "synthetic"
    learned = ~held_out & (role != "context")
    model = UtteranceClassifier(LogisticRegression()).fit(
        X.assign(dialogue__role=role), y
    )
    expected = LogisticRegression().fit(drop_keys(X)[learned], y[learned].astype(str))
    np.testing.assert_array_equal(model.estimator_.coef_, expected.coef_)
    role[~held_out] = "context"
    with pytest.raises(ValueError, match="No row is left to learn from"):
        clone(model).fit(X.assign(dialogue__role=role), y)


@pytest.mark.slow
def test_without_context_rows_all_do_what_scikit_learn_does():
    X, _, y = conversations(1 / 3)
    X = X.assign(dialogue__role="utterance")
    folds = StratifiedDialogueKFold(2)
    members = [("a", CBERL), ("b", LINEAR)]
    for ours, theirs in (
        (
            DialogueVotingClassifier(members, voting="soft"),
            VotingClassifier(members, voting="soft"),
        ),
        (
            DialogueStackingClassifier(members, cv=2),
            StackingClassifier(members, cv=folds),
        ),
        (
            DialogueCalibratedClassifier(CBERL, cv=2),
            CalibratedClassifierCV(CBERL, cv=folds),
        ),
    ):
        np.testing.assert_array_equal(
            ours.fit(X, y).predict_proba(X), theirs.fit(X, y).predict_proba(X)
        )


def test_a_model_that_is_fitted_already_is_calibrated_on_other_dialogues():
    X, y, _ = conversations(1 / 3)
    first = pd.factorize(X["dialogue__id"])[0] < 8
    frozen = FrozenEstimator(clone(CBERL).fit(X[first], y[first]))
    model = DialogueCalibratedClassifier(frozen, cv=2).fit(X[~first], y[~first])
    assert len(model.calibrated_classifiers_) == 1
    stack = DialogueStackingClassifier([("a", frozen.estimator)], cv="prefit")
    found = [
        clone(stack).set_params(estimators=stack.estimators).fit(X[~first], labels)
        for labels in (y[~first], filled_with(y[~first], "joy"))
    ]
    np.testing.assert_array_equal(*(each.predict_proba(X) for each in found))


def test_weights_are_for_the_calibration_where_the_model_is_fitted_already():
    X, y, _ = conversations(1 / 3)
    frozen = FrozenEstimator(clone(LINEAR).fit(X, y))
    model = DialogueCalibratedClassifier(frozen)
    rare = np.where(y == "joy", 5.0, 1.0)
    even, weighted = (
        clone(model).fit(X, y, sample_weight=w).predict_proba(X)
        for w in (np.ones(len(X)), rare)
    )
    np.testing.assert_allclose(even, clone(model).fit(X, y).predict_proba(X))
    joy = model.fit(X, y).classes_ == "joy"
    assert weighted[:, joy].mean() > even[:, joy].mean()


@pytest.mark.parametrize(
    "model",
    [
        DialogueVotingClassifier([("a", LINEAR)]),
        DialogueStackingClassifier([("a", LINEAR)], cv=2),
        DialogueCalibratedClassifier(LINEAR, cv=2),
        DialogueConformalClassifier(LINEAR, cv=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_names_of_columns_are_forgotten_with_them(model):
    X, y, full = conversations(1 / 3)
    model = clone(model).fit(X, y)
    assert len(model.feature_names_in_) == model.n_features_in_
    model.fit(drop_keys(X).to_numpy(), full)
    assert not hasattr(model, "feature_names_in_")


# --- Weights of the user


@pytest.mark.parametrize(
    "model",
    mostly_slow(
        [
            LINEAR.__class__(LogisticRegression(tol=1e-8, max_iter=1000)),
            DialogueVotingClassifier(
                [
                    (
                        "a",
                        UtteranceClassifier(
                            LogisticRegression(tol=1e-8, max_iter=1000)
                        ),
                    )
                ],
                voting="soft",
            ),
            DialogueStackingClassifier(
                [
                    (
                        "a",
                        UtteranceClassifier(
                            LogisticRegression(tol=1e-8, max_iter=1000)
                        ),
                    )
                ],
                cv=DialogueKFold(2),
            ),
            DialogueCalibratedClassifier(
                UtteranceClassifier(LogisticRegression(tol=1e-8, max_iter=1000)),
                cv=DialogueKFold(2),
            ),
        ]
    ),
    ids=lambda model: type(model).__name__,
)
def test_a_weight_of_zero_is_a_row_without_a_label(model):
    X, y, truth = conversations(1 / 3)
    everywhere = X.assign(dialogue__role="utterance")
    weight = (~pd.isna(y)).astype(float)
    weighted = clone(model).fit(everywhere, truth, sample_weight=weight)
    expected = clone(model).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(weighted.predict_proba(X), expected, atol=1e-3)
    # In rows without a label a weight means nothing.
    loud = np.where(weight == 0, 9.0, 2.0)
    again = [clone(model).fit(X, y, sample_weight=w) for w in (loud, weight + 1)]
    np.testing.assert_array_equal(*(each.predict_proba(X) for each in again))


def test_weights_for_a_pipeline_are_refused_or_routed():
    X, y, _ = conversations(1 / 3)
    weight = np.linspace(1, 2, len(X))
    for model in (
        LINEAR,
        DialogueVotingClassifier([("a", LINEAR)]),
        DialogueCalibratedClassifier(LINEAR, cv=2),
    ):
        with pytest.raises(TypeError, match=r"Pipeline takes no .*routing"):
            clone(model).fit(X, y, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        last = LogisticRegression().set_fit_request(sample_weight=True)
        asking = UtteranceClassifier(make_pipeline(SimpleImputer(), last))
        routed = clone(asking).fit(X, y, sample_weight=weight)
        vote = DialogueVotingClassifier([("a", asking)], voting="soft")
        vote.fit(X, y, sample_weight=weight)
        calibrated = DialogueCalibratedClassifier(asking, cv=2)
        calibrated.fit(X, y, sample_weight=weight)
        unweighted = DialogueCalibratedClassifier(asking, cv=2).fit(X, y)
    direct = UtteranceClassifier(LogisticRegression()).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(
        routed.predict_proba(X), direct.predict_proba(X), atol=1e-9
    )
    np.testing.assert_array_equal(vote.predict_proba(X), routed.predict_proba(X))
    assert not np.allclose(calibrated.predict_proba(X), unweighted.predict_proba(X))


# --- What is refused


@pytest.mark.parametrize(
    "member",
    [
        DummyClassifier(),
        make_pipeline(FunctionTransformer(drop_keys), LogisticRegression()),
        GridSearchCV(DummyClassifier(), {}),
        OneVsRestClassifier(CBERL),
    ],
    ids=lambda member: type(member).__name__,
)
def test_a_member_that_would_learn_from_every_row_is_refused(member):
    X, y, _ = conversations(1 / 3)
    for model in (
        DialogueVotingClassifier([("stock", member)]),
        DialogueStackingClassifier([("stock", member)]),
        DialogueCalibratedClassifier(member),
    ):
        with pytest.raises(ValueError, match=r"takes every row.*UtteranceClassifier"):
            model.fit(X, y)


def test_an_ensemble_of_scikit_learn_that_is_a_member_is_told_its_other_name():
    X, y, _ = conversations(1 / 3)
    for member, name in (
        (VotingClassifier([("a", CBERL)], voting="soft"), "DialogueVotingClassifier"),
        (StackingClassifier([("a", CBERL)]), "DialogueStackingClassifier"),
        (CalibratedClassifierCV(CBERL), "DialogueCalibratedClassifier"),
    ):
        with pytest.raises(ValueError, match=rf"Take skmerc\.{name} in its place"):
            DialogueVotingClassifier([("inner", member)]).fit(X, y)


def test_a_step_before_the_last_hears_of_no_label_that_was_made_up_either():
    X, y, _ = conversations(1 / 3)
    choosing = make_pipeline(
        FunctionTransformer(drop_keys), SelectKBest(k=2), clone(CBERL)
    )
    with pytest.raises((TypeError, ValueError)):
        DialogueVotingClassifier([("a", choosing)]).fit(X, y)


@pytest.mark.parametrize("voting", ["hard", "soft"])
@pytest.mark.parametrize("labels", [EMOTIONS, [1, 2, 3, 4], [0, 1, 2, 3]], ids=str)
def test_members_that_are_fitted_already_vote_for_their_own_classes(labels, voting):
    X, _, truth = conversations(1 / 3)
    y = np.array(labels)[np.unique(truth, return_inverse=True)[1]]
    one = clone(LINEAR).fit(X, y)
    members = [("a", FrozenEstimator(one)), ("b", FrozenEstimator(one)), ("c", LINEAR)]
    model = DialogueVotingClassifier(members, voting=voting, weights=[1, 1, 0])
    model.fit(X, np.where(X["dialogue__role"] == "context", None, y))
    np.testing.assert_array_equal(model.predict(X), one.predict(X))


@pytest.mark.parametrize("voting", ["hard", "soft"])
def test_members_that_know_other_classes_are_refused(voting):
    X, y, truth = conversations(1 / 3)
    renamed = np.where(truth == "joy", "happiness", truth)
    frozen = FrozenEstimator(clone(LINEAR).fit(X, renamed))
    model = DialogueVotingClassifier([("a", LINEAR), ("b", frozen)], voting=voting)
    with pytest.raises(ValueError, match="'b' was fitted before .*'happiness'.*'joy'"):
        model.fit(X, y)


STACK = DialogueStackingClassifier([("a", LINEAR)], cv=2)
BEHIND_STACKS = {
    "calibrated": DialogueCalibratedClassifier(STACK, cv=2),
    "sets": DialogueConformalClassifier(STACK, cv=2),
    "stack": DialogueStackingClassifier([("a", STACK)], cv=2),
    "soft vote": DialogueVotingClassifier([("a", STACK)], voting="soft"),
    "single rows": UtteranceClassifier(
        make_pipeline(
            SimpleImputer(), StackingClassifier([("a", LogisticRegression())], cv=2)
        )
    ),
    "head": clone(CBERL).set_params(
        head=StackingClassifier([("a", LogisticRegression())], cv=2)
    ),
}


@pytest.mark.filterwarnings("ignore:Number of classes in training fold")
@pytest.mark.parametrize("name", mostly_slow(BEHIND_STACKS))
def test_a_stack_with_the_default_final_estimator_may_stand_in_another(name):
    X, y, _ = conversations(1 / 3)
    model = clone(BEHIND_STACKS[name])
    assert hasattr(model, "predict_proba")
    p = model.fit(X, y).predict_proba(X)
    assert model.classes_.tolist() == EMOTIONS
    np.testing.assert_allclose(p.sum(axis=1), 1)


@pytest.mark.parametrize("fitted", [False, True])
def test_a_stack_has_what_its_final_estimator_has(fitted):
    X, y, _ = conversations(1 / 3)
    for final, missing in ((None, []), (LinearSVC(), ["predict_proba"])):
        model = clone(STACK).set_params(final_estimator=final)
        model = model.fit(X, y) if fitted else model
        for method in ("predict", "predict_proba", "decision_function"):
            assert hasattr(model, method) is (method not in missing)
            if method not in missing and not fitted:
                with pytest.raises(NotFittedError):
                    getattr(model, method)(X)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            clone(CBERL).set_params(
                head=StackingClassifier([("a", LogisticRegression())], LinearSVC())
            ),
            "head=StackingClassifier will have no predict_proba",
        ),
        (UtteranceClassifier(Ridge()), "Ridge is no classifier"),
        (
            DialogueStackingClassifier([("a", LINEAR)], passthrough=True),
            "passthrough=True joins",
        ),
    ],
)
def test_what_cannot_be_fitted_is_told(model, message):
    X, y, _ = conversations(1 / 3)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)


@pytest.mark.parametrize(
    "model",
    [
        LINEAR,
        DialogueVotingClassifier([("a", LINEAR)]),
        DialogueStackingClassifier([("a", LINEAR)]),
        DialogueCalibratedClassifier(LINEAR),
    ],
    ids=lambda model: type(model).__name__,
)
def test_missing_labels_are_told(model):
    X, y, _ = conversations(1 / 3)
    with pytest.raises(ValueError, match=r"label is missing in .* rows.*'context'"):
        clone(model).fit(X.assign(dialogue__role="utterance"), y)
    with pytest.raises(ValueError, match="All rows have|No row is left"):
        clone(model).fit(X.assign(dialogue__role="context"), y)


def test_folds_without_labels_or_without_a_class_are_told():
    X, y, _ = conversations(1 / 3)
    ids = X["dialogue__id"]
    alone = (ids == ids.iloc[0]).to_numpy()
    role = np.where(alone, X["dialogue__role"], "context")
    model = DialogueCalibratedClassifier(LINEAR, cv=DialogueKFold(2))
    with pytest.raises(ValueError, match="has no labelled row"):
        model.fit(X.assign(dialogue__role=role), y)
    role = X["dialogue__role"].mask(~alone & (y == "joy"), "context")
    model = DialogueCalibratedClassifier(
        LINEAR, cv=DialogueKFold(2), method="temperature"
    )
    with pytest.raises(ValueError, match=r"no labelled row of 'joy'.*sigmoid"):
        model.fit(X.assign(dialogue__role=role), y)


# --- Reports and scores


def test_a_report_and_a_confusion_matrix_leave_rows_without_a_label_out(table):
    X, y = table
    rows = ~pd.isna(y)
    answer = clone(LINEAR).fit(X, y).predict(X)
    truth, given = y[rows].astype(str), answer[rows]
    expected = recognition_report(truth, given)
    assert expected.loc["accuracy", "support"] == rows.sum()
    counts = confusion_matrix(truth, given, labels=EMOTIONS)
    for labels, arguments in (
        (y, {}),
        (y.tolist(), {"X": X}),
        (filled_with(y, "joy"), {"X": X}),
        (np.where(rows, y, np.nan), {}),
        (pd.Series(y).where(rows, pd.NA), {}),
    ):
        report = recognition_report(labels, answer, **arguments)
        pd.testing.assert_frame_equal(report, expected)
        table = dialogue_confusion_matrix(labels, answer, labels=EMOTIONS, **arguments)
        np.testing.assert_array_equal(table, counts)
    assert table.index.tolist() == table.columns.tolist() == EMOTIONS
    assert weighted_f1(y, answer) == weighted_f1(truth, given)
    assert minority_classes(y) == minority_classes(truth)
    rare = ["joy"]
    weight = np.linspace(1, 2, len(y))
    assert minority_f1(y, answer, minority=rare, sample_weight=weight) == minority_f1(
        truth, given, minority=rare, sample_weight=weight[rows]
    )


def test_a_confusion_matrix_is_that_of_scikit_learn():
    truth, given = (
        ["joy", "fear", "joy", None, "joy"],
        ["joy", "joy", "fear", "fear", "joy"],
    )
    kept = [0, 1, 2, 4]
    weight = [1, 2, 3, 4, 5]
    for normalize in (None, "true", "pred", "all"):
        found = dialogue_confusion_matrix(
            truth, given, normalize=normalize, sample_weight=weight
        )
        expected = confusion_matrix(
            [truth[i] for i in kept],
            [given[i] for i in kept],
            normalize=normalize,
            sample_weight=[weight[i] for i in kept],
        )
        np.testing.assert_allclose(found, expected)
    assert found.index.tolist() == ["fear", "joy"]
    listed = dialogue_confusion_matrix(truth, given, labels=["joy", "disgust"])
    assert listed.to_numpy().tolist() == [[2, 0], [0, 0]]
    with pytest.raises(ValueError, match="twice"):
        dialogue_confusion_matrix(truth, given, labels=["joy", "joy"])


def test_labels_that_are_numbers_and_have_gaps_are_reported():
    report = recognition_report([0, None, 1, 1], [0, 1, 1, 0])
    assert report.loc["accuracy", "support"] == 3
    assert dialogue_confusion_matrix([0, np.nan, 1, 1], [0, 1, 1, 0]).loc[1, 0] == 1


@pytest.mark.parametrize(
    "score", [recognition_report, dialogue_confusion_matrix, weighted_f1]
)
def test_labels_that_are_all_missing_are_told(score):
    with pytest.raises(ValueError, match="None of the 2 rows of y_true has a label"):
        score([None, None], ["joy", "joy"])
    with pytest.raises(ValueError, match=re.escape("y_pred")):
        recognition_report(["joy", "fear"], ["joy", None])


def test_a_missing_label_of_another_row_is_told_where_the_table_is_given():
    X, y, _ = conversations(1 / 3)
    with pytest.raises(ValueError, match="label is missing"):
        recognition_report(y, ["joy"] * len(y), X=X.assign(dialogue__role="utterance"))


@pytest.mark.slow
def test_answers_of_left_out_dialogues_come_by_labels_that_are_filled(table):
    X, y = table
    found = []
    for label in EMOTIONS[:2]:
        filled = filled_with(y, label)
        found.append(
            cross_val_predict(
                CBERL, X, filled, cv=StratifiedDialogueKFold(2), method="predict_proba"
            )
        )
    np.testing.assert_array_equal(*found)
    filled, weight = fill_labels(X, y)
    by_hand = np.empty_like(found[0])
    for train, test in StratifiedDialogueKFold(2).split(X, y):
        model = clone(CBERL).fit(X.iloc[train], y[train])
        by_hand[test] = model.predict_proba(X.iloc[test])
    np.testing.assert_array_equal(found[0], by_hand)
    assert set(np.flatnonzero(weight)) == set(np.flatnonzero(~pd.isna(y)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "scorer", mostly_slow([weighted_f1_scorer, neg_log_loss_scorer])
)
def test_our_scorers_take_the_gaps_in_a_cross_validation(table, scorer):
    X, y = table
    vote = DialogueVotingClassifier([("a", LINEAR), ("b", CONSTANT)], voting="soft")
    for model in (LINEAR, DialogueCalibratedClassifier(LINEAR, cv=2), vote):
        scores = cross_val_score(
            model, X, y, cv=StratifiedDialogueKFold(2), scoring=scorer
        )
        assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    "name",
    mostly_slow(
        ["linear", "soft vote", "majority", "stack", "calibrated by temperature"]
    ),
)
def test_what_is_fitted_beside_gaps_is_saved_and_loaded(name, tmp_path):
    pytest.importorskip("skops")
    pytest.importorskip("safetensors")
    from skmerc.persistence import load_model, save_model

    X, y, _ = conversations(1 / 3)
    model = clone(MODELS[name]).fit(X, y)
    save_model(model, tmp_path / "emotions.skmerc")
    again = load_model(tmp_path / "emotions.skmerc")
    np.testing.assert_array_equal(answers(again, X), answers(model, X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_several_emotions_have_names_and_probabilities_of_their_own(dtype):
    X, y = make_conversations(8, random_state=0)
    X = drop_keys(X).fillna(0).to_numpy(dtype)
    sets = pd.DataFrame({"joy": y == "joy", "calm": y == "neutral"}).astype(int)
    inner = OneVsRestClassifier(LogisticRegression(max_iter=500))
    model = UtteranceClassifier(inner).fit(X, sets)
    expected = clone(inner).fit(X, sets.to_numpy()).predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-6)
    assert model.classes_.tolist() == ["joy", "calm"]
    assert model.predict(X).shape == sets.shape


@pytest.mark.parametrize(
    "kind", ["object", pd.SparseDtype("float64", np.nan)], ids=["objects", "sparse"]
)
@pytest.mark.parametrize("name", ["baseline", "recognizer"])
def test_single_utterances_are_read_in_the_types_that_networks_read(name, kind):
    X, y = make_conversations(6, n_turns=(3, 4), random_state=0)
    features = list(drop_keys(X).columns)
    X = X.astype(dict.fromkeys(features, "float64"))
    X.loc[2, features[-2:]] = np.nan
    other = X.astype(dict.fromkeys(features, kind))
    if kind == "object":
        other.loc[2, features[-2:]] = pd.NA
    plain = make_pipeline(SimpleImputer(), LogisticRegression(max_iter=500))
    model = {
        "baseline": UtteranceClassifier(plain),
        "recognizer": EmotionRecognizer(random_state=0),
    }[name]
    expected = clone(model).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(
        clone(model).fit(other, y).predict_proba(other), expected
    )
