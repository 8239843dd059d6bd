import pickle
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import EarlyStopping, EpochScoring, Freezer, LRScheduler
from skorch.utils import noop
from systems import mostly_slow

from skmerc.exceptions import (
    DivergenceError,
    PartialMissingWarning,
    UnseenModalityWarning,
)
from skmerc.frame import KEYS, drop_keys, make_frame
from skmerc.fusion import DJVAEFuser

TEXT, AUDIO = 8, 5
POSTERIORS = ["joint", "poe"]

Fuser = partial(
    DJVAEFuser,
    latent_size=4,
    hidden_size=16,
    output="latent",
    max_epochs=3,
    batch_size=32,
    device="cpu",
    random_state=0,
)


Trained = partial(Fuser, max_epochs=15, batch_size=60, lr=0.01)


def make_blocks(n=60, seed=0, noise=0.3):
    """Two views of three hidden causes, and a class that the first one makes."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(n, 3))
    views = {
        name: causes @ np.random.default_rng(width).normal(size=(3, width))
        + noise * rng.normal(size=(n, width))
        for name, width in (("text", TEXT), ("audio", AUDIO))
    }
    return views, np.where(causes[:, 0] > 0, "joy", "anger")


def make_table(n=60, role="utterance", name="d", **settings):
    blocks, y = make_blocks(n, **settings)
    dialogue = [f"{name}{i // 3:03}" for i in range(n)]
    return make_frame(blocks, dialogue=dialogue, role=role), y


def columns_of(X, modality):
    return [name for name in X.columns if name.startswith(f"{modality}__")]


def without(X, modality, rows=slice(None)):
    X = X.copy()
    X.loc[X.index[rows], columns_of(X, modality)] = np.nan
    return X


def weights_of(fuser):
    return list(fuser.vae_.state_dict().values())


def same_weights(one, other):
    pairs = zip(weights_of(one), weights_of(other), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


# scikit-learn's contract


def test_parameters_are_keyword_only():
    with pytest.raises(TypeError):
        DJVAEFuser(64)


def test_fitted_fuser_pickles():
    X, y = make_table()
    fuser = Fuser().fit(X, y)
    copy = pickle.loads(pickle.dumps(fuser))
    pd.testing.assert_frame_equal(copy.transform(X), fuser.transform(X))


@pytest.mark.slow
def test_fitted_fuser_carries_no_data():
    X, _ = make_table(n=600)
    assert len(pickle.dumps(Fuser().fit(X))) < X.memory_usage(index=False).sum()


@pytest.mark.parametrize("classification_weight", mostly_slow([0.0, 1.0]))
def test_random_state_repeats_and_seeds_differ(classification_weight):
    X, y = make_table()
    fuser = Fuser(classification_weight=classification_weight)
    assert same_weights(clone(fuser).fit(X, y), clone(fuser).fit(X, y))
    other = clone(fuser).set_params(random_state=1).fit(X, y)
    assert not same_weights(clone(fuser).fit(X, y), other)


def test_global_state_is_untouched(global_state_untouched):
    X, y = make_table()
    with global_state_untouched():
        fuser = Fuser().fit(X, y)
        fuser.transform(X)
        fuser.score_samples(X)
        fuser.sample(2, random_state=0)


def test_second_fit_forgets_the_first():
    X, y = make_table()
    fuser = Fuser().fit(X, y)
    narrow = X[[*KEYS, "text__0", "text__1"]]
    assert same_weights(fuser.fit(narrow), Fuser().fit(narrow))


def test_unfitted_fuser_says_so():
    for method in ("transform", "inverse_transform", "score_samples"):
        with pytest.raises(NotFittedError):
            getattr(Fuser(), method)(np.zeros((1, 3)))


# Keys


def test_keyed_frame_gives_keyed_frame_with_its_index():
    X, y = make_table()
    X.index = [f"row{i}" for i in range(len(X))]
    Z = Fuser().fit_transform(X, y)
    assert list(Z.columns) == [*KEYS, *(f"fused__{j}" for j in range(4))]
    pd.testing.assert_frame_equal(Z[list(KEYS)], X[list(KEYS)])
    assert (Z.dtypes[4:] == np.float32).all()


@pytest.mark.parametrize("output", mostly_slow(["latent", "latent+blocks"]))
def test_both_output_settings_give_the_same_keyed_frame(output):
    X, y = make_table()
    fuser = Fuser(output=output).fit(X, y)
    plain = fuser.transform(X)
    with config_context(transform_output="pandas"):
        pd.testing.assert_frame_equal(fuser.transform(X), plain)
    pd.testing.assert_frame_equal(
        fuser.set_output(transform="pandas").transform(X), plain
    )
    assert list(fuser.get_feature_names_out()) == list(plain.columns)


def test_keyless_input_gives_an_array_or_what_set_output_says():
    X, _ = make_table()
    features = drop_keys(X)
    fuser = Fuser().fit(features)
    assert type(fuser.transform(features)) is np.ndarray
    assert fuser.transform(features).dtype == np.float32
    assert list(fuser.get_feature_names_out()) == [f"fused__{j}" for j in range(4)]
    framed = fuser.set_output(transform="pandas").transform(features)
    np.testing.assert_array_equal(framed.to_numpy(), clone(fuser).set_output(
        transform="default").fit(features).transform(features))  # fmt: skip
    assert list(framed.columns) == list(fuser.get_feature_names_out())


def test_keys_do_not_change_the_code():
    X, _ = make_table()
    keyed, keyless = Fuser().fit(X), Fuser().fit(drop_keys(X).to_numpy())
    given = {"modalities": {"text": slice(0, TEXT), "audio": slice(TEXT, None)}}
    keyless = Fuser(**given).fit(drop_keys(X).to_numpy())
    np.testing.assert_array_equal(
        drop_keys(keyed.transform(X)), keyless.transform(drop_keys(X).to_numpy())
    )


def test_prefixed_keys_are_keys():
    X, _ = make_table()
    prefixed = X.rename(columns={key: f"remainder__{key}" for key in KEYS})
    Z = Fuser().fit_transform(prefixed)
    pd.testing.assert_frame_equal(Z, Fuser().fit_transform(X))


def test_polars_frames_are_read():
    X, y = make_table()
    Z = Fuser().fit(pl.from_pandas(X), y).transform(pl.from_pandas(X))
    np.testing.assert_array_equal(drop_keys(Z), drop_keys(Fuser().fit_transform(X, y)))


def test_names_of_the_input_are_checked_without_keys():
    X, _ = make_table()
    fuser = Fuser().fit(X)
    assert list(fuser.get_feature_names_out(X.columns))[:4] == list(KEYS)
    with pytest.raises(ValueError, match="input_features is not equal"):
        fuser.get_feature_names_out(X.columns[::-1])


@pytest.mark.slow
def test_fuser_feeds_a_stock_classifier_in_a_pipeline():
    X, y = make_table(n=240)
    pipe = make_pipeline(
        Trained(), FunctionTransformer(drop_keys), LogisticRegression()
    )
    assert pipe.fit(X, y).score(*make_table(n=120, seed=1)) > 0.85


# Blocks


def test_blocks_follow_the_code_under_their_names_and_standardised():
    X, _ = make_table()
    Z = Fuser(output="latent+blocks").fit_transform(X)
    features = drop_keys(X)
    assert list(Z.columns[8:]) == list(features.columns)
    expected = (features - features.mean()) / features.std(ddof=0)
    np.testing.assert_allclose(Z.iloc[:, 8:], expected, atol=1e-4)


def test_missing_block_stays_missing_behind_the_code():
    X, _ = make_table()
    X = without(X, "audio", rows=[0, 3])
    Z = Fuser(output="latent+blocks").fit_transform(X)
    missing = Z[columns_of(Z, "audio")].isna()
    assert missing.iloc[[0, 3]].all(axis=None)
    assert missing.to_numpy().sum() == 2 * AUDIO
    assert Z[columns_of(Z, "fused")].notna().all(axis=None)


def test_blocks_are_named_after_their_modality():
    blocks, _ = make_blocks()
    X = np.hstack(list(blocks.values()))
    given = {"voice": slice(TEXT, None), "words": [1, 0]}
    fuser = Fuser(modalities=given, output="latent+blocks", latent_size=1).fit(X)
    names = ["fused__0", *(f"voice__{j}" for j in range(AUDIO)), "words__0", "words__1"]
    assert list(fuser.get_feature_names_out()) == names
    frame = pd.DataFrame(X).add_prefix("c")
    fuser = clone(fuser).set_params(modalities={"a": ["c1"], "b": ["c0"]}).fit(frame)
    assert list(fuser.get_feature_names_out()) == ["fused__0", "a__c1", "b__c0"]


def test_modality_called_fused_is_refused_beside_the_code():
    X = make_frame({"fused": np.eye(6)})
    assert Fuser().fit_transform(X).shape == (6, 8)
    with pytest.raises(ValueError, match="Rename the modality"):
        Fuser(output="latent+blocks").fit(X)


# Missing modalities


@pytest.fixture(scope="module", params=POSTERIORS)
def fitted_with_gaps(request):
    """A fuser that has learned to do without a modality, and its table."""
    X, _ = make_table(n=300)
    return Trained(posterior=request.param, modality_dropout=0.3).fit(X), X


@pytest.mark.parametrize("hidden", mostly_slow(["text", "audio"]))
def test_code_without_a_modality_stays_near_the_whole_code(fitted_with_gaps, hidden):
    fuser, X = fitted_with_gaps
    whole = drop_keys(fuser.transform(X)).to_numpy()
    part = drop_keys(fuser.transform(without(X, hidden))).to_numpy()
    assert np.isfinite(part).all()
    own = np.linalg.norm(part - whole, axis=1)
    other = np.linalg.norm(part - np.random.default_rng(0).permutation(whole), axis=1)
    # By chance a half of them, and equal medians.
    assert (own < other).mean() > 0.65
    assert np.median(own) < 0.75 * np.median(other)


@pytest.mark.parametrize("posterior", mostly_slow(POSTERIORS))
def test_code_of_an_utterance_without_any_modality_is_the_prior(posterior):
    X, _ = make_table()
    fuser = Fuser(posterior=posterior).fit(X)
    nothing = without(without(X, "text"), "audio")
    assert not drop_keys(fuser.transform(nothing)).to_numpy().any()
    np.testing.assert_array_equal(fuser.score_samples(nothing), 0)


def test_inverse_restores_a_missing_modality_better_than_its_mean(fitted_with_gaps):
    fuser, X = fitted_with_gaps
    restored = fuser.inverse_transform(fuser.transform(without(X, "audio")))
    audio = columns_of(X, "audio")
    error = ((restored[audio] - X[audio]) ** 2).to_numpy().mean()
    assert error < 0.6 * X[audio].var().mean()


def test_modality_never_seen_in_training_leaves_the_others_alone():
    X, _ = make_table()
    lacking = without(X, "audio")
    fuser = Fuser().fit(lacking)
    expected = drop_keys(fuser.transform(lacking))
    assert np.isfinite(expected).all(axis=None)
    with pytest.warns(UnseenModalityWarning, match="row 0, column 'audio__0'"):
        assert drop_keys(fuser.transform(X)).equals(expected)


def test_single_missing_cells_warn_or_are_refused():
    X, _ = make_table()
    X.loc[3, "text__1"] = np.nan
    with pytest.warns(PartialMissingWarning, match="text: 1") as found:
        Z = Fuser(output="latent+blocks").fit(X)
    assert len(found) == 1
    with pytest.warns(PartialMissingWarning, match="text: 1"):
        assert Z.transform(X).loc[3, "text__1"] == 0
    with pytest.raises(ValueError, match="row 3, column 'text__1'"):
        Fuser(partial_nan="error").fit(X)


# Roles


def test_validation_rows_change_nothing():
    X, y = make_table(n=60)
    extra, extra_y = make_table(
        n=12, role="validation", name="held out", seed=9, noise=5
    )
    both = pd.concat([X, extra], ignore_index=True)
    labels = np.concatenate([y, np.where(extra_y == "joy", "fear", extra_y)])
    fuser = Fuser(patience=None, classification_weight=1.0)
    with_rows, alone = clone(fuser).fit(both, labels), clone(fuser).fit(X, y)
    assert same_weights(with_rows, alone)
    assert torch.equal(with_rows.standardize_.mean, alone.standardize_.mean)
    assert torch.equal(with_rows.standardize_.scale, alone.standardize_.scale)
    assert list(with_rows.classes_) == ["anger", "joy"]
    assert "valid_loss" in with_rows.history_[0]
    assert "valid_loss" not in alone.history_[0]


def test_context_rows_change_nothing_and_get_a_code():
    X, y = make_table(n=60)
    extra, extra_y = make_table(n=12, role="context", name="e", seed=9, noise=5)
    both = pd.concat([X, extra], ignore_index=True)
    labels = np.concatenate([y, np.full(len(extra_y), "anything")])
    fuser = Fuser(classification_weight=1.0)
    fitted = clone(fuser).fit(both, labels)
    assert same_weights(fitted, clone(fuser).fit(X, y))
    assert len(fitted.transform(both)) == 72
    assert fitted.score(both) == pytest.approx(fitted.score(X))


def test_utterances_of_a_held_out_dialogue_are_not_learned_from():
    X, _ = make_table(n=60)
    X.loc[0, KEYS[3]] = "validation"
    learned = X[X[KEYS[0]] != "d0"]
    fuser = Fuser(patience=None)
    assert same_weights(clone(fuser).fit(X), clone(fuser).fit(learned))


def test_synthetic_rows_are_learned_from_but_set_no_scale():
    X, _ = make_table(n=60)
    synthetic = X.iloc[:12].copy()
    synthetic[KEYS[3]] = "synthetic"
    synthetic[columns_of(X, "text")] += 50
    both = pd.concat([X, synthetic], ignore_index=True)
    fitted, alone = Fuser().fit(both), Fuser().fit(X)
    assert torch.equal(fitted.standardize_.mean, alone.standardize_.mean)
    assert not same_weights(fitted, alone)


@pytest.mark.slow
def test_training_stops_early_and_restores_the_best_epoch():
    X, y = make_table(n=60)
    held_out, other = make_table(n=30, role="validation", name="e", seed=3)
    both = pd.concat([X, held_out], ignore_index=True)
    labels = np.concatenate([y, other])
    fuser = Fuser(max_epochs=200, patience=3, lr=0.03, warmup_epochs=0)
    fuser.fit(both, labels)
    losses = [epoch["valid_loss"] for epoch in fuser.history_]
    assert fuser.n_iter_ == len(losses) == np.argmin(losses) + 1 + 3 < 200
    again = clone(fuser).set_params(max_epochs=int(np.argmin(losses)) + 1)
    assert same_weights(again.fit(both, labels), fuser)
    kept = pickle.loads(pickle.dumps(fuser)).net_.callbacks_
    assert dict(kept)["early_stopping"].best_model_weights_ is None


def test_no_row_to_learn_from_is_refused():
    X, _ = make_table(role="context")
    with pytest.raises(ValueError, match="No row is left to learn from"):
        Fuser().fit(X)
    with pytest.raises(ValueError, match="none can be scored"):
        Fuser().fit(make_table()[0]).score(X)


# Rows


@pytest.mark.parametrize("posterior", mostly_slow(POSTERIORS))
def test_codes_do_not_depend_on_batch_mates(posterior):
    X, _ = make_table()
    X = without(X, "audio", rows=slice(0, 60, 7))
    fuser = Fuser(posterior=posterior).fit(X)
    together = drop_keys(fuser.transform(X)).to_numpy()
    some = [0, 1, 2, 7, 20]
    rows = [drop_keys(fuser.transform(X.iloc[[i]])).to_numpy() for i in some]
    np.testing.assert_allclose(np.vstack(rows), together[some], rtol=1e-6, atol=1e-7)
    order = np.random.default_rng(0).permutation(60)
    shuffled = drop_keys(fuser.transform(X.iloc[order])).to_numpy()
    np.testing.assert_allclose(shuffled, together[order], rtol=1e-6, atol=1e-7)
    one_by_one = [fuser.score_samples(X.iloc[[i]])[0] for i in some]
    np.testing.assert_allclose(one_by_one, fuser.score_samples(X)[some], rtol=1e-9)


def test_rows_of_weight_zero_are_absent():
    X, y = make_table()
    weight = np.arange(60) % 3 != 0
    weighted = Fuser(classification_weight=1.0).fit(X, y, sample_weight=weight)
    absent = Fuser(classification_weight=1.0).fit(X[weight], y[weight])
    assert same_weights(weighted, absent)


def test_weights_count_relative_to_each_other():
    X, _ = make_table()
    even = Fuser().fit(X, sample_weight=np.full(60, 2.0))
    assert same_weights(even, Fuser().fit(X))
    uneven = Fuser().fit(X, sample_weight=np.linspace(1, 5, 60))
    assert not same_weights(uneven, even)


# Labels


def test_labels_are_ignored_at_weight_zero():
    X, y = make_table()
    fuser = Fuser(classification_weight=0.0)
    assert same_weights(clone(fuser).fit(X, y), clone(fuser).fit(X))
    assert same_weights(clone(fuser).fit(X, np.linspace(0, 1, 60)), fuser.fit(X))


@pytest.mark.slow
def test_labels_pull_the_code_towards_the_classes():
    """Two causes make all columns but one, and that one makes the classes."""
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(240, 2)) @ rng.normal(size=(2, 20))
    columns[:, 0] = rng.normal(size=240)
    X, y = make_frame({"text": columns}), np.where(columns[:, 0] > 0, "joy", "anger")
    blind, seeing = (
        Trained(latent_size=2, classification_weight=w, beta=0.01) for w in (0.0, 3.0)
    )
    scores = [
        LogisticRegression().fit(Z, y).score(Z, y)
        for Z in (drop_keys(fuser.fit(X, y).transform(X)) for fuser in (blind, seeing))
    ]
    assert scores[1] > scores[0] + 0.1
    assert "classification" in seeing.history_[0]
    assert "classification" not in blind.history_[0]


def test_values_instead_of_classes_are_refused():
    X, _ = make_table()
    with pytest.raises(ValueError, match="Unknown label type"):
        Fuser(classification_weight=1.0).fit(X, np.linspace(0, 1, 60))


# Training


@pytest.mark.slow
def test_paper_beta_collapses_the_code_and_the_default_does_not():
    rng = np.random.default_rng(0)
    X = make_frame({"text": rng.normal(size=(200, 8)) @ rng.normal(size=(8, 40))})
    given = {"gamma": 0.0, "classification_weight": 0.0}
    fitted = {
        beta: Trained(beta=beta, **given).fit(X) for beta in (1.0, DJVAEFuser().beta)
    }
    active = {
        beta: (drop_keys(fuser.transform(X)).var() > 0.01).sum()
        for beta, fuser in fitted.items()
    }
    assert active[1.0] == 0
    assert active[DJVAEFuser().beta] >= 3


def test_divergence_warms_up_linearly():
    X, _ = make_table()
    fuser = Fuser(max_epochs=6, warmup_epochs=4, beta=0.4).fit(X)
    betas = [epoch["beta"] for epoch in fuser.history_]
    assert betas == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])


def test_history_holds_every_term():
    X, y = make_table()
    fuser = Fuser(beta=0.01, gamma=0.02, warmup_epochs=0, classification_weight=0.5)
    last = fuser.fit(X, y).history_[-1]
    assert last["epoch"] == fuser.n_iter_ == 3
    parts = (
        last["reconstruction"]
        + 0.01 * last["prior"]
        + 0.02 * last["unimodal"]
        + 0.5 * last["classification"]
    )
    assert last["train_loss"] == pytest.approx(parts)


@pytest.mark.slow
def test_training_lowers_the_loss_and_raises_the_score():
    X, _ = make_table(n=300)
    short, long = Trained(max_epochs=1).fit(X), Trained().fit(X)
    assert long.history_[-1]["train_loss"] < 0.7 * long.history_[0]["train_loss"]
    other, _ = make_table(n=60, seed=5)
    assert long.score(other) > short.score(other)


def test_loss_that_is_no_number_stops_training():
    X = np.random.default_rng(0).normal(size=(40, 3)) * 1e25
    with pytest.raises(DivergenceError, match="pass 1: .* standardize=True"):
        Fuser(standardize=False).fit(X)


def test_the_terms_of_validation_rows_can_be_watched():
    X, y = make_table()
    held_out, other = make_table(n=30, role="validation", name="e", seed=3)
    both = pd.concat([X, held_out], ignore_index=True)
    # No term falls by ten times what it is.
    names = ["valid_loss", "valid_reconstruction", "valid_classification"]
    for name in names:
        stop = EarlyStopping(name, patience=2, threshold=10, sink=noop)
        fuser = Fuser(classification_weight=1.0, callbacks=[stop], max_epochs=9)
        assert fuser.fit(both, np.concatenate([y, other])).n_iter_ == 3
        with pytest.raises(ValueError, match=f"watches {name!r}"):
            fuser.fit(X, y)
    with pytest.raises(ValueError, match="watches 'valid_classification'"):
        fuser.set_params(classification_weight=0.0).fit(both)


def test_callbacks_and_net_params_reach_the_net():
    X, y = make_table()
    scheduler = LRScheduler("StepLR", step_size=1, gamma=0.1)
    given = {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}
    fuser = Fuser(callbacks=[scheduler], net_params=given).fit(X, y)
    assert isinstance(fuser.net_.optimizer_, torch.optim.SGD)
    rates = [epoch["event_lr"] for epoch in fuser.net_.history]
    assert rates == pytest.approx([1e-3, 1e-4, 1e-5])
    assert not hasattr(scheduler, "lr_scheduler_")
    frozen = clone(fuser).set_params(callbacks=[Freezer("vae.encoders.*")]).fit(X)
    encoder = frozen.vae_.encoders[0]
    assert not any(weight.requires_grad for weight in encoder.parameters())
    with pytest.raises(TypeError, match="give callbacks of skorch"):
        Fuser(callbacks=["stop"]).fit(X)


def test_scorers_have_no_answers_to_score():
    X, y = make_table()
    with pytest.raises(ValueError, match="EpochScoring scores answers"):
        Fuser(callbacks=[EpochScoring("accuracy", on_train=True)]).fit(X, y)


def test_verbose_shows_a_bar_and_silence_is_the_default(capsys):
    X, _ = make_table()
    Fuser().fit(X).transform(X)
    assert capsys.readouterr() == ("", "")
    Fuser(verbose=1).fit(X)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "3/3" in shown.err


@pytest.mark.gpu
def test_a_fuser_trained_on_a_gpu_comes_back_to_the_cpu(answer_without_gpu):
    X, y = make_table()
    fuser = Fuser(device="cuda", classification_weight=1.0).fit(X, y)
    assert {weight.device.type for weight in weights_of(fuser)} == {"cpu"}
    pd.testing.assert_frame_equal(
        answer_without_gpu(fuser, "transform", X), fuser.transform(X), atol=1e-4
    )


# The way back


@pytest.mark.parametrize("output", mostly_slow(["latent", "latent+blocks"]))
def test_inverse_is_a_table_like_the_one_in_fit(output):
    X, _ = make_table(n=300)
    X["audio__0"] = X["audio__0"] * 1000 + 5000
    fuser = Trained(output=output).fit(X)
    back = fuser.inverse_transform(fuser.transform(X))
    assert list(back.columns) == list(X.columns)
    pd.testing.assert_frame_equal(back[list(KEYS)], X[list(KEYS)])
    explained = 1 - ((drop_keys(back) - drop_keys(X)) ** 2).mean() / drop_keys(X).var()
    assert explained.mean() > 0.6
    assert explained["audio__0"] > 0.5


def test_inverse_of_an_array_is_an_array():
    X = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    fuser = Fuser(modalities={"a": [3, 1], "b": [0]}).fit(X)
    back = fuser.inverse_transform(fuser.transform(X))
    assert back.shape == X.shape
    assert np.isnan(back).all(axis=0).tolist() == [False, False, True, False, True]
    with pytest.raises(ValueError, match="a code has 4 columns"):
        fuser.inverse_transform(np.zeros((2, 3)))


@pytest.mark.slow
def test_samples_repeat_and_have_the_units_of_the_table():
    X, _ = make_table(n=300)
    X["audio__0"] += 5000
    fuser = Trained().fit(X)
    drawn = fuser.sample(50, random_state=0)
    assert drawn.shape == (50, TEXT + AUDIO)
    assert abs(drawn[:, TEXT].mean() - 5000) < 5
    np.testing.assert_array_equal(drawn, fuser.sample(50, random_state=0))


@pytest.mark.slow
def test_bound_is_the_mean_loss_over_draws_from_the_posterior():
    X, _ = make_table(n=300)
    fuser = Trained(gamma=0.0, classification_weight=0.0, beta=0.02).fit(X)
    values = fuser.standardize_(torch.from_numpy(drop_keys(X).to_numpy(copy=True)))
    blocks = [values[:, :TEXT], values[:, TEXT:]]
    present = torch.ones(300, 2, dtype=torch.bool)
    vae = pickle.loads(pickle.dumps(fuser.vae_)).train()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        losses = [
            vae.loss(vae(blocks, present), blocks, present, beta=0.02, gamma=0.0)
            for _ in range(50)
        ]
    expected = -torch.stack(losses).mean(0)
    assert fuser.score(X) == pytest.approx(expected.mean().item(), rel=0.1)
    assert np.corrcoef(fuser.score_samples(X), expected)[0, 1] > 0.95


@pytest.mark.slow
def test_bound_falls_on_strange_rows():
    X, _ = make_table(n=300)
    fuser = Trained(classification_weight=0.0).fit(X)
    strange = X.copy()
    strange["text__0"] = np.random.default_rng(0).permutation(strange["text__0"])
    assert fuser.score(X) > fuser.score(strange) + 0.01
    assert fuser.score(X) == pytest.approx(fuser.score_samples(X).mean())


def test_a_code_is_read_by_its_names():
    X, _ = make_table()
    fuser = Fuser(latent_size=12, output="latent+blocks").fit(X)
    table = fuser.transform(X)
    expected = fuser.inverse_transform(table)
    code = table.filter(like="fused__")
    for other in (table[sorted(table)], code[sorted(code)].join(table[list(KEYS)])):
        found = fuser.inverse_transform(other)
        pd.testing.assert_frame_equal(found[expected.columns], expected)
    unnamed = fuser.inverse_transform(code.set_axis(range(12), axis=1))
    np.testing.assert_array_equal(unnamed, drop_keys(expected))
    with pytest.raises(ValueError, match="11 of the 12 .* lacks 'fused__3'"):
        fuser.inverse_transform(table.drop(columns="fused__3"))


def test_labels_that_a_code_shall_tell_apart_have_to_be_given():
    with pytest.raises(ValueError, match=r"classification_weight=0.3 .* give y"):
        Fuser(classification_weight=0.3).fit(make_table()[0])
