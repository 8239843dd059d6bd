import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from systems import mostly_slow

from skmerc import (
    CBERLClassifier,
    DJVAEFuser,
    FocalAdaBoostClassifier,
    MultimodalGANSampler,
)
from skmerc.datasets import make_conversations
from skmerc.exceptions import (
    DuplicateTurnWarning,
    PartialMissingWarning,
    SplitDialogueWarning,
)
from skmerc.frame import make_frame, mark_validation, split_frame
from skmerc.frame._columns import synthetic_id
from skmerc.nn.masked_graph import draw_mask
from skmerc.recognition import make_cberl

SMALL = {
    "hidden_size": 16,
    "lstm_layers": 1,
    "latent_size": 8,
    "max_epochs": 3,
    "batch_size": 8,
    "device": "cpu",
    "random_state": 0,
}
# Nothing random but the weights, and no rounding that hangs on the size of batches.
ONE_FULL_BATCH = SMALL | {
    "dropout": 0.0,
    "mask_rate": 0.0,
    "batch_size": 1000,
    "patience": None,
    "max_epochs": 5,
}


@pytest.fixture(scope="module")
def table():
    return make_conversations(16, n_turns=(4, 9), random_state=0)


@pytest.fixture(scope="module")
def fitted(table):
    """A model with the settings of most tests; not to be changed."""
    return CBERLClassifier(**SMALL).fit(*table)


def with_synthetic(X, y, label, factor=2):
    """Add noisy copies of a class as a sampler would."""
    rows = np.repeat(np.flatnonzero(y == label), factor)
    invented = X.iloc[rows].copy()
    features = [c for c in X if not c.startswith("dialogue__")]
    noise = np.random.default_rng(0).normal(size=(len(rows), len(features)))
    invented[features] += noise.astype(np.float32)
    invented["dialogue__role"] = "synthetic"
    return pd.concat([X, invented], ignore_index=True), np.append(y, y[rows])


def test_every_row_gets_probabilities(table, fitted):
    X, y = table
    p = fitted.predict_proba(X)
    assert p.shape == (len(X), len(np.unique(y)))
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_order_of_rows_never_matters(table, fitted):
    X, y = table
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(
        fitted.predict_proba(X.iloc[order]), fitted.predict_proba(X)[order], atol=1e-6
    )


def test_order_of_training_rows_never_matters(table, fitted):
    X, y = table
    order = np.random.default_rng(0).permutation(len(X))
    second = CBERLClassifier(**SMALL).fit(X.iloc[order], y[order])
    np.testing.assert_allclose(
        fitted.predict_proba(X), second.predict_proba(X), atol=1e-5
    )


def test_other_dialogues_in_the_batch_never_matter(table, fitted):
    X, y = table
    together = fitted.predict_proba(X)
    for dialogue, rows in X.groupby("dialogue__id").indices.items():
        alone = fitted.predict_proba(X[X["dialogue__id"] == dialogue])
        np.testing.assert_allclose(alone, together[rows], atol=1e-9)


def test_the_dialogue_around_an_utterance_matters(table, fitted):
    X, y = table
    alone = fitted.predict_proba(X.iloc[[5]])
    assert np.abs(alone - fitted.predict_proba(X)[5]).max() > 1e-4


@pytest.mark.parametrize(
    "part",
    mostly_slow(
        [
            {"fusion": "djvae"},
            {"fusion": "djvae_latent", "posterior": "poe"},
            {"fusion": "djvae", "beta": 1.0, "gamma": 0.1},
            {"bidirectional": False},
            {"mask_rate": 0.0},
            {"mask": "neighbor"},
            {"focal_gamma": 0.0},
            {"head": "boost"},
            {"head": LogisticRegression(max_iter=1000)},
            {"class_weight": "balanced"},
            {"modality_dropout": 0.5},
            {"label_smoothing": 0.1},
            {"window_past": None, "window_future": 0},
            {"graph_layers": 2},
        ]
    ),
    ids=str,
)
def test_each_part_can_be_switched_and_repeats_exactly(table, fitted, part):
    X, y = table
    model = CBERLClassifier(**(SMALL | part))
    first = model.fit(X, y).predict_proba(X)
    assert np.abs(first - fitted.predict_proba(X)).max() > 1e-6
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), first)


