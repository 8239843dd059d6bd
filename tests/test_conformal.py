"""Sets of emotions: what they cover, and what does not calibrate them."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, binom
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, ShuffleSplit
from systems import mostly_slow

from skmerc import DialogueConformalClassifier, UtteranceClassifier
from skmerc.frame import drop_keys, make_frame
from skmerc.model_selection import DialogueKFold
from skmerc.persistence import load_model, save_model

CLASSES = np.array(["anger", "fear", "joy"])


class Exact(ClassifierMixin, BaseEstimator):
    """Answers with the probabilities that the labels were drawn by, which are X."""

    def fit(self, X, y):
        self.classes_ = CLASSES
        return self

    def predict_proba(self, X):
        return np.asarray(drop_keys(X), float)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def drawn(n_dialogues, n_turns=4, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.6, 0.3, 0.9], n_dialogues * n_turns)
    y = CLASSES[(p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1).clip(max=2)]
    ids = np.repeat(np.arange(n_dialogues), n_turns)
    return make_frame({"text": p}, dialogue=ids), y


def covered(sets, y):
    return sets.to_numpy()[np.arange(len(y)), np.searchsorted(sets.columns, y)]


@pytest.mark.parametrize("method", mostly_slow(["lac", "aps"]))
@pytest.mark.parametrize("per_class", mostly_slow([False, True]))
def test_sets_cover_as_often_as_is_promised_in_new_dialogues(method, per_class):
    """With exact probabilities utterances are independent, and counts binomial."""
    alpha, (X, y) = 0.2, drawn(2000)
    model = DialogueConformalClassifier(
        FrozenEstimator(Exact().fit(X, y)), alpha=alpha, method=method,
        per_class=per_class,
    ).fit(X, y)  # fmt: skip
    X_new, y_new = drawn(2000, seed=1)
    is_in = covered(model.predict_set(X_new), y_new)
    groups = [y_new == name for name in CLASSES] if per_class else [y_new != ""]
    for rows, name in zip(groups, CLASSES, strict=False):
        # Utterances of a dialogue weigh no more than one of another, so that the
        # threshold is at least as good as one of as many utterances as dialogues.
        known = y == name if per_class else y != ""
        n = X["dialogue__id"][known].nunique()
        low, high = beta.ppf([1e-6, 1 - 1e-6], (1 - alpha) * n, alpha * n)
        least, most = binom.ppf([1e-6, 1 - 1e-6], rows.sum(), [low, high])
        assert least <= is_in[rows].sum() <= most


def test_a_dialogue_counts_once_however_long_it_is():
    """By hand: ten dialogues, of which one has a thousand utterances."""
    lengths = [1000] + [1] * 9
    right = np.repeat([0.1] + [0.9] * 9, lengths)
    p = np.column_stack([right, (1 - right) / 2, (1 - right) / 2])
    X = make_frame({"text": p}, dialogue=np.repeat(np.arange(10), lengths))
    y = np.full(len(X), "anger")
    frozen = FrozenEstimator(Exact().fit(X, y))
    new = make_frame({"text": [[0.5, 0.3, 0.2]]})
    sets = {
        alpha: DialogueConformalClassifier(frozen, alpha=alpha, cv=2)
        .fit(X, y)
        .predict_set(new)
        .to_numpy()[0]
        .tolist()
        for alpha in (0.15, 0.2)
    }
    # One dialogue of ten is as unusual as 0.5: p = (1 + 1) / 11 = 0.18.
    assert sets == {0.15: [True], 0.2: [False]}


def test_aps_adds_what_is_at_least_as_probable():
    X, y = drawn(20)
    model = DialogueConformalClassifier(Exact(), method="aps", cv=2).fit(X, y)
    scores = model._scores(model.estimator_, np.array([[0.2, 0.5, 0.3]]))
    np.testing.assert_allclose(scores, [[1.0, 0.5, 0.8]])


def test_context_and_synthetic_rows_do_not_calibrate_and_get_sets():
    X, y = drawn(30)
    y = y.astype(object)
    X["dialogue__role"] = np.tile(
        ["utterance", "context", "synthetic", "utterance"], 30
    )
    y[1::4] = None
    model = DialogueConformalClassifier(Exact(), cv=3).fit(X, y)
    kept = pd.concat(model.calibration_)
    assert len(kept) == 60
    other = y.copy()
    other[1::4] = "joy"
    again = DialogueConformalClassifier(Exact(), cv=3).fit(X, other)
    sets = model.predict_set(X)
    pd.testing.assert_frame_equal(sets, again.predict_set(X))
    assert sets.shape == (len(X), 3)
    assert sets.index.equals(X.index)


def test_every_estimator_calibrates_on_dialogues_that_it_has_not_seen():
    seen = []

    class Watching(Exact):
        def fit(self, X, y):
            seen.append(set(X["dialogue__id"]))
            return super().fit(X, y)

    X, y = drawn(12)
    model = DialogueConformalClassifier(Watching(), cv=3, alpha=0.3).fit(X, y)
    for train, kept in zip(seen[:3], model.calibration_, strict=True):
        assert not train & set(kept["dialogue"])
    assert seen[3] == set(X["dialogue__id"])
    np.testing.assert_array_equal(model.predict(X), model.estimator_.predict(X))


@pytest.mark.parametrize("number", [np.int64(3), np.int32(3)])
def test_a_number_of_folds_may_be_numpys(number):
    X, y = drawn(12)
    found = DialogueConformalClassifier(Exact(), cv=number).fit(X, y).calibration_
    expected = DialogueConformalClassifier(Exact(), cv=3).fit(X, y).calibration_
    for one, other in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_too_few_dialogues_rule_nothing_out_and_say_so():
    X, y = drawn(6)
    with pytest.warns(UserWarning, match="6 dialogues are too few.*which takes 9"):
        model = DialogueConformalClassifier(Exact(), cv=2).fit(X, y)
    assert model.predict_set(X).to_numpy().all()


def test_a_fit_that_fails_leaves_the_one_before():
    X, y = drawn(60)
    estimator = UtteranceClassifier(LogisticRegression())
    model = DialogueConformalClassifier(estimator, cv=2).fit(X, y)
    before = model.predict_set(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X.assign(text__0=np.nan), y)
    pd.testing.assert_frame_equal(model.predict_set(X), before)


def test_a_fitted_one_is_saved(tmp_path):
    X, y = drawn(60)
    estimator = UtteranceClassifier(LogisticRegression())
    model = DialogueConformalClassifier(estimator, cv=2).fit(X, y)
    save_model(model, tmp_path / "sets.skmerc")
    loaded = load_model(tmp_path / "sets.skmerc")
    pd.testing.assert_frame_equal(loaded.predict_set(X), model.predict_set(X))


@pytest.mark.parametrize("cv", [KFold(5), ShuffleSplit(3, random_state=0)])
def test_folds_that_test_a_dialogue_twice_are_refused(cv):
    X, y = drawn(12)
    with pytest.raises(ValueError, match="dialogues in more than one fold"):
        DialogueConformalClassifier(Exact(), cv=cv).fit(X, y)


def test_folds_may_be_given_as_rows():
    X, y = drawn(12)
    splitter = DialogueKFold(3)
    model = DialogueConformalClassifier(Exact(), cv=splitter).fit(X, y)
    pairs = list(splitter.split(X, y))
    listed = DialogueConformalClassifier(Exact(), cv=pairs).fit(X, y)
    for found, expected in zip(listed.calibration_, model.calibration_, strict=True):
        pd.testing.assert_frame_equal(found, expected)


def test_a_dialogue_that_a_fold_learns_and_tests_is_refused():
    X, y = drawn(12)
    rows = np.arange(len(X))
    cv = [(rows[::2], rows[1::2])]  # every dialogue is on both sides
    with pytest.raises(ValueError, match="trains with 12 of the dialogues .* '0'"):
        DialogueConformalClassifier(Exact(), cv=cv).fit(X, y)
    frozen = FrozenEstimator(Exact().fit(X, y))  # which learns nothing
    model = DialogueConformalClassifier(frozen, cv=[(rows, rows)]).fit(X, y)
    assert len(model.calibration_[0]) == len(X)


def test_its_score_leaves_context_out():
    X, y = drawn(12)
    context = np.arange(len(X)) % 3 == 0
    model = DialogueConformalClassifier(Exact(), cv=3, alpha=0.3).fit(X, y)
    expected = model.score(X[~context], y[~context])
    X = X.assign(dialogue__role=np.where(context, "context", "utterance"))
    for label in ("bored", None):
        assert model.score(X, np.where(context, label, y)) == pytest.approx(expected)


def test_scores_are_those_of_the_fit():
    X, y = drawn(30)
    model = DialogueConformalClassifier(Exact(), cv=3).fit(X, y)
    sets = model.predict_set(X)
    pd.testing.assert_frame_equal(model.set_params(method="aps").predict_set(X), sets)
    assert not model.fit(X, y).predict_set(X).equals(sets)
