"""What is saved comes back, and training goes on from there."""

import pickle
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import joblib
import numpy as np
import pytest
import torch
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import EarlyStopping, GradientNormClipping
from systems import FURTHER, make_model, mostly_slow

from skmerc import (
    CBERLClassifier,
    DialogueSampler,
    DJVAEFuser,
    FocalAdaBoostClassifier,
    JoyfulClassifier,
    JoyfulRegressor,
    MultimodalGANSampler,
    TextEmbedder,
)
from skmerc.datasets import make_conversations
from skmerc.frame import drop_keys
from skmerc.metrics import weighted_f1_scorer
from skmerc.model_selection import DialogueKFold

pytest.importorskip("skops", reason="needs skops: skmerc[persistence]")
pytest.importorskip("safetensors", reason="needs safetensors: skmerc[persistence]")

from skmerc.persistence import load_model, save_model  # noqa: E402

SMALL = {"hidden_size": 8, "max_epochs": 2, "device": "cpu", "random_state": 0}
JOYFUL = SMALL | {"fusion_size": 8, "heads": 2, "n_bases": 4, "batch_size": 64}


def cberl(**settings):
    return CBERLClassifier(**(SMALL | {"lstm_layers": 1, "batch_size": 8} | settings))


def joyful(**settings):
    return JoyfulClassifier(**(JOYFUL | settings))


def fuser(**settings):
    return DJVAEFuser(**(SMALL | {"latent_size": 4} | settings))


def gan(**settings):
    given = {"hidden_size": 8, "n_steps": 3, "device": "cpu", "random_state": 0}
    return MultimodalGANSampler(**(given | settings))


def logistic():
    return LogisticRegression(max_iter=50, tol=1e-2)


@pytest.fixture(scope="module")
def table():
    return make_conversations(12, random_state=0)


@pytest.fixture
def again(tmp_path):
    """A function that saves a model and loads it."""

    def save_and_load(model, **settings):
        save_model(model, tmp_path / "model.skmerc")
        return load_model(tmp_path / "model.skmerc", **settings)

    return save_and_load


def _without_addresses(model):
    return re.sub(" at 0x[0-9a-f]+", "", repr(sorted(model.get_params().items())))


def _without_times(model):
    return [epoch | {"dur": 0} for epoch in model.history_]


def several(y):
    return np.stack([y == "joy", y == "anger", y != "neutral"], axis=1).astype(int)


CLASSIFIERS = {
    "cberl": cberl(),
    "cberl_boosted": cberl(head="boost", prior="uniform", class_weight="balanced"),
    "cberl_with_a_head": cberl(head=logistic(), fusion="djvae", latent_size=4),
    "cberl_with_callbacks": cberl(
        callbacks=[GradientNormClipping(1.0), EarlyStopping("train_loss")],
        optimizer=torch.optim.SGD,
        net_params={"optimizer__momentum": 0.9},
        class_weight={"joy": 2.0},
    ),
    "joyful": joyful(),
    "joyful_with_rare_emotions": joyful(
        class_weight=("effective", 0.9),
        logit_adjustment=0.5,
        contrast="supervised",
        prior="train",
    ),
    **{name: make_model(name) for name in FURTHER},
    "joyful_in_two_phases": joyful(training="two-phase", relations="pairs"),
    "calibrated": CalibratedClassifierCV(cberl(), cv=DialogueKFold(2)),
    "searched": GridSearchCV(
        cberl(), {"lr": [1e-3, 1e-2]}, cv=DialogueKFold(2), scoring=weighted_f1_scorer
    ),
}
PIPELINES = {
    "all_three_steps": make_pipeline(
        gan(sampling_strategy="mean"), fuser(), cberl(patience=None)
    ),
    "scaled_columns": make_pipeline(
        make_column_transformer(
            (StandardScaler(), make_column_selector("^text")),
            (RobustScaler(), make_column_selector("^audio")),
            remainder="passthrough",
            verbose_feature_names_out=False,
        ).set_output(transform="pandas"),
        DialogueSampler(RandomOverSampler(random_state=0)),
        joyful(),
    ),
    "codes_without_keys": Pipeline(
        [
            ("fuser", fuser()),
            ("rows", FunctionTransformer(drop_keys)),
            ("boosted", FocalAdaBoostClassifier(logistic(), n_estimators=3)),
        ]
    ),
}


@pytest.mark.parametrize("name", mostly_slow([*CLASSIFIERS, *PIPELINES]))
def test_a_fitted_model_answers_exactly_as_before(table, again, name):
    X, y = table
    model = clone((CLASSIFIERS | PIPELINES)[name])
    loaded = again(model.fit(X, y))
    check_is_fitted(loaded)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("name", [*CLASSIFIERS, *PIPELINES])
