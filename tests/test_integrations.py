"""What people already use beside this package: callbacks, files, tables, tools."""

import copy
import logging
import pickle
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback
from systems import make_model, mostly_slow

import skmerc
from skmerc import CBERLClassifier, DJVAEFuser
from skmerc._utils import registry
from skmerc._utils.compat import silent_on_torchvision
from skmerc.datasets import load_convokit, make_conversations, to_frame
from skmerc.exceptions import InterruptedTrainingWarning
from skmerc.frame import KEYS, drop_keys, make_frame
from skmerc.inspection import answer_function
from skmerc.metrics import weighted_f1_scorer
from skmerc.utils import all_estimators


@pytest.fixture(scope="module")
def table():
    return make_conversations(8, n_turns=(3, 5), random_state=0)


@pytest.fixture(scope="module")
def fitted(table):
    return make_model("cberl", max_epochs=1).fit(*table)


# Callbacks of skorch


class SetEpochs(Callback):
    """Asks for another number of epochs while the first one is trained."""

    def __init__(self, number):
        self.number = number

    def on_epoch_end(self, net, **given):
        net.set_params(max_epochs=self.number)


@pytest.mark.parametrize("number", [1, 9])
def test_a_callback_may_set_max_epochs_and_nothing_was_interrupted(table, number):
    model = make_model("cberl", max_epochs=2, callbacks=[SetEpochs(number)])
    assert model.fit(*table).n_iter_ == 2  # as skorch itself does


class Log(Callback):
    """Holds a handle, of which there is no second one."""

    def __init__(self):
        self.handle, self.lines = threading.Lock(), []

    def on_epoch_begin(self, net, **given):
        self.lines.append(len(net.history))
        if len(self.lines) == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("inside", mostly_slow([False, True]))
def test_a_checkpoint_goes_on_with_another_handle(table, tmp_path, inside):
    def model():
        given = {"callbacks": [("log", Log())]}
        given = {"net_params": given} if inside else given
        return make_model("cberl", max_epochs=3, checkpoint=tmp_path, **given)

    with pytest.warns(InterruptedTrainingWarning):
        model().fit(*table)
    with pytest.warns(InterruptedTrainingWarning):
        assert model().fit(*table).n_iter_ == 2


# skops


def through_skops(model):
    skops = pytest.importorskip("skops.io", reason="needs skmerc[persistence]")
    data = skops.dumps(model)
    return skops.loads(data, trusted=skops.get_untrusted_types(data=data))


def test_skops_keeps_a_fitted_classifier_as_arrays_and_plain_values(table, fitted):
    X, y = table
    again = through_skops(fitted)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    further = [copy.copy(model).partial_fit(X, y) for model in (again, fitted)]
    answers = [model.predict_proba(X) for model in further]
    np.testing.assert_array_equal(*answers)  # the optimiser was kept, too


@pytest.mark.parametrize("name", mostly_slow(["fuser", "regressor"]))
def test_skops_keeps_all_that_holds_networks(table, name):
    X, y = table
    y = X["text__0"] if name == "regressor" else y
    model = make_model(name, max_epochs=1).fit(X, y)
    answers = [one.transform(X) for one in (model, through_skops(model))]
    np.testing.assert_array_equal(*map(np.asarray, map(drop_keys, answers)))


def test_skops_keeps_the_networks_of_a_sampler(table):
    sampler = make_model("sampler", n_steps=1)
    sampler.fit_resample(*table)
    networks = [one.gan_.state_dict() for one in (sampler, through_skops(sampler))]
    assert networks[0].keys() == networks[1].keys()
    for name, weight in networks[0].items():
        np.testing.assert_array_equal(weight, networks[1][name])


