"""The three steps in everything that scikit-learn composes."""

import pickle

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmerc import (
    CBERLClassifier,
    DialogueSampler,
    DJVAEFuser,
    MultimodalGANSampler,
)
from skmerc.datasets import make_conversations
from skmerc.frame import KEYS, mark_validation
from skmerc.metrics import minority_f1_scorer, weighted_f1_scorer
from skmerc.model_selection import DialogueKFold

SAMPLER = MultimodalGANSampler(
    sampling_strategy="mean",
    hidden_size=16,
    n_steps=20,
    random_state=0,
    device="cpu",
)
FUSER = DJVAEFuser(
    latent_size=8, hidden_size=16, max_epochs=2, random_state=0, device="cpu"
)
CLASSIFIER = CBERLClassifier(
    hidden_size=8,
    lstm_layers=1,
    heads=2,
    max_epochs=2,
    batch_size=8,
    random_state=0,
    device="cpu",
)


def three_steps(**changes):
    steps = {"augment": SAMPLER, "fuse": FUSER, "recognise": CLASSIFIER} | changes
    return Pipeline([(name, clone(step)) for name, step in steps.items()])


@pytest.fixture(scope="module")
def table():
    return make_conversations(24, n_turns=(6, 12), imbalance=6, random_state=0)


def test_pipeline_fits_with_a_sampler_and_predicts_without(table):
    X, y = table
    pipeline = three_steps().fit(X, y)
    assert sum(pipeline["augment"].sampling_strategy_.values()) > 0
    assert pipeline.predict(X).shape == y.shape


def test_roles_travel_through_the_pipeline(table):
    X, y = table
    marked = mark_validation(X, fraction=0.25, random_state=0)
    enlarged, labels = clone(SAMPLER).fit_resample(marked, y)
    fused = clone(FUSER).fit_transform(enlarged, labels)
    counts = fused["dialogue__role"].value_counts()
    held_out = int((marked["dialogue__role"] == "validation").sum())
    assert counts["validation"] == held_out
    assert counts["synthetic"] == len(enlarged) - len(X)
    pd.testing.assert_frame_equal(
        fused[list(KEYS)], enlarged[list(KEYS)], check_index_type=False
    )


def test_validation_rows_teach_no_step_anything(table):
    X, y = table
    marked = mark_validation(X, fraction=0.25, random_state=0)
    kept = (marked["dialogue__role"] != "validation").to_numpy()
    settings = {"fuse__patience": None, "recognise__patience": None}
    with_rows = three_steps().set_params(**settings).fit(marked, y)
    without = three_steps().set_params(**settings).fit(marked[kept], y[kept])
    np.testing.assert_allclose(
        with_rows.predict_proba(X), without.predict_proba(X), atol=1e-6
    )


def test_order_of_rows_never_changes_a_prediction(table):
    X, y = table
    pipeline = three_steps().fit(X, y)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(
        pipeline.predict_proba(X.iloc[order]),
        pipeline.predict_proba(X)[order],
        atol=1e-5,
    )


@pytest.mark.parametrize("cv", [StratifiedGroupKFold(3), DialogueKFold(3)], ids=str)
def test_cross_validation_by_dialogue(table, cv):
    X, y = table
    scores = cross_validate(
        three_steps(),
        X,
        y,
        cv=cv,
        groups=X["dialogue__id"] if isinstance(cv, StratifiedGroupKFold) else None,
        scoring={"weighted": weighted_f1_scorer, "minority": minority_f1_scorer},
        error_score="raise",
    )
    assert np.isfinite(scores["test_weighted"]).all()


def test_grid_search_over_all_steps_in_two_processes(table):
    X, y = table
    grid = {
        "augment__sampling_strategy": ["mean", "not majority"],
        "fuse__latent_size": [4, 8],
        "recognise__graph_layers": [1],
    }
    search = GridSearchCV(
        three_steps(), grid, cv=DialogueKFold(2), n_jobs=2, error_score="raise"
    )
    search.fit(X, y)
    assert search.best_params_["fuse__latent_size"] in (4, 8)
    assert search.predict(X).shape == y.shape


