"""What users do on a GPU: fits that repeat, and models that work without one."""

import pickle

import numpy as np
import pytest
import torch
from imblearn.pipeline import make_pipeline
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import LRScheduler

from skmerc import (
    CBERLClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    JoyfulRegressor,
    MultimodalGANSampler,
)
from skmerc._training.nets import Checkpoint
from skmerc.datasets import make_conversations
from skmerc.frame import drop_keys
from skmerc.model_selection import DialogueKFold
from skmerc.persistence import export_model

pytestmark = pytest.mark.gpu

GPU = {"device": "cuda", "random_state": 0}
CBERL = GPU | {"max_epochs": 3, "patience": None}
JOYFUL = CBERL | {"lr": 3e-3}
FUSER = GPU | {"max_epochs": 3}
SAMPLER = MultimodalGANSampler(n_steps=30, **GPU)
MODELS = {
    "cberl": CBERLClassifier(**CBERL),
    "cberl fused inside": CBERLClassifier(**CBERL, fusion="djvae"),
    "cberl with class-aware masks": CBERLClassifier(**CBERL, mask="class_aware"),
    "cberl with hidden neighbors": CBERLClassifier(**CBERL, mask="neighbor"),
    "cberl on a schedule": CBERLClassifier(
        **CBERL, callbacks=[LRScheduler("StepLR", step_size=1)]
    ),
    "cberl with a boosting head": CBERLClassifier(**CBERL, head="boost"),
    "cberl that stops early": CBERLClassifier(**(CBERL | {"patience": 1})),
    "joyful": JoyfulClassifier(**JOYFUL),
    "joyful in two phases": JoyfulClassifier(**JOYFUL, training="two-phase"),
    "joyful with means": JoyfulClassifier(**JOYFUL, conv="mean"),
    "joyful with pairs": JoyfulClassifier(**JOYFUL, conv="rgcn", relations="pairs"),
    "joyful in windows": JoyfulClassifier(**JOYFUL, context_window=3),
    "joyful for live use": JoyfulClassifier(**JOYFUL, window_future=0),
    "joyful against the batch": JoyfulClassifier(
        **JOYFUL, contrast="grace", batch_negatives=True
    ),
    "joyful, preset released": JoyfulClassifier.from_preset("released", **JOYFUL),
    "joyful in order": JoyfulClassifier(
        **JOYFUL, net_params={"module__position": "rotary"}
    ),
    "fuser": DJVAEFuser(**FUSER),
    "fuser that learns labels": DJVAEFuser(**FUSER, classification_weight=1.0),
    "experts": DJVAEFuser(**FUSER, posterior="poe"),
    "three steps": make_pipeline(
        SAMPLER, DJVAEFuser(**FUSER), CBERLClassifier(**CBERL)
    ),
}


@pytest.fixture(scope="module")
def table():
    return make_conversations(24, n_turns=(3, 40), imbalance=4, random_state=0)


def method_of(model):
    return "predict_proba" if hasattr(model, "predict_proba") else "transform"


def answers(model, X):
    """What a model says of each utterance, as numbers."""
    return numbers(getattr(model, method_of(model))(X))


def numbers(said):
    return said if isinstance(said, np.ndarray) else drop_keys(said).to_numpy()


class Killed(BaseException):
    pass


def write_and_die(checkpoint, net, write=Checkpoint.on_epoch_end, **kwargs):
    """Do as a checkpoint does, until a power cut after the second epoch."""
    write(checkpoint, net, **kwargs)
    if len(net.history) == 2:
        raise Killed


def several(y):
    """An indicator matrix: joy, and anything but neutral."""
    return np.stack([y == "joy", y != "neutral"], axis=1).astype(int)


@pytest.fixture(scope="module")
def fitted(table):
    return {name: clone(model).fit(*table) for name, model in MODELS.items()}


@pytest.mark.parametrize("name", MODELS)
def test_a_fit_repeats_and_so_do_answers(table, fitted, name, global_state_untouched):
    X, y = table
    mode = torch.get_deterministic_debug_mode()
    expected = answers(fitted[name], X)
    with global_state_untouched():
        again = clone(MODELS[name]).fit(X, y)
        np.testing.assert_array_equal(answers(again, X), expected)
        np.testing.assert_array_equal(answers(again, X), expected)
    assert torch.get_deterministic_debug_mode() == mode