def test_a_model_that_is_not_fitted_keeps_its_parameters(again, name):
    model = clone((CLASSIFIERS | PIPELINES)[name])
    told, expected = (_without_addresses(m) for m in (again(model), model))
    assert told == expected


@pytest.mark.slow
def test_label_sets_and_scores_come_back(table, again):
    X, y = table
    sets = joyful().fit(X, several(y))
    np.testing.assert_array_equal(again(sets).predict_proba(X), sets.predict_proba(X))
    scores = JoyfulRegressor(**JOYFUL).fit(X, X["text__0"] * 7 + 3)
    np.testing.assert_array_equal(again(scores).predict(X), scores.predict(X))


@pytest.mark.parametrize("posterior", mostly_slow(["joint", "poe"]))
def test_a_fuser_encodes_and_decodes_as_before(table, again, posterior):
    X, _ = table
    model = fuser(posterior=posterior).fit(X)
    model.set_params(hidden_size=99)  # says nothing of the network that is there
    loaded = again(model)
    code = model.transform(X)
    assert loaded.transform(X).equals(code)
    assert loaded.inverse_transform(code).equals(model.inverse_transform(code))
    np.testing.assert_array_equal(loaded.score_samples(X), model.score_samples(X))
    assert loaded.vae_.training == model.vae_.training is False
    assert loaded.history_ == model.history_


def test_a_sampler_keeps_its_networks_and_what_it_reports(table, again):
    X, y = table
    sampler = gan(modalities={"all": [c for c in X if "dialogue" not in c]})
    sampler.fit_resample(X, y)
    loaded = again(sampler)
    weights, kept = (s.gan_.state_dict() for s in (sampler, loaded))
    assert all(torch.equal(weights[name], kept[name]) for name in weights)
    assert loaded.sampling_strategy_ == sampler.sampling_strategy_
    assert loaded.history_ == sampler.history_
    expected, found = sampler.fit_resample(X, y), loaded.fit_resample(X, y)
    assert found[0].equals(expected[0])


def test_a_text_embedder_is_saved_without_its_model(again, tmp_path):
    embedder = TextEmbedder(tmp_path / "model", cache=tmp_path, pooling="cls")
    embedder._probe, embedder.model_digest_ = np.ones(3, np.float32), "digest"
    embedder.embedding_size_ = 3
    model = make_pipeline(
        make_column_transformer((embedder, "text"), remainder="passthrough"), cberl()
    )
    loaded = again(model).named_steps["columntransformer"].transformers[0][1]
    assert loaded.get_params() == embedder.get_params()
    assert loaded.model_digest_ == "digest"
    np.testing.assert_array_equal(loaded._probe, embedder._probe)


@pytest.mark.parametrize("make", mostly_slow([cberl, joyful]))
@pytest.mark.parametrize("how", mostly_slow(["partial_fit", "warm_start"]))
def test_training_goes_on_as_after_a_pickle(table, again, make, how):
    X, y = table
    model = make().partial_fit(X, y, np.unique(y))
    model = model.partial_fit(X, y).set_params(warm_start=True)
    others = again(model), pickle.loads(pickle.dumps(model))
    expected = getattr(model, how.replace("warm_start", "fit"))(X, y)
    for other in others:
        getattr(other, how.replace("warm_start", "fit"))(X, y)
        assert _without_times(other) == _without_times(expected)
        np.testing.assert_array_equal(other.predict_proba(X), expected.predict_proba(X))


@pytest.mark.slow
def test_training_goes_on_for_scores_and_other_optimizers(table, again):
    X, _ = table
    y = X["text__0"]
    for optimizer in (torch.optim.Adagrad, torch.optim.RMSprop, torch.optim.NAdam):
        model = JoyfulRegressor(**JOYFUL, optimizer=optimizer).partial_fit(X, y)
        loaded = again(model)
        expected = model.partial_fit(X, y).predict(X)
        np.testing.assert_array_equal(loaded.partial_fit(X, y).predict(X), expected)


@pytest.mark.parametrize("make", mostly_slow([cberl, joyful, fuser]))
def test_requests_of_metadata_come_back(table, again, make):
    with config_context(enable_metadata_routing=True):
        model = make().set_fit_request(sample_weight="importance")
        loaded = again(model.fit(*table))
        # In its repr are all methods, and what each of them asks for.
        expected = repr(model.get_metadata_routing())
        assert "importance" in expected
        for found in loaded, again(loaded), clone(loaded):
            assert repr(found.get_metadata_routing()) == expected
        loaded.set_fit_request(sample_weight=False)  # it stands for itself
        assert repr(model.get_metadata_routing()) == expected


@pytest.mark.slow
def test_pickle_and_joblib_keep_a_fitted_model(table, tmp_path):
    X, y = table
    model = cberl(head=logistic()).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    for other in (
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model.joblib"),
    ):
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))