def test_class_aware_masks_follow_the_frequencies_of_classes(table, monkeypatch):
    X, y = table
    followed = []

    def draw(lengths, rate, weight):
        followed.append(weight)
        return draw_mask(lengths, rate, weight)

    monkeypatch.setattr("skmerc.nn.cberl.draw_mask", draw)
    CBERLClassifier(**SMALL, mask="class_aware").fit(X, y)
    shares = np.unique(y, return_counts=True)[1] / len(y)
    found = torch.cat(followed).unique()
    np.testing.assert_allclose(found, np.sort(shares) + 1e-3, rtol=1e-5)
    followed.clear()
    context = np.arange(len(y)) % 4 == 0
    X = X.assign(dialogue__role=np.where(context, "context", "utterance"))
    CBERLClassifier(**SMALL, mask="class_aware").fit(X, np.where(context, None, y))
    shares = pd.Series(y[~context]).value_counts(normalize=True)
    mean = shares[y[~context]].mean()  # of what has no label
    found = torch.cat(followed).unique()
    np.testing.assert_allclose(found, np.sort([*shares, mean]) + 1e-3, rtol=1e-5)


def test_global_generators_stay_as_they_were(table):
    X, y = table
    np.random.seed(3)
    torch.manual_seed(3)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    CBERLClassifier(**SMALL).fit(X, y).predict(X)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_history_holds_every_term_of_the_loss(table):
    X, y = table
    model = CBERLClassifier(**(SMALL | {"fusion": "djvae"}))
    model.fit(mark_validation(X, fraction=0.2, random_state=0), y)
    assert len(model.history_) == model.n_iter_ == 3
    expected = {
        "train_loss",
        "focal_loss",
        "reconstruction_loss",
        "fusion_loss",
        "valid_loss",
        "valid_weighted_f1",
    }
    assert expected <= set(model.history_[0])
    assert all(model.history_[0][name] > 0 for name in expected)


@pytest.mark.slow
def test_training_stops_early_and_restores_the_best_epoch():
    X, y = make_conversations(30, information=8, random_state=0)
    marked = mark_validation(X, fraction=0.3, random_state=0)
    held_out = (marked["dialogue__role"] == "validation").to_numpy()
    settings = SMALL | {"max_epochs": 40, "patience": 2, "lr": 1e-2}
    model = CBERLClassifier(**settings).fit(marked, y)
    scores = [epoch["valid_weighted_f1"] for epoch in model.history_]
    best = int(np.argmax(scores)) + 1
    assert best > 1
    assert model.n_iter_ == len(scores) == min(best + 2, 40)
    found = f1_score(y[held_out], model.predict(marked)[held_out], average="weighted")
    assert found == pytest.approx(scores[best - 1])
    again = clone(model).set_params(max_epochs=best, patience=None).fit(marked, y)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
    longer = clone(again).set_params(max_epochs=best + 2).fit(marked, y)
    assert np.abs(longer.predict_proba(X) - model.predict_proba(X)).max() > 1e-4


@pytest.mark.slow
def test_validation_rows_teach_nothing(table):
    X, y = table
    marked = mark_validation(X, fraction=0.3, random_state=0)
    kept = (marked["dialogue__role"] != "validation").to_numpy()
    settings = SMALL | {
        "patience": None,
        "max_epochs": 12,
        "lr": 1e-2,
        "head": "boost",
    }
    with_rows = CBERLClassifier(**settings).fit(marked, y)
    without = CBERLClassifier(**settings).fit(marked[kept], y[kept])
    np.testing.assert_array_equal(with_rows.predict_proba(X), without.predict_proba(X))


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.SplitDialogueWarning")
def test_context_rows_are_neighbours_without_a_label(table):
    X, y = table
    context = X.copy()
    hidden = np.arange(len(X)) % 3 == 0
    context.loc[hidden, "dialogue__role"] = "context"
    other = y.copy()
    other[hidden] = y[~hidden][0]
    model = CBERLClassifier(**SMALL)
    first = clone(model).fit(context, y)
    second = clone(model).fit(context, other)
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert first.score(context, y) == second.score(context, other)
    removed = clone(model).fit(context[~hidden], y[~hidden])
    assert np.abs(removed.predict_proba(X) - first.predict_proba(X)).max() > 1e-5


