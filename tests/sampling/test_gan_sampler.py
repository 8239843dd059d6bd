import pickle
import time

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.pipeline import make_pipeline
from pandas.testing import assert_frame_equal
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer
from systems import mostly_slow

from skmerc.exceptions import PartialMissingWarning
from skmerc.frame import KEYS, drop_keys, make_frame, mark_validation, split_frame
from skmerc.sampling import MultimodalGANSampler

QUICK = {"n_steps": 3, "hidden_size": 8, "batch_size": 8, "random_state": 0}


def counts(y):
    return dict(zip(*np.unique(y, return_counts=True), strict=True))


def quick(**parameters):
    return MultimodalGANSampler(**(QUICK | parameters))


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    y = np.array(["neutral"] * 40 + ["joy"] * 14 + ["fear"] * 6)[rng.permutation(60)]
    shift = (y == "joy")[:, None] * 2.0 - (y == "fear")[:, None] * 2.0
    blocks = {m: rng.normal(size=(60, 3)) + shift for m in ("text", "audio")}
    return make_frame(
        blocks,
        dialogue=np.repeat(["a", "b", "c", "d", "e", "f"], 10),
        turn=np.tile(np.arange(10) * 2, 6),
        speaker=np.tile(["x", "y"], 30),
    ), y


# What comes out


def test_all_rows_come_first_unchanged_then_the_synthetic_ones(table):
    X, y = table
    X.index = np.arange(60)[::-1] + 100
    sampler = quick()
    X_more, y_more = sampler.fit_resample(X, y)
    assert_frame_equal(X_more.iloc[:60], X.reset_index(drop=True))
    assert y_more[:60].tolist() == y.tolist()
    assert X_more.dtypes.tolist() == X.dtypes.tolist()
    assert np.isfinite(drop_keys(X_more).to_numpy()).all()
    sources = sampler.source_indices_
    assert len(sources) == len(X_more) - 60
    for key in KEYS[:3]:
        assert X_more[key].iloc[60:].tolist() == X[key].iloc[sources].tolist()
    assert (X_more["dialogue__role"].iloc[60:] == "synthetic").all()


def test_features_in_small_units_are_made_as_others(table):
    X, y = table
    unit, audio = 2.0**-60, X.filter(like="audio__").columns
    expected, _ = quick().fit_resample(X, y)
    found, _ = quick().fit_resample(X.assign(**(X[audio] * unit)), y)
    np.testing.assert_allclose(found[audio] / unit, expected[audio], rtol=1e-5)


def test_synthetic_rows_are_new(table):
    X_more, _ = quick().fit_resample(*table)
    assert not drop_keys(X_more).duplicated().any()


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.NoDialogueWarning")
@pytest.mark.parametrize("columns", [(0,), (0, 3), (1, 2)])
def test_absent_keys_are_added_in_front(table, columns):
    X, y = table
    kept = [KEYS[i] for i in columns]
    features = X.columns[4:].tolist()
    X_more, _ = quick().fit_resample(X[features + kept], y)
    assert X_more.columns.tolist() == [*KEYS, *features]
    assert set(X_more["dialogue__role"]) == {"utterance", "synthetic"}


def test_keys_behind_a_prefix_count_as_keys(table):
    X, y = table
    renamed = X.rename(columns={key: f"remainder__{key}" for key in KEYS})
    found, expected = (quick().fit_resample(given, y)[0] for given in (renamed, X))
    assert_frame_equal(found, expected)


