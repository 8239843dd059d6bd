import re

import numpy as np
import pandas as pd
import pytest
from imblearn.combine import SMOTEENN
from imblearn.over_sampling import (
    ADASYN,
    SMOTE,
    SMOTENC,
    BorderlineSMOTE,
    RandomOverSampler,
)
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import RandomUnderSampler, TomekLinks
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from skmerc import CBERLClassifier, DJVAEFuser
from skmerc.frame import KEYS, drop_keys, make_frame, mark_validation
from skmerc.sampling import DialogueSampler, up_to_mean


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    y = np.array(["neutral"] * 40 + ["joy"] * 14 + ["fear"] * 6)[rng.permutation(60)]
    shift = (y == "joy")[:, None] * 2 - (y == "fear")[:, None] * 2
    blocks = {m: rng.normal(size=(60, 3)) + shift for m in ("text", "audio")}
    return make_frame(
        blocks,
        dialogue=np.repeat(["a", "b", "c", "d", "e", "f"], 10),
        turn=np.tile(np.arange(10) * 2, 6),
        speaker=np.tile(["x", "y"], 30),
    ), y


INNER = [
    RandomOverSampler(random_state=0),
    SMOTE(k_neighbors=3, random_state=0),
    BorderlineSMOTE(k_neighbors=3, random_state=0),
    ADASYN(n_neighbors=3, random_state=0),
]


@pytest.mark.parametrize("inner", INNER, ids=lambda s: type(s).__name__)
def test_real_rows_come_first_and_synthetic_rows_carry_keys_of_their_class(
    table, inner
):
    X, y = table
    sampler = DialogueSampler(inner)
    X_more, y_more = sampler.fit_resample(X, y)
    assert_frame_equal(X_more.iloc[:60], X)
    assert y_more[:60].tolist() == y.tolist()
    assert len(X_more) > 60
    assert (X_more["dialogue__role"].iloc[60:] == "synthetic").all()
    sources = sampler.source_indices_
    assert (y[sources] == y_more[60:]).all()
    for key in KEYS[:3]:
        assert X_more[key].iloc[60:].tolist() == X[key].iloc[sources].tolist()


@pytest.mark.parametrize("inner", INNER[:2], ids=lambda s: type(s).__name__)
def test_features_are_those_that_the_wrapped_sampler_makes(table, inner):
    X, y = table
    X_more, y_more = DialogueSampler(inner).fit_resample(X, y)
    expected, expected_y = clone(inner).fit_resample(drop_keys(X).to_numpy(), y)
    np.testing.assert_array_equal(drop_keys(X_more), expected)
    assert y_more.tolist() == expected_y.tolist()


def test_copies_name_the_very_row_that_was_copied(table):
    X, y = table
    sampler = DialogueSampler(RandomOverSampler(random_state=0))
    X_more, _ = sampler.fit_resample(X, y)
    assert_frame_equal(
        X_more.iloc[60:].drop(columns="dialogue__role").reset_index(drop=True),
        X.iloc[sampler.source_indices_]
        .drop(columns="dialogue__role")
        .reset_index(drop=True),
    )


def test_other_samplers_name_the_nearest_row_of_the_class_in_standard_units(table):
    X, y = table
    scale = np.array([1e6, 1, 1, 1, 1, 1e-6])
    X[X.columns[4:]] = X[X.columns[4:]] * scale
    sampler = DialogueSampler(SMOTE(k_neighbors=3, random_state=0))
    X_more, y_more = sampler.fit_resample(X, y)
    values = drop_keys(X_more).to_numpy(np.float64)
    values = (values - values[:60].mean(axis=0)) / values[:60].std(axis=0)
    distance = np.linalg.norm(values[60:, None] - values[None, :60], axis=2)
    distance[y_more[60:, None] != y[None]] = np.inf
    assert sampler.source_indices_.tolist() == distance.argmin(axis=1).tolist()


def test_context_and_validation_rows_pass_through_and_do_not_count(table):
    X, y = table
    X = mark_validation(X, dialogues=["b"])
    X.loc[X["dialogue__id"] == "c", "dialogue__role"] = "context"
    learning = X["dialogue__role"] == "utterance"
    sampler = DialogueSampler(RandomOverSampler(random_state=0))
    X_more, y_more = sampler.fit_resample(X, y)
    assert_frame_equal(X_more.iloc[:60], X)
    assert learning.to_numpy()[sampler.source_indices_].all()
    kept = np.r_[learning, np.ones(len(X_more) - 60, bool)]
    assert len(set(np.unique(y_more[kept], return_counts=True)[1])) == 1


def test_values_of_validation_rows_never_matter(table):
    X, y = table
    X = mark_validation(X, dialogues=["b"])
    other, y_other = X.copy(), y.copy()
    held_out = (X["dialogue__id"] == "b").to_numpy()
    other.loc[held_out, X.columns[4:]] = np.float32(np.nan)
    y_other[held_out] = "neutral"
    sampler = DialogueSampler(SMOTE(k_neighbors=2, random_state=0))
    one, two = (clone(sampler).fit_resample(*t)[0] for t in ((X, y), (other, y_other)))
    assert_frame_equal(one.iloc[60:], two.iloc[60:])


