import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    classification_report,
    f1_score,
    mean_absolute_error,
    precision_score,
    recall_score,
)
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmerc.frame import drop_keys, make_frame
from skmerc.metrics import (
    accuracy_scorer,
    dialogue_confusion_matrix,
    macro_f1_scorer,
    make_dialogue_scorer,
    minority_classes,
    minority_f1,
    minority_f1_scorer,
    recognition_report,
    weighted_f1,
    weighted_f1_scorer,
)

MELD_TEST = {
    "neutral": 1256,
    "joy": 402,
    "anger": 345,
    "surprise": 281,
    "sadness": 208,
    "disgust": 68,
    "fear": 50,
}
SCORERS = {
    "accuracy": accuracy_scorer,
    "macro": macro_f1_scorer,
    "weighted": weighted_f1_scorer,
    "minority": minority_f1_scorer,
}


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    emotions = ["anger", "fear", "joy", "neutral"]
    y_true = rng.permutation(np.repeat(emotions, [35, 15, 55, 95]))
    y_pred = np.where(rng.random(200) < 0.6, y_true, rng.choice(emotions, 200))
    return y_true, y_pred


def _conversations(n_dialogues=12, n_turns=6, n_context=1, seed=0):
    """Three classes of which the third is rare; context rows carry wrong labels."""
    rng = np.random.default_rng(seed)
    n_rows = n_dialogues * n_turns
    y = np.tile(["a", "a", "b", "a", "c", "b"], n_rows // 6)[:n_rows]
    text = np.array([[0, 0], [4, 0], [0, 4]])[np.unique(y, return_inverse=True)[1]]
    turn = np.arange(n_rows) % n_turns
    context = turn < n_context
    X = make_frame(
        {"text": text + rng.normal(size=(n_rows, 2))},
        dialogue=np.repeat(np.arange(n_dialogues), n_turns),
        turn=turn,
        role=np.where(context, "context", "utterance"),
    )
    return X, np.where(context, "b", y)


def _classifier():
    return make_pipeline(FunctionTransformer(drop_keys), LogisticRegression())


class Echo(ClassifierMixin, BaseEstimator):
    """Predicts the first feature, and remembers how many rows it was shown."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        self.n_seen_ = len(X)
        return drop_keys(X).to_numpy()[:, 0].astype(int)


# Scores


def test_weighted_f1_is_the_support_weighted_mean_of_f1(labels):
    y_true, y_pred = labels
    classes, counts = np.unique(y_true, return_counts=True)
    f1 = f1_score(y_true, y_pred, labels=classes, average=None)
    assert weighted_f1(y_true, y_pred) == pytest.approx(counts @ f1 / len(y_true))


def test_weight_two_equals_repetition_and_weight_zero_removal():
    y_true, y_pred = np.array([0, 1, 1, 2, 0]), np.array([0, 1, 0, 2, 2])
    weight = np.array([1, 2, 0, 1, 1])
    repeated = np.repeat(np.arange(5), weight)
    expected = weighted_f1(y_true[repeated], y_pred[repeated])
    assert weighted_f1(y_true, y_pred, sample_weight=weight) == pytest.approx(expected)


def test_trivial_predictor_scores_on_meld_as_the_papers_counts_imply():
    y_true = np.repeat(list(MELD_TEST), list(MELD_TEST.values()))
    report = recognition_report(y_true, np.full(len(y_true), "neutral"))
    assert report.loc["accuracy", "recall"] == pytest.approx(0.4812, abs=5e-5)
    assert report.loc["weighted F1", "f1"] == pytest.approx(0.3127, abs=5e-5)
    assert report.loc["macro F1", "f1"] == pytest.approx(0.0928, abs=5e-5)
    assert report.loc["minority F1", "f1"] == 0
    assert report.loc["balanced accuracy", "recall"] == pytest.approx(1 / 7)


def test_minority_is_strictly_below_the_class_mean():
    y = ["a"] * 6 + ["b"] * 3 + ["c"] * 2 + ["d"] * 1  # mean 3
    assert minority_classes(y) == ["c", "d"]
    assert minority_classes([1, 1, 2, 2]) == []


def test_minority_f1_is_the_plain_mean_over_the_minority(labels):
    y_true, y_pred = labels
    f1 = f1_score(y_true, y_pred, labels=["anger", "fear"], average=None)
    assert minority_classes(y_true) == ["anger", "fear"]
    assert minority_f1(y_true, y_pred) == pytest.approx(f1.mean())
    assert minority_f1(y_true, y_pred, minority=["fear"]) == pytest.approx(f1[1])


def test_minority_f1_takes_integer_and_boolean_labels_and_arrays():
    y_true, y_pred = np.array([0, 0, 0, 7]), np.array([0, 0, 7, 7])
    assert minority_f1(y_true, y_pred) == pytest.approx(2 / 3)
    assert minority_f1(y_true, y_pred, minority=np.array([7])) == pytest.approx(2 / 3)
    assert minority_f1(y_true == 7, y_pred == 7) == pytest.approx(2 / 3)


def test_a_label_of_the_minority_without_rows_is_named():
    with pytest.raises(ValueError, match=r"classes of y_true.*\['a', 'b'\].*\['z'\]"):
        minority_f1(["a", "a", "b"], ["a", "z", "b"], minority=["b", "z"])
    with pytest.raises(ValueError, match="must name classes"):
        minority_f1(["a", "a", "b"], ["a", "a", "b"], minority=[])


def test_equal_counts_have_no_minority():
    with pytest.raises(ValueError, match="no minority class: each of its 2 classes"):
        minority_f1(["a", "b"], ["a", "b"])


def test_scores_do_not_warn_of_a_class_that_is_never_predicted():
    y_true, y_pred = ["a", "a", "a", "b", "c"], ["a"] * 4 + ["z"]
    assert minority_f1(y_true, y_pred) == 0
    assert weighted_f1(y_true, y_pred) == pytest.approx(3 / 5 * 6 / 7)
    assert recognition_report(y_true, y_pred).loc["b", "f1"] == 0


# Report


def test_report_agrees_with_scikit_learn(labels):
    y_true, y_pred = labels
    report = recognition_report(y_true, y_pred)
    for name, score in [
        ("precision", precision_score),
        ("recall", recall_score),
        ("f1", f1_score),
    ]:
        for row, average in [("macro F1", "macro"), ("weighted F1", "weighted")]:
            expected = score(y_true, y_pred, average=average)
            assert report.loc[row, name] == pytest.approx(expected)
        assert report.loc["fear", name] == pytest.approx(
            score(y_true, y_pred, labels=["fear"], average="macro")
        )
        assert report.loc["accuracy", name] == pytest.approx(
            score(y_true, y_pred, average="micro")
        )
    balanced = balanced_accuracy_score(y_true, y_pred)
    assert report.loc["balanced accuracy", "recall"] == pytest.approx(balanced)
    assert report.loc["minority F1", "f1"] == pytest.approx(minority_f1(y_true, y_pred))


def test_weighted_average_accuracy_of_the_papers_is_plain_accuracy(labels):
    y_true, y_pred = labels
    classes = recognition_report(y_true, y_pred).iloc[:4]
    share = classes["support"] / len(y_true)
    assert (share * classes["recall"]).sum() == pytest.approx(
        accuracy_score(y_true, y_pred)
    )


def test_report_counts_rows_as_integers(labels):
    y_true, y_pred = labels
    support = recognition_report(y_true, y_pred)["support"]
    assert support.dtype.kind == "i"
    assert support["minority F1"] == np.isin(y_true, ["anger", "fear"]).sum()
    assert support["accuracy"] == len(y_true)


def test_labels_order_and_select_rows_but_leave_the_summaries(labels):
    y_true, y_pred = labels
    full = recognition_report(y_true, y_pred)
    report = recognition_report(y_true, y_pred, labels=["joy", "awe", "fear"])
    assert report.index[:3].tolist() == ["joy", "awe", "fear"]
    assert report.loc["awe"].tolist() == [0, 0, 0, 0]
    pd.testing.assert_frame_equal(report.iloc[3:], full.iloc[4:])


def test_balanced_accuracy_ignores_a_class_that_is_only_predicted():
    report = recognition_report(["a", "a", "b"], ["a", "z", "b"])
    assert report.loc["balanced accuracy", "recall"] == pytest.approx(0.75)


def test_report_of_integer_labels_is_read_by_integers():
    report = recognition_report([0, 0, 1], [0, 1, 1])
    assert report.loc[1, "recall"] == 1
    assert report.loc[0, "support"] == 2


def test_report_of_boolean_labels():
    report = recognition_report([True, False, False], [True, True, False])
    assert report.loc["minority F1", "f1"] == pytest.approx(2 / 3)


def test_report_without_a_minority_says_nan():
    report = recognition_report(["a", "b"], ["a", "a"])
    assert np.isnan(report.loc["minority F1", "f1"])
    assert report.loc["minority F1", "support"] == 0


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"labels": ["a", "a"]}, "names a class twice"),
        ({"labels": ["x"]}, r"No class of labels=\['x'\] occurs.*\['a', 'b'\]"),
        ({"minority": ["x"]}, r"without a row there: \['x'\]"),
    ],
)
def test_report_refuses(arguments, match):
    with pytest.raises(ValueError, match=match):
        recognition_report(["a", "a", "b"], ["a", "b", "b"], **arguments)


@pytest.mark.parametrize(
    "score", [weighted_f1, minority_f1, recognition_report, dialogue_confusion_matrix]
)
def test_answers_without_a_label_are_told_by_their_row(score):
    with pytest.raises(ValueError, match="y_pred has no label in row 1"):
        score(["a", "b"], ["a", None])
    with pytest.raises(ValueError, match="y_pred has no label in row 2"):
        score(["a", None, "b"], ["a", "b", np.nan])


@pytest.mark.parametrize(
    ("kind", "classes"), [("Int64", [0, 1]), ("boolean", [False, True])]
)
def test_labels_of_types_of_pandas_name_classes_as_they_are(kind, classes):
    y_pred = pd.Series([0, 1, 1], dtype=kind)
    for y_true in (y_pred, y_pred.where([True, True, False])):
        report = recognition_report(y_true, y_pred)
        table = dialogue_confusion_matrix(y_true, y_pred)
        for names in (report.index[:2], table.index, table.columns):
            assert list(map(repr, names)) == list(map(repr, classes))
    assert list(map(repr, minority_classes(y_pred))) == [repr(classes[0])]


@pytest.fixture
def label_sets():
    rng = np.random.default_rng(0)
    names = ["joy", "anger", "fear"]
    true, pred = rng.random((2, 60, 3)) < [0.6, 0.4, 0.1]
    return [pd.DataFrame(y.astype(int), columns=names) for y in (true, pred)]


@pytest.mark.parametrize("kind", ["int64", "Int64", "boolean", object])
def test_a_report_of_label_sets_is_that_of_scikit_learn(label_sets, kind):
    true, pred = label_sets
    report = recognition_report(true.astype(kind), pred.astype(kind))
    names = list(true)
    theirs = pd.DataFrame(
        classification_report(
            true, pred, target_names=names, output_dict=True, zero_division=0.0
        )
    ).T.to_numpy()
    lines = [*names, "micro F1", "macro F1", "weighted F1"]
    np.testing.assert_allclose(report.loc[lines].to_numpy(float), theirs[:6])
    accuracy = (true == pred).all(axis=1).mean()
    assert report.loc["accuracy"].tolist() == [accuracy] * 3 + [len(true)]
    rare = [name for name in names if true[name].sum() * 3 < true.to_numpy().sum()]
    assert report.loc["minority F1", "f1"] == pytest.approx(
        report.loc[rare, "f1"].mean()
    )
    listed = recognition_report(true, pred, labels=["fear"], minority=["joy"])
    assert listed.index[:2].tolist() == ["fear", "accuracy"]
    joy = f1_score(true["joy"], pred["joy"])
    assert listed.loc["minority F1", "f1"] == pytest.approx(joy)


def test_a_report_of_label_sets_leaves_context_out_and_names_columns(label_sets):
    true, pred = label_sets
    context = np.arange(len(true)) % 3 == 1
    X = make_frame(
        {"text": np.zeros((len(true), 1))},
        role=np.where(context, "context", "utterance"),
    )
    gaps = true.astype(float).mask(pd.Series(context))
    report = recognition_report(gaps, pred.to_numpy(), X=X)
    pd.testing.assert_frame_equal(
        report, recognition_report(true[~context], pred[~context])
    )
    pd.testing.assert_frame_equal(report, recognition_report(gaps, pred))
    plain = recognition_report(true.to_numpy(), pred.to_numpy())
    assert plain.index[:3].tolist() == [0, 1, 2]
    named = recognition_report(true.to_numpy(), pred.to_numpy(), classes=list(true))
    pd.testing.assert_frame_equal(named, recognition_report(true, pred))
    perfect = recognition_report(true, true).drop(columns="support")
    assert (perfect == 1).all(axis=None)
    nothing = recognition_report(true * 0, pred).drop(["accuracy", "minority F1"])
    assert (nothing["f1"] == 0).all()


def test_label_sets_that_do_not_fit_are_refused(label_sets):
    true, pred = label_sets
    with pytest.raises(ValueError, match="in that order"):
        recognition_report(true, pred[["fear", "joy", "anger"]])
    with pytest.raises(ValueError, match="a column for each class"):
        recognition_report(true.to_numpy(), pred.to_numpy()[:, :2])
    with pytest.raises(ValueError, match="y_pred has several columns that hold more"):
        recognition_report(true, pred * 2)
    with pytest.raises(ValueError, match="leave it out"):
        recognition_report(true, pred, y_prob=pred)
    gap = true.astype(float)
    gap.iloc[4, 1] = np.nan
    with pytest.raises(ValueError, match="first in row 4"):
        recognition_report(gap, pred)
    with pytest.raises(ValueError, match="nothing to score"):
        recognition_report(true * np.nan, pred)


def test_indicator_matrices_have_a_weighted_f1():
    assert weighted_f1(np.eye(3, dtype=int), np.eye(3, dtype=int)) == 1


def test_no_rows_at_all_is_an_error():
    with pytest.raises(ValueError, match="y_true holds no row"):
        recognition_report([], [])


# Scorers


def test_context_rows_are_predicted_but_not_scored():
    predicted, y = [0, 1, 1, 0], np.array([0, 1, 0, 1])
    X = make_frame(
        {"text": np.array(predicted)[:, None]},
        dialogue=["d"] * 4,
        role=["utterance", "utterance", "context", "context"],
    )
    model = Echo().fit(X, y)
    assert accuracy_scorer(model, X, y) == 1
    assert model.n_seen_ == 4
    assert accuracy_scorer(model, X.drop(columns="dialogue__role"), y) == 0.5


def test_validation_and_synthetic_rows_are_scored():
    X = make_frame(
        {"text": np.zeros((3, 1))}, role=["utterance", "validation", "synthetic"]
    )
    y = np.array([0, 1, 1])
    assert accuracy_scorer(Echo().fit(X, y), X, y) == pytest.approx(1 / 3)


def test_the_label_of_a_context_row_does_not_matter():
    X, y = _conversations()
    model = _classifier().fit(X, y)
    context = (X["dialogue__role"] == "context").to_numpy()
    scores = {name: scorer(model, X, y) for name, scorer in SCORERS.items()}
    other = np.where(context, "c", y)
    assert scores == {name: scorer(model, X, other) for name, scorer in SCORERS.items()}


def test_scorers_compute_what_they_are_called():
    X, y = _conversations(n_context=2, seed=1)
    model = _classifier().fit(X, y)
    keep = (X["dialogue__role"] == "utterance").to_numpy()
    y_true, y_pred = y[keep], model.predict(X)[keep]
    assert accuracy_scorer(model, X, y) == accuracy_score(y_true, y_pred)
    assert macro_f1_scorer(model, X, y) == f1_score(y_true, y_pred, average="macro")
    assert weighted_f1_scorer(model, X, y) == weighted_f1(y_true, y_pred)
    assert minority_f1_scorer(model, X, y) == minority_f1(y_true, y_pred)


def test_a_series_y_is_aligned_by_position():
    X, y = _conversations()
    model = _classifier().fit(X, y)
    shuffled = pd.Series(y, index=np.random.default_rng(0).permutation(len(y)))
    assert weighted_f1_scorer(model, X, shuffled) == weighted_f1_scorer(model, X, y)


def test_arrays_without_keys_are_scored_as_a_whole():
    X, y = np.array([[0.0], [1.0], [2.0]]), ["a", "a", "b"]
    model = DummyClassifier(strategy="most_frequent").fit(X, y)
    assert accuracy_scorer(model, X, y) == pytest.approx(2 / 3)


def test_sample_weights_are_cut_to_the_scored_rows():
    X, y = _conversations()
    model = _classifier().fit(X, y)
    weight = np.where(X["dialogue__role"] == "context", 100.0, 1.0)
    weighted = weighted_f1_scorer(model, X, y, sample_weight=weight)
    assert weighted == weighted_f1_scorer(model, X, y)


def test_nothing_but_context_is_an_error():
    X = make_frame({"text": np.zeros((2, 1))}, role=["context", "context"])
    with pytest.raises(ValueError, match="All 2 rows of X have role 'context'"):
        accuracy_scorer(Echo().fit(X, [0, 1]), X, [0, 1])


def test_labels_of_another_length_are_an_error():
    X, y = _conversations()
    model = _classifier().fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        accuracy_scorer(model, X, y[:-1])


def test_a_score_function_must_be_callable():
    with pytest.raises(TypeError, match="must be a callable"):
        make_dialogue_scorer("f1_macro")


def test_an_error_is_negated_and_leaves_context_out():
    X = make_frame({"text": [[0.0], [1.0]]}, role=["utterance", "context"])
    y = np.array([1.0, 50.0])
    scorer = make_dialogue_scorer(mean_absolute_error, greater_is_better=False)
    model = DummyRegressor(strategy="constant", constant=3.0).fit(X, y)
    assert scorer(model, X, y) == -2.0
    assert "greater_is_better=False" in repr(scorer)


def test_scorers_survive_pickling_and_show_their_arguments():
    X, y = _conversations()
    model = _classifier().fit(X, y)
    scorer = make_dialogue_scorer(minority_f1, minority=["c"])
    copy = pickle.loads(pickle.dumps(scorer))
    assert copy(model, X, y) == scorer(model, X, y)
    assert repr(copy) == "make_dialogue_scorer(minority_f1, minority=['c'])"


@pytest.mark.slow
def test_cross_validation_takes_one_scorer_or_a_dict_of_them():
    X, y = _conversations()
    keep = (X["dialogue__role"] == "utterance").to_numpy()
    scores = cross_validate(_classifier(), X, y, cv=3, scoring=SCORERS)
    single = cross_val_score(_classifier(), X, y, cv=3, scoring=weighted_f1_scorer)
    np.testing.assert_array_equal(scores["test_weighted"], single)
    assert set(scores) >= {f"test_{name}" for name in SCORERS}
    ignored = cross_val_score(_classifier(), X, y, cv=3, scoring="accuracy")
    assert (scores["test_accuracy"] > ignored).all()
    assert keep.sum() < len(keep)


def _two_scores(y_true, y_pred):
    return {"wf1": weighted_f1(y_true, y_pred), "mf1": minority_f1(y_true, y_pred)}


def test_a_function_that_returns_a_dict_gives_several_scores():
    X, y = _conversations()
    scoring = make_dialogue_scorer(_two_scores)
    scores = cross_validate(_classifier(), X, y, cv=3, scoring=scoring)
    single = cross_val_score(_classifier(), X, y, cv=3, scoring=minority_f1_scorer)
    np.testing.assert_array_equal(scores["test_mf1"], single)


@pytest.mark.slow
def test_grid_search_in_two_processes_takes_configured_scorers():
    X, y = _conversations()
    scoring = SCORERS | {"rare": make_dialogue_scorer(minority_f1, minority=["c"])}
    grid = {"logisticregression__C": [1e-6, 1.0]}
    search = GridSearchCV(
        _classifier(), grid, scoring=scoring, refit="rare", cv=3, n_jobs=2
    ).fit(X, y)
    serial = GridSearchCV(_classifier(), grid, scoring=scoring["rare"], cv=3).fit(X, y)
    assert search.best_params_ == {"logisticregression__C": 1.0}
    assert search.best_score_ == serial.best_score_


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=list(SCORERS))
def test_a_table_without_rows_is_told_and_not_taken_for_context(scorer):
    X = make_frame({"text": [[0.0], [1.0]]}, dialogue=["a", "b"])
    model = make_pipeline(FunctionTransformer(drop_keys), DummyClassifier())
    model.fit(X, ["joy", "fear"])
    with pytest.raises(ValueError, match="^X holds no row, so that there is nothing"):
        scorer(model, X.iloc[:0], [])
    assert minority_classes([]) == []
