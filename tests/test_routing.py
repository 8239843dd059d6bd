"""scikit-learn's metadata routing switched on, with and without metadata."""

from contextlib import nullcontext

import numpy as np
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as with_sampler
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, VotingClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from systems import NAMES, answer_of, fit_model, make_model, mostly_slow

from skmerc import DialogueSampler
from skmerc.datasets import make_conversations
from skmerc.metrics import accuracy_scorer, weighted_f1_scorer
from skmerc.model_selection import DialogueKFold

HEADS = [
    "boost",
    AdaBoostClassifier(n_estimators=2, random_state=0),
    BaggingClassifier(LogisticRegression(), 2, random_state=0),
    CalibratedClassifierCV(LogisticRegression(), cv=2),
    VotingClassifier([("one", LogisticRegression())], voting="soft"),
    make_pipeline(LogisticRegression()),
]


@pytest.fixture(scope="module")
def table():
    X, y = make_conversations(12, n_turns=(4, 8), random_state=0)
    return X, np.resize(["anger", "joy", "neutral"], len(y))


@pytest.fixture
def routed():
    with config_context(enable_metadata_routing=True):
        yield


@pytest.mark.parametrize("name", mostly_slow(NAMES))
def test_routing_changes_no_fit(table, name):
    X, y = table
    model = make_model(name)
    fit_model(model, name, X, y)
    again = clone(model)
    with config_context(enable_metadata_routing=True):
        fit_model(again, name, X, y)
        if name != "sampler":
            there, here = answer_of(again, name, X), answer_of(model, name, X)
            np.testing.assert_array_equal(there, here)


@pytest.mark.parametrize(
    "head", mostly_slow(HEADS), ids=lambda head: type(head).__name__
)
def test_a_head_gets_its_weights_with_routing_and_without(table, head):
    X, y = table
    weight = np.linspace(1, 3, len(y))
    model = make_model("cberl", head=head)
    expected = clone(model).fit(X, y, sample_weight=weight).predict_proba(X)
    with config_context(enable_metadata_routing=True):
        found = clone(model).fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_array_equal(found, expected)


class Watching(LogisticRegression):
    """Remembers the weights that it was given."""

    def fit(self, X, y, sample_weight=None):
        self.given_ = sample_weight
        return super().fit(X, y, sample_weight)


def test_weights_reach_the_head_inside_a_pipeline_or_a_search(table):
    X, y = table
    weight = np.linspace(1, 3, len(y))
    inside = make_pipeline(StandardScaler(), make_pipeline(Watching()))
    search = GridSearchCV(inside, {"pipeline__watching__C": [1.0]}, cv=2)
    model = make_model("cberl", head=search, patience=None).fit(X, y, weight)
    found = model.head_.best_estimator_[-1][-1].given_
    np.testing.assert_allclose(np.sort(found), weight, rtol=1e-6)


@pytest.mark.parametrize(
    "head", mostly_slow([KNeighborsClassifier(), make_pipeline(GaussianNB())])
)
def test_a_head_without_weights_is_told(table, head):
    X, y = table
    weight = np.linspace(1, 3, len(y))
    knows = isinstance(head, Pipeline)
    model = make_model("cberl", head=head)
    assert clone(model).fit(X, y).predict(X).shape == y.shape
    skewed = np.where(np.arange(len(y)) % 5, "anger", "joy")
    calls = [
        lambda: clone(model).fit(X, y, weight),
        lambda: clone(model).set_params(class_weight="balanced").fit(X, skewed),
    ]
    for call in calls:
        with (
            nullcontext()
            if knows
            else pytest.raises(
                ValueError, match="head=KNeighborsClassifier takes no sample_weight"
            )
        ):
            call()


def test_a_head_of_others_without_weights_is_fitted_without(table):
    X, y = table
    head = BaggingClassifier(KNeighborsClassifier(), 2, random_state=0)
    assert make_model("cberl", head=head).fit(X, y).predict(X).shape == y.shape


@pytest.mark.slow
def test_weights_are_routed_through_pipelines_and_searches(table, routed):
    X, y = table
    weight = np.linspace(1, 3, len(y))
    asks = make_model("boost").set_fit_request(sample_weight=True)
    fuser = make_model("fuser").set_fit_request(sample_weight=False)
    plain = clone(fuser).fit(X, y)
    expected = clone(asks).fit(plain.transform(X), y, sample_weight=weight)
    expected = expected.predict_proba(plain.transform(X))
    for make in (make_pipeline, with_sampler):
        steps = make(clone(fuser), clone(asks)).fit(X, y, sample_weight=weight)
        np.testing.assert_array_equal(steps.predict_proba(X), expected)
    search = GridSearchCV(
        asks.set_score_request(sample_weight=True), {"lr": [1e-3]}, cv=DialogueKFold(2)
    )
    assert 0 <= search.fit(X, y, sample_weight=weight).best_score_ <= 1


def test_nothing_is_asked_for_where_nothing_is_given(table, routed):
    X, y = table
    sampler = DialogueSampler(RandomOverSampler(random_state=0))
    model = with_sampler(sampler, make_model("fuser"), make_model("boost"))
    scores = cross_validate(
        model, X, y, cv=DialogueKFold(2), scoring=accuracy_scorer, error_score="raise"
    )
    assert np.isfinite(scores["test_score"]).all()


def test_weights_are_dropped_by_nobody(table, routed):
    X, y = table
    given = {"params": {"sample_weight": np.ones(len(y))}, "cv": DialogueKFold(2)}
    silent = make_model("boost", max_epochs=1)
    for model, scorer in (
        (silent, weighted_f1_scorer),
        (silent.set_fit_request(sample_weight=True), weighted_f1_scorer),
    ):
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            cross_validate(model, X, y, scoring=scorer, error_score="raise", **given)
