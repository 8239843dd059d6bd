"""Scorers of probabilities, and weights that scikit-learn routes to scorers."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    get_scorer,
    log_loss,
    make_scorer,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    LearningCurveDisplay,
    TunedThresholdClassifierCV,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from sklearn.utils.metadata_routing import get_routing_for_object
from systems import mostly_slow

from skmerc import CBERLClassifier, JoyfulClassifier
from skmerc.datasets import make_conversations
from skmerc.frame import drop_keys, make_frame
from skmerc.metrics import (
    accuracy_scorer,
    brier_score,
    expected_calibration_error,
    macro_f1_scorer,
    make_dialogue_scorer,
    minority_f1_scorer,
    neg_log_loss_scorer,
    roc_auc_ovr_scorer,
    weighted_f1_scorer,
)
from skmerc.model_selection import DialogueKFold

READY = [
    accuracy_scorer,
    macro_f1_scorer,
    minority_f1_scorer,
    neg_log_loss_scorer,
    roc_auc_ovr_scorer,
    weighted_f1_scorer,
]
OF_SCIKIT_LEARN = {
    "neg_log_loss": neg_log_loss_scorer,
    "roc_auc_ovr": roc_auc_ovr_scorer,
}
SMALL = {"hidden_size": 8, "max_epochs": 1, "device": "cpu", "random_state": 0}


def table(classes, n=60, context=5, seed=0):
    """Rows of some classes in turn, of which every fifth is context of no label."""
    rng = np.random.default_rng(seed)
    y = np.resize(np.array(classes, dtype=object), n)
    place = np.array([classes.index(label) for label in y])
    role = np.where(np.arange(n) % context == 0, "context", "utterance")
    X = make_frame(
        {"text": np.c_[place == 0, place == 1] + rng.normal(size=(n, 2))}, role=role
    )
    return X, np.where(role == "context", None, y)


def fitted(X, y, model=None):
    """A stock classifier behind the features, fitted on the rows with a label."""
    known = np.array([label is not None for label in y])
    drop = FunctionTransformer(drop_keys)
    model = make_pipeline(drop, model or LogisticRegression())
    return model.fit(X[known], y[known].astype(str)), known


@pytest.mark.parametrize("classes", mostly_slow([["a", "b"], ["a", "b", "c"]]), ids=str)
@pytest.mark.parametrize("name", mostly_slow(OF_SCIKIT_LEARN))
def test_they_are_scikit_learns_on_the_labelled_rows(name, classes):
    X, y = table(classes)
    model, known = fitted(X, y)
    weight = np.linspace(0.5, 2, len(y))
    expected = get_scorer(name)(model, X[known], y[known].astype(str))
    assert OF_SCIKIT_LEARN[name](model, X, y) == pytest.approx(expected)
    truth, p = y[known].astype(str), model.predict_proba(X[known])
    if name == "neg_log_loss":
        expected = -log_loss(truth, p, sample_weight=weight[known])
    else:
        areas = [
            roc_auc_score(truth == c, p[:, k], sample_weight=weight[known])
            for k, c in enumerate(classes)
        ]
        expected = np.mean(areas)
    found = OF_SCIKIT_LEARN[name](model, X, y, sample_weight=weight)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    "score", mostly_slow([log_loss, brier_score_loss]), ids=lambda f: f.__name__
)
@pytest.mark.parametrize(
    "absent", mostly_slow(["from what is scored", "from training", "from both"])
)
def test_a_class_may_be_absent(score, absent):
    X, y = table(["a", "b", "c"])
    trained, scored = y.copy(), y.copy()
    if absent != "from what is scored":
        trained[trained == "c"] = None
    if absent != "from training":
        scored[scored == "c"] = "a"
    model, _ = fitted(X, trained)
    scorer = make_dialogue_scorer(
        score, response_method="predict_proba", labels=["a", "b", "c"]
    )
    known = scored != np.array(None)
    p = np.zeros((len(y), 3), np.float32)
    p[:, : len(model.classes_)] = model.predict_proba(X)
    expected = score(scored[known].astype(str), p[known], labels=["a", "b", "c"])
    assert scorer(model, X, scored) == pytest.approx(expected)
    if score is log_loss:
        assert neg_log_loss_scorer(model, X, scored) == pytest.approx(-expected)


@pytest.mark.parametrize("score", [brier_score, expected_calibration_error])
@pytest.mark.parametrize("classes", [["a", "b"], ["a", "b", "c"]], ids=len)
def test_scores_that_take_classes_are_told_them(score, classes):
    X, y = table(classes)
    scorer = make_dialogue_scorer(
        score, response_method="predict_proba", greater_is_better=False
    )
    model, known = fitted(X, y)
    lacking = np.where(y == classes[-1], "a", y)
    for scored in (y, lacking):
        p = model.predict_proba(X[known])
        expected = score(scored[known], p, classes=classes)
        assert scorer(model, X, scored) == pytest.approx(-expected)


@pytest.mark.parametrize("score", [brier_score, expected_calibration_error])
def test_a_class_that_the_model_never_saw_has_probability_zero(score):
    X, y = table(["a", "b", "c"])
    scorer = make_dialogue_scorer(score, response_method="predict_proba")
    model, _ = fitted(X, np.where(y == "c", None, y))
    known = y != np.array(None)
    p = np.c_[model.predict_proba(X[known]), np.zeros(known.sum())]
    expected = score(y[known], p, classes=["a", "b", "c"])
    assert scorer(model, X, y) == pytest.approx(expected)


def test_the_area_is_the_mean_over_classes_that_have_a_curve():
    X, y = table(["a", "b", "c"])
    model, known = fitted(X, y)
    y = np.where(y == "c", "b", y)
    p, truth = model.predict_proba(X[known]), y[known]
    areas = [roc_auc_score(truth == c, p[:, k]) for k, c in enumerate("ab")]
    assert roc_auc_ovr_scorer(model, X, y) == pytest.approx(np.mean(areas))
    only = np.where(known, "a", None)
    with pytest.raises(ValueError, match="rows of two classes at least"):
        roc_auc_ovr_scorer(model, X, only)


def test_a_model_of_one_class_that_is_right_has_no_loss():
    X, y = table(["a"])
    model, _ = fitted(X, y, DummyClassifier())
    assert neg_log_loss_scorer(model, X, y) == 0


@pytest.mark.parametrize("method", mostly_slow(["predict_proba", "decision_function"]))
@pytest.mark.parametrize(
    ("score", "settings"),
    mostly_slow(
        [
            (average_precision_score, {"pos_label": "a"}),
            (average_precision_score, {"pos_label": "b"}),
            (roc_auc_score, {}),
        ]
    ),
    ids=["first", "second", "area"],
)
def test_two_classes_are_scored_by_the_positive_one(score, settings, method):
    X, y = table(["a", "b"])
    model, known = fitted(X, y)
    stock = make_scorer(score, response_method=method, **settings)
    scorer = make_dialogue_scorer(score, response_method=method, **settings)
    expected = stock(model, X[known], y[known].astype(str))
    assert scorer(model, X, y) == pytest.approx(expected)


def test_a_positive_class_that_is_none_is_named():
    X, y = table(["a", "b"])
    model, _ = fitted(X, y)
    scorer = make_dialogue_scorer(
        average_precision_score, response_method="predict_proba"
    )
    with pytest.raises(ValueError, match=r"pos_label=1 .*\['a', 'b'\]"):
        scorer(model, X, y)


def test_the_first_method_that_a_model_has_is_called():
    X, y = table(["a", "b"])
    either = make_dialogue_scorer(
        roc_auc_score, response_method=["decision_function", "predict_proba"]
    )
    assert "response_method=('decision_function', 'predict_proba')" in repr(either)
    for stock in (LinearSVC(), GaussianNB()):
        model, known = fitted(X, y, stock)
        expected = get_scorer("roc_auc")(model, X[known], y[known].astype(str))
        assert either(model, X, y) == pytest.approx(expected)
    svc, _ = fitted(X, y, LinearSVC())
    with pytest.raises(AttributeError, match="calls predict_proba, and Pipeline"):
        neg_log_loss_scorer(svc, X, y)


@pytest.mark.parametrize("method", ["proba", [], ("predict", "score"), 3])
def test_an_unknown_method_is_refused(method):
    with pytest.raises(ValueError, match="response_method="):
        make_dialogue_scorer(log_loss, response_method=method)


def test_labels_that_lack_a_class_of_the_model_are_refused():
    X, y = table(["a", "b", "c"])
    model, _ = fitted(X, y)
    scorer = make_dialogue_scorer(
        log_loss, response_method="predict_proba", labels=["a", "b"]
    )
    with pytest.raises(ValueError, match=r"labels=\['a', 'b'\] .* lacks 'c'"):
        scorer(model, X, y)


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.NoDialogueWarning")
@pytest.mark.parametrize("n_labels", mostly_slow([2, 3]))
def test_label_sets_are_scored_label_by_label(n_labels):
    X, _ = table(["a", "b", "c"])
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (len(X), n_labels))
    y[:, 0] = 0  # a label that never occurs has no curve
    rows = (X["dialogue__role"] != "context").to_numpy()
    joyful = JoyfulClassifier(fusion_size=8, heads=2, n_bases=4, **SMALL).fit(X, y)
    forest = RandomForestClassifier(20, random_state=0).fit(drop_keys(X), y)
    forest = make_pipeline(FunctionTransformer(drop_keys), forest)
    lists = forest[-1].predict_proba(drop_keys(X))
    kinds = forest[-1].classes_
    of_forest = np.stack([p @ k for p, k in zip(lists, kinds, strict=True)], axis=1)
    assert (of_forest[:, 0] == 0).all()
    for model, p in ((joyful, joyful.predict_proba(X)), (forest, of_forest)):
        p, truth = p[rows], y[rows]
        limited = p.clip(np.finfo(float).eps, 1 - np.finfo(float).eps)
        each = -np.log(np.where(truth, limited, 1 - limited))
        assert neg_log_loss_scorer(model, X, y) == pytest.approx(-each.mean())
        areas = [roc_auc_score(truth[:, k], p[:, k]) for k in range(1, n_labels)]
        assert roc_auc_ovr_scorer(model, X, y) == pytest.approx(np.mean(areas))


@pytest.mark.slow
def test_context_is_read_and_not_scored_in_cross_validation_and_searches():
    X, y = make_conversations(12, n_turns=(4, 8), random_state=0)
    context = np.arange(len(X)) % 6 == 0
    X = X.assign(dialogue__role=np.where(context, "context", "utterance"))
    unlabelled = np.where(context, None, y)
    model, cv = CBERLClassifier(**SMALL), DialogueKFold(2)
    scoring = {"loss": neg_log_loss_scorer, "area": roc_auc_ovr_scorer}
    found = cross_validate(
        model, X, unlabelled, cv=cv, scoring=scoring, error_score="raise"
    )
    for fold, (train, test) in enumerate(cv.split(X)):
        one = CBERLClassifier(**SMALL).fit(X.iloc[train], unlabelled[train])
        rows = ~context[test]
        truth, labels = y[test][rows], np.union1d(one.classes_, y[test][rows])
        p = np.zeros((len(truth), len(labels)))
        places = np.searchsorted(labels, one.classes_)
        p[:, places] = one.predict_proba(X.iloc[test])[rows]
        expected = -log_loss(truth, p, labels=labels)
        assert found["test_loss"][fold] == pytest.approx(expected)
    search = GridSearchCV(
        model, {"lr": [1e-3]}, cv=cv, scoring=scoring, refit="loss"
    ).fit(X, unlabelled)
    assert search.best_score_ == pytest.approx(found["test_loss"].mean())


# Metadata routing


class DummyOnTables(ClassifierMixin, BaseEstimator):
    """Gives one label, and asks for no weights."""

    def __init__(self, label="a"):
        self.label = label

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.label)

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def counted(y_true, y_pred, sample_weight=None):
    """Sum of the weights: what was passed can be read off the score."""
    return -1.0 if sample_weight is None else float(np.sum(sample_weight))


def test_weights_are_routed_to_a_scorer_that_asks_for_them():
    X, y = table(["a", "b"])
    weight = np.arange(len(y), dtype=float)
    rows = (X["dialogue__role"] != "context").to_numpy()
    stock = DummyOnTables()
    complete, cv = np.where(rows, y, "a").astype(str), DialogueKFold(2)
    expected = [weight[test][rows[test]].sum() for _, test in cv.split(X)]

    def scores(scoring, given):
        return cross_val_score(
            stock,
            X,
            complete,
            cv=cv,
            scoring=scoring,
            params=given,
            error_score="raise",
        )

    with config_context(enable_metadata_routing=True):
        asks = make_dialogue_scorer(counted).set_score_request(sample_weight=True)
        assert scores(asks, {"sample_weight": weight}).tolist() == expected
        renamed = make_dialogue_scorer(counted).set_score_request(sample_weight="w")
        again = pickle.loads(pickle.dumps(renamed))
        assert scores(again, {"w": weight}).tolist() == expected
        both = {"asks": asks, "not": make_dialogue_scorer(counted)}
        both["not"].set_score_request(sample_weight=False)
        found = cross_validate(
            stock, X, complete, cv=cv, scoring=both, params={"sample_weight": weight}
        )
        assert found["test_asks"].tolist() == expected
        assert found["test_not"].tolist() == [-1.0, -1.0]
        search = GridSearchCV(stock, {"label": ["a"]}, cv=cv, scoring=asks)
        search.fit(X, complete, sample_weight=weight)
        assert search.best_score_ == np.mean(expected)


@pytest.mark.parametrize("scorer", READY, ids=repr)
def test_weights_that_nobody_asked_for_are_an_error(scorer):
    X, y = table(["a", "b", "c"])
    stock = DummyOnTables()
    complete = np.where(X["dialogue__role"] == "context", "a", y).astype(str)
    with (
        config_context(enable_metadata_routing=True),
        pytest.raises(UnsetMetadataPassedError, match="sample_weight"),
    ):
        cross_validate(
            stock,
            X,
            complete,
            cv=DialogueKFold(2),
            scoring=scorer,
            params={"sample_weight": np.ones(len(X))},
            error_score="raise",
        )


@pytest.mark.parametrize("scorer", mostly_slow(READY), ids=repr)
def test_weight_zero_is_removal_in_every_ready_scorer(scorer):
    X, y = table(["a", "b", "c", "a"])
    model, known = fitted(X, y)
    kept = np.arange(len(y)) % 7 != 0
    # Which classes are rare is counted without weights: the same here and there.
    found = scorer(model, X, y, sample_weight=kept.astype(float))
    assert found == pytest.approx(scorer(model, X[kept], y[kept]))


def test_weights_for_a_score_that_takes_none_are_refused():
    def plain(y_true, y_pred):
        return 1.0

    X, y = table(["a", "b"])
    model, _ = fitted(X, y)
    scorer = make_dialogue_scorer(plain)
    assert scorer(model, X, y) == 1.0
    with pytest.raises(TypeError, match="plain.* is given sample_weight"):
        scorer(model, X, y, sample_weight=np.ones(len(y)))
    with config_context(enable_metadata_routing=True):
        with pytest.raises(TypeError, match="is given sample_weight"):
            scorer.set_score_request(sample_weight=True)
        assert get_routing_for_object(scorer).score.requests == {}
    with pytest.raises(RuntimeError, match="needs metadata routing"):
        accuracy_scorer.set_score_request(sample_weight=True)


def test_requests_leave_the_scorers_that_all_share_as_they_are():
    with config_context(enable_metadata_routing=True):
        before = str(weighted_f1_scorer.get_metadata_routing())
        asks = weighted_f1_scorer.set_score_request(sample_weight=True)
        assert asks is not weighted_f1_scorer
        assert str(weighted_f1_scorer.get_metadata_routing()) == before
        assert asks.set_score_request(sample_weight="w") is asks
        assert "'w'" in str(asks.get_metadata_routing())
        again = pickle.loads(pickle.dumps(asks))
        assert str(again.get_metadata_routing()) == str(asks.get_metadata_routing())


def test_weights_that_nobody_asked_for_are_told_with_the_scorer():
    X, y = np.zeros((4, 1)), np.array([0, 1, 0, 1])
    given = {"params": {"sample_weight": np.ones(4)}, "error_score": "raise"}
    model, name = DummyClassifier(), r"make_dialogue_scorer\(weighted_f1\)"
    with config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=True)
        with pytest.raises(UnsetMetadataPassedError, match=name):
            cross_validate(model, X, y, cv=2, scoring=weighted_f1_scorer, **given)


def test_labels_of_another_kind_than_those_of_the_model_are_told():
    X, words, numbers = np.zeros((4, 1)), np.array(list("abab")), np.array([0, 1, 0, 1])
    for known, given in ((words, numbers), (numbers, words)):
        model = DummyClassifier(strategy="prior").fit(X, known)
        for scorer in (neg_log_loss_scorer, roc_auc_ovr_scorer):
            with pytest.raises(ValueError, match="labels of one kind"):
                scorer(model, X, given)


def test_thresholds_are_tuned_by_scorers_of_scikit_learn_alone():
    X, y = np.zeros((8, 1)), np.tile([0, 1], 4)
    search = TunedThresholdClassifierCV(DummyClassifier(), scoring=weighted_f1_scorer)
    with pytest.raises(AttributeError, match=r"Use sklearn\.metrics\.make_scorer"):
        search.fit(X, y)


def test_curves_are_drawn_under_the_name_of_the_score():
    pytest.importorskip("matplotlib").use("agg")
    X, y = np.zeros((8, 1)), np.tile([0, 1], 4)
    drawn = LearningCurveDisplay.from_estimator(
        DummyClassifier(), X, y, cv=2, train_sizes=[2, 4], scoring=neg_log_loss_scorer
    )
    assert drawn.score_name == "Mean log loss"