@pytest.mark.parametrize("name", MODELS)
def test_answers_hang_on_no_other_dialogue(table, fitted, name):
    X, _ = table
    alone = (X["dialogue__id"] == X["dialogue__id"].iloc[-1]).to_numpy()
    expected = answers(fitted[name], X)[alone]
    np.testing.assert_allclose(answers(fitted[name], X[alone]), expected, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_pickle_answers_alike_on_the_gpu(table, fitted, name):
    X, _ = table
    again = pickle.loads(pickle.dumps(fitted[name]))
    np.testing.assert_array_equal(answers(again, X), answers(fitted[name], X))


def test_pickled_models_answer_where_there_is_no_gpu(
    table, fitted, answers_without_gpu
):
    X, _ = table
    calls = [(model, method_of(model), X) for model in fitted.values()]
    for name, said in zip(fitted, answers_without_gpu(calls), strict=True):
        np.testing.assert_allclose(
            numbers(said), answers(fitted[name], X), atol=1e-5, err_msg=name
        )


def test_a_sampler_repeats(table):
    first, second = (clone(SAMPLER).fit_resample(*table)[0] for _ in range(2))
    np.testing.assert_array_equal(drop_keys(first), drop_keys(second))


def test_scores_and_sets_of_emotions_are_learned_too(table, answer_without_gpu):
    X, y = table
    regressor = JoyfulRegressor(**JOYFUL).fit(X, np.arange(len(y)) % 7.0)
    elsewhere = answer_without_gpu(regressor, "predict", X)
    np.testing.assert_allclose(elsewhere, regressor.predict(X), atol=1e-3)
    model = JoyfulClassifier(**JOYFUL).fit(X, several(y))
    elsewhere = answer_without_gpu(model, "predict_proba", X)
    np.testing.assert_allclose(elsewhere, model.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("name", ["cberl", "joyful"])
def test_a_model_learns_as_on_a_processor(table, name):
    """Other random numbers, and so not the same weights, but not a worse model."""
    X, y = table
    model = clone(MODELS[name]).set_params(max_epochs=30)
    on_gpu = model.fit(X, y).score(X, y)
    on_cpu = model.set_params(device="cpu").fit(X, y).score(X, y)
    assert on_gpu == pytest.approx(on_cpu, abs=0.1)
    assert on_gpu > (y == "neutral").mean() + 0.1


@pytest.mark.parametrize("name", ["cberl", "joyful"])
def test_training_goes_on_from_a_part_of_it(table, name):
    X, y = table
    model = clone(MODELS[name]).partial_fit(X, y, classes=np.unique(y))
    before = model.predict_proba(X)
    assert np.abs(model.partial_fit(X, y).predict_proba(X) - before).max() > 1e-4
    model.set_params(warm_start=True).fit(X, y)
    assert model.n_iter_ == model.max_epochs


def test_a_search_over_the_three_steps(table):
    search = GridSearchCV(
        clone(MODELS["three steps"]),
        {"cberlclassifier__hidden_size": [8, 16]},
        cv=DialogueKFold(3),
        error_score="raise",
    )
    assert 0 < search.fit(*table).best_score_ <= 1


def test_a_search_in_two_processes_shares_the_gpu(table):
    search = GridSearchCV(
        JoyfulClassifier(**JOYFUL),
        {"hidden_size": [8, 16]},
        cv=DialogueKFold(2),
        error_score="raise",
        n_jobs=2,
    )
    alone = clone(search).set_params(n_jobs=None).fit(*table)
    together = search.fit(*table)
    np.testing.assert_array_equal(
        together.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize("name", ["cberl", "joyful"])
def test_a_fit_that_is_killed_goes_on_to_the_same_weights(
    table, tmp_path, monkeypatch, name
):
    X, y = table
    model = clone(MODELS[name]).set_params(checkpoint=tmp_path / "state")
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch_end", write_and_die)
        with pytest.raises(Killed):
            model.fit(X, y)
    whole = clone(MODELS[name]).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), whole)
    assert model.n_iter_ == model.max_epochs


@pytest.mark.parametrize("name", ["cberl", "joyful", "three steps"])
def test_an_exported_model_answers_alike(table, tmp_path, name):
    pytest.importorskip("onnxscript", reason="needs onnxscript: skmerc[export]")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    X, y = table
    model = clone(MODELS[name]).fit(X, y)
    export_model(model, tmp_path / "model.onnx")
    session = runtime.InferenceSession(
        tmp_path / "model.onnx", providers=["CPUExecutionProvider"]
    )
    one = X[X["dialogue__id"] == X["dialogue__id"].iloc[0]]
    features = drop_keys(one).to_numpy(np.float32)
    speaker = np.unique(one["dialogue__speaker"], return_inverse=True)[1]
    (found,) = session.run(None, {"features": features, "speaker": speaker})
    np.testing.assert_allclose(found, model.predict_proba(one), atol=1e-4)


def test_an_accelerator_on_one_gpu(table):
    accelerate = pytest.importorskip("accelerate", reason="needs accelerate")
    X, y = table
    shared = {"net_params": {"accelerator": accelerate.Accelerator()}}
    model = clone(MODELS["cberl"]).set_params(**shared).fit(X, y)
    alone = clone(MODELS["cberl"]).fit(X, y)
    np.testing.assert_allclose(
        model.predict_proba(X), alone.predict_proba(X), atol=1e-4
    )


def test_embeddings_and_a_head_of_scikit_learn(table):
    X, y = table
    model = clone(MODELS["cberl"]).set_params(head=LogisticRegression(max_iter=1000))
    embedding = model.fit(X, y).transform(X)
    assert embedding.dtype == np.float32
    assert np.isfinite(embedding).all()
    assert model.predict(X).shape == (len(X),)
