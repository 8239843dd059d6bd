import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import AdaBoostClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from systems import mostly_slow

from skmerc.ensemble import FocalAdaBoostClassifier
from skmerc.ensemble._focal_adaboost import samme_vote

WEAK_LEARNERS = {
    "default": None,
    "tree": DecisionTreeClassifier(max_depth=3, max_features=2),
    "logistic": LogisticRegression(C=50.0),
    "bayes": GaussianNB(),
    "sgd": SGDClassifier(loss="log_loss", max_iter=20, tol=None),
    "svc": LinearSVC(C=10.0),
}


class Told(ClassifierMixin, BaseEstimator):
    """Predicts column 0 of X, or 2 once the weights differ, as sure as column 1."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.sample_weight_ = sample_weight
        return self

    def predict(self, X):
        return X[:, 0 if np.ptp(self.sample_weight_) < 1e-12 else 2].astype(int)

    def predict_proba(self, X):
        told = self.predict(X)[:, np.newaxis] == self.classes_
        rest = (1 - X[:, 1:2]) / (len(self.classes_) - 1)
        return np.where(told, X[:, 1:2], rest)


class KnowsOneClass(Told):
    """Forgets all classes but the most frequent one."""

    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        names, counts = np.unique(y, return_counts=True)
        self.classes_ = names[[counts.argmax()]]
        return self

    def predict(self, X):
        return np.repeat(self.classes_, len(X))

    def predict_proba(self, X):
        return np.ones((len(X), 1))


def make_table(n_classes, seed=0, n_rows=150):
    return make_classification(
        n_rows,
        8,
        n_informative=5,
        n_classes=n_classes,
        flip_y=0.2,
        class_sep=0.5,
        random_state=seed,
    )


def seven_classes_with_eight_of_twenty_wrong():
    y = np.arange(20) % 7
    told = np.where(np.arange(20) < 8, (y + 1) % 7, y)
    sure = np.linspace(0.5, 0.95, 20)
    told_later = np.where(np.arange(20) < 16, y, (y + 1) % 7)
    return np.column_stack([told, sure, told_later]), y, told != y


@pytest.mark.parametrize("weighted", mostly_slow([False, True]))
@pytest.mark.parametrize("n_classes", mostly_slow([2, 3, 6]))
@pytest.mark.parametrize("name", mostly_slow(WEAK_LEARNERS))
def test_gamma_zero_is_the_adaboost_of_scikit_learn(name, n_classes, weighted):
    X, y = make_table(n_classes)
    y = np.array(list("fedcba"))[y]
    weight = np.linspace(0.5, 2.0, len(y)) if weighted else None
    settings = {"n_estimators": 8, "learning_rate": 0.7, "random_state": 3}
    stock = AdaBoostClassifier(WEAK_LEARNERS[name], **settings)
    stock.fit(X, y, sample_weight=weight)
    ours = FocalAdaBoostClassifier(WEAK_LEARNERS[name], gamma=0, **settings)
    ours.fit(X, y, sample_weight=weight)
    assert len(ours.estimators_) == len(stock.estimators_)
    assert_allclose(ours.estimator_weights_, stock.estimator_weights_, rtol=1e-9)
    assert_allclose(ours.estimator_errors_, stock.estimator_errors_, rtol=1e-9)
    assert_array_equal(ours.classes_, stock.classes_)
    assert_array_equal(ours.predict(X), stock.predict(X))
    assert_allclose(ours.predict_proba(X), stock.predict_proba(X), rtol=1e-9)
    stages = zip(ours.staged_predict(X), stock.staged_predict(X), strict=True)
    for our_stage, stock_stage in stages:
        assert_array_equal(our_stage, stock_stage)


def test_gamma_zero_boosts_several_rounds_in_the_comparison_above():
    X, y = make_table(6)
    model = FocalAdaBoostClassifier(gamma=0, n_estimators=8).fit(X, y)
    assert len(model.estimators_) == 8


def test_seven_classes_and_error_04_give_the_vote_and_factor_of_samme():
    X, y, wrong = seven_classes_with_eight_of_twenty_wrong()
    model = FocalAdaBoostClassifier(Told(), n_estimators=2, gamma=0).fit(X, y)
    assert model.estimator_errors_[0] == pytest.approx(0.4)
    assert model.estimator_weights_[0] == pytest.approx(2.1972, abs=5e-5)
    second = model.estimators_[1].sample_weight_
    assert_allclose(second[wrong] / second[~wrong][0], 9.0)
    assert_allclose(second[~wrong], second[~wrong][0])


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_vote_is_zero_at_the_error_of_chance(n_classes):
    assert samme_vote(1 - 1 / n_classes, n_classes) == pytest.approx(0, abs=1e-12)


def test_two_classes_reduce_to_adaboost_m1():
    assert samme_vote(0.2, 2) == pytest.approx(np.log(0.8 / 0.2))


def test_first_round_is_plain_samme_whatever_gamma():
    X, y, _ = seven_classes_with_eight_of_twenty_wrong()
    model = FocalAdaBoostClassifier(Told(), n_estimators=1, gamma=5.0).fit(X, y)
    assert_allclose(model.estimators_[0].sample_weight_, 1 / 20)
    assert model.estimator_weights_[0] == pytest.approx(2.1972, abs=5e-5)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_weak_learner_is_fitted_with_weights_times_doubt_to_the_gamma(gamma):
    X, y, wrong = seven_classes_with_eight_of_twenty_wrong()
    model = FocalAdaBoostClassifier(Told(), n_estimators=2, gamma=gamma).fit(X, y)
    own = np.where(wrong, (1 - X[:, 1]) / 6, X[:, 1])
    expected = np.where(wrong, 9.0, 1.0) * (1 - own) ** gamma
    assert_allclose(model.estimators_[1].sample_weight_, expected / expected.sum())


def test_focal_factor_does_not_pile_up_in_the_error_or_the_vote():
    X, y, _ = seven_classes_with_eight_of_twenty_wrong()
    focal = FocalAdaBoostClassifier(Told(), n_estimators=3, gamma=3.0).fit(X, y)
    plain = FocalAdaBoostClassifier(Told(), n_estimators=3, gamma=0).fit(X, y)
    assert_allclose(focal.estimator_errors_, plain.estimator_errors_)
    assert_allclose(focal.estimator_weights_, plain.estimator_weights_)


def test_larger_gamma_moves_weight_to_rows_that_are_in_doubt():
    X, y, _ = seven_classes_with_eight_of_twenty_wrong()
    shares = []
    for gamma in (0, 1, 2, 4):
        model = FocalAdaBoostClassifier(Told(), n_estimators=2, gamma=gamma)
        right = model.fit(X, y).estimators_[1].sample_weight_[8:]
        shares.append(right[:4].sum() / right.sum())
    assert np.all(np.diff(shares) > 0.05)


def test_gamma_changes_the_ensemble_of_a_real_weak_learner():
    X, y = make_table(4)
    plain = FocalAdaBoostClassifier(gamma=0).fit(X, y)
    focal = FocalAdaBoostClassifier(gamma=2).fit(X, y)
    assert not np.allclose(plain.estimator_weights_, focal.estimator_weights_)


def test_huge_gamma_keeps_the_weights_finite():
    X, y = make_table(3)
    tree = DecisionTreeClassifier(max_depth=4)
    model = FocalAdaBoostClassifier(tree, gamma=1e5, random_state=0).fit(X, y)
    assert np.all(np.isfinite(model.predict_proba(X)))
    assert len(model.estimators_) > 1


def test_perfect_weak_learner_ends_boosting_and_votes_alone():
    X, y = make_table(3)
    model = FocalAdaBoostClassifier(DecisionTreeClassifier(), n_estimators=5)
    model.fit(X, y)
    assert len(model.estimators_) == 1
    assert_array_equal(model.estimator_weights_, [1, 0, 0, 0, 0])
    assert_array_equal(model.predict(X), y)
    proba = model.predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1)
    assert_array_equal(model.classes_[proba.argmax(axis=1)], y)


def test_learner_no_better_than_chance_in_the_first_round_is_an_error():
    y = np.arange(12) % 3
    X = np.column_stack([(y + 1) % 3, np.full(12, 0.5), y])
    message = r"Told, has a weighted error of 1\.000, no better than chance among 3"
    with pytest.raises(ValueError, match=message):
        FocalAdaBoostClassifier(Told()).fit(X, y)


def test_constant_features_leave_a_classifier():
    X, y = np.zeros((13, 2)), np.arange(13) % 3
    model = FocalAdaBoostClassifier().fit(X, y)
    assert_array_equal(model.predict(X), 0)
    assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_learner_no_better_than_chance_later_is_dropped():
    X, y, wrong = seven_classes_with_eight_of_twenty_wrong()
    X[:, 2] = np.where(np.arange(20) < 9, (y + 1) % 7, y)
    model = FocalAdaBoostClassifier(Told(), n_estimators=9).fit(X, y)
    assert len(model.estimators_) == 1
    assert_allclose(model.estimator_weights_[1:], 0)
    assert_array_equal(model.predict(X) != y, wrong)


def test_weak_learner_may_miss_classes():
    X, y = make_table(3)
    y = np.where(np.arange(len(y)) % 10 > 2, 0, 1 + y % 2)
    model = FocalAdaBoostClassifier(KnowsOneClass(), n_estimators=3, gamma=2)
    model.fit(X, y)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.predict_proba(X).shape == (len(y), 3)
    assert_array_equal(model.predict(X), 0)


def test_rows_of_weight_zero_never_count():
    X, y = make_table(3)
    weight = (np.arange(len(y)) % 3 > 0).astype(float)
    spoiled = X.copy()
    spoiled[weight == 0] += 100.0
    tree = DecisionTreeClassifier(max_depth=2)
    models = [
        FocalAdaBoostClassifier(tree, gamma=200, random_state=0).fit(
            data, labels, weight
        )
        for data, labels in ((X, y), (spoiled, (y + 1) % 3))
    ]
    votes = [model.estimator_weights_ for model in models]
    assert len(models[0].estimators_) > 1
    assert_allclose(votes[0], votes[1])


def test_linear_learner_on_embeddings_needs_its_penalty_scaled_by_the_rows():
    X, y = make_table(4, n_rows=400)
    alone = LogisticRegression(C=0.5, max_iter=500, tol=1e-8).fit(X, y)
    learner = LogisticRegression(C=0.5 * len(y), max_iter=500, tol=1e-8)
    model = FocalAdaBoostClassifier(learner, n_estimators=1).fit(X, y)
    assert_allclose(model.estimators_[0].coef_, alone.coef_, atol=1e-3)


def test_learner_without_probabilities_is_refused_unless_gamma_is_zero():
    X, y = make_table(2)
    with pytest.raises(ValueError, match="Perceptron has no predict_proba; set gamma"):
        FocalAdaBoostClassifier(Perceptron()).fit(X, y)
    model = FocalAdaBoostClassifier(Perceptron(), gamma=0, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.6


def test_learner_without_sample_weight_is_refused():
    X, y = make_table(2)
    with pytest.raises(ValueError, match="doesn't support sample_weight"):
        FocalAdaBoostClassifier(KNeighborsClassifier()).fit(X, y)


@pytest.mark.parametrize(
    ("name", "value"), [("gamma", -1), ("learning_rate", 0), ("n_estimators", 0)]
)
def test_wrong_parameter_is_named(name, value):
    X, y = make_table(2)
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        FocalAdaBoostClassifier(**{name: value}).fit(X, y)


def test_same_seed_repeats_and_leaves_the_global_generator_alone():
    X, y = make_table(3)
    tree = DecisionTreeClassifier(max_depth=2, max_features=1)
    model = FocalAdaBoostClassifier(tree, random_state=5)
    before = np.random.get_state()[1].copy()
    first = model.fit(X, y).predict_proba(X)
    assert_array_equal(before, np.random.get_state()[1])
    assert_array_equal(first, clone(model).fit(X, y).predict_proba(X))
    other = clone(model).set_params(random_state=6).fit(X, y).predict_proba(X)
    assert not np.array_equal(first, other)


def test_second_fit_forgets_the_first_and_pickling_keeps_the_predictions():
    X, y = make_table(6)
    model = FocalAdaBoostClassifier(random_state=0).fit(X, y)
    X, y = make_table(2, seed=1)
    model.fit(X[:, :5], y)
    fresh = FocalAdaBoostClassifier(random_state=0).fit(X[:, :5], y)
    assert_array_equal(model.classes_, [0, 1])
    copy = pickle.loads(pickle.dumps(model))
    assert_array_equal(copy.predict_proba(X[:, :5]), fresh.predict_proba(X[:, :5]))


def test_one_class_only_is_predicted():
    X = np.arange(6.0).reshape(3, 2)
    model = FocalAdaBoostClassifier().fit(X, ["joy"] * 3)
    assert_array_equal(model.predict(X), ["joy"] * 3)
    assert_array_equal(model.predict_proba(X), np.ones((3, 1)))


def test_one_class_only_is_predicted_after_each_round():
    X, y = np.arange(6.0).reshape(3, 2), ["joy"] * 3
    model = FocalAdaBoostClassifier().fit(X, y)
    assert len(model.estimators_) == 1
    (stage,) = model.staged_predict(X)
    assert_array_equal(stage, y)
    (stage,) = model.staged_predict_proba(X)
    assert_array_equal(stage, np.ones((3, 1)))
    (stage,) = model.staged_decision_function(X)
    assert_array_equal(stage, model.decision_function(X))
    assert list(model.staged_score(X, y)) == [1.0]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_last_stage_is_the_answer(n_classes):
    X, y = make_table(n_classes)
    model = FocalAdaBoostClassifier(random_state=0).fit(X, y)
    for method in ("decision_function", "predict", "predict_proba"):
        *_, last = getattr(model, f"staged_{method}")(X)
        assert_allclose(last, getattr(model, method)(X))


def test_weights_are_its_own_where_metadata_is_routed():
    X, y = make_table(3)
    weight = np.linspace(1, 3, len(y))
    model = FocalAdaBoostClassifier(random_state=0)
    expected = clone(model).fit(X, y, sample_weight=weight).predict_proba(X)
    with config_context(enable_metadata_routing=True):
        found = clone(model).fit(X, y, sample_weight=weight).predict_proba(X)
        assert_array_equal(found, expected)
        steps = make_pipeline(clone(model).set_fit_request(sample_weight=True))
        found = steps.fit(X, y, sample_weight=weight).predict_proba(X)
        assert_array_equal(found, expected)
        with pytest.raises(UnsetMetadataPassedError, match="FocalAdaBoostClassifier"):
            make_pipeline(clone(model)).fit(X, y, sample_weight=weight)
        assert get_config()["enable_metadata_routing"]
