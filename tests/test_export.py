"""Exported graphs answer as the estimators do, in another runtime."""

import json
import sys
import warnings
from copy import deepcopy
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from systems import mostly_slow

from skmerc import (
    CBERLClassifier,
    DialogueGCNClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    JoyfulRegressor,
    MultimodalGANSampler,
)
from skmerc.datasets import make_conversations
from skmerc.frame import KEYS
from skmerc.persistence import export_model

pytest.importorskip("onnxscript", reason="needs onnxscript: skmerc[export]")
onnx = pytest.importorskip("onnx", reason="needs onnx: skmerc[export]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")

SMALL = {"hidden_size": 8, "max_epochs": 1, "device": "cpu", "random_state": 0}
LENGTHS = (1, 2, 3, 17, 60)

GRAPHS_OF_CBERL = [
    {},
    {"fusion": "djvae", "latent_size": 4},
    {"fusion": "djvae_latent", "latent_size": 4, "posterior": "poe"},
    {"bidirectional": False, "window_future": 0},
    {"graph_layers": 0},
    {"graph_layers": 2, "window_past": -1, "window_future": None},
    {"window_past": 0, "window_future": 10},
    {"window_past": 10, "window_future": 0},
    {"window_past": 0, "window_future": 0},
    {"standardize": False},
]
GRAPHS_OF_JOYFUL = [
    {},
    {"conv": "mean"},
    {"conv": "rgcn"},
    {"conv": "rgcn", "relations": "pairs"},
    {"conv": "attention", "relations": "pairs", "graph_layers": 2},
    {"global_fusion": False},
    {"specific_fusion": False},
    {"global_fusion": False, "specific_fusion": False},
    {"window_future": 0},
    {"window_past": -1, "window_future": None, "context_window": 3},
    {"window_past": 0, "window_future": 0, "conv": "mean"},
    {"context_window": 2, "window_future": 0, "context_layers": 2},
    {"context_window": None, "net_params": {"module__position": "rotary"}},
    {"net_params": {"module__position": "sinusoidal", "module__norm_first": False}},
    {"net_params": {"module__similarity": "cosine"}},
]
GRAPHS_OF_DIALOGUEGCN = [
    {},
    {"relations": "speaker"},
    {"window_past": 0, "window_future": None, "context_layers": 1},
    {"window_past": 0, "window_future": 0},
]


def cberl(**settings):
    return CBERLClassifier(**(SMALL | settings))


def dialoguegcn(**settings):
    return DialogueGCNClassifier(**(SMALL | settings))


JOYFUL = {"fusion_size": 8, "heads": 2, "n_bases": 4, "batch_size": 64}


def joyful(kind=JoyfulClassifier, **settings):
    return kind(**(SMALL | JOYFUL | settings))


def fuser(**settings):
    return DJVAEFuser(**(SMALL | {"latent_size": 4} | settings))


@pytest.fixture(scope="module")
def table():
    return make_conversations(6, n_turns=(3, 6), random_state=0)


@pytest.fixture(scope="module")
def dialogues(table):
    """Dialogues of several lengths, with three speakers and missing modalities."""
    X, rng, found = table[0], np.random.default_rng(0), []
    for n in LENGTHS:
        rows = X.iloc[rng.integers(0, len(X), n)].reset_index(drop=True)
        rows[KEYS[0]], rows[KEYS[1]], rows[KEYS[3]] = "d", np.arange(n), "utterance"
        rows[KEYS[2]] = rng.permutation(["ann", "bob", "eve"] * n)[:n]
        gaps = rows.copy()
        for block in ("text", "audio", "visual"):
            columns = [name for name in X if name.startswith(block)]
            gaps.loc[rng.random(n) < 0.3, columns] = np.nan
        found += [rows, gaps]
    return found