def test_integer_ids_and_times_keep_their_types(table):
    X, y = table
    X["dialogue__id"] = np.repeat(np.arange(6), 10)
    X["dialogue__turn"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(
        X["dialogue__turn"], unit="s"
    )
    X["dialogue__role"] = X["dialogue__role"].astype("category")
    sampler = quick()
    X_more, _ = sampler.fit_resample(X, y)
    sources = sampler.source_indices_
    for key in KEYS[:2]:
        assert X_more[key].dtype == X[key].dtype
        assert X_more[key].tolist()[60:] == X[key].iloc[sources].tolist()
    assert X_more["dialogue__role"].iloc[-1] == "synthetic"


def test_isolated_utterances_are_dialogues_of_one_turn(table):
    X, y = table
    sampler = quick(placement="isolated")
    once = sampler.fit_resample(X, y)
    X_more, _ = quick(
        placement="isolated", sampling_strategy={"neutral": 45}
    ).fit_resample(*once)
    synthetic = X_more[X_more["dialogue__role"] == "synthetic"]
    assert len(synthetic) == len(once[0]) - 60 + 5
    assert synthetic["dialogue__id"].is_unique
    assert (synthetic["dialogue__turn"] == 0).all()
    origin = X["dialogue__id"].iloc[sampler.source_indices_]
    names = once[0]["dialogue__id"].iloc[60:]
    assert names.str.partition("#")[0].tolist() == origin.tolist()


def test_whole_numbers_stay_whole(table):
    X, y = table
    X["text__0"] = np.arange(60)
    X_more, _ = quick().fit_resample(X, y)
    assert X_more["text__0"].dtype == X["text__0"].dtype
    assert X_more["text__0"].iloc[:60].tolist() == list(range(60))


def test_arrays_and_plain_frames_come_back_as_they_were(table):
    X, y = table
    features = drop_keys(X)
    array, y_array = quick().fit_resample(features.to_numpy(), y)
    frame, y_frame = quick().fit_resample(features, pd.Series(y, name="emotion"))
    assert isinstance(array, np.ndarray)
    assert array.dtype == np.float32
    assert frame.columns.tolist() == features.columns.tolist()
    assert y_frame.name == "emotion"
    assert y_frame.index.equals(frame.index)
    assert len(array) == len(frame) == len(y_array)


def test_integer_arrays_lose_no_digits():
    X = np.arange(40).reshape(20, 2) + 2**30 + 1
    X_more, _ = quick().fit_resample(X, [0] * 14 + [1] * 6)
    assert X_more[:20].tolist() == X.tolist()


@pytest.mark.parametrize(
    "make",
    mostly_slow(
        [
            list,
            pd.Series,
            lambda y: pd.Series(y, index=np.arange(60) + 5, name="emotion"),
            lambda y: pd.Series(y, dtype="category"),
            lambda y: pd.DataFrame({"emotion": y}),
        ]
    ),
)
def test_labels_keep_their_type_beside_a_keyed_frame(table, make):
    X, y = table
    given = make(y)
    X_more, y_more = quick().fit_resample(X, given)
    assert type(y_more) is type(given)
    assert len(y_more) == len(X_more) == 120
    if hasattr(given, "index") and not isinstance(given, list):
        assert y_more.index.equals(X_more.index)
    if isinstance(given, pd.Series):
        assert y_more.dtype == given.dtype
        assert y_more.name == given.name


def test_polars_is_taken_and_becomes_pandas(table):
    polars = pytest.importorskip("polars")
    X, y = table
    X_more, y_more = quick().fit_resample(
        polars.DataFrame({c: X[c].to_numpy() for c in X}), polars.Series("emotion", y)
    )
    assert isinstance(X_more, pd.DataFrame)
    assert y_more.name == "emotion"
    assert len(X_more) == len(y_more) == 120


# Quota


@pytest.mark.parametrize(
    ("strategy", "expected"),
    mostly_slow(
        [
            ("auto", {"neutral": 40, "joy": 40, "fear": 40}),
            ("mean", {"neutral": 40, "joy": 20, "fear": 20}),
            ("minority", {"neutral": 40, "joy": 14, "fear": 40}),
            ("not minority", {"neutral": 40, "joy": 40, "fear": 6}),
            ("all", {"neutral": 40, "joy": 40, "fear": 40}),
            ({"fear": 9, "neutral": 41}, {"neutral": 41, "joy": 14, "fear": 9}),
            (lambda y: {"joy": 15}, {"neutral": 40, "joy": 15, "fear": 6}),
        ]
    ),
)
def test_counts_equal_the_quota(table, strategy, expected):
    sampler = quick(sampling_strategy=strategy)
    _, y_more = sampler.fit_resample(*table)
    assert counts(y_more) == expected
    before = counts(table[1])
    for label, number in sampler.sampling_strategy_.items():
        assert number == expected[label] - before[label]


def test_a_share_is_taken_for_two_classes(table):
    X, y = table
    y = np.where(y == "fear", "joy", y)
    _, y_more = quick(sampling_strategy=0.75).fit_resample(X, y)
    assert counts(y_more) == {"neutral": 40, "joy": 30}


@pytest.mark.parametrize("gate", mostly_slow([0.0, 0.5, 1.0]))
def test_the_quota_is_filled_whatever_the_gate(table, gate):
    sampler = quick(gate=gate, max_draws=2)
    _, y_more = sampler.fit_resample(*table)
    assert counts(y_more) == {"neutral": 40, "joy": 40, "fear": 40}
    assert set(sampler.acceptance_rate_) == {"joy", "fear"}
    if gate == 0:
        assert set(sampler.acceptance_rate_.values()) == {1.0}
    if gate == 1:
        assert set(sampler.acceptance_rate_.values()) == {0.0}


@pytest.mark.slow
def test_the_gate_prefers_what_the_classifier_recognises(table):
    X, y = table

    def recognised(gate):
        sampler = quick(gate=gate, n_steps=30, max_draws=20, source="any")
        X_more, y_more = sampler.fit_resample(X, y)
        blocks = split_frame(X_more.iloc[60:])[1]
        x, real = np.concatenate(list(blocks.values()), axis=1), drop_keys(X).to_numpy()
        x = torch.as_tensor((x - real.mean(axis=0)) / real.std(axis=0))
        p = sampler.gan_.classifier(x).softmax(dim=1)
        codes = np.searchsorted(["fear", "joy", "neutral"], y_more[60:])
        return p[np.arange(len(codes)), codes].mean().item()

    assert recognised(0.5) > recognised(0.0) + 0.02


def test_a_balanced_table_comes_back_as_it_is(table):
    X, _ = table
    y = np.tile(["joy", "fear"], 30)
    sampler = quick()
    X_same, y_same = sampler.fit_resample(X, y)
    assert_frame_equal(X_same, X)
    assert y_same.tolist() == y.tolist()
    assert sampler.gan_ is None
    assert sampler.history_ == []
    assert sampler.acceptance_rate_ == {}
    assert sampler.source_indices_.shape == (0,)


@pytest.mark.parametrize("size", mostly_slow([1, 2]))
@pytest.mark.parametrize("source", mostly_slow(["same", "any"]))
def test_classes_of_one_or_two_utterances_are_raised(table, size, source):
    X, _ = table
    y = np.array(["neutral"] * (60 - size) + ["fear"] * size)
    sampler = quick(source=source)
    _, y_more = sampler.fit_resample(X, y)
    assert counts(y_more) == {"neutral": 60 - size, "fear": 60 - size}
    if source == "same":
        assert set(sampler.source_indices_) <= set(range(60 - size, 60))


def test_one_class_alone_is_refused_as_imbalanced_learn_does(table):
    with pytest.raises(ValueError, match="more than 1 class"):
        quick().fit_resample(table[0], ["joy"] * 60)


# What is learned from


def test_validation_dialogues_context_and_synthetic_rows_teach_nothing(table):
    X, y = table
    X = mark_validation(X, dialogues=["b"])
    X.loc[40:44, "dialogue__role"] = "context"
    X.loc[45:47, "dialogue__role"] = "synthetic"
    X.loc[11, "dialogue__role"] = "utterance"
    other, y_other = X.copy(), y.copy()
    untaught = np.r_[10:20, 40:48]
    other.loc[untaught, X.columns[4:]] = np.float32(99.0)
    y_other[untaught] = "neutral"
    sampler, again = quick(), quick()
    X_more, y_more = sampler.fit_resample(X, y)
    assert_frame_equal(X_more.iloc[:60], X)
    assert not set(untaught) & set(sampler.source_indices_)
    X_again, y_again = again.fit_resample(other, y_other)
    assert_frame_equal(X_more.iloc[60:], X_again.iloc[60:])
    assert y_more[60:].tolist() == y_again[60:].tolist()
    taught = np.setdiff1d(np.arange(len(X_more)), untaught)
    assert len(set(counts(y_more[taught]).values())) == 1


def test_the_result_is_that_of_a_fit_without_validation_dialogues(table):
    X, y = table
    marked = mark_validation(X, dialogues=["f"])
    rest = (X["dialogue__id"] != "f").to_numpy()
    one = quick().fit_resample(marked, y)[0].iloc[60:].reset_index(drop=True)
    two = quick().fit_resample(X[rest], y[rest])[0].iloc[50:].reset_index(drop=True)
    assert_frame_equal(one, two)


def test_a_table_without_rows_to_learn_from_is_refused(table):
    X, y = table
    with pytest.raises(ValueError, match="no row to learn from"):
        quick().fit_resample(X.assign(dialogue__role="context"), y)


@pytest.mark.parametrize("source", ["same", "any"])
def test_no_utterance_is_a_source_again_before_all_were(table, source):
    X, y = table
    sampler = quick(gate=0.0, source=source, sampling_strategy={"joy": 40, "fear": 30})
    _, y_more = sampler.fit_resample(X, y)
    if source == "any":
        used = [np.bincount(sampler.source_indices_, minlength=60)]
    else:
        used = [
            np.bincount(sampler.source_indices_[y_more[60:] == c], minlength=60)[y == c]
            for c in ("joy", "fear")
        ]
        assert (y[sampler.source_indices_] == y_more[60:]).all()
    for times in used:
        assert times.max() - times.min() <= 1


# Missing modalities and wrong input


def test_a_modality_missing_in_the_source_is_missing_in_the_translation(table):
    X, y = table
    audio = [c for c in X if c.startswith("audio")]
    X.loc[::3, audio] = np.nan
    sampler = quick()
    X_more, _ = sampler.fit_resample(X, y)
    expected = X[audio].isna().iloc[sampler.source_indices_].to_numpy()
    assert expected.any()
    np.testing.assert_array_equal(X_more[audio].isna().iloc[60:], expected)
    text = [c for c in X if c.startswith("text")]
    assert X_more[text].notna().all(axis=None)
    assert_frame_equal(X_more.iloc[:60], X)


def test_utterances_without_any_modality_are_never_sources_but_count(table):
    X, y = table
    empty = np.flatnonzero(y == "fear")[:4]
    X.loc[empty, X.columns[4:]] = np.nan
    sampler = quick()
    X_more, y_more = sampler.fit_resample(X, y)
    assert not set(empty) & set(sampler.source_indices_)
    assert counts(y_more) == {"neutral": 40, "joy": 40, "fear": 40}
    assert np.isfinite(drop_keys(X_more).iloc[60:].to_numpy()).all()


def test_a_class_without_any_modality_is_refused(table):
    X, y = table
    X.loc[y == "fear", X.columns[4:]] = np.nan
    with pytest.raises(ValueError, match=r"Class .*fear.* lack every modality"):
        quick().fit_resample(X, y)


def test_missing_cells_are_filled_with_a_warning_or_refused(table):
    X, y = table
    X.loc[7, "text__1"] = np.nan
    with pytest.warns(PartialMissingWarning, match="text: 1") as found:
        X_more, _ = quick().fit_resample(X, y)
    assert len(found) == 1
    assert np.isnan(X_more.loc[7, "text__1"])
    assert X_more.iloc[60:].notna().all(axis=None)
    with pytest.raises(ValueError, match="row 7, column 'text__1'"):
        quick(partial_nan="error").fit_resample(X, y)


def test_infinity_is_refused(table):
    X, y = table
    X.loc[3, "audio__2"] = np.inf
    with pytest.raises(ValueError, match=r"infinity.* row 3, column 'audio__2'"):
        quick().fit_resample(X, y)


def test_several_labels_of_a_row_are_refused_with_a_way_out(table):
    y = np.zeros((60, 3), dtype=int)
    y[:, 0] = 1
    y[5, 2] = 1
    with pytest.raises(ValueError, match=r"Row 5 has several labels.*weight"):
        quick().fit_resample(table[0], y)


def test_a_row_without_any_label_is_refused_unless_it_is_context(table):
    X, y = table[0], np.eye(3, dtype=int)[np.arange(60) % 3]
    y[[5, 9]] = 0
    with pytest.raises(ValueError, match=r"Row 5 has none of the labels.*'context'"):
        quick().fit_resample(X, y)
    X = X.assign(dialogue__role=np.where(y.any(axis=1), "utterance", "context"))
    _, y_more = quick().fit_resample(X, y)
    assert y_more.shape[1] == 3


def test_an_indicator_matrix_of_two_columns_keeps_both(table):
    y = np.eye(2, dtype=int)[np.arange(60) % 5 // 4]
    _, y_more = quick().fit_resample(table[0], y)
    np.testing.assert_array_equal(y_more[:60], y)
    assert y_more.sum(axis=0).tolist() == [48, 48]


def test_continuous_labels_are_refused(table):
    with pytest.raises(ValueError, match="Unknown label type"):
        quick().fit_resample(table[0], np.linspace(0, 1, 60))


def test_features_outside_all_modalities_are_refused(table):
    X, y = table
    sampler = quick(modalities={"text": ["text__0", "text__1"]})
    with pytest.raises(ValueError, match="'text__2' belongs to 0"):
        sampler.fit_resample(X, y)


def test_modalities_may_be_given_in_any_order_and_pieces(table):
    X, y = table
    sampler = quick(modalities={"odd": [1, 3, 5], "even": [4, 0, 2]}, n_steps=15)
    X_more, y_more = sampler.fit_resample(X, y)
    assert sampler.gan_.sizes == [3, 3]
    X_more = drop_keys(X_more)
    # Columns that are swapped on the way would leave the range that they must keep.
    assert (X_more.iloc[60:].max() <= drop_keys(X).max() + 1e-4).all()
    X[X.columns[4:]] += np.float32([0, 100, 200, 300, 400, 500])
    X_shifted, _ = quick(**sampler.get_params()).fit_resample(X, y)
    shift = (drop_keys(X_shifted) - X_more).iloc[60:].mean()
    np.testing.assert_allclose(shift, [0, 100, 200, 300, 400, 500], atol=0.2)


def test_missing_blocks_follow_modalities_given_by_the_user(table):
    X, y = table
    X.loc[::2, ["text__1", "audio__0", "audio__2"]] = np.nan
    sampler = quick(modalities={"odd": [1, 3, 5], "even": [4, 0, 2]})
    X_more, _ = sampler.fit_resample(X, y)
    missing = X.isna().iloc[sampler.source_indices_].to_numpy()
    np.testing.assert_array_equal(X_more.isna().iloc[60:], missing)


def test_features_of_any_scale_keep_their_range(table):
    X, y = table
    X[X.columns[4:]] = X[X.columns[4:]] * np.float32([1e9, 1, 1e-6, 1, 1, 1]) + 5
    X["audio__2"] = np.float32(3.25)
    X_more, _ = quick(n_steps=30).fit_resample(X, y)
    synthetic, real = drop_keys(X_more).iloc[60:], drop_keys(X)
    slack = 1e-4 * (real.max() - real.min()) + 1e-5
    assert (synthetic <= real.max() + slack).all(axis=None)
    assert (synthetic >= real.min() - slack).all(axis=None)
    assert np.ptp(synthetic["audio__2"]) < 1e-5


# How it is trained


def test_equal_seeds_give_equal_samples_and_touch_nothing_global(
    table, global_state_untouched
):
    with global_state_untouched():
        one, _ = quick().fit_resample(*table)
        two, _ = quick().fit_resample(*table)
    other, _ = quick(random_state=1).fit_resample(*table)
    assert_frame_equal(one, two)
    assert not drop_keys(one).equals(drop_keys(other))


def test_a_random_state_instance_moves_on(table):
    rng = np.random.RandomState(0)
    one, _ = quick(random_state=rng).fit_resample(*table)
    two, _ = quick(random_state=rng).fit_resample(*table)
    assert not one.equals(two)


@pytest.mark.parametrize("adversarial", mostly_slow(["least_squares", "log", "hinge"]))
def test_the_history_names_every_loss_and_the_health_of_the_run(table, adversarial):
    terms = {"identity_weight": 5.0}
    sampler = quick(adversarial=adversarial, n_steps=20, **terms)
    sampler.fit_resample(*table)
    assert len(sampler.history_) == 3
    assert set(sampler.history_[0]) == {
        "discriminator_target",
        "discriminator_source",
        "classifier_real",
        "generator_target",
        "generator_source",
        "cycle",
        "identity",
        "diversity",
        "classifier_returned",
        "classifier_translated",
        "change",
        "spread",
    }
    assert np.isfinite([list(epoch.values()) for epoch in sampler.history_]).all()


def test_features_may_be_left_unstandardised(table):
    one, _ = quick().fit_resample(*table)
    two, _ = quick(standardize=False).fit_resample(*table)
    assert len(one) == len(two)
    assert not one.equals(two)


def test_a_fitted_sampler_pickles_with_its_networks(table):
    sampler = quick()
    sampler.fit_resample(*table)
    again = pickle.loads(pickle.dumps(sampler))
    assert again.history_ == sampler.history_
    pairs = zip(again.gan_.parameters(), sampler.gan_.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)
    assert not again.gan_.training


def test_verbose_shows_a_bar_and_silence_is_the_default(table, capsys):
    quick().fit_resample(*table)
    assert capsys.readouterr() == ("", "")
    quick(verbose=1).fit_resample(*table)
    assert "GAN" in capsys.readouterr().err


@pytest.mark.slow
def test_synthetic_utterances_teach_what_real_ones_are():
    rng = np.random.default_rng(0)

    def draw(n, n_rare):
        y = np.r_[np.zeros(n, int), np.ones(n_rare, int)]
        centre = np.where(y[:, None] == 1, 5.0, -5.0)
        blocks = {"text": rng.normal(centre, size=(len(y), 4))}
        blocks["audio"] = 100 * rng.normal(centre, size=(len(y), 2))
        return make_frame(blocks), y

    (X, y), (X_test, y_test) = draw(200, 40), draw(200, 200)
    sampler = MultimodalGANSampler(
        sampling_strategy={0: 300, 1: 140}, hidden_size=16, n_steps=150, random_state=0
    )
    X_more, y_more = sampler.fit_resample(X, y)
    model = make_pipeline(FunctionTransformer(drop_keys), LogisticRegression(C=0.1))
    model.fit(X_more[len(X) :], y_more[len(X) :])
    assert model.score(X_test, y_test) > 0.9


@pytest.mark.slow
def test_diversity_makes_translations_of_an_utterance_differ():
    rng = np.random.default_rng(0)
    X, y = make_frame({"text": rng.normal(size=(60, 4))}), [0] * 59 + [1]

    def spread(diversity):
        sampler = MultimodalGANSampler(
            diversity=diversity, hidden_size=16, n_steps=80, lr=2e-3, random_state=0
        )
        X_more, _ = sampler.fit_resample(X, y)
        assert set(sampler.source_indices_) == {59}
        return drop_keys(X_more).iloc[60:].std().mean()

    assert spread(1.0) > spread(0.0)


@pytest.mark.slow
def test_any_sources_are_moved_to_the_wanted_class():
    rng = np.random.default_rng(0)
    y = np.r_[np.zeros(200, int), np.ones(40, int)]
    X = make_frame({"text": rng.normal(10.0 * y[:, None], size=(240, 3))})
    sampler = MultimodalGANSampler(
        source="any", hidden_size=32, n_steps=200, lr=2e-3, random_state=0
    )
    X_more, _ = sampler.fit_resample(X, y)
    before = drop_keys(X).iloc[sampler.source_indices_].to_numpy()
    after = drop_keys(X_more).iloc[240:].to_numpy()
    assert before.mean() < 5 < after.mean()


# Composition


def test_a_pipeline_samples_in_fit_and_not_in_predict(table):
    X, y = table
    model = make_pipeline(quick(), FunctionTransformer(drop_keys), LogisticRegression())
    model.fit(X, y)
    assert model.predict(X).shape == (60,)
    assert model[-1].n_features_in_ == 6
    X_more, y_more = quick().fit_resample(X, y)
    expected = LogisticRegression().fit(drop_keys(X_more), y_more)
    np.testing.assert_allclose(model[-1].coef_, expected.coef_)


def test_names_out_list_the_keys_only_where_there_are_any(table):
    X, y = table
    sampler = quick()
    X_more, _ = sampler.fit_resample(X, y)
    assert sampler.get_feature_names_out().tolist() == X_more.columns.tolist()
    assert sampler.n_features_in_ == 6
    assert sampler.feature_names_in_.tolist() == X.columns[4:].tolist()
    sampler.fit(drop_keys(X), y)
    assert sampler.get_feature_names_out().tolist() == X.columns[4:].tolist()


def test_sparse_matrices_are_refused():
    from scipy.sparse import csr_matrix

    with pytest.raises(TypeError, match="dense data is required"):
        quick().fit_resample(csr_matrix(np.eye(6)), [0, 0, 0, 0, 1, 1])


def test_sparse_columns_beside_keys_are_read(table):
    X, y = table
    sparse = X.astype(dict.fromkeys(X.columns[4:], pd.SparseDtype(np.float32)))
    X_more, _ = quick().fit_resample(sparse, y)
    assert X_more.dtypes.tolist() == sparse.dtypes.tolist()
    dense, _ = quick().fit_resample(X, y)
    np.testing.assert_array_equal(drop_keys(X_more), drop_keys(dense))


@pytest.mark.gpu
def test_networks_trained_on_a_gpu_come_back_to_the_cpu(table, answer_without_gpu):
    sampler = quick(device="cuda")
    X_more, y_more = sampler.fit_resample(*table)
    assert counts(y_more) == {"neutral": 40, "joy": 40, "fear": 40}
    assert np.isfinite(drop_keys(X_more).to_numpy()).all()
    assert {p.device.type for p in sampler.gan_.parameters()} == {"cpu"}
    assert {b.device.type for b in sampler.gan_.buffers()} == {"cpu"}
    names = answer_without_gpu(sampler, "get_feature_names_out")
    assert names.tolist() == X_more.columns.tolist()


@pytest.mark.benchmark
def test_a_corpus_is_fitted_within_two_minutes():
    rng = np.random.default_rng(0)
    X = make_frame({"text": rng.normal(size=(5000, 384)), "audio": np.eye(5000, 46)})
    y = np.repeat(np.arange(6), [1500, 1200, 1000, 700, 400, 200])
    start = time.perf_counter()
    MultimodalGANSampler(random_state=0).fit_resample(X, y)
    assert time.perf_counter() - start < 120
