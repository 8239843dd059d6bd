"""scikit-learn's ensembles, calibration and metrics beside rows without a label."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.metrics import classification_report, confusion_matrix
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from systems import make_model, mostly_slow

from skmerc.datasets import make_conversations, to_frame
from skmerc.frame import drop_keys
from skmerc.model_selection import DialogueKFold, fill_labels

EMOTIONS = ["anger", "joy", "neutral", "sadness"]


@pytest.fixture(scope="module")
def table():
    """Labels as to_frame gives them: every fifth row of each dialogue has none."""
    X, _ = make_conversations(6, n_turns=(6, 8), random_state=0)
    turns = [
        {
            "dialogue": dialogue,
            "turn": int(turn),
            "text": "x",
            "label": None if turn % 5 == 0 else EMOTIONS[(turn % 5) - 1],
        }
        for dialogue, turn in zip(X["dialogue__id"], X["dialogue__turn"], strict=True)
    ]
    keys, y = to_frame(turns)
    return keys.drop(columns="utterance").join(drop_keys(X)), y


CBERL = make_model("cberl", max_epochs=1)
STEPS = make_pipeline(make_model("fuser", max_epochs=1), CBERL)
CV = DialogueKFold(2)
META = {
    "calibrated": CalibratedClassifierCV(CBERL, cv=CV),
    "calibrated by steps": CalibratedClassifierCV(CBERL, cv=CV, method="isotonic"),
    "calibrated once": CalibratedClassifierCV(CBERL, cv=CV, ensemble=False),
    "stacking": StackingClassifier([("a", CBERL)], cv=CV),
    "voting": VotingClassifier([("a", CBERL), ("b", CBERL)], voting="soft"),
    "majority": VotingClassifier([("a", CBERL), ("b", CBERL)]),
}
WITHOUT_WEIGHTS = {
    "voting of pipelines": VotingClassifier(
        [("a", STEPS), ("b", CBERL)], voting="soft"
    ),
    "one against the rest": OneVsRestClassifier(CBERL),
}


def answers(model, X):
    return (
        model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)
    )


def other_fill(y, weight, emotion):
    return np.where(weight == 0, emotion, y)


@pytest.mark.parametrize("model", mostly_slow(META.values()), ids=list(META))
def test_no_answer_depends_on_what_was_filled_in(table, model):
    X, y = table
    filled, weight = fill_labels(X, y)
    found = [
        answers(clone(model).fit(X, labels, sample_weight=weight), X)
        for labels in (filled, other_fill(filled, weight, "sadness"))
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].shape in ((len(X), 4), (len(X),))


@pytest.mark.parametrize(
    "model", mostly_slow(WITHOUT_WEIGHTS.values()), ids=list(WITHOUT_WEIGHTS)
)
def test_votes_of_our_estimators_need_no_weights(table, model):
    X, y = table
    filled, weight = fill_labels(X, y)
    found = [
        clone(model).fit(X, labels).predict_proba(X)
        for labels in (filled, other_fill(filled, weight, "sadness"))
    ]
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.slow
def test_calibration_of_a_pipeline_weighs_what_it_calibrates_on(table):
    X, y = table
    filled, weight = fill_labels(X, y)
    found = []
    for labels in (filled, other_fill(filled, weight, "sadness")):
        model = CalibratedClassifierCV(STEPS, cv=CV)
        with pytest.warns(UserWarning, match="only be used for the calibration itself"):
            model.fit(X, labels, sample_weight=weight)
        found.append(model.predict_proba(X))
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.slow
def test_stacking_stands_last_in_a_pipeline(table):
    X, y = table
    filled, weight = fill_labels(X, y)
    steps = make_pipeline(clone(STEPS[0]), clone(META["stacking"]))
    found = [
        clone(steps)
        .fit(X, labels, stackingclassifier__sample_weight=weight)
        .predict_proba(X)
        for labels in (filled, other_fill(filled, weight, "sadness"))
    ]
    np.testing.assert_array_equal(found[0], found[1])


def test_voting_is_the_mean_of_members_that_were_given_the_gaps(table):
    X, y = table
    voting = clone(META["voting"]).fit(X, fill_labels(X, y)[0])
    alone = clone(CBERL).fit(X, y)
    np.testing.assert_array_equal(voting.predict_proba(X), alone.predict_proba(X))


def test_baselines_and_reports_count_the_labelled_rows(table):
    X, y = table
    filled, weight = fill_labels(X, y)
    rows = weight > 0
    answer = clone(CBERL).fit(X, y).predict(X)
    truth = y[rows].astype(str)
    assert classification_report(
        filled, answer, sample_weight=weight, zero_division=0.0, output_dict=True
    ) == classification_report(truth, answer[rows], zero_division=0.0, output_dict=True)
    np.testing.assert_array_equal(
        confusion_matrix(filled, answer, sample_weight=weight),
        confusion_matrix(truth, answer[rows]),
    )
    shares = DummyClassifier(strategy="prior").fit(X, filled, sample_weight=weight)
    assert shares.class_prior_ == pytest.approx(
        np.unique(truth, return_counts=True)[1] / rows.sum()
    )


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA], ids=repr)
@pytest.mark.parametrize("kind", [list, pd.Series, lambda y: np.array(y, object)])
@pytest.mark.parametrize("labels", [["joy", "fear"], [3, 1]], ids=str)
def test_gaps_are_filled_with_a_label_that_is_there(table, labels, kind, missing):
    X, _ = table
    context = (X["dialogue__role"] == "context").to_numpy()
    y = [missing if gap else labels[i % 2] for i, gap in enumerate(context)]
    filled, weight = fill_labels(X, kind(y))
    assert filled.dtype.kind in ("U" if isinstance(labels[0], str) else "if")
    assert set(filled) == set(labels)
    expected = np.resize(labels, len(y))
    np.testing.assert_array_equal(filled[~context], expected[~context])
    np.testing.assert_array_equal(weight, ~context)


def test_complete_labels_stay_and_context_has_no_weight(table):
    X, _ = table
    y = np.resize(EMOTIONS, len(X))
    filled, weight = fill_labels(X, y)
    np.testing.assert_array_equal(filled, y)
    np.testing.assert_array_equal(weight, X["dialogue__role"] != "context")


def test_another_row_without_a_label_is_refused(table):
    X, y = table
    with pytest.raises(
        ValueError, match=r"label is missing in \d+ rows, first in row 0"
    ):
        fill_labels(X.assign(dialogue__role="utterance"), y)
    with pytest.raises(ValueError, match="give one label"):
        fill_labels(X, y[1:])