def test_real_rows_do_not_see_synthetic_ones(table, fitted):
    X, y = table
    enlarged, _ = with_synthetic(X, y, y[0])
    np.testing.assert_allclose(
        fitted.predict_proba(enlarged)[: len(X)], fitted.predict_proba(X), atol=1e-6
    )


def test_synthetic_rows_teach(table):
    """Nine of ten utterances of a dialogue turn to one emotion."""
    X, y = table
    more = pd.concat([X.assign(dialogue__role="synthetic")] * 9)
    both = pd.concat([X, more], ignore_index=True)
    settings = SMALL | {"patience": None, "lr": 1e-2, "batch_size": 2}
    model = CBERLClassifier(**settings).fit(both, np.append(y, [y[0]] * len(more)))
    shares = model.predict_proba(X).mean(axis=0)
    assert shares[list(model.classes_).index(y[0])] > 0.7


def test_synthetic_rows_of_a_held_out_dialogue_teach_nothing(table):
    X, y = table
    marked = mark_validation(X, fraction=0.3, random_state=0)
    enlarged, labels = with_synthetic(marked, y, y[0])
    held_out = marked.loc[marked["dialogue__role"] == "validation", "dialogue__id"]
    cousins = (enlarged["dialogue__role"] == "synthetic") & enlarged[
        "dialogue__id"
    ].isin(held_out)
    settings = SMALL | {"patience": None}
    with_them = CBERLClassifier(**settings).fit(enlarged, labels)
    without = CBERLClassifier(**settings).fit(enlarged[~cousins], labels[~cousins])
    np.testing.assert_array_equal(with_them.predict_proba(X), without.predict_proba(X))


@pytest.mark.slow
@pytest.mark.parametrize("placement", mostly_slow(["dialogue", "isolated"]))
def test_synthetic_rows_of_a_dialogue_held_out_in_fit_teach_nothing(placement):
    X, y = make_conversations(10, n_turns=10, random_state=0)
    enlarged, labels = pd.concat([X, X], ignore_index=True), np.tile(y, 2)
    synthetic = np.arange(len(enlarged)) >= len(X)
    enlarged.loc[synthetic, "dialogue__role"] = "synthetic"
    source = enlarged["dialogue__id"].copy()
    if placement == "isolated":
        alone = [synthetic_id(name, i) for i, name in enumerate(source[synthetic])]
        enlarged.loc[synthetic, "dialogue__id"] = alone
    features = X.columns[4:]
    settings = SMALL | {"validation_fraction": 0.3, "patience": 1}

    def answers(changed, max_epochs=4, kept=slice(None)):
        moved = enlarged.copy()
        moved.loc[changed, features] += 3
        model = CBERLClassifier(**(settings | {"max_epochs": max_epochs}))
        return model.fit(moved[kept], labels[kept]).predict_proba(X)

    # After one epoch nothing was selected yet: who is held out teaches nothing.
    nobody = np.zeros(len(enlarged), bool)
    first = answers(nobody, max_epochs=1)
    held_out = [
        name
        for name in X["dialogue__id"].unique()
        if np.array_equal(answers((source == name) & ~synthetic, max_epochs=1), first)
    ]
    assert len(held_out) == 3
    cousins = synthetic & source.isin(held_out).to_numpy()
    expected = answers(nobody)
    np.testing.assert_array_equal(answers(cousins), expected)
    np.testing.assert_array_equal(answers(nobody, kept=~cousins), expected)
    assert np.abs(answers(synthetic & ~cousins) - expected).max() > 1e-4


@pytest.mark.parametrize("fusion", mostly_slow(["concat", "djvae", "djvae_latent"]))
def test_a_missing_modality_after_complete_training(table, fusion):
    X, y = table
    model = CBERLClassifier(**(SMALL | {"fusion": fusion})).fit(X, y)
    without = X.copy()
    without[[c for c in X if c.startswith("audio__")]] = np.nan
    p = model.predict_proba(without)
    assert np.isfinite(p).all()
    assert np.abs(p - model.predict_proba(X)).max() > 1e-4


def test_speakers_never_seen_are_welcome(table, fitted):
    X, y = table
    renamed = X.assign(dialogue__speaker="new " + X["dialogue__speaker"])
    np.testing.assert_allclose(
        fitted.predict_proba(renamed), fitted.predict_proba(X), atol=1e-6
    )


