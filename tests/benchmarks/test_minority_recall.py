"""What the three remedies together do for the rarest emotion.

On this corpus the generator raises its recall most and the focal loss a little, while
the boosting head takes some of it back; the test holds for the sum of the three.

    pytest -n 0 -m benchmark tests/benchmarks/test_minority_recall.py
"""

import numpy as np
import pytest
from imblearn.pipeline import make_pipeline
from sklearn.metrics import recall_score

from skmerc import CBERLClassifier, MultimodalGANSampler
from skmerc.datasets import make_conversations

SEEDS = range(4)


def corpus(seed, n_training=60):
    X, y = make_conversations(n_training + 150, imbalance=10, random_state=seed)
    known = X["dialogue__id"].unique()[:n_training]
    training = X["dialogue__id"].isin(known).to_numpy()
    return (X[training], y[training]), (X[~training], y[~training])


def plain_and_remedied(seed):
    settings = {
        "hidden_size": 16,
        "lstm_layers": 1,
        "lr": 3e-3,
        "max_epochs": 20,
        "patience": None,
        "device": "cpu",
        "random_state": seed,
    }
    sampler = MultimodalGANSampler(
        sampling_strategy="mean",
        hidden_size=32,
        n_steps=200,
        device="cpu",
        random_state=seed,
    )
    remedied = CBERLClassifier(head="boost", **settings)
    return CBERLClassifier(focal_gamma=0, **settings), make_pipeline(sampler, remedied)


@pytest.mark.benchmark
def test_augmentation_focal_loss_and_boosting_find_more_of_the_rarest_emotion():
    recalls = []
    for seed in SEEDS:
        (X, y), (X_test, y_test) = corpus(seed)
        names, counts = np.unique(y, return_counts=True)
        rarest = names[[counts.argmin()]]
        answers = [m.fit(X, y).predict(X_test) for m in plain_and_remedied(seed)]
        recalls.append(
            [recall_score(y_test, a, labels=rarest, average="macro") for a in answers]
        )
    plain, remedied = np.mean(recalls, axis=0)
    assert 0.1 < plain < 0.9, "the plain classifier leaves nothing to compare"
    assert remedied > plain + 0.05
