"""Tiny estimators, and a judge of what they do with an input."""

import warnings
from contextlib import contextmanager
from copy import deepcopy
from traceback import walk_tb

import numpy as np
import pandas as pd
from hypothesis import settings
from pandas.testing import assert_frame_equal, assert_series_equal
from sklearn.base import clone
from systems import FURTHER, make_model
from torch.optim.optimizer import register_optimizer_step_pre_hook

from skmerc import (
    CBERLClassifier,
    DialogueSampler,
    DJVAEFuser,
    JoyfulClassifier,
    JoyfulRegressor,
    MultimodalGANSampler,
)
from skmerc.ensemble import FocalAdaBoostClassifier

# Fits of networks, however small, take longer than what other tests draw; those that
# train to the end take longest.
many = settings(max_examples=settings.default.max_examples // 5)
few = settings(max_examples=settings.default.max_examples // 25)

SMALL = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "device": "cpu"}
JOYFUL = SMALL | {"fusion_size": 4, "n_bases": 2, "heads": 2}
GAN = {"hidden_size": 4, "noise_size": 2, "n_steps": 2, "batch_size": 8}

CLASSIFIERS = {
    "cberl": CBERLClassifier(heads=2, lstm_layers=1, **SMALL),
    "cberl_djvae": CBERLClassifier(
        heads=2, lstm_layers=0, fusion="djvae", latent_size=2, **SMALL
    ),
    "joyful": JoyfulClassifier(**JOYFUL),
    **{name: make_model(name, **SMALL) for name in FURTHER},
}
SAMPLERS = {
    "gan": MultimodalGANSampler(**GAN, device="cpu", random_state=0),
    "repeat": DialogueSampler(),
}
FUSERS = {
    "djvae": DJVAEFuser(latent_size=2, classification_weight=1.0, **SMALL),
}
LABELLED = CLASSIFIERS | SAMPLERS | FUSERS
REGRESSOR = JoyfulRegressor(**JOYFUL)
NETWORKS = LABELLED | {"regressor": REGRESSOR}
BOOSTING = FocalAdaBoostClassifier()

# What numpy, pandas or torch say of their own insides names no place in a table.
INSIDES = (
    "not supported between",
    "object is not",
    "has no attribute",
    "broadcast",
    "unsupported operand",
    "inhomogeneous",
    "argument must be",
    "could not be promoted",
    "Buffer",
    "truth value",
    "ambiguous",
    "unhashable",
    "unpack",
    "Cannot convert",
    "invalid literal",
)


def fitted(estimator, X, y, **arguments):
    """A clone that has seen a table, and what it answers."""
    model = clone(estimator)
    if hasattr(model, "fit_resample"):
        return model, model.fit_resample(X, y)
    model.fit(X, y, **arguments)
    answer = model.predict if hasattr(model, "predict") else model.transform
    return model, answer(X)


@contextmanager
def no_training():
    """A block in which no optimiser may take a step before an error."""
    steps = []
    hook = register_optimizer_step_pre_hook(lambda *_: steps.append(1))
    try:
        yield steps
    finally:
        hook.remove()


def judge(call, *inputs):
    """Call it: return its result, or the one error that is allowed.

    No input changes, an error is a ValueError or TypeError that does not come from
    inside torch and is raised before any optimiser makes a step.
    """
    before = [_copied(given) for given in inputs]
    result, error = None, None
    with no_training() as steps, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = call(*inputs)
        except Exception as raised:
            error = raised
    for given, copy in zip(inputs, before, strict=True):
        if copy is not None:
            assert_unchanged(given, copy)
    if error is not None:
        check_error(error, steps)
    return result, error


def _copied(given):
    try:
        return deepcopy(given)
    except TypeError:  # a generator has no copy
        return None


def check_error(error, steps=()):
    try:
        assert isinstance(error, ValueError | TypeError), "of another type"
        assert not steps, "training had begun"
        files = [frame.f_code.co_filename for frame, _ in walk_tb(error.__traceback__)]
        assert not [name for name in files if "/torch/" in name], "inside torch"
        assert len(str(error)) > 20, "it tells nothing"
        assert not [words for words in INSIDES if words in str(error)], (
            "it tells insides"
        )
    except AssertionError as failure:
        raise failure from error


def assert_unchanged(given, copy):
    if isinstance(given, pd.DataFrame):
        assert_frame_equal(given, copy, check_flags=True)
    elif isinstance(given, pd.Series):
        assert_series_equal(given, copy)
    elif isinstance(given, np.ndarray):
        assert given.dtype == copy.dtype
        # Objects by eq: NaN is not itself, and pd.NA tells no truth.
        assert given.tobytes() == copy.tobytes() or repr(given) == repr(copy)
    elif hasattr(given, "equals"):
        assert given.equals(copy)
    elif isinstance(given, list | tuple | dict):
        assert repr(given) == repr(copy)