def test_who_speaks_matters(table, fitted):
    X, y = table
    one = X.assign(dialogue__speaker="one")
    assert np.abs(fitted.predict_proba(one) - fitted.predict_proba(X)).max() > 1e-4


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.NoDialogueWarning")
def test_weights_two_and_zero_equal_repetition_and_removal(table):
    """Dropout, masking and validation off, one full batch: our exact counterpart of
    scikit-learn's sample-weight checks, which compare batches of other sizes."""
    X, y = make_frame({"text": table[0].iloc[:60, 4:].to_numpy()}), table[1][:60]
    weight = np.array([0, 1, 2] * 20)
    repeated = np.repeat(np.arange(60), weight)
    weighted = CBERLClassifier(**ONE_FULL_BATCH).fit(X, y, sample_weight=weight)
    again = X.iloc[repeated].reset_index(drop=True)
    again["dialogue__id"] = np.arange(len(again)).astype(str)
    plain = CBERLClassifier(**ONE_FULL_BATCH).fit(again, y[repeated])
    np.testing.assert_allclose(
        weighted.predict_proba(X), plain.predict_proba(X), atol=1e-5
    )


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.SplitDialogueWarning")
@pytest.mark.parametrize("head", mostly_slow([None, "boost"]))
def test_weight_zero_is_the_role_context(table, head):
    """A row of weight 0 is heard by its neighbours, and so is no removed row."""
    X, y = table
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    model = CBERLClassifier(**SMALL, head=head)
    weighted = clone(model).fit(X, y, sample_weight=weight)
    context = X.assign(dialogue__role=np.where(weight > 0, "utterance", "context"))
    told = clone(model).fit(context, y, sample_weight=np.maximum(weight, 1))
    np.testing.assert_array_equal(weighted.predict_proba(X), told.predict_proba(X))
    kept = weight > 0
    removed = clone(model).fit(X[kept], y[kept], sample_weight=weight[kept])
    assert np.abs(removed.predict_proba(X) - told.predict_proba(X)).max() > 1e-4


@pytest.mark.parametrize("head", mostly_slow([None, "boost"]))
def test_weight_two_is_a_repetition_in_a_copy_of_the_dialogue(table, head):
    """The copy has the same neighbours, all of them as context."""
    X, y = table[0].iloc[:150], table[1][:150]
    settings = ONE_FULL_BATCH | {"head": head}
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    weighted = CBERLClassifier(**settings).fit(X, y, sample_weight=weight)
    first, second = (
        X.assign(dialogue__role=np.where(weight >= n, "utterance", "context"))
        for n in (1, 2)
    )
    second["dialogue__id"] = "copy of " + second["dialogue__id"]
    both = pd.concat([first, second], ignore_index=True)
    plain = CBERLClassifier(**settings).fit(both, np.tile(y, 2))
    np.testing.assert_allclose(
        weighted.predict_proba(X), plain.predict_proba(X), atol=1e-5
    )


def test_prior_moves_probabilities_to_the_wanted_shares(table):
    X, y = table
    model = CBERLClassifier(**(SMALL | {"class_weight": "balanced"})).fit(X, y)
    balanced = model.predict_proba(X)
    model.set_params(prior="uniform")
    np.testing.assert_allclose(model.predict_proba(X), balanced)
    labels, counts = np.unique(y, return_counts=True)
    moved = balanced * counts
    model.set_params(prior="train")
    np.testing.assert_allclose(
        model.predict_proba(X), moved / moved.sum(axis=1, keepdims=True)
    )
    model.set_params(prior={labels[0]: 1.0})
    assert (model.predict(X) == labels[0]).all()


@pytest.mark.parametrize("prior", [{"bored": 1.0}, {"bored": 1.0, "joy": 1.0}])
def test_a_prior_of_an_unknown_class_is_refused_in_fit(table, prior):
    with pytest.raises(ValueError, match="prior names 'bored'"):
        CBERLClassifier(**SMALL, prior=prior).fit(*table)