def test_rows_that_are_synthetic_already_are_neither_counted_nor_copied(table):
    X, y = table
    sampler = DialogueSampler(RandomOverSampler(random_state=0))
    X_more, y_more = sampler.fit_resample(X, y)
    assert clone(sampler).fit(X_more, y_more).sampling_strategy_ == (
        clone(sampler).fit(X, y).sampling_strategy_
    )


def test_isolated_rows_are_dialogues_of_one_turn_with_names_of_their_own(table):
    X, y = table
    sampler = DialogueSampler(RandomOverSampler(random_state=0), placement="isolated")
    once = sampler.fit_resample(X, y)
    X_more, _ = sampler.fit_resample(*once)
    synthetic = X_more[X_more["dialogue__role"] == "synthetic"]
    assert len(synthetic) == 2 * (len(once[0]) - 60)
    assert synthetic["dialogue__id"].is_unique
    assert (synthetic["dialogue__turn"] == 0).all()
    origin = synthetic["dialogue__id"].str.partition("#")[0]
    assert set(origin) <= set("abcdef")


def test_a_missing_modality_is_refused_by_name_where_the_sampler_cannot_read_it(table):
    X, y = table
    X.loc[[3, 5], [c for c in X if c.startswith("audio")]] = np.nan
    with pytest.raises(ValueError, match=r"2 utterances lack .*audio.* first in row 3"):
        DialogueSampler(SMOTE()).fit_resample(X, y)
    X_more, _ = DialogueSampler(RandomOverSampler(random_state=0)).fit_resample(X, y)
    assert_frame_equal(X_more.iloc[:60], X)


@pytest.mark.parametrize("inner", [RandomUnderSampler(), TomekLinks()])
def test_under_samplers_are_refused(table, inner):
    with pytest.raises(ValueError, match="takes over-samplers alone"):
        DialogueSampler(inner).fit_resample(*table)


def test_samplers_that_also_remove_rows_are_refused(table):
    inner = SMOTEENN(smote=SMOTE(k_neighbors=3), random_state=0)
    with pytest.raises(ValueError, match="does not give back all rows first"):
        DialogueSampler(inner).fit_resample(*table)


def test_the_strategy_is_the_wrapped_samplers(table):
    X, y = table
    sampler = DialogueSampler(RandomOverSampler(random_state=0))
    sampler.set_params(sampler__sampling_strategy=up_to_mean)
    _, y_more = sampler.fit_resample(X, y)
    counts = dict(zip(*np.unique(y_more, return_counts=True), strict=True))
    assert counts == {"neutral": 40, "joy": 20, "fear": 20}
    assert sampler.sampling_strategy_ == {"neutral": 0, "joy": 6, "fear": 14}


def test_the_mean_is_rounded_down():
    assert up_to_mean([0, 0, 0, 0, 1, 2, 2, 2]) == {0: 4, 1: 2, 2: 3}


def test_the_caller_s_sampler_stays_unfitted(table):
    inner = RandomOverSampler(random_state=0)
    DialogueSampler(inner).fit_resample(*table)
    assert not hasattr(inner, "sampling_strategy_")


def test_names_out_list_the_keys_only_where_there_are_any(table):
    X, y = table
    sampler = DialogueSampler().fit(X, y)
    assert sampler.get_feature_names_out().tolist() == X.columns.tolist()
    sampler = DialogueSampler().fit(drop_keys(X), y)
    assert sampler.get_feature_names_out().tolist() == X.columns[4:].tolist()


def test_the_default_repeats_utterances(table):
    X_more, _ = DialogueSampler().fit_resample(*table)
    assert drop_keys(X_more).duplicated().sum() == len(X_more) - 60


def test_it_works_in_a_pipeline(table):
    X, y = table
    model = make_pipeline(
        DialogueSampler(SMOTE(k_neighbors=3, random_state=0)),
        FunctionTransformer(drop_keys),
        LogisticRegression(),
    )
    assert model.fit(X, y).predict(X).shape == (60,)


def test_a_frame_without_keys_comes_back_without_keys(table):
    X, y = table
    y = pd.Series(y, name="e")
    X_more, y_more = DialogueSampler().fit_resample(drop_keys(X), y)
    assert X_more.columns.tolist() == X.columns[4:].tolist()
    assert y_more.name == "e"


def test_it_does_not_inherit_from_the_samplers_that_it_wraps():
    assert not isinstance(DialogueSampler(), BaseOverSampler)


FORMS = {
    "series": lambda y, known: pd.Series(y, dtype=object).where(known, None),
    "list": lambda y, known: pd.Series(y, dtype=object).where(known, None).tolist(),
    "category": lambda y, known: pd.Series(y).where(known).astype("category"),
    "numbers": lambda y, known: pd.Series(codes(y)).where(known).to_numpy(),
    "nullable": lambda y, known: pd.Series(codes(y), dtype="Int64").where(known),
    "indicators": lambda y, known: np.where(known[:, None], rows(y, float), np.nan),
    "none of them": lambda y, known: np.where(known[:, None], rows(y, int), 0),
}


