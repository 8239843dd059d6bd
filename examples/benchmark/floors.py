"""What every system must beat: simple answers, with the same care."""

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmark.bigru import GRUClassifier, features
from benchmark.corpora import keys_of
from skmerc import UtteranceClassifier
from skmerc.frame import make_frame, read_keys

BOOSTING = {
    "max_iter": 100,
    "learning_rate": 0.1,
    "max_leaf_nodes": 15,
    "max_features": 0.2,
    "early_stopping": False,  # it would hold out utterances, not dialogues
}


def logistic(seed=0, *, reach=0):
    """Logistic regression on the utterance, or on so many before and after it, too."""
    classifier = UtteranceClassifier(
        make_pipeline(
            FunctionTransformer(np.nan_to_num),
            StandardScaler(),
            FunctionTransformer(np.clip, kw_args={"a_min": -10, "a_max": 10}),
            LogisticRegression(C=0.01, max_iter=2000),
        )
    )
    near = FunctionTransformer(with_neighbours, kw_args={"reach": reach})
    return make_pipeline(near, classifier) if reach else classifier


def with_neighbours(X, reach):
    """Append the features of the utterances before and after, 0 beyond the ends."""
    keys, values = read_keys(X), features(X)
    order = np.lexsort((keys["dialogue__turn"], keys["dialogue__id"]))
    ids, values = keys["dialogue__id"].to_numpy()[order], values[order]
    blocks = {}
    for number, shift in enumerate(range(-reach, reach + 1)):
        same = ids == np.roll(ids, shift)
        near = np.roll(values, shift, axis=0) * same[:, None]
        blocks[f"near{number}"] = near[np.argsort(order)]
    return make_frame(blocks, **keys_of(X))


def most_frequent(seed=0):
    """Answer with the most frequent emotion."""
    return UtteranceClassifier(DummyClassifier())


def boosting(seed):
    """Gradient boosting on the utterance."""
    model = HistGradientBoostingClassifier(**BOOSTING, random_state=seed)
    return UtteranceClassifier(model)


def gru(seed, **settings):
    """A plain Bi-GRU over the dialogue."""
    return GRUClassifier(random_state=seed, **settings)


def near(reach):
    """Return what makes logistic regression on neighbours."""
    return lambda seed: logistic(seed, reach=reach)


FLOOR = "Bi-GRU"
FLOORS = {
    "most frequent": most_frequent,
    "logistic regression": logistic,
    "the same, ±2 neighbours": near(2),
    "the same, ±5 neighbours": near(5),
    "gradient boosting": boosting,
    FLOOR: gru,
}


def _regressor(model):
    return make_pipeline(FunctionTransformer(features), StandardScaler(), model)


SCORE_FLOORS = {
    "median": lambda seed: _regressor(DummyRegressor(strategy="median")),
    "ridge regression": lambda seed: _regressor(Ridge(1000.0)),
    "gradient boosting": lambda seed: _regressor(
        HistGradientBoostingRegressor(**BOOSTING, random_state=seed)
    ),
}

WITHOUT_SEED = frozenset(
    {
        "most frequent",
        "logistic regression",
        "the same, ±2 neighbours",
        "the same, ±5 neighbours",
        "median",
        "ridge regression",
    }
)
"""These do not depend on a seed, and so are fitted once."""