@pytest.mark.parametrize("parameter", ["class_weight", "prior"])
def test_a_class_that_training_lacks_may_be_named_beside_all_others(table, parameter):
    X, y = table
    given = {label: 1.0 + k for k, label in enumerate(np.unique(y))}
    more = given | {"bored": 5.0}
    plain = CBERLClassifier(**SMALL | {parameter: given}).fit(X, y)
    model = CBERLClassifier(**SMALL | {parameter: more}).fit(X, y)
    np.testing.assert_array_equal(model.classes_, np.unique(y))
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    assert getattr(model, parameter) == more
    more["bored"] = -1.0
    with pytest.raises(ValueError, match=f"{parameter} gives -1.0 to 'bored'"):
        CBERLClassifier(**SMALL | {parameter: more}).fit(X, y)


def test_class_weights_that_leave_nothing_are_refused_without_a_warning(table):
    weight = dict.fromkeys(np.unique(table[1]), 0.0)
    with pytest.raises(ValueError, match="all have class weight 0"):
        CBERLClassifier(**SMALL, class_weight=weight).fit(*table)


def test_a_prior_without_any_share_is_refused_in_fit(table):
    with pytest.raises(ValueError, match="no positive share"):
        CBERLClassifier(**SMALL, prior={"joy": 0.0}).fit(*table)


def test_boosting_head_is_the_focal_ensemble(table):
    X, y = table
    model = CBERLClassifier(**(SMALL | {"head": "boost"})).fit(X, y)
    assert isinstance(model.head_, FocalAdaBoostClassifier)
    votes = model.head_.predict(model.transform(X))
    np.testing.assert_array_equal(model.predict(X), model.classes_[votes])


def test_warm_start_goes_on(table):
    X, y = table
    model = CBERLClassifier(**(SMALL | {"warm_start": True, "patience": None}))
    first = model.fit(X, y).predict_proba(X)
    module = model.net_.module_
    second = model.set_params(max_epochs=1, lr=1e-9).fit(X, y).predict_proba(X)
    assert module is not model.net_.module_
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_pickle_keeps_answers_and_carries_no_data(table, fitted):
    X, y = table
    big = pd.concat([X] * 4, ignore_index=True)
    ids = np.repeat(np.arange(4), len(X)).astype(str)
    big["dialogue__id"] = ids + big["dialogue__id"]
    small_file = pickle.dumps(fitted)
    large_file = pickle.dumps(CBERLClassifier(**SMALL).fit(big, np.tile(y, 4)))
    assert len(large_file) < len(small_file) + 5000
    again = pickle.loads(small_file)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_a_second_fit_forgets_the_first(table):
    X, y = table
    model = CBERLClassifier(**SMALL).fit(X, y)
    fewer = X.drop(columns=[c for c in X if c.startswith("visual__")])
    assert model.fit(fewer, y).n_features_in_ == fewer.shape[1] - 4
    assert model.get_params()["latent_size"] == SMALL["latent_size"]


def test_callbacks_see_every_epoch(table):
    from skorch.callbacks import LRScheduler

    X, y = table
    scheduler = LRScheduler("StepLR", step_size=1)
    model = CBERLClassifier(**SMALL, callbacks=[scheduler]).fit(X, y)
    assert model.net_.optimizer_.param_groups[0]["lr"] < 1e-3
    assert not hasattr(scheduler, "lr_scheduler_")


@pytest.mark.slow
def test_modalities_given_by_name_override_the_names_of_the_columns(table):
    X, y = table
    blocks = split_frame(X)[1]
    features = X.columns[4:]
    renamed = X.rename(columns={c: f"f{i}" for i, c in enumerate(features)})
    given, start = {}, 0
    for name, block in blocks.items():
        given[name] = [f"f{start + i}" for i in range(block.shape[1])]
        start += block.shape[1]
    model = CBERLClassifier(**SMALL, fusion="djvae")
    expected = clone(model).fit(X, y).predict_proba(X)
    named = clone(model).set_params(modalities=given).fit(renamed, y)
    np.testing.assert_array_equal(named.predict_proba(renamed), expected)
    one = clone(model).set_params(modalities={"all": list(features)}).fit(X, y)
    assert np.abs(one.predict_proba(X) - expected).max() > 1e-4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skmerc.exceptions.NoDialogueWarning")