def test_what_skops_reads_stays_out_of_load_model(table, fitted, tmp_path):
    pytest.importorskip("skops", reason="needs skmerc[persistence]")
    from skmerc.persistence import load_model, save_model

    state = fitted.__getstate__()
    assert not isinstance(state["net_"], type(fitted.net_))
    weights = state["net_"].parts["module_"].values()
    assert all(isinstance(value, np.ndarray) for value in weights)
    save_model(fitted, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(
        loaded.predict_proba(table[0]), fitted.predict_proba(table[0])
    )


def test_pickles_and_copies_keep_networks_as_they_are(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    assert type(again.net_) is type(fitted.net_)
    assert copy.copy(fitted).net_ is fitted.net_


# Callbacks of scikit-learn


class Recorder:
    """A callback of scikit-learn that notes what it is told."""

    def __init__(self, stop_after=None):
        self.told, self.stop_after, self.answers = [], stop_after, []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.told.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.told.append(f"end {context.task_name} {context.task_id}")
        answers = getattr(fitted_estimator, "predict_proba", drop_keys)
        self.answers.append(answers(X))
        return context.task_id + 1 == self.stop_after and context.parent is not None


needs_callbacks = pytest.mark.skipif(
    not hasattr(CBERLClassifier, "set_callbacks"),
    reason="scikit-learn has callbacks from 1.9 on",
)
EPOCHS = ["begin epoch 0", "end epoch 0", "begin epoch 1", "end epoch 1"]
FIT = ["setup", "begin fit 0", *EPOCHS, "end fit 0", "teardown"]


@needs_callbacks
def test_each_epoch_is_a_task_with_what_has_been_learned(table):
    X, _ = table
    recorder = Recorder()
    model = make_model("cberl", max_epochs=2).set_callbacks(recorder)
    model.fit(*table)
    assert recorder.told == FIT
    _, last, whole = recorder.answers
    np.testing.assert_array_equal(last, model.predict_proba(X))
    np.testing.assert_array_equal(whole, model.predict_proba(X))
    plain = make_model("cberl", max_epochs=2).fit(*table)
    np.testing.assert_array_equal(plain.predict_proba(X), whole)
    assert not hasattr(through_skops(model), "_skl_callbacks")
    fuser = DJVAEFuser(latent_size=4, hidden_size=8, max_epochs=2, random_state=0)
    recorder.told.clear()
    fuser.set_callbacks(recorder).fit(X)
    assert recorder.told == FIT


@needs_callbacks
def test_a_pipeline_hands_its_callbacks_down(table):
    recorder = Recorder()
    recorder.max_propagation_depth = None
    pipeline = make_pipeline(make_model("cberl", max_epochs=2)).set_callbacks(recorder)
    pipeline.fit(*table)
    assert [told for told in recorder.told if "epoch" in told] == EPOCHS
    assert not hasattr(pipeline[-1], "_parent_callback_ctx")


@needs_callbacks
def test_a_callback_of_scikit_learn_ends_training_without_a_warning(table):
    recorder = Recorder(stop_after=1)
    model = make_model("cberl", max_epochs=9).set_callbacks(recorder)
    assert model.fit(*table).n_iter_ == 1
    assert recorder.told[-2:] == ["end fit 0", "teardown"]


@needs_callbacks
def test_callbacks_are_torn_down_where_a_fit_fails(table):
    X, y = table
    recorder = Recorder()
    model = make_model("cberl", max_epochs=9).set_callbacks(recorder)
    with pytest.raises(ValueError, match="infinity"):
        model.fit(X.assign(text__0=np.inf), y)
    assert recorder.told == ["setup", "begin fit 0", "teardown"]
    assert not {"_callback_fit_ctx", "_skl_callbacks_to_teardown"} & set(vars(model))


@needs_callbacks
def test_scikit_learn_s_own_callbacks_see_every_epoch(table, capsys):
    from sklearn.callback import ProgressBar, ScoringMonitor

    pytest.importorskip("rich", reason="the bar needs rich")
    monitor = ScoringMonitor(scoring={"weighted_f1": weighted_f1_scorer})
    model = make_model("cberl", max_epochs=2).set_callbacks(ProgressBar(), monitor)
    model.fit(*table)
    logs = monitor.get_logs().data_as_pandas
    assert logs["task_name"].tolist().count("epoch") == 2
    assert logs["weighted_f1"].notna().all()
    assert "CBERLClassifier - fit" in capsys.readouterr().out


# Tables of other libraries


class Stream:
    """Nothing but the protocol by which libraries hand on tables of Arrow."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Dataset:
    """A table that names its columns as those of Hugging Face do."""

    def __init__(self, frame):
        self.frame, self.column_names = frame, list(frame)

    def __len__(self):
        return len(self.frame)

    def to_pandas(self):
        return self.frame


@pytest.fixture(params=["arrow", "stream", "dataset"])
def foreign(request):
    if request.param == "dataset":
        return Dataset
    arrow = pytest.importorskip("pyarrow", reason="needs skmerc[parquet]")
    if request.param == "arrow":
        return arrow.Table.from_pandas
    return lambda frame: Stream(arrow.Table.from_pandas(frame))


def test_tables_of_any_library_are_read_alike(table, fitted, foreign):
    X, y = table
    given = foreign(X)
    np.testing.assert_array_equal(fitted.predict_proba(given), fitted.predict_proba(X))
    pd.testing.assert_frame_equal(drop_keys(given), drop_keys(X))
    texts, audio = X.filter(like="text__"), X.filter(like="audio__")
    names = {"text": texts, "audio": audio.to_numpy()}
    keys = {name: X[f"dialogue__{name}"] for name in ("turn", "speaker")}
    made = make_frame(
        names | {"text": foreign(texts)}, dialogue=X[KEYS[0]].to_numpy(), **keys
    )
    expected = make_frame(names, dialogue=X[KEYS[0]].to_numpy(), **keys)
    pd.testing.assert_frame_equal(made, expected)
    said = X[list(KEYS[:1])].assign(text="yes", label=y)
    found = to_frame(foreign(said), dialogue=KEYS[0])[0]
    pd.testing.assert_frame_equal(found, to_frame(said, dialogue=KEYS[0])[0])


def test_keys_and_labels_of_arrow_are_read(table):
    arrow = pytest.importorskip("pyarrow", reason="needs skmerc[parquet]")
    X, y = table
    given = arrow.Table.from_pandas(X)
    made = make_frame({"text": np.ones((len(X), 1))}, dialogue=given[KEYS[0]])
    assert made[KEYS[0]].tolist() == X[KEYS[0]].tolist()
    model = make_model("cberl", max_epochs=1)
    assert set(model.fit(given, arrow.chunked_array([y])).predict(given)) <= set(y)


def corpus():
    """Two utterances as ConvoKit holds them in memory."""
    people = [
        SimpleNamespace(id=f"u{k}", meta={"name": n}) for k, n in enumerate(("A", "B"))
    ]
    said = [
        SimpleNamespace(
            id=f"L{k}",
            speaker=people[k],
            conversation_id="L0",
            reply_to=None if k == 0 else "L0",
            timestamp=None,
            text="Yes.",
            meta={"label": "joy"},
        )
        for k in (1, 0)
    ]
    columns = {
        "text": ["Yes.", "Yes."],
        "speaker": ["u1", "u0"],
        "conversation_id": ["L0", "L0"],
        "reply_to": ["L0", None],
        "meta.label": ["joy", "joy"],
    }
    frame = pd.DataFrame(columns, index=pd.Index(["L1", "L0"], name="id"))
    return SimpleNamespace(
        iter_speakers=lambda: iter(people),
        iter_utterances=lambda: iter(said),
        get_utterances_dataframe=lambda: frame,
    )


def test_a_corpus_of_convokit_is_read_from_memory():
    X, y = to_frame(corpus())
    assert X[KEYS[1]].tolist() == [1, 0]
    assert y.tolist() == ["joy", "joy"]
    X, y = load_convokit(corpus(), speaker_name="name")
    assert X[list(KEYS[1:3])].to_numpy().tolist() == [[1, "B"], [0, "A"]]
    with pytest.raises(ValueError, match="the corpus: no speaker has 'age'"):
        load_convokit(corpus(), speaker_name="age")


# Tools


def test_an_utterance_is_asked_about_in_its_dialogue(table, fitted, monkeypatch):
    X, _ = table
    row, expected = X.index[4], fitted.predict_proba(X)
    ask, features = answer_function(fitted, X, row), drop_keys(X)
    np.testing.assert_allclose(ask(features.loc[[row]]), expected[[4]], atol=1e-6)
    variants = features.to_numpy()[:6]
    together = ask(variants)
    assert together.shape == (6, expected.shape[1])
    changed = X.copy()
    changed.loc[row, features.columns] = variants[3]
    np.testing.assert_allclose(together[3], fitted.predict_proba(changed)[4], atol=1e-6)
    monkeypatch.setattr("skmerc.inspection._in_place._ROWS", 1)
    np.testing.assert_allclose(
        answer_function(fitted, X, row)(variants), together, atol=1e-6
    )
    assert ask(variants[:0]).shape == (0, expected.shape[1])
    with pytest.raises(ValueError, match=r"give \(variants, "):
        ask(variants[:, 1:])
    with pytest.raises(TypeError, match=r"'utterance' holds no numbers.*model\[1:\]"):
        answer_function(fitted, X.assign(utterance="yes"), row)


def test_shap_shares_out_the_answer_for_an_utterance(table, fitted):
    shap = pytest.importorskip("shap")
    X, _ = table
    ask, features = answer_function(fitted, X, 3), drop_keys(X)
    explainer = shap.PermutationExplainer(ask, features.to_numpy()[:4])
    shares = explainer(features.loc[[3]].to_numpy(), max_evals=500)
    total = shares.values.sum(axis=1) + shares.base_values
    np.testing.assert_allclose(total, ask(features.loc[[3]]), atol=1e-4)


def test_all_estimators_are_those_of_the_top_by_kind():
    everything = dict(all_estimators())
    assert set(everything) <= set(skmerc.__all__)
    assert all(getattr(skmerc, name) is kind for name, kind in everything.items())
    samplers = dict(all_estimators("sampler"))
    assert set(samplers) == {"DialogueSampler", "MultimodalGANSampler"}
    both = all_estimators(["sampler", "regressor"])
    assert [name for name, _ in both] == sorted([*samplers, "JoyfulRegressor"])
    with pytest.raises(ValueError, match="'cluster'; give some of classifier"):
        all_estimators("cluster")


def test_diagrams_link_to_the_page_of_each_estimator(monkeypatch):
    monkeypatch.setattr(registry, "_site", lambda: "https://example.org/generated")
    for name, kind in all_estimators():
        room = kind.__module__.partition("._")[0]
        page = f"https://example.org/generated/{room}.{name}.html"
        assert kind.__new__(kind)._get_doc_link() == page
        assert getattr(sys.modules[room], name) is kind
    assert "/generated/skmerc.recognition.CBERL" in CBERLClassifier()._repr_html_()
    monkeypatch.setattr(registry, "_site", lambda: "")
    assert CBERLClassifier()._get_doc_link() == ""


def test_export_is_silent_on_torchvision_alone(caplog):
    pytest.importorskip("onnxscript", reason="needs skmerc[export]")
    from torch.onnx._internal.exporter import _registration

    with silent_on_torchvision():
        _registration.logger.warning("torchvision is not installed. Skipping nms")
        _registration.logger.warning("something else")
    assert [record.message for record in caplog.records] == ["something else"]
    assert logging.getLogger(_registration.__name__).filters == []


def test_the_export_of_a_pipeline_says_what_to_export_and_what_to_give_it(fitted):
    from skmerc.persistence import export_model

    pytest.importorskip("onnxscript", reason="needs skmerc[export]")
    pipeline = make_pipeline(FunctionTransformer(), fitted)
    with pytest.raises(ValueError, match=r"export_model\(model\[1:\], path\)"):
        export_model(pipeline, "never written")
    recognizer = SimpleNamespace(pipeline_=pipeline)
    with pytest.raises(ValueError, match=r"model\.pipeline_\[:1\]\.transform\(X\)"):
        export_model(recognizer, "never written")


@pytest.mark.slow
def test_importing_loads_no_more_than_is_needed():
    code = (
        "import sys, skmerc\n"
        "late = {'numpy', 'pandas', 'scipy', 'sklearn', 'torch', 'skorch'}\n"
        "assert not late & set(sys.modules)\n"
        "import skmerc.frame\n"
        "late = {'torch', 'torch_geometric', 'skorch', 'optuna', 'imblearn'}\n"
        "assert not (late | {'matplotlib', 'polars', 'onnx'}) & set(sys.modules)\n"
        "from skmerc import CBERLClassifier\n"
        "late |= {'matplotlib', 'polars', 'onnx', 'skops', 'safetensors'}\n"
        "assert not (late - {'torch'}) & set(sys.modules)\n"
        "from skmerc import *\n"
        "assert not (late - {'torch', 'imblearn'}) & set(sys.modules)\n"
        "CBERLClassifier.from_preset('paper').get_params()\n"
        "assert not {'torch_geometric', 'skorch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