def codes(y):
    return np.unique(y, return_inverse=True)[1]


def rows(y, dtype):
    return np.eye(3, dtype=dtype)[codes(y)]


@pytest.mark.parametrize("form", FORMS)
def test_context_rows_keep_the_labels_that_they_have_or_have_not(table, form):
    X, y = table
    known = np.arange(60) % 3 > 0
    X = X.assign(dialogue__role=np.where(known, "utterance", "context"))
    given = FORMS[form](y, known)
    more = DialogueSampler(RandomOverSampler(random_state=0)).fit_resample(X, given)[1]
    assert type(more) is type(given)
    before, after = (pd.DataFrame(np.asarray(each, object)) for each in (given, more))
    assert_frame_equal(after[:60].mask(after[:60].isna()), before.mask(before.isna()))
    assert len(after) > 60
    assert not after[60:].isna().any(axis=None)


def test_columns_may_be_named_to_the_wrapped_sampler(table):
    X, y = table
    X = X.assign(meta__sex=np.arange(60) % 2)
    named, numbered = (
        DialogueSampler(SMOTENC([column], k_neighbors=3, random_state=0))
        for column in ("meta__sex", 6)
    )
    found, expected = (each.fit_resample(X, y) for each in (named, numbered))
    assert_frame_equal(found[0], expected[0])
    assert set(found[0]["meta__sex"]) == {0, 1}


def test_noise_around_missing_values_is_refused(table):
    X, y = table
    sampler = DialogueSampler(RandomOverSampler(shrinkage=0.1, random_state=0))
    assert len(sampler.fit_resample(X, y)[0]) > 60
    X.loc[3, [name for name in X if name.startswith("audio")]] = np.nan
    with pytest.raises(ValueError, match="first in row 3, and RandomOverSampler with"):
        sampler.fit_resample(X, y)


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize(
    ("dtype", "limits"),
    [
        *dict.fromkeys(["bool", "boolean", "bool[pyarrow]"], (0, 1)).items(),
        *dict.fromkeys(["int8", "Int8", "int8[pyarrow]"], (-128, 127)).items(),
        *dict.fromkeys(["uint8", "UInt8", "Sparse[uint8]"], (0, 255)).items(),
    ],
)
def test_whole_numbers_are_rounded_and_stay_in_the_range_of_their_type(
    table, dtype, limits, keyed
):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    X, y = table
    X = X if keyed else drop_keys(X)
    whole = np.random.default_rng(0).choice(limits, size=60)
    X["text__0"] = whole.astype(float)
    sampler = DialogueSampler(RandomOverSampler(shrinkage=1.0, random_state=0))
    noisy = sampler.fit_resample(X, y)[0]["text__0"].round()
    assert not noisy.between(*limits).all()
    X["text__0"] = pd.Series(whole).astype(dtype)
    found = sampler.fit_resample(X, y)[0]["text__0"]
    assert found.dtype == X["text__0"].dtype
    assert found.astype(float).tolist() == noisy.clip(*limits).tolist()


def test_rows_of_a_frame_without_keys_lose_no_digits_and_no_gaps(table):
    X, y = table
    X = drop_keys(X).assign(
        text__0=2**53 + 1 + np.arange(60),
        audio__0=pd.array([None, *range(59)], dtype="Int64"),
    )
    X_more, _ = DialogueSampler().fit_resample(X, y)
    assert_frame_equal(X_more[:60], X)


def test_a_pipeline_around_an_over_sampler_makes_what_the_over_sampler_makes(table):
    X, y = table
    inner = RandomOverSampler(sampling_strategy={"fear": 9}, random_state=0)
    plain, piped = DialogueSampler(inner), DialogueSampler(make_pipeline(inner))
    expected, found = (sampler.fit_resample(X, y) for sampler in (plain, piped))
    assert_frame_equal(found[0], expected[0])
    assert found[1].tolist() == expected[1].tolist()
    assert piped.source_indices_.tolist() == plain.source_indices_.tolist()
    assert piped.sampling_strategy_ == plain.sampling_strategy_ == {"fear": 3}


@pytest.mark.parametrize("sampler", [SMOTE(), ADASYN()], ids=["SMOTE", "ADASYN"])
def test_too_few_neighbours_are_told_with_the_emotions_that_have_so_few(table, sampler):
    X, y = table
    y = np.where(np.arange(len(y)) < 2, "rare", "joy")
    told = "emotion are {'joy': 58, 'rare': 2}. Leave the rare ones"
    with pytest.raises(ValueError, match=re.escape(told)):
        DialogueSampler(sampler).fit_resample(X, y)


@pytest.mark.parametrize("step", [CBERLClassifier, DJVAEFuser])
def test_weights_behind_a_sampler_are_told_not_to_pass_it(table, step):
    X, y = table
    step = step(hidden_size=8, max_epochs=1)
    model = make_pipeline(DialogueSampler(RandomOverSampler()), step)
    given = {f"{type(step).__name__.lower()}__sample_weight": np.ones(len(X))}
    with pytest.raises(ValueError, match="60 rows, and X has .* a sampler has made"):
        model.fit(X, y, **given)
