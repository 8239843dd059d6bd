"""One small instance of every estimator that trains a network or answers from one.

A further system is one line here, and the suites that hold for all of them run on it.
"""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from skmerc import (
    CBERLClassifier,
    DialogueGCNClassifier,
    DJVAEFuser,
    FocalAdaBoostClassifier,
    JoyfulClassifier,
    JoyfulRegressor,
    MultimodalGANSampler,
)
from skmerc.frame import drop_keys

_JOYFUL = {
    "fusion_size": 16,
    "hidden_size": 16,
    "n_bases": 4,
    "heads": 2,
    "batch_size": 64,
}
_BOOSTING = FocalAdaBoostClassifier(LogisticRegression(), n_estimators=3)
_CBERL = {"hidden_size": 8, "heads": 2, "batch_size": 8}
_CODED = _CBERL | {"fusion": "djvae", "warmup_epochs": 3}
_DIALOGUEGCN = {"hidden_size": 6, "n_bases": 2, "batch_size": 8}
_MODELS = {
    "cberl": (CBERLClassifier, _CBERL),
    "djvae": (CBERLClassifier, _CODED),
    "boost": (CBERLClassifier, _CBERL | {"head": _BOOSTING}),
    "dialoguegcn": (DialogueGCNClassifier, _DIALOGUEGCN),
    "joyful": (JoyfulClassifier, _JOYFUL),
    "regressor": (JoyfulRegressor, _JOYFUL),
    "fuser": (DJVAEFuser, {"latent_size": 4, "hidden_size": 8}),
}
TRAINED_BY_EPOCHS = list(_MODELS)
# Classifiers for which no suite has settings of its own.
FURTHER = ["dialoguegcn"]
ANSWERING = [*_MODELS, "adaboost"]
NAMES = [*ANSWERING, "sampler"]
SAVED = list(_MODELS)  # trees are code of C, which is not trusted unless one says so


@contextmanager
def other_precision(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def other_device():
    torch.set_default_device("meta")  # stands for one that the user did not ask for
    try:
        yield
    finally:
        torch.set_default_device(None)


STATES = {
    "float64": lambda: other_precision(torch.float64),
    "bfloat16": lambda: other_precision(torch.bfloat16),
    "another device": other_device,
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "errors of numpy": lambda: np.errstate(all="raise"),
}


def mostly_slow(cases):
    """Leave all cases but the first to the slow tests; a tuple is several arguments."""
    first, *others = cases
    return [first, *map(_slow, others)]


def _slow(case):
    if not isinstance(case, type(pytest.param())):
        case = pytest.param(*case) if isinstance(case, tuple) else pytest.param(case)
    return case._replace(marks=[*case.marks, pytest.mark.slow])


def make_model(name, **changes):
    """Make the estimator of a name, which trains for two epochs."""
    if name == "sampler":
        settings = {"n_steps": 4, "hidden_size": 8, "device": "cpu", "random_state": 0}
        return MultimodalGANSampler(**(settings | changes))
    if name == "adaboost":
        return FocalAdaBoostClassifier(**({"random_state": 0} | changes))
    kind, settings = _MODELS[name]
    shared = {"max_epochs": 2, "device": "cpu", "random_state": 0}
    return kind(**(shared | settings | changes))


def target_of(name, X, y):
    """What it learns from a table: a score, or the emotions."""
    return X["text__0"].to_numpy() if name == "regressor" else y


def fit_model(model, name, X, y):
    """Fit it, or resample."""
    if name == "sampler":
        return model.fit_resample(X, y)
    X = drop_keys(X) if name == "adaboost" else X
    return model.fit(X, target_of(name, X, y))


def answer_of(model, name, X):
    """The numbers that it answers with."""
    if name == "fuser":
        return drop_keys(model.transform(X)).to_numpy()
    if name == "adaboost":
        return model.predict_proba(drop_keys(X))
    return model.predict(X) if name == "regressor" else model.predict_proba(X)