def opened(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


@pytest.fixture
def exported(tmp_path):
    """A function that exports a model and opens the graph."""

    def export(model):
        export_model(model, tmp_path / "model.onnx")
        return opened(tmp_path / "model.onnx")

    return export


@pytest.fixture(scope="module")
def served(table, tmp_path_factory):
    """A pipeline and its file, with what an export may not change, before and after."""
    X, y = table
    gan = MultimodalGANSampler(hidden_size=8, n_steps=2, device="cpu", random_state=0)
    classifier = cberl(lstm_layers=1, prior="uniform")
    model = make_pipeline(gan, fuser(), classifier).fit(X, y)

    def state():
        settings = warnings.filters, torch.get_num_threads()
        return *map(repr, settings), torch.get_rng_state(), model.predict_proba(X)

    path, before = tmp_path_factory.mktemp("served") / "model.onnx", state()
    export_model(model, path)
    return SimpleNamespace(model=model, path=path, before=before, after=state())


def inputs_of(dialogue):
    features = np.array(dialogue.drop(columns=list(KEYS)), np.float32)
    # The numbers of speakers mean nothing.
    speaker = 7 - 3 * pd.factorize(dialogue["dialogue__speaker"])[0]
    return {"features": features, "speaker": speaker.astype(np.int64)}


def assert_same(session, answer, dialogues, tolerance=1e-5):
    for dialogue in dialogues:
        (found,) = session.run(None, inputs_of(dialogue))
        wanted = np.asarray(answer(dialogue), float)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=tolerance)
        if wanted.ndim == 2:
            assert (found.argmax(1) == wanted.argmax(1)).all()


def exporting(whether=True):
    """Make networks read a dialogue as they do while they are exported."""
    return mock.patch("torch.compiler.is_exporting", return_value=whether)


def assert_same_logits(model, dialogues, **parts):
    network = deepcopy(model.net_.module_).eval()
    for name, part in parts.items():
        setattr(network, name, part)
    for dialogue in dialogues:
        inputs = {k: torch.from_numpy(v) for k, v in inputs_of(dialogue).items()}
        sequence = torch.zeros_like(inputs["speaker"])
        with torch.no_grad(), exporting():
            found = network(sequence=sequence, **inputs).logits.numpy()
        wanted = model._infer(model._read(dialogue), "logits")
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("settings", mostly_slow(GRAPHS_OF_CBERL), ids=str)
def test_matrices_of_turns_give_the_logits_of_cberl(table, dialogues, settings):
    model = cberl(lstm_layers=0, **settings).fit(*table)
    assert_same_logits(model, dialogues)


@pytest.mark.parametrize("settings", mostly_slow(GRAPHS_OF_JOYFUL), ids=str)
def test_matrices_of_turns_give_the_logits_of_joyful(table, dialogues, settings):
    model = joyful(**settings).fit(*table)
    assert_same_logits(model, dialogues)


@pytest.mark.parametrize("settings", mostly_slow(GRAPHS_OF_DIALOGUEGCN), ids=str)
def test_matrices_of_turns_give_the_logits_of_dialoguegcn(table, dialogues, settings):
    model = dialoguegcn(**settings).fit(*table)
    # The operator that stands for the recurrent layers computes in runtimes only.
    context = Unexported(model.net_.module_.context)
    assert_same_logits(model, dialogues, context=context)


class Unexported(torch.nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        with exporting(False):
            return self.module(*inputs)


@pytest.mark.slow
def test_dialoguegcn_answers_alike(table, dialogues, exported):
    model = dialoguegcn().fit(*table)
    assert_same(exported(model), model.predict_proba, dialogues)


@pytest.mark.slow
def test_a_pipeline_with_fuser_and_cberl_answers_alike(table, dialogues, served):
    model, session = served.model, opened(served.path)
    assert_same(session, model.predict_proba, dialogues)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == model.classes_.tolist()
    assert json.loads(about["model"]) == "CBERLClassifier"
    features = table[0].columns.drop(list(KEYS)).tolist()
    assert json.loads(about["features"]) == features
    assert [features[j] for j in json.loads(about["modalities"])["audio"]] == [
        name for name in features if name.startswith("audio__")
    ]


@pytest.mark.slow
def test_joyful_with_several_emotions_at_once_answers_alike(table, dialogues, exported):
    X, y = table
    model = joyful(conv="mean").fit(X, pd.get_dummies(y).to_numpy(int))
    assert_same(exported(model), model.predict_proba, dialogues)


@pytest.mark.slow
def test_the_regressor_answers_alike_in_units_of_the_target(table, dialogues, exported):
    X, _ = table
    model = joyful(JoyfulRegressor).fit(X, 3 * X["text__0"] - 20)
    session = exported(model)
    assert [output.name for output in session.get_outputs()] == ["score"]
    assert_same(session, model.predict, dialogues)


@pytest.mark.slow
@pytest.mark.parametrize("lstm_layers", [0, 1, 2])
@pytest.mark.parametrize("settings", GRAPHS_OF_CBERL, ids=str)
def test_every_graph_of_cberl_answers_alike(
    table, dialogues, exported, settings, lstm_layers
):
    model = cberl(lstm_layers=lstm_layers, **settings).fit(*table)
    assert_same(exported(model), model.predict_proba, dialogues)


@pytest.mark.slow
@pytest.mark.parametrize("settings", GRAPHS_OF_JOYFUL, ids=str)
def test_every_graph_of_joyful_answers_alike(table, dialogues, exported, settings):
    model = joyful(**settings).fit(*table)
    assert_same(exported(model), model.predict_proba, dialogues)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"output": "latent", "posterior": "poe"}])