def test_modalities_given_as_slices_take_an_array_apart(table):
    X, y = table[0].iloc[:120], table[1][:120]
    blocks = split_frame(X)[1]
    ids = [f"{row:04d}" for row in range(len(X))]
    model = CBERLClassifier(**SMALL, fusion="djvae")
    expected = clone(model).fit(make_frame(blocks, dialogue=ids), y)
    widths = np.cumsum([0, *(block.shape[1] for block in blocks.values())])
    given = dict(zip(blocks, map(slice, widths[:-1], widths[1:]), strict=True))
    array = X.iloc[:, 4:].to_numpy()
    sliced = clone(model).set_params(modalities=given).fit(array, y)
    # The order of one-turn dialogues decides about the last digit.
    np.testing.assert_allclose(
        sliced.predict_proba(array),
        expected.predict_proba(make_frame(blocks)),
        rtol=1e-12,
    )
    whole = clone(model).fit(array, y).predict_proba(array)
    assert np.abs(whole - sliced.predict_proba(array)).max() > 1e-4


def test_columns_outside_the_given_modalities_are_not_looked_at(table):
    X, y = table
    text = [name for name in X if name.startswith("text__")]
    model = CBERLClassifier(**SMALL, modalities={"text": text}).fit(X, y)
    noise = np.random.default_rng(0).normal(size=(len(X), X.shape[1] - 20))
    np.testing.assert_array_equal(
        model.predict_proba(
            X.assign(**dict(zip(X.columns[20:], noise.T, strict=True)))
        ),
        model.predict_proba(X),
    )


def test_net_params_reach_the_net_and_have_the_last_word(table):
    X, y = table
    given = {"optimizer__betas": (0.5, 0.9), "max_epochs": 2}
    model = CBERLClassifier(**SMALL, net_params=given).fit(X, y)
    assert model.net_.optimizer_.param_groups[0]["betas"] == (0.5, 0.9)
    assert model.n_iter_ == 2
    assert model.net_params == given


@pytest.mark.parametrize("head", mostly_slow([None, "boost"]))
def test_verbose_shows_a_bar_and_silence_is_the_default(table, capsys, head):
    X, y = table
    CBERLClassifier(**SMALL, head=head).fit(X, y).predict(X)
    assert capsys.readouterr() == ("", "")
    marked = mark_validation(X, fraction=0.3, random_state=0)
    CBERLClassifier(**SMALL, head=head, verbose=1).fit(marked, y)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "3/3" in shown.err
    assert "valid_weighted_f1" in shown.err


@pytest.mark.parametrize("fusion", mostly_slow(["concat", "djvae", "djvae_latent"]))
@pytest.mark.parametrize("layers", mostly_slow([0, 1, 2]))
def test_answers_of_a_causal_model_stay_as_a_conversation_goes_on(
    table, fusion, layers
):
    X, y = table
    causal = {"bidirectional": False, "window_future": 0, "fusion": fusion}
    model = CBERLClassifier(**(SMALL | causal | {"lstm_layers": layers})).fit(X, y)
    talk = X[X["dialogue__id"] == X["dialogue__id"].value_counts().index[0]]
    whole = model.predict_proba(talk)
    for n in range(1, len(talk)):
        found = model.predict_proba(talk.iloc[:n])
        np.testing.assert_allclose(found, whole[:n], atol=1e-9)


@pytest.mark.slow
def test_divergences_warm_up_over_epochs_and_calls(table):
    X, y = table
    settings = SMALL | {"fusion": "djvae", "warmup_epochs": 4, "beta": 0.02}
    model = CBERLClassifier(**(settings | {"max_epochs": 6})).fit(X, y)
    expected = [0.005, 0.01, 0.015, 0.02, 0.02, 0.02]
    assert [epoch["beta"] for epoch in model.history_] == pytest.approx(expected)
    parts = CBERLClassifier(**settings)
    for _ in range(5):
        parts.partial_fit(X, y, classes=np.unique(y))
    found = [epoch["beta"] for epoch in parts.history_]
    assert found == pytest.approx(expected[:5])


def test_without_a_code_nothing_warms_up(table):
    plain = CBERLClassifier(**SMALL, warmup_epochs=2).fit(*table)
    assert "beta" not in plain.history_[0]


SMALL_STEPS = {
    "multimodalgansampler__n_steps": 3,
    "multimodalgansampler__hidden_size": 8,
    "djvaefuser__latent_size": 8,
    "djvaefuser__max_epochs": 2,
    "cberlclassifier__hidden_size": 8,
    "cberlclassifier__max_epochs": 2,
}