def test_clone_and_pickle_keep_a_pipeline(table):
    X, y = table
    pipeline = three_steps().fit(X, y)
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict_proba(X), pipeline.predict_proba(X))
    refitted = clone(pipeline).fit(X, y)
    np.testing.assert_array_equal(refitted.predict_proba(X), pipeline.predict_proba(X))


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_both_outputs_of_transform_give_the_same(table, output):
    X, y = table
    expected = three_steps().fit(X, y).predict_proba(X)
    with config_context(transform_output=output):
        fused = clone(FUSER).fit(X, y).transform(X)
        found = three_steps().fit(X, y).predict_proba(X)
    assert list(fused.columns[:5]) == [*KEYS, "fused__0"]
    np.testing.assert_array_equal(found, expected)


def test_column_transformer_in_front_makes_the_layout(table):
    X, y = table
    text = [c for c in X if c.startswith("text__")]
    audio = [c for c in X if c.startswith("audio__")]
    columns = ColumnTransformer(
        [("text", PCA(4), text), ("audio", StandardScaler(), audio)],
        remainder="passthrough",
    ).set_output(transform="pandas")
    keyed = X[[*KEYS, *text, *audio]]
    pipeline = Pipeline([("columns", columns), *three_steps().steps]).fit(keyed, y)
    arranged = pipeline["columns"].transform(keyed)
    assert "remainder__dialogue__id" in arranged
    assert pipeline.predict(keyed).shape == y.shape


def test_any_over_sampler_takes_the_generators_place(table):
    X, y = table
    sampler = DialogueSampler(RandomOverSampler(random_state=0))
    pipeline = three_steps(augment=sampler).fit(X, y)
    assert pipeline.predict(X).shape == y.shape


def test_calibration_by_dialogue(table):
    X, y = table
    model = CalibratedClassifierCV(clone(CLASSIFIER), cv=DialogueKFold(2))
    assert model.fit(X, y).predict_proba(X).shape == (len(X), len(np.unique(y)))


def test_voting_and_stacking(table):
    X, y = table
    members = [("small", clone(CLASSIFIER)), ("steps", three_steps())]
    voting = VotingClassifier(members, voting="soft").fit(X, y)
    stacking = StackingClassifier(
        members, LogisticRegression(max_iter=1000), cv=DialogueKFold(2)
    ).fit(X, y)
    assert voting.predict(X).shape == stacking.predict(X).shape == y.shape


def test_learning_curve_by_dialogue(table):
    X, y = table
    sizes, train, test = learning_curve(
        clone(CLASSIFIER), X, y, cv=DialogueKFold(2), train_sizes=[0.5, 1.0]
    )
    assert np.isfinite(test).all()


def test_out_of_fold_answers(table):
    X, y = table
    answers = cross_val_predict(clone(CLASSIFIER), X, y, cv=DialogueKFold(2))
    assert set(answers) <= set(y)


def test_permutation_importance_of_columns(table):
    X, y = table
    few = X[[*KEYS, "text__0", "text__1", "audio__0"]]
    model = clone(CLASSIFIER).fit(few, y)
    importance = permutation_importance(model, few, y, n_repeats=2, random_state=0)
    assert importance.importances_mean.shape == (few.shape[1],)


def test_what_turns_tables_into_numbers_fails_loudly(table):
    X, y = table
    with pytest.raises(ValueError, match="could not convert string to float"):
        BaggingClassifier(clone(CLASSIFIER)).fit(X, y)
    with pytest.raises(ValueError, match="could not convert string to float"):
        StandardScaler().fit(X)
    with pytest.raises(ValueError, match="could not convert string to float"):
        make_pipeline(LogisticRegression()).fit(X, y)
    with pytest.raises((TypeError, ValueError)):
        RandomOverSampler().fit(X, y).fit_resample(X.iloc[:0], y[:0])


def test_few_dialogues_leave_classes_out_of_folds(table):
    X, y = table
    few = X["dialogue__id"].isin(X["dialogue__id"].unique()[:4]).to_numpy()
    answers = cross_val_predict(
        clone(CLASSIFIER), X[few], y[few], cv=DialogueKFold(2), method="predict"
    )
    assert set(answers) <= set(y)


def test_read_only_memory_maps_are_read(table, tmp_path):
    X, y = table
    path = tmp_path / "features.npy"
    np.save(path, X.iloc[:, 4:].to_numpy())
    mapped = np.load(path, mmap_mode="r")
    model = clone(CLASSIFIER).fit(mapped, y)
    assert model.predict(mapped).shape == y.shape


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
