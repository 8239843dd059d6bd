"""Extractors among what the process and its other threads do."""

import io
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from making import plain, write_clip
from sklearn.base import clone
from systems import STATES, mostly_slow

from skmerc import (
    AudioFunctionals,
    FineTunedTextEmbedder,
    TextEmbedder,
    VideoFunctionals,
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


@pytest.fixture
def clips(image_model, tmp_path):
    pytest.importorskip("av", reason="needs av: skmerc[video]")
    path = write_clip(tmp_path / "a.mp4", [plain([20 * i] * 3) for i in range(10)])
    return VideoFunctionals(image_model), [path]


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


def check_all_states(extractor, X):
    expected = np.asarray(extractor.fit(X, LABELS[: len(X)]).transform(X))
    assert np.isfinite(expected).all()
    for state in STATES.values():
        with state():
            found = np.asarray(extractor.transform(X))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("make", [texts, tuned_texts, sounds])
def test_features_are_the_same_in_all_states_of_the_process(make, model):
    extractor, X = make(model)
    if make is sounds:
        X[0] = 1e-30 * X[0]  # the squares of which are too small for a number
    check_all_states(extractor, X)


def test_so_it_is_for_clips(clips):
    check_all_states(*clips)


def test_a_process_without_a_console_may_ask_for_progress(make_model, monkeypatch):
    folder = make_model()  # one that is loaded here
    expected = TextEmbedder(str(folder), cache=None).fit_transform(TEXTS)
    for stream in (None, io.StringIO()):
        (folder / "touched").write_text("")
        if stream is not None:
            stream.close()
            (folder / "touched").unlink()
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        embedder = TextEmbedder(str(folder), cache=None, verbose=1)
        found = embedder.fit_transform(TEXTS)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
