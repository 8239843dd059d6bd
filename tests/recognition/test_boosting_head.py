"""The penalty of the boosting head: what chooses it, and what does not matter."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import f1_score
from systems import mostly_slow

from skmerc import CBERLClassifier, DialogueGCNClassifier, JoyfulClassifier
from skmerc.datasets import make_conversations
from skmerc.frame import mark_validation
from skmerc.recognition import _classifier, _imbalance
from skmerc.recognition._imbalance import boost

SMALL = {
    "max_epochs": 1,
    "batch_size": 8,
    "device": "cpu",
    "random_state": 0,
    "head": "boost",
}
JOYFUL = {"fusion_size": 16, "hidden_size": 16, "n_bases": 4, "heads": 2}
KINDS = [
    (CBERLClassifier, {"hidden_size": 8}),
    (DialogueGCNClassifier, {"hidden_size": 6, "n_bases": 2}),
    (JoyfulClassifier, JOYFUL),
]


@pytest.fixture(scope="module")
def rows():
    """Embeddings, classes and weights of rows that were learned, and of others."""
    x, y = make_classification(
        240, n_classes=3, n_informative=5, flip_y=0.3, random_state=0
    )
    weight = np.random.default_rng(0).integers(1, 3, len(x)).astype(float)
    return [part[:160] for part in (x, y, weight)], [
        part[160:] for part in (x, y, weight)
    ]


def penalty(head):
    return head.estimator_.C


@pytest.mark.slow
def test_neither_the_scale_of_embeddings_nor_repetition_matters(rows):
    (x, y, weight), (others, *_) = rows
    expected = boost((x, y, weight), None, 0).predict(others)
    scaled = boost((8 * x, y, weight), None, 0)
    np.testing.assert_array_equal(scaled.predict(8 * others), expected)
    shifted = boost((x + 1, y, weight), None, 0)
    assert penalty(shifted) == pytest.approx(penalty(boost((x, y, weight), None, 0)))
    times = weight.astype(int)
    repeated = x.repeat(times, axis=0), y.repeat(times), np.ones(times.sum())
    assert penalty(boost(repeated, None, 0)) == pytest.approx(penalty(shifted))


@pytest.mark.slow
def test_left_out_rows_choose_the_penalty(rows, monkeypatch):
    learned, left_out = rows
    x, y, weight = left_out
    found = {}
    for strength in _imbalance._STRENGTHS:
        monkeypatch.setattr(_imbalance, "_STRENGTH", strength)
        head = boost(learned, None, 0)
        answers = head.predict(x)
        score = f1_score(y, answers, average="weighted", sample_weight=weight)
        found[penalty(head)] = score
    chosen = penalty(boost(learned, left_out, 0))
    assert found[chosen] == max(found.values())
    equal = [c for c, score in found.items() if score == found[chosen]]
    assert chosen == min(equal)  # the largest penalty of those that score alike


@pytest.mark.parametrize(
    ("kind", "settings"), mostly_slow(KINDS), ids=lambda part: str(part)[:24]
)
@pytest.mark.parametrize("patience", mostly_slow([None, 3]))
def test_they_are_those_that_decide_when_to_stop(kind, settings, patience, monkeypatch):
    X, y = make_conversations(12, n_turns=(3, 6), random_state=0)
    marked = mark_validation(X, fraction=0.3, random_state=0)
    held_out = (marked["dialogue__role"] == "validation").to_numpy()
    seen = []

    def spy(learned, left_out, random_state):
        seen.append((learned, left_out))
        return boost(learned, None, random_state)  # quicker: one penalty is tried

    monkeypatch.setattr(_classifier, "boost", spy)
    kind(**SMALL, **settings, patience=patience).fit(marked, y)
    ((learned, left_out),) = seen
    assert len(learned[0]) == (~held_out).sum()
    assert (left_out is None) == (patience is None)
    if left_out is not None:
        assert len(left_out[0]) == held_out.sum()
        classes = np.unique(y)
        assert sorted(classes[left_out[1]]) == sorted(y[held_out])


@pytest.mark.parametrize("n_classes", [2, 4])
def test_its_probabilities_are_those_of_samme(n_classes):
    """Zhu et al. 2009: a class gets exp(f / (K - 1)), f the sum of its votes."""
    X, y = make_conversations(12, n_classes=n_classes, random_state=0)
    model = CBERLClassifier(hidden_size=8, **SMALL).fit(X, y)
    head, embedding = model.head_, model.transform(X)
    votes = np.zeros((len(X), n_classes))
    for learner, weight in zip(head.estimators_, head.estimator_weights_, strict=False):
        is_answer = learner.predict(embedding)[:, np.newaxis] == head.classes_
        votes += weight * np.where(is_answer, 1, -1 / (n_classes - 1))
    expected = np.exp(votes / (n_classes - 1))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "settings"), mostly_slow(KINDS), ids=lambda part: str(part)[:24]
)
@pytest.mark.parametrize("patience", mostly_slow([None, 3]))
def test_one_class_alone_is_answered_as_it_is_without_the_head(
    kind, settings, patience
):
    X, _ = make_conversations(6, n_turns=(3, 6), random_state=0)
    model = kind(**SMALL, **settings, patience=patience).fit(X, ["joy"] * len(X))
    assert set(model.predict(X)) == {"joy"}
    np.testing.assert_array_equal(model.predict_proba(X), 1)
