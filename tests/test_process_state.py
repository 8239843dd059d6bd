"""What the process, or another library, has set in torch and numpy decides nothing."""

import errno
import io
import sys

import numpy as np
import pytest
from systems import (
    NAMES,
    SAVED,
    STATES,
    answer_of,
    fit_model,
    make_model,
    mostly_slow,
)
from tqdm.auto import tqdm

from skmerc import EmotionRecognizer, config_context
from skmerc._utils.output import tell
from skmerc._utils.progress import progress
from skmerc.datasets import make_conversations
from skmerc.graph import to_pyg
from skmerc.persistence import export_model, load_model, save_model


@pytest.fixture(scope="module")
def table():
    return make_conversations(12, n_turns=(3, 6), random_state=0)


def result_of(name, X, y):
    model = make_model(name)
    made = fit_model(model, name, X, y)
    if name == "sampler":
        return made[0].select_dtypes("number").to_numpy()
    return answer_of(model, name, X)


@pytest.mark.parametrize("name", mostly_slow(NAMES))
def test_fits_and_answers_are_the_same_in_all_states(table, name):
    expected = result_of(name, *table)
    for state in STATES.values():
        with state():
            found = result_of(name, *table)
        np.testing.assert_array_equal(found, expected)


class Unwritable(io.StringIO):
    """A log on a full disk, or a pipe that nobody reads any more."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error

    def flush(self):
        pass  # nothing was written


class Undrained(Unwritable):
    """One that still holds what it could not pass on."""

    def flush(self):
        raise self.error


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


NOWHERE = {
    "none": lambda: None,
    "closed": closed,
    "full": lambda: Unwritable(OSError(errno.ENOSPC, "No space left on device")),
    "undrained": lambda: Undrained(OSError(errno.ENOSPC, "No space left on device")),
    "broken": lambda: Unwritable(BrokenPipeError(errno.EPIPE, "Broken pipe")),
}


@pytest.fixture(params=NOWHERE)
def no_console(request, monkeypatch):
    """Streams that take nothing, whatever is printed."""
    monkeypatch.setattr(sys, "stderr", NOWHERE[request.param]())
    monkeypatch.setattr(sys, "stdout", NOWHERE[request.param]())


@pytest.mark.parametrize("name", mostly_slow(NAMES))
def test_a_process_without_a_console_may_ask_for_progress(table, name, no_console):
    expected = result_of(name, *table)
    with config_context(verbose=1):
        found = result_of(name, *table)
    np.testing.assert_array_equal(found, expected)


def test_so_may_one_that_chooses_the_steps(no_console):
    X, y = make_conversations(6, n_turns=(6, 8), random_state=0)  # too few for networks
    expected = EmotionRecognizer(random_state=0).fit(X, y).predict_proba(X)
    model = EmotionRecognizer(random_state=0, verbose=1).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_letters_that_a_console_lacks_are_shown_as_escapes():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    tell("Wörter", stream)
    assert stream.buffer.getvalue() == b"W\\xf6rter\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", mostly_slow(SAVED))
def test_loaded_models_answer_the_same_in_all_states(table, tmp_path, name):
    X, y = table
    model = fit_model(make_model(name), name, X, y)
    expected = answer_of(model, name, X)
    save_model(model, tmp_path / "model")
    for state in STATES.values():
        with state():
            found = answer_of(load_model(tmp_path / "model"), name, X)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_exported_graphs_are_the_same_in_all_states(table, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    model = make_model("cberl").fit(*table)

    def exported():
        export_model(model, tmp_path / "graph")
        graph = onnx.load(tmp_path / "graph").graph
        return [onnx.numpy_helper.to_array(part) for part in graph.initializer]

    expected = exported()
    for name in ("float64", "another device", "no gradients"):
        with STATES[name]():
            found = exported()
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other, strict=True)


def test_graphs_of_dialogues_are_the_same_in_all_states(table):
    expected = [graph.to_dict() for graph in to_pyg(*table)]
    for state in STATES.values():
        with state():
            found = [graph.to_dict() for graph in to_pyg(*table)]
        for one, other in zip(found, expected, strict=True):
            assert one.keys() == other.keys()
            for name, tensor in one.items():
                np.testing.assert_array_equal(tensor, other[name], strict=True)


def test_a_bar_that_is_not_shown_starts_no_thread(monkeypatch):
    monkeypatch.setattr(tqdm, "monitor", None)
    for _ in progress(range(2), owner="model", verbose=0):
        pass
    assert tqdm.monitor is None
