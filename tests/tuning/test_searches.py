"""The searches of scikit-learn over a pipeline, and OptunaSearchCV."""

import warnings

import numpy as np
import optuna
import pandas as pd
import pytest
from imblearn.pipeline import Pipeline
from optuna.distributions import FloatDistribution
from optuna.exceptions import ExperimentalWarning
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
)
from systems import mostly_slow

from skmerc import CBERLClassifier, DJVAEFuser, MultimodalGANSampler
from skmerc.datasets import make_conversations
from skmerc.exceptions import SplitDialogueWarning
from skmerc.metrics import weighted_f1_scorer
from skmerc.model_selection import DialogueKFold
from skmerc.tuning import param_distributions, search_space

SEARCH = {
    "cv": DialogueKFold(2),
    "scoring": weighted_f1_scorer,
    "error_score": "raise",
}


@pytest.fixture(scope="module")
def table():
    return make_conversations(20, n_turns=(4, 8), imbalance=4, random_state=0)


def three_steps(memory=None):
    return Pipeline(
        [
            (
                "sampler",
                MultimodalGANSampler(
                    sampling_strategy="mean",
                    hidden_size=8,
                    n_steps=5,
                    random_state=0,
                    device="cpu",
                ),
            ),
            (
                "fuser",
                DJVAEFuser(
                    latent_size=4,
                    hidden_size=8,
                    max_epochs=1,
                    random_state=0,
                    device="cpu",
                ),
            ),
            (
                "clf",
                CBERLClassifier(
                    hidden_size=8,
                    lstm_layers=1,
                    heads=2,
                    max_epochs=2,
                    batch_size=8,
                    random_state=0,
                    device="cpu",
                ),
            ),
        ],
        memory=memory,
    )


@pytest.fixture
def counts(monkeypatch):
    """How often each step was fitted in this process, and to which tables."""
    tables = {"sampler": [], "fuser": [], "clf": []}

    def count(step, cls, method):
        original = getattr(cls, method)

        def counted(self, X, *args, **kwargs):
            tables[step].append(X)
            return original(self, X, *args, **kwargs)

        monkeypatch.setattr(cls, method, counted)

    count("sampler", MultimodalGANSampler, "fit_resample")
    count("fuser", DJVAEFuser, "fit")
    count("clf", CBERLClassifier, "fit")
    return tables


def numbers(counts):
    return tuple(len(tables) for tables in counts.values())


@pytest.mark.parametrize(
    "cached", mostly_slow([True, False]), ids=["memory", "no memory"]
)
def test_with_memory_the_steps_before_are_fitted_once_per_fold(
    table, counts, tmp_path, cached
):
    grid = {"clf__lr": [1e-3, 1e-2, 1e-1]}
    memory = str(tmp_path) if cached else None
    GridSearchCV(three_steps(memory), grid, refit=False, **SEARCH).fit(*table)
    assert numbers(counts) == ((2, 2, 6) if cached else (6, 6, 6))


@pytest.mark.slow
def test_a_change_of_the_fuser_spares_the_sampler(table, counts, tmp_path):
    grid = {"fuser__beta": [1e-3, 1e-2], "clf__lr": [1e-3, 1e-2]}
    GridSearchCV(three_steps(str(tmp_path)), grid, refit=False, **SEARCH).fit(*table)
    assert numbers(counts) == (2, 4, 8)


@pytest.mark.slow
def test_memory_changes_no_score_in_two_processes(table, tmp_path):
    grid = {"clf__lr": [1e-3, 1e-1]}
    alone = GridSearchCV(three_steps(), grid, **SEARCH).fit(*table)
    cached = GridSearchCV(three_steps(str(tmp_path)), grid, n_jobs=2, **SEARCH)
    cached.fit(*table)
    assert len(set(alone.cv_results_["mean_test_score"])) > 1
    for fold in ("split0_test_score", "split1_test_score"):
        np.testing.assert_allclose(cached.cv_results_[fold], alone.cv_results_[fold])
    assert cached.best_params_ == alone.best_params_


@pytest.mark.slow
def test_a_random_search_takes_the_ranges(table):
    pipeline = three_steps().set_params(sampler="passthrough", clf__max_epochs=1)
    space = search_space(pipeline)
    search = RandomizedSearchCV(
        pipeline, param_distributions(space), n_iter=2, random_state=0, **SEARCH
    )
    search.fit(*table)
    first, second = search.cv_results_["params"]
    assert first.keys() == second.keys() == space.keys()
    assert first["clf__lr"] != second["clf__lr"]
    best = search.best_estimator_.get_params()
    assert {name: best[name] for name in space} == search.best_params_


@pytest.mark.slow
def test_halving_gives_epochs_to_the_best(table, counts):
    X, y = table
    search = HalvingGridSearchCV(
        three_steps().set_params(sampler="passthrough", fuser="passthrough"),
        {"clf__lr": [1e-4, 1e-3, 1e-2, 1e-1]},
        resource="clf__max_epochs",
        min_resources=1,
        max_resources=4,
        factor=2,
        random_state=0,
        **SEARCH,
    ).fit(X, y)
    assert search.n_resources_ == [1, 2, 4]
    assert search.n_candidates_ == [4, 2, 1]
    assert search.best_estimator_["clf"].max_epochs == 4
    assert len(counts["clf"]) == 2 * (4 + 2 + 1) + 1
    for part in counts["clf"]:
        whole = X[X["dialogue__id"].isin(part["dialogue__id"])]
        assert len(part) == len(whole)


@pytest.mark.slow
def test_halving_by_rows_tears_dialogues(table, counts):
    X, y = table
    search = HalvingGridSearchCV(
        three_steps().set_params(sampler="passthrough", fuser="passthrough"),
        {"clf__lr": [1e-3, 1e-2]},
        factor=2,
        random_state=0,
        **SEARCH,
    )
    with pytest.warns(SplitDialogueWarning):
        search.fit(X, y)
    turns = pd.DataFrame({"all": X.groupby("dialogue__id").size()})
    turns["kept"] = counts["clf"][0].groupby("dialogue__id").size()
    turns = turns.dropna()
    assert (turns["kept"] < turns["all"]).mean() > 0.5


@pytest.mark.slow
def test_the_search_of_optuna_integration(table):
    integration = pytest.importorskip(
        "optuna_integration", reason="needs optuna-integration"
    )
    space = {"clf__lr": FloatDistribution(1e-3, 1e-1, log=True)}
    pipeline = three_steps()
    with warnings.catch_warnings():
        # It calls itself experimental, and reports to optuna.terminator, which
        # Optuna 5 says it will drop.
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", ".*terminator", FutureWarning)
        search = integration.OptunaSearchCV(
            pipeline, space, n_trials=2, random_state=0, **SEARCH
        ).fit(*table)
    assert [trial.state.name for trial in search.trials_] == ["COMPLETE"] * 2
    best = clone(pipeline).set_params(**search.best_params_).fit(*table)
    np.testing.assert_array_equal(
        search.predict_proba(table[0]), best.predict_proba(table[0])
    )
    assert search.study_.direction == optuna.study.StudyDirection.MAXIMIZE