def test_the_net_keeps_its_history_and_its_settings(table, again):
    model = cberl().fit(*table)
    loaded = again(model)
    assert loaded.net_.history.to_list() == model.net_.history.to_list()
    names = ("lr", "max_epochs", "module", "optimizer", "iterator_train__seed")
    for name in names:
        assert loaded.net_.get_params()[name] == model.net_.get_params()[name]
    state, kept = model.net_.optimizer_.state_dict(), loaded.net_.optimizer_
    assert kept.state_dict()["param_groups"] == state["param_groups"]


def test_weights_are_plain_safetensors_under_their_names(table, tmp_path):
    from safetensors.torch import load

    model = cberl().fit(*table)
    save_model(model, tmp_path / "model.skmerc")
    with ZipFile(tmp_path / "model.skmerc") as file:
        weights = load(file.read("weights.safetensors"))
    wanted = model.net_.module_.state_dict()
    for name, tensor in wanted.items():
        assert torch.equal(weights[f"0.net_.module_.{name}"], tensor)


def test_saving_and_loading_leave_global_state_and_the_model_alone(
    table, again, global_state_untouched
):
    X, y = table
    model = make_pipeline(fuser(), cberl()).fit(X, y)
    before = model.predict_proba(X)
    with global_state_untouched(), warnings.catch_warnings():
        warnings.simplefilter("error")
        again(model)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_data_of_the_fit_are_not_saved(tmp_path):
    small, large = (make_conversations(n, random_state=0) for n in (8, 40))
    sizes = []
    for X, y in (small, large):
        path = tmp_path / "model.skmerc"
        save_model(cberl(patience=None, batch_size=1000).fit(X, y), path)
        sizes.append(path.stat().st_size)
    assert sizes[1] < sizes[0] + 2000


@pytest.mark.slow
def test_a_net_of_a_gpu_comes_to_the_cpu_where_there_is_none(table, again):
    X, y = table
    model = cberl().fit(X, y).set_params(device="cuda:7")
    loaded = again(model)
    assert loaded.device == "cuda:7"
    assert loaded.net_.device == "cpu"
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert again(model, device="auto").net_.device in ("cpu", "cuda")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="torch sees no GPU"):
            again(model, device="cuda")


@pytest.mark.gpu
def test_a_model_of_a_gpu_answers_on_the_cpu(table, again):
    X, y = table
    model = cberl(device="cuda").fit(X, y)
    assert again(model).net_.device.startswith("cuda")
    loaded = again(model, device="cpu")
    assert not next(loaded.net_.module_.parameters()).is_cuda
    np.testing.assert_allclose(
        loaded.predict_proba(X), model.predict_proba(X), atol=1e-4
    )
    loaded.set_params(device="cpu").partial_fit(X, y)


def test_a_path_may_be_text(table, tmp_path):
    path = str(tmp_path / "model")
    save_model(cberl(), path)
    assert Path(path).is_file()
    assert isinstance(load_model(path), CBERLClassifier)


class TestEqualFiles:
    """A file tells no address, no time and no order of sets."""

    @pytest.mark.slow
    def test_what_was_loaded_is_saved_as_before(self, tmp_path, monkeypatch):
        X, y = make_conversations(4, random_state=0)
        save_model(cberl(head="boost").fit(X, y), tmp_path / "first")
        monkeypatch.setattr("time.time", lambda: 2e9)
        save_model(load_model(tmp_path / "first"), tmp_path / "second")
        first, second = (tmp_path / name for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()

    def test_sets_have_an_order(self, tmp_path):
        # Eight and zero collide, so that the first to come is the first of the set.
        for name, numbers in (("first", [0, 8]), ("second", [8, 0])):
            model = FunctionTransformer(kw_args={"kept": set(numbers)})
            save_model(model, tmp_path / name)
        assert [*{0, 8}] != [*{8, 0}]
        first, second = (tmp_path / name for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
        assert load_model(first).kw_args == {"kept": {0, 8}}


@pytest.mark.slow
def test_threads_save_to_one_path_while_others_load_it(tmp_path):
    X, y = make_conversations(n_dialogues=12, random_state=0)
    models = [cberl(random_state=seed).fit(X, y) for seed in (0, 1)]
    answers = [model.predict_proba(X) for model in models]
    path = tmp_path / "model"
    save_model(models[0], path)
    with ThreadPoolExecutor(4) as pool:
        saved = [pool.submit(save_model, models[n % 2], path) for n in range(6)]
        loaded = [pool.submit(load_model, path) for _ in range(6)]
    assert [task.result() for task in saved] == [None] * 6
    for task in loaded:
        answer = task.result().predict_proba(X)
        assert any(np.array_equal(answer, known) for known in answers)
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