def test_fusers_answer_alike(table, dialogues, exported, settings):
    model = fuser(**settings).fit(*table)
    session = exported(model)
    for dialogue in dialogues:
        (found,) = session.run(None, inputs_of(dialogue))
        wanted = model.transform(dialogue).drop(columns=list(KEYS))
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-5)
        about = session.get_modelmeta().custom_metadata_map
        assert json.loads(about["columns"]) == wanted.columns.tolist()


@pytest.mark.slow
def test_networks_of_usual_size_answer_alike_after_training(dialogues, exported):
    X, y = make_conversations(60, random_state=1)
    for model in (
        CBERLClassifier(fusion="djvae", max_epochs=2, prior="train", random_state=0),
        JoyfulClassifier(max_epochs=2, random_state=0),
        make_pipeline(
            DJVAEFuser(max_epochs=2, random_state=0),
            CBERLClassifier(max_epochs=2, random_state=0),
        ),
    ):
        assert_same(exported(model.fit(X, y)), model.predict_proba, dialogues)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skmerc.exceptions.NoDialogueWarning")
def test_tables_without_names_and_other_modalities_are_read_alike(table, exported):
    X, y = table
    X = X.drop(columns=list(KEYS)).to_numpy()
    blocks = {"even": list(range(0, 32, 2)), "odd": list(range(1, 32, 2))}
    model = cberl(modalities=blocks, lstm_layers=1).fit(X, y)
    session = exported(model)
    row = {"features": X[:1].astype(np.float32), "speaker": np.zeros(1, np.int64)}
    (found,) = session.run(None, row)
    np.testing.assert_allclose(found, model.predict_proba(X[:1]), atol=1e-5)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["modalities"]) == blocks
    assert json.loads(about["features"])[:2] == ["x0", "x1"]


@pytest.mark.slow
def test_the_file_tells_nothing_of_the_machine(served):
    onnx.checker.check_model(served.path)
    assert b".py" not in served.path.read_bytes()
    assert list(served.path.parent.iterdir()) == [served.path]


@pytest.mark.slow
def test_export_changes_nothing(table, served):
    for before, after in zip(served.before, served.after, strict=True):
        assert np.array_equal(before, after)
    *fusers, classifier = deepcopy(served.model)
    fused = make_pipeline(*fusers).transform(table[0])
    assert classifier.partial_fit(fused, table[1]).n_iter_ == 2


def test_heads_are_refused_with_what_to_do_instead(table, tmp_path):
    head = LogisticRegression(max_iter=50, tol=1e-2)
    model = cberl(lstm_layers=0, head=head).fit(*table)
    with pytest.raises(ValueError, match=r"LogisticRegression.*Fit with head=None"):
        export_model(model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_models_that_are_no_networks_are_refused(table, tmp_path):
    with pytest.raises(ValueError, match="LogisticRegression cannot be exported: "):
        export_model(LogisticRegression(), tmp_path / "model.onnx")
    scaled = make_pipeline(StandardScaler(), RandomOverSampler(), cberl())
    with pytest.raises(ValueError, match="StandardScaler cannot be exported before"):
        export_model(scaled, tmp_path / "model.onnx")


@pytest.mark.parametrize("model", [cberl(), fuser(), make_pipeline(fuser(), joyful())])
def test_models_that_are_not_fitted_are_refused(model, tmp_path):
    with pytest.raises(NotFittedError):
        export_model(model, tmp_path / "model.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_missing_package_is_told_with_how_to_get_it(monkeypatch, tmp_path, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install 'skmerc\[export\]'"):
        export_model(cberl(), tmp_path / "model.onnx")
