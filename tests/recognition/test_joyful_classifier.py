"""JOYFUL's classifier as its users see it."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from systems import mostly_slow

from skmerc import (
    DialogueSampler,
    DJVAEFuser,
    FocalAdaBoostClassifier,
    JoyfulClassifier,
    MultimodalGANSampler,
)
from skmerc.datasets import make_conversations
from skmerc.frame import make_frame, mark_validation
from skmerc.metrics import accuracy_scorer
from skmerc.model_selection import DialogueKFold

SMALL = {
    "fusion_size": 8,
    "n_bases": 4,
    "context_layers": 1,
    "heads": 2,
    "hidden_size": 8,
    "lr": 3e-3,
    "batch_size": 8,
    "max_epochs": 3,
    "device": "cpu",
    "random_state": 0,
}
# Nothing random but the weights, and no rounding that hangs on the size of batches.
ONE_FULL_BATCH = SMALL | {
    "dropout": 0.0,
    "augmentation_rate": 0.0,
    "contrast_weight": 0.0,
    "batch_size": 1000,
    "patience": None,
}


@pytest.fixture(scope="module")
def table():
    return make_conversations(16, n_turns=(4, 9), random_state=0)


@pytest.fixture(scope="module")
def fitted(table):
    return JoyfulClassifier(**SMALL).fit(*table)


def several(y):
    """An indicator matrix: joy, anger, and anything but neutral."""
    return np.stack([y == "joy", y == "anger", y != "neutral"], axis=1).astype(int)


def weights_of(model, part=None):
    module = model.net_.module_
    module = module if part is None else getattr(module, part)
    return torch.nn.utils.parameters_to_vector(module.parameters()).detach().clone()


def test_global_state_stays_as_it_was(table, global_state_untouched):
    with global_state_untouched():
        JoyfulClassifier(**SMALL).fit(*table).predict(table[0])


@pytest.mark.slow
def test_order_of_rows_never_matters(table, fitted):
    X, y = table
    order = np.random.default_rng(0).permutation(len(X))
    answers = fitted.predict_proba(X)
    shuffled = fitted.predict_proba(X.iloc[order])
    np.testing.assert_allclose(shuffled, answers[order], atol=1e-6)
    again = clone(fitted).fit(X.iloc[order], y[order])
    np.testing.assert_allclose(again.predict_proba(X), answers, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("conv", mostly_slow(["mean", "rgcn", "attention"]))
def test_answers_of_a_causal_model_stay_as_a_conversation_goes_on(table, conv):
    X, y = table
    talk = X[X["dialogue__id"] == "dia3"]
    changes = []
    for future in (0, 6):
        settings = SMALL | {"conv": conv, "window_future": future}
        model = JoyfulClassifier(**settings).fit(X, y)
        whole = model.predict_proba(talk)
        prefixes = [model.predict_proba(talk.iloc[:n]) for n in range(1, len(talk))]
        changes.append(max(np.abs(p - whole[: len(p)]).max() for p in prefixes))
    assert changes[0] < 1e-5
    assert changes[1] > 1e-4


@pytest.mark.slow
def test_history_holds_every_term_and_the_best_epoch_is_restored():
    X, y = make_conversations(16, n_turns=(4, 9), information=8, random_state=0)
    marked = mark_validation(X, fraction=0.4, random_state=0)
    held_out = (marked["dialogue__role"] == "validation").to_numpy()
    # Without a schedule, which a fit of fewer epochs would run through in these.
    settings = SMALL | {"max_epochs": 40, "patience": 3, "schedule": None}
    settings["batch_size"] = 4
    model = JoyfulClassifier(**settings).fit(marked, y)
    terms = {"task_loss", "fusion_loss", "contrastive_loss", "valid_loss"}
    assert terms | {"train_loss", "valid_weighted_f1"} <= set(model.history_[0])
    assert all(model.history_[0][name] > 0 for name in terms)
    scores = [epoch["valid_weighted_f1"] for epoch in model.history_]
    means = [epoch["valid_weighted_f1_mean"] for epoch in model.history_]
    assert means[-1] == pytest.approx(np.mean(scores[-5:]))
    best = int(np.argmax(means)) + 1
    assert best > 1
    assert model.n_iter_ == len(scores) == min(best + 3, 40)
    found = f1_score(y[held_out], model.predict(marked)[held_out], average="weighted")
    assert found == pytest.approx(scores[best - 1])
    again = clone(model).set_params(max_epochs=best, patience=None).fit(marked, y)
    assert torch.equal(weights_of(model), weights_of(again))


@pytest.mark.slow
@pytest.mark.parametrize("part", mostly_slow([{}, {"head": "boost"}]), ids=str)
def test_validation_rows_teach_nothing(table, part):
    X, y = table
    marked = mark_validation(X, fraction=0.3, random_state=0)
    kept = (marked["dialogue__role"] != "validation").to_numpy()
    model = JoyfulClassifier(**SMALL, patience=None, **part)
    with_rows = clone(model).fit(marked, y).predict_proba(X)
    without = clone(model).fit(marked[kept], y[kept]).predict_proba(X)
    np.testing.assert_array_equal(with_rows, without)


@pytest.mark.slow
@pytest.mark.parametrize("multilabel", mostly_slow([False, True]))
def test_labels_of_context_rows_are_ignored(table, multilabel):
    X, y = table
    hidden = np.arange(len(X)) % 3 == 0
    context = X.assign(dialogue__role=np.where(hidden, "context", "utterance"))
    y = several(y) if multilabel else y
    other = y.copy()
    other[hidden] = y[~hidden][0]
    first, second = (
        JoyfulClassifier(**SMALL).fit(context, each) for each in (y, other)
    )
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert first.score(context, y) == second.score(context, other)


class TestPartialFit:
    @pytest.mark.parametrize("multilabel", mostly_slow([False, True]))
    def test_calls_add_up(self, table, multilabel):
        X, y = table
        y, first = (several(y), {}) if multilabel else (y, {"classes": np.unique(y)})
        model, before = JoyfulClassifier(**SMALL).partial_fit(X, y, **first), None
        for n in (1, 2, 3):
            assert len(model.history_) == model.n_iter_ == n
            after = weights_of(model)
            assert before is None or (after - before).abs().max() > 1e-4
            steps = {int(s["step"]) for s in model.net_.optimizer_.state.values()}
            assert steps == {n * 2}
            before = after
            model.partial_fit(X, y)
        assert model.predict(X).shape == y.shape

    def test_the_first_call_needs_all_classes(self, table):
        X, y = table
        with pytest.raises(ValueError, match="classes must be passed"):
            JoyfulClassifier(**SMALL).partial_fit(X, y)
        few = X["dialogue__id"].isin(["dia0"]).to_numpy()
        model = JoyfulClassifier(**SMALL).partial_fit(X[few], y[few], np.unique(y))
        assert list(model.classes_) == list(np.unique(y))
        with pytest.raises(ValueError, match="bored.* in row 0 is not among"):
            model.partial_fit(X, np.full(len(X), "bored"))


def test_warm_start_goes_on(table):
    X, y = table
    model = JoyfulClassifier(**SMALL, warm_start=True).fit(X, y)
    before = weights_of(model)
    model.set_params(max_epochs=1, lr=1e-9).fit(X, y)
    torch.testing.assert_close(weights_of(model), before, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "change", mostly_slow([{"hidden_size": 9}, {"conv": "mean"}]), ids=str
)
def test_warm_start_refuses_another_network(table, change):
    model = JoyfulClassifier(**SMALL, warm_start=True).fit(*table)
    with pytest.raises(ValueError, match="shape the network have changed"):
        model.set_params(**change).fit(*table)


class TestSeveralEmotions:
    def test_shapes_and_scores(self, table):
        X, y = table[0], several(table[1])
        model = JoyfulClassifier(**SMALL).fit(X, y)
        p, answers = model.predict_proba(X), model.predict(X)
        assert p.shape == answers.shape == y.shape
        assert ((p > 0) & (p < 1)).all()
        np.testing.assert_array_equal(answers, p > 0.5)
        assert model.score(X, y) == pytest.approx((answers == y).all(axis=1).mean())
        assert list(model.classes_) == [0, 1, 2]

    @pytest.mark.parametrize(
        "given",
        [
            {"class_weight": "balanced"},
            {"head": "boost"},
            {"prior": "train"},
            {"focal_gamma": 2.0},
            {"label_smoothing": 0.1},
            {"class_weight": "sqrt"},
            {"class_weight": "effective"},
            {"logit_adjustment": 1.0},
            {"contrast": "supervised"},
        ],
        ids=str,
    )
    def test_what_needs_one_emotion_is_refused(self, table, given):
        model = JoyfulClassifier(**SMALL, **given)
        with pytest.raises(ValueError, match=f"{next(iter(given))}=.* one emotion"):
            model.fit(table[0], several(table[1]))


@pytest.mark.slow
def test_the_boosting_head_answers_from_embeddings(table):
    X, y = table
    model = JoyfulClassifier(**SMALL, head="boost").fit(X, y)
    assert isinstance(model.head_, FocalAdaBoostClassifier)
    votes = model.head_.predict(model.transform(X))
    np.testing.assert_array_equal(model.predict(X), model.classes_[votes])


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.UnseenModalityWarning")
@pytest.mark.parametrize(
    "missing", mostly_slow(["in training", "in prediction", "in both"])
)
def test_a_missing_modality_is_no_obstacle(table, fitted, missing):
    X, y = table
    lacking = X.copy()
    lacking[[c for c in X if c.startswith("audio__")]] = np.nan
    known = X if missing == "in prediction" else lacking
    asked = X if missing == "in training" else lacking
    p = JoyfulClassifier(**SMALL).fit(known, y).predict_proba(asked)
    assert np.isfinite(p).all()
    assert np.abs(p - fitted.predict_proba(X)).max() > 1e-4


@pytest.mark.slow
def test_other_dialogues_and_synthetic_rows_never_matter(table, fitted):
    X, _ = table
    invented = X.iloc[:30].assign(text__0=5.0, dialogue__role="synthetic")
    answers = fitted.predict_proba(pd.concat([X, invented]))
    np.testing.assert_allclose(answers[: len(X)], fitted.predict_proba(X), atol=1e-9)
    for rows in X.groupby("dialogue__id").indices.values():
        alone = fitted.predict_proba(X.iloc[rows])
        np.testing.assert_allclose(alone, answers[rows], atol=1e-9)


@pytest.mark.parametrize(
    "steps",
    mostly_slow(
        [
            [
                MultimodalGANSampler(
                    n_steps=3, hidden_size=8, device="cpu", random_state=0
                )
            ],
            [
                DialogueSampler(RandomOverSampler(random_state=0)),
                DJVAEFuser(latent_size=4, hidden_size=8, max_epochs=1, random_state=0),
            ],
        ]
    ),
    ids=len,
)
def test_it_is_a_last_step_after_samplers_and_fusers(table, fitted, steps):
    X, y = table
    answers = make_pipeline(*steps, JoyfulClassifier(**SMALL)).fit(X, y)
    p = answers.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert np.abs(p - fitted.predict_proba(X)).max() > 1e-4


@pytest.mark.slow
def test_a_second_fit_forgets_the_first(table, fitted):
    X, y = table
    model = JoyfulClassifier(**SMALL)
    model.fit(X.drop(columns="text__0"), several(y)).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), fitted.predict_proba(X))
    assert model.get_params() == JoyfulClassifier(**SMALL).get_params()
    assert model.n_iter_ == len(model.history_) == 3


def test_pickle_and_names_of_embeddings(table, fitted):
    X, _ = table
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    names = [f"joyfulclassifier{i}" for i in range(8)]
    assert list(fitted.get_feature_names_out()) == names
    assert fitted.transform(X).shape == (len(X), 8)


@pytest.mark.slow
def test_cross_validation_and_grid_search_by_dialogue(table):
    X, y = table
    model, cv = JoyfulClassifier(**SMALL), DialogueKFold(2)
    scores = cross_val_score(model, X, y, cv=cv, error_score="raise")
    search = GridSearchCV(model, {"n_bases": [4, 6]}, cv=cv, error_score="raise")
    search.fit(X, y)
    assert search.cv_results_["mean_test_score"][0] == pytest.approx(scores.mean())


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.NoDialogueWarning")
def test_weights_two_and_zero_equal_repetition_and_removal(table):
    X, y = make_frame({"text": table[0].iloc[:60, 4:].to_numpy()}), table[1][:60]
    weight = np.array([0, 1, 2] * 20)
    repeated = np.repeat(np.arange(60), weight)
    weighted = JoyfulClassifier(**ONE_FULL_BATCH).fit(X, y, sample_weight=weight)
    again = X.iloc[repeated].reset_index(drop=True)
    again["dialogue__id"] = np.arange(len(again)).astype(str)
    plain = JoyfulClassifier(**ONE_FULL_BATCH).fit(again, y[repeated])
    difference = weighted.predict_proba(X) - plain.predict_proba(X)
    assert np.abs(difference).max() < 1e-5


@pytest.mark.gpu
@pytest.mark.parametrize("conv", ["mean", "rgcn", "attention"])
def test_a_model_of_the_gpu_agrees_with_its_pickle_on_a_machine_without(
    table, answer_without_gpu, conv
):
    X, y = table
    settings = SMALL | {"device": "cuda", "conv": conv, "relations": "pairs"}
    model = JoyfulClassifier(**settings, training="two-phase").fit(X, y)
    assert next(model.net_.module_.parameters()).is_cuda
    on_cpu = answer_without_gpu(model, "predict_proba", X)
    np.testing.assert_allclose(on_cpu, model.predict_proba(X), atol=1e-4)


def test_columns_of_labels_in_another_order_are_not_scored():
    X, _ = make_conversations(6, random_state=0)
    rng = np.random.default_rng(0)
    y = pd.DataFrame(rng.integers(2, size=(len(X), 2)), columns=["joy", "anger"])
    settings = {"hidden_size": 8, "max_epochs": 1, "random_state": 0}
    model = JoyfulClassifier(**settings).fit(X, y)
    assert model.score(X, y) == model.score(X, y.to_numpy())
    for score in (model.score, partial(accuracy_scorer, model)):
        with pytest.raises(ValueError, match="'anger', 'joy'.*in that order"):
            score(X, y[["anger", "joy"]])


@pytest.mark.parametrize(
    "kind", mostly_slow(["Int64", "boolean", "int64[pyarrow]", "category", object])
)
def test_a_matrix_of_any_type_of_pandas_is_learned_and_scored(table, kind):
    X, y = table[0], pd.DataFrame(several(table[1]), columns=["joy", "anger", "any"])
    plain, model = (
        JoyfulClassifier(**SMALL).fit(X, part) for part in (y, y.astype(kind))
    )
    answers = plain.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X), answers)
    assert model.score(X, y.astype(kind)) == plain.score(X, y)
    assert accuracy_scorer(model, X, y.astype(kind)) == accuracy_scorer(plain, X, y)


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 2), (1, 2)])
def test_a_matrix_of_two_other_values_than_0_and_1_is_refused(table, low, high):
    X, y = table
    with pytest.raises(ValueError, match="columns that hold more than 0 and 1"):
        JoyfulClassifier(**SMALL).fit(X, np.where(several(y) == 1, high, low))


def test_a_row_of_a_matrix_without_a_label_is_named(table):
    y = several(table[1]).astype(float)
    y[5, 1] = np.nan
    with pytest.raises(ValueError, match="missing in 1 rows, first in row 5"):
        JoyfulClassifier(**SMALL).fit(table[0], y)


def test_whatever_stands_in_context_rows_of_a_matrix_is_ignored(table):
    X, y = table[0].copy(), several(table[1])
    context = np.arange(len(y)) % 3 == 1
    X["dialogue__role"] = np.where(context, "context", "utterance")
    first, second = (
        JoyfulClassifier(**SMALL).fit(X, np.where(context[:, None], value, y))
        for value in (0, -1)
    )
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert first.score(X, y) == second.score(X, np.where(context[:, None], -1, y))


def test_a_matrix_of_another_order_of_bytes_is_learned_and_scored(table):
    X, y = table[0], several(table[1])
    swapped = y.astype(np.dtype(np.int64).newbyteorder())
    plain, model = (JoyfulClassifier(**SMALL).fit(X, part) for part in (y, swapped))
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert model.score(X, swapped) == plain.score(X, y)
