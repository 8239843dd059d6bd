"""What the process, or another library, has set in torch and numpy decides nothing."""

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

from skmerc import config_context
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


@pytest.mark.parametrize("name", mostly_slow(NAMES))
def test_a_process_without_a_console_may_ask_for_progress(table, name, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)
    with config_context(verbose=1):
        fit_model(make_model(name), name, *table)


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
