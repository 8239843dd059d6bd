"""Large tables are read where they lie: no call copies one whole."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from skmerc import CBERLClassifier, JoyfulClassifier
from skmerc.frame import make_frame

pytestmark = pytest.mark.benchmark
N_UTTERANCES, N_TURNS = 4_000, 20
WIDTHS = {"text": 200, "audio": 120, "visual": 80}
ONE_EPOCH = {"max_epochs": 1, "patience": None, "batch_size": 8, "random_state": 0}
CBERL = {"hidden_size": 4, "heads": 1, "lstm_layers": 0, "graph_layers": 0}
JOYFUL = {"fusion_size": 4, "hidden_size": 4, "heads": 1, "n_bases": 2}
JOYFUL |= {"window_past": 1, "window_future": 1}
ESTIMATORS = [
    CBERLClassifier(**CBERL, **ONE_EPOCH),
    JoyfulClassifier(**JOYFUL, **ONE_EPOCH),
]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Keep what is fixed small beside a table that is small for a large one."""
    monkeypatch.setattr("skmerc.frame._conversations._CHUNK", 64)
    monkeypatch.setattr("skmerc._training._inference._UTTERANCES", 8 * N_TURNS)


def keys():
    rows = np.arange(N_UTTERANCES)
    return {
        "dialogue": [f"dia{row // N_TURNS}" for row in rows],
        "turn": rows % N_TURNS,
        "speaker": np.where(rows % 2, "A", "B"),
    }


@pytest.fixture(scope="module")
def made():
    """A table of make_frame, with a missing modality and single missing cells."""
    rng = np.random.default_rng(0)
    blocks = {
        name: rng.standard_normal((N_UTTERANCES, width), dtype=np.float32)
        for name, width in WIDTHS.items()
    }
    blocks["audio"][::7] = np.nan
    blocks["text"][::5, 0] = np.nan
    return make_frame(blocks, **keys())


@pytest.fixture(scope="module")
def stored_by_column(made):
    """The same, with features as pandas stores what it has read from a file."""
    features = np.asfortranarray(made.iloc[:, 4:])
    features = pd.DataFrame(features, columns=made.columns[4:], copy=False)
    return pd.concat([made.iloc[:, :4], features], axis=1)


@pytest.fixture(scope="module")
def array(made):
    return np.ascontiguousarray(made.iloc[:, 4:])


def growth(function, *arguments):
    """Bytes that Python and NumPy take at most while the function runs."""
    tracemalloc.start()
    try:
        function(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("layout", ["made", "stored_by_column", "array"])
@pytest.mark.parametrize("model", ESTIMATORS, ids=lambda model: type(model).__name__)
@pytest.mark.filterwarnings("ignore::skmerc.exceptions.PartialMissingWarning")
@pytest.mark.filterwarnings("ignore::skmerc.exceptions.NoDialogueWarning")  # of arrays
def test_fit_and_predict_copy_no_table(model, layout, request):
    X = request.getfixturevalue(layout)
    size = N_UTTERANCES * sum(WIDTHS.values()) * 4
    y = np.random.default_rng(1).integers(0, 4, len(X))
    if layout == "array":
        model = clone(model).set_params(batch_size=8 * N_TURNS)  # of single rows
    model.fit(X[:400], y[:400]).predict(X[:400])  # loads what is loaded once
    assert growth(model.fit, X, y) < size / 2
    assert growth(model.predict, X) < size / 2


def test_make_frame_takes_no_more_than_the_table():
    blocks = {n: np.zeros((N_UTTERANCES, w), np.float32) for n, w in WIDTHS.items()}
    size = sum(block.nbytes for block in blocks.values())
    given = keys()
    assert growth(lambda: make_frame(blocks, **given)) < 1.5 * size