@pytest.mark.parametrize("preset", mostly_slow([None, "paper"]))
def test_one_call_makes_all_steps_of_cberl(table, preset):
    X, y = table
    model = make_cberl(preset, random_state=0, device="cpu").set_params(
        **SMALL_STEPS, cberlclassifier__batch_size=8
    )
    assert list(model.named_steps) == [name.split("__")[0] for name in SMALL_STEPS][::2]
    assert {step.random_state for _, step in model.steps} == {0}
    p = model.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), p)
    widths = [step.n_features_in_ for _, step in model.steps]
    assert (widths[-1] == 8) == (preset == "paper")  # the code alone, or more


@pytest.mark.parametrize(
    "kind",
    [CBERLClassifier, DJVAEFuser, MultimodalGANSampler],
    ids=lambda k: k.__name__,
)
def test_every_step_has_the_preset_of_the_paper(kind):
    model = kind.from_preset("paper", random_state=3)
    assert model.random_state == 3
    given = kind._presets["paper"]
    assert {name: getattr(model, name) for name in given} == given
    with pytest.raises(ValueError, match="No preset 'best'; there is paper"):
        kind.from_preset("best")


def test_an_unknown_preset_of_the_pipeline_is_named():
    with pytest.raises(ValueError, match="No preset 'best'; there is paper"):
        make_cberl("best")


def test_a_preset_takes_changes_and_an_unknown_one_is_named():
    model = CBERLClassifier.from_preset("paper", lr=0.5)
    assert (model.lr, model.head, model.graph_layers) == (0.5, "boost", 2)
    with pytest.raises(ValueError, match="No preset 'best'; there is paper"):
        CBERLClassifier.from_preset("best")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dialogue__role": "context"}, "none has a label"),
        ({"dialogue__role": "validation"}, "No row is left to learn from"),
        ({"dialogue__role": "listener"}, "Unknown role 'listener' in row 0"),
        ({"text__0": np.inf}, "infinity.* row 0, column 'text__0'"),
        ({"text__0": "hello"}, "'text__0' holds"),
        ({"dialogue__turn": "first"}, "dialogue__turn is 'first' in row 0"),
    ],
    ids=str,
)
def test_bad_tables_are_refused_before_training(table, change, message):
    X, y = table
    with pytest.raises(ValueError, match=message):
        CBERLClassifier(**SMALL).fit(X.assign(**change), y)


def test_partial_nan_is_counted_or_refused(table):
    X, y = table
    X = X.copy()
    X.loc[7, "audio__1"] = np.nan
    with pytest.warns(PartialMissingWarning, match="audio: 1"):
        CBERLClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="row 7, column 'audio__1' of block 'audio'"):
        CBERLClassifier(**SMALL, partial_nan="error").fit(X, y)


def equal_turns(X):
    return X.assign(dialogue__turn=0)


def split_by_rows(X):
    return X[::2]


def single_holes(X):
    X = X.copy()
    X.loc[[3, 7], "audio__1"] = np.nan
    X.loc[7, "text__0"] = np.nan
    return X


@pytest.mark.parametrize(
    ("spoil", "category"),
    mostly_slow(
        [
            (equal_turns, DuplicateTurnWarning),
            (split_by_rows, SplitDialogueWarning),
            (single_holes, PartialMissingWarning),
        ]
    ),
)
@pytest.mark.parametrize("head", mostly_slow([None, "boost"]))
def test_a_fit_warns_once_of_what_looks_wrong(table, spoil, category, head):
    X, y = spoil(table[0]), table[1]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        CBERLClassifier(**SMALL, head=head).fit(X, y[X.index])
    assert [warning.category for warning in found] == [category]


def test_unknown_class_in_class_weight_is_named(table):
    X, y = table
    with pytest.raises(ValueError, match="bored"):
        CBERLClassifier(**SMALL, class_weight={"bored": 2.0}).fit(X, y)


@pytest.mark.gpu
def test_a_model_of_the_gpu_agrees_with_its_pickle_on_a_machine_without(
    table, answer_without_gpu
):
    X, y = table
    model = CBERLClassifier(**(SMALL | {"device": "cuda"})).fit(X, y)
    assert next(model.net_.module_.parameters()).is_cuda
    on_cpu = answer_without_gpu(model, "predict_proba", X)
    np.testing.assert_allclose(on_cpu, model.predict_proba(X), atol=1e-4)
