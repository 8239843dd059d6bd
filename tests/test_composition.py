"""The three steps alone, one after the other, and in a pipeline."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from systems import mostly_slow

from skmerc import (
    CBERLClassifier,
    DialogueSampler,
    DJVAEFuser,
    MultimodalGANSampler,
)
from skmerc.datasets import make_conversations
from skmerc.exceptions import DuplicateTurnWarning
from skmerc.frame import KEYS, mark_validation, read_keys, split_frame

SAMPLER = MultimodalGANSampler(
    sampling_strategy="mean",
    hidden_size=16,
    n_steps=5,
    random_state=0,
    device="cpu",
)
FUSER = DJVAEFuser(
    latent_size=8, hidden_size=16, max_epochs=1, random_state=0, device="cpu"
)
CLASSIFIER = CBERLClassifier(
    hidden_size=8,
    lstm_layers=1,
    heads=2,
    max_epochs=2,
    batch_size=32,
    random_state=0,
    device="cpu",
)


def three_steps(**changes):
    steps = {"augment": SAMPLER, "fuse": FUSER, "recognise": CLASSIFIER} | changes
    return Pipeline([(name, clone(step)) for name, step in steps.items()])


class Spy(ClassifierMixin, BaseEstimator):
    """A last step that writes down which keys it is given."""

    def fit(self, X, y):
        self.classes_, self.keys_in_fit_ = np.unique(y), read_keys(X)
        return self

    def predict(self, X):
        self.keys_in_predict_ = read_keys(X)
        return np.full(len(X), self.classes_[0])


@pytest.fixture(scope="module")
def table():
    return make_conversations(24, n_turns=(6, 12), imbalance=6, random_state=0)


@pytest.mark.slow
def test_a_pipeline_answers_as_its_steps_do_by_hand(table):
    X, y = table
    enlarged, labels = clone(SAMPLER).fit_resample(X, y)
    fuser = clone(FUSER).fit(enlarged, labels)
    model = clone(CLASSIFIER).fit(fuser.transform(enlarged), labels)
    assert len(enlarged) > len(X)
    np.testing.assert_array_equal(
        three_steps().fit(X, y).predict_proba(X),
        model.predict_proba(fuser.transform(X)),
    )


def test_predict_never_samples(table, monkeypatch):
    X, y = table
    calls = []
    sample = MultimodalGANSampler.fit_resample

    def counted(self, *args, **kwargs):
        calls.append(self)
        return sample(self, *args, **kwargs)

    monkeypatch.setattr(MultimodalGANSampler, "fit_resample", counted)
    pipeline = three_steps().fit(X, y)
    assert len(calls) == 1
    assert len(pipeline.predict(X)) == len(pipeline.predict_proba(X)) == len(X)
    pipeline.score(X, y)
    assert len(calls) == 1


@pytest.mark.parametrize("output", mostly_slow(["default", "pandas"]))
def test_roles_travel_through_the_pipeline(table, output):
    X, y = table
    marked = mark_validation(X, fraction=0.25, random_state=0)
    context = np.arange(len(X)) % 7 == 0
    roles = marked["dialogue__role"].mask(context, "context")
    marked = marked.assign(dialogue__role=roles)
    with config_context(transform_output=output):
        pipeline = three_steps(recognise=Spy()).fit(marked, y)
        pipeline.predict(marked)
    sampler, spy = pipeline["augment"], pipeline["recognise"]
    invented = sampler.source_indices_
    assert len(invented) == sum(sampler.sampling_strategy_.values()) > 0
    expected = pd.concat(
        [
            read_keys(marked),
            read_keys(X.iloc[invented].assign(**{KEYS[3]: "synthetic"})),
        ],
        ignore_index=True,
    )
    pd.testing.assert_frame_equal(spy.keys_in_fit_, expected)
    assert expected["dialogue__role"].nunique() == 4
    pd.testing.assert_frame_equal(spy.keys_in_predict_, read_keys(marked))


@pytest.mark.slow
def test_validation_rows_teach_no_step_anything(table):
    X, y = table
    marked = mark_validation(X, fraction=0.25, random_state=0)
    kept = (marked["dialogue__role"] != "validation").to_numpy()
    settings = {"fuse__patience": None, "recognise__patience": None}
    with_rows = three_steps().set_params(**settings).fit(marked, y)
    without = three_steps().set_params(**settings).fit(marked[kept], y[kept])
    np.testing.assert_array_equal(with_rows.predict_proba(X), without.predict_proba(X))


@pytest.mark.parametrize(
    "model", mostly_slow([CLASSIFIER, three_steps()]), ids=["alone", "steps"]
)
@pytest.mark.parametrize(
    "roles",
    mostly_slow([["context"], ["validation"], ["context", "utterance", "validation"]]),
    ids="-".join,
)
def test_answers_do_not_depend_on_the_roles_of_real_rows(table, model, roles):
    X, y = table
    model = clone(model).fit(X, y)
    marked = X.assign(dialogue__role=np.resize(roles, len(X)))
    np.testing.assert_array_equal(model.predict_proba(marked), model.predict_proba(X))


def test_a_synthetic_row_is_answered_in_a_copy_of_its_dialogue(table):
    X, y = table
    model = clone(CLASSIFIER).fit(X, y)
    talk = X[X["dialogue__id"] == "dia0"].reset_index(drop=True)
    invented = talk.iloc[[4]].assign(text__0=5.0, dialogue__role="synthetic")
    replaced = talk.copy()
    replaced.loc[4, "text__0"] = 5.0
    answers = model.predict_proba(pd.concat([talk, invented]))
    np.testing.assert_allclose(answers[:-1], model.predict_proba(talk), atol=1e-6)
    np.testing.assert_allclose(answers[-1], model.predict_proba(replaced)[4], atol=1e-6)


@pytest.mark.parametrize("which", mostly_slow([[4], [0, 4, 5], slice(None)]), ids=str)
def test_a_synthetic_row_without_a_real_turn_is_answered_alone(table, which):
    X, y = table
    model = clone(CLASSIFIER).fit(X, y)
    talk = X[X["dialogue__id"] == "dia0"].reset_index(drop=True)
    talk.loc[talk.index[which], "dialogue__role"] = "synthetic"
    alone = talk["dialogue__role"] == "synthetic"
    answers = model.predict_proba(talk)
    single = talk.assign(dialogue__id=talk.index.astype(str))[alone]
    np.testing.assert_allclose(answers[alone], model.predict_proba(single), atol=1e-6)
    np.testing.assert_allclose(answers.sum(axis=1), 1)


def test_order_of_rows_never_changes_a_prediction(table):
    X, y = table
    pipeline = three_steps().fit(X, y)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(
        pipeline.predict_proba(X.iloc[order]),
        pipeline.predict_proba(X)[order],
        atol=1e-5,
    )


@pytest.mark.parametrize(
    "model",
    mostly_slow(
        [
            three_steps(),
            clone(CLASSIFIER).set_params(fusion="djvae", latent_size=8),
            clone(CLASSIFIER).set_params(head="boost"),
        ]
    ),
    ids=["steps", "djvae", "boost"],
)
def test_a_dialogue_alone_is_answered_as_among_others(table, model):
    X, y = table
    model = clone(model).fit(X, y)
    alone = np.zeros((len(X), len(model.classes_)))
    for rows in X.groupby("dialogue__id").indices.values():
        alone[rows] = model.predict_proba(X.iloc[rows])
    np.testing.assert_allclose(alone, model.predict_proba(X), atol=1e-6)


@pytest.mark.slow
def test_clone_and_pickle_keep_a_pipeline(table):
    X, y = table
    pipeline = three_steps().fit(X, y)
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict_proba(X), pipeline.predict_proba(X))
    refitted = clone(pipeline).fit(X, y)
    np.testing.assert_array_equal(refitted.predict_proba(X), pipeline.predict_proba(X))


@pytest.mark.slow
def test_both_outputs_of_transform_give_the_same(table):
    X, y = table
    fused, answers = {}, {}
    for output in ("default", "pandas"):
        with config_context(transform_output=output):
            fused[output] = clone(FUSER).fit(X, y).transform(X)
            answers[output] = three_steps().fit(X, y).predict_proba(X)
    assert list(fused["default"].columns[:5]) == [*KEYS, "fused__0"]
    pd.testing.assert_frame_equal(fused["pandas"], fused["default"])
    np.testing.assert_array_equal(answers["pandas"], answers["default"])


@pytest.mark.slow
def test_column_transformer_in_front_makes_the_layout(table):
    X, y = table
    text = [c for c in X if c.startswith("text__")]
    audio = [c for c in X if c.startswith("audio__")]
    columns = ColumnTransformer(
        [("text", PCA(4), text), ("audio", StandardScaler(), audio)],
        remainder="passthrough",
    )
    keyed = X[[*KEYS, *text, *audio]]
    with config_context(transform_output="pandas"):
        by_config = Pipeline([("columns", clone(columns)), *three_steps().steps])
        answers = by_config.fit(keyed, y).predict_proba(keyed)
        arranged = by_config["columns"].transform(keyed)
    columns.set_output(transform="pandas")
    by_step = Pipeline([("columns", columns), *three_steps().steps]).fit(keyed, y)
    np.testing.assert_array_equal(by_step.predict_proba(keyed), answers)
    assert "remainder__dialogue__id" in arranged
    keys, blocks = split_frame(arranged)
    pd.testing.assert_frame_equal(keys, read_keys(X))
    assert {name: block.shape[1] for name, block in blocks.items()} == {
        "text": 4,
        "audio": 8,
    }


@pytest.mark.parametrize("sampler", mostly_slow([RandomOverSampler, SMOTE]))
def test_any_over_sampler_takes_the_generators_place(table, sampler):
    X, y = table
    sampler = DialogueSampler(sampler(random_state=0))
    pipeline = three_steps(augment=sampler, recognise=Spy()).fit(X, y)
    roles = pipeline["recognise"].keys_in_fit_["dialogue__role"].value_counts()
    quota = sum(pipeline["augment"].sampling_strategy_.values())
    assert roles.to_dict() == {"utterance": len(X), "synthetic": quota}
    assert three_steps(augment=sampler).fit(X, y).predict(X).shape == y.shape


def test_random_over_sampler_without_a_wrapper_repeats_utterances(table):
    X, y = table
    sampler = RandomOverSampler(random_state=0)
    enlarged, labels = sampler.fit_resample(X, y)
    rows = sampler.sample_indices_
    assert len(rows) > len(X)
    pd.testing.assert_frame_equal(enlarged, X.iloc[rows].reset_index(drop=True))
    np.testing.assert_array_equal(labels, y[rows])
    assert set(enlarged["dialogue__role"]) == {"utterance"}
    message = f"^{len(rows) - len(X)} utterances share dialogue and turn"
    with pytest.warns(DuplicateTurnWarning, match=message):
        clone(CLASSIFIER).fit(enlarged, labels)


@pytest.mark.slow
@pytest.mark.parametrize(
    "keyed", mostly_slow([True, False]), ids=["keyed frame", "array"]
)
@pytest.mark.filterwarnings("ignore::skmerc.exceptions.NoDialogueWarning")
def test_read_only_memory_maps_are_read(table, tmp_path, keyed):
    X, y = table
    X = X.copy() if keyed else X.iloc[:, 4:].to_numpy()
    joblib.dump(X, tmp_path / "X")
    mapped = joblib.load(tmp_path / "X", mmap_mode="r")
    np.testing.assert_array_equal(
        three_steps().fit(mapped, y).predict_proba(mapped),
        three_steps().fit(X, y).predict_proba(X),
    )


@pytest.mark.slow
def test_a_cache_spares_sampler_and_fuser(table, tmp_path):
    X, y = table
    cached = three_steps().set_params(memory=str(tmp_path)).fit(X, y)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pkl")}
    again = clone(cached).set_params(recognise__lr=1e-4).fit(X, y)
    assert files
    assert files == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.pkl")}
    assert np.abs(again.predict_proba(X) - cached.predict_proba(X)).max() > 1e-6


def test_mixed_names_of_columns_are_refused(table):
    X, y = table
    with pytest.raises(TypeError, match="str"):
        clone(CLASSIFIER).fit(X.rename(columns={"text__0": 0}), y)


def test_polars_tables_are_read(table):
    polars = pytest.importorskip("polars")
    X, y = table
    model = clone(CLASSIFIER).fit(X, y)
    np.testing.assert_array_equal(
        model.predict_proba(polars.from_pandas(X)), model.predict_proba(X)
    )
