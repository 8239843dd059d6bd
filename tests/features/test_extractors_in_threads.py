"""Extractors that several threads use at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone
from systems import mostly_slow

from skmerc import (
    AudioFunctionals,
    FineTunedTextEmbedder,
    TextEmbedder,
)

TEXTS = ["i am so happy today", "why ?", "you are angry", "this is a sad day"] * 6
LABELS = ["happy", "sad", "angry", "sad"] * 6


def texts(model):
    return TextEmbedder(model, cache=None), TEXTS


def tuned_texts(model):
    settings = {"max_epochs": 1, "batch_size": 8, "cv": None, "cache": None}
    return FineTunedTextEmbedder(model, **settings, random_state=0), TEXTS


def sounds(model):
    pytest.importorskip("librosa", reason="needs librosa: skmerc[audio]")
    times = np.arange(8000) / 16000
    waves = [np.sin(2 * np.pi * pitch * times) for pitch in (110, 220, 330)]
    column = np.empty(len(waves), dtype=object)
    column[:] = [wave.astype(np.float32) for wave in waves]
    return AudioFunctionals(rate=16000), column


@pytest.mark.parametrize("make", mostly_slow([texts, tuned_texts, sounds]))
def test_eight_threads_beside_a_fit_get_the_answers_of_one(model, make):
    extractor, X = make(model)
    extractor.fit(X, LABELS[: len(X)])
    alone = extractor.transform(X)
    with ThreadPoolExecutor(9) as pool:
        fits = [pool.submit(clone(extractor).fit, X, LABELS[: len(X)])]
        answers = list(pool.map(extractor.transform, [X] * 24))
        for fit in fits:
            fit.result()
    for answer in answers:
        np.testing.assert_array_equal(np.asarray(answer), np.asarray(alone))
