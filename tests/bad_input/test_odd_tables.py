"""Tables that say the same in another way, and small ones: the same answers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import (
    CLASSIFIERS,
    FUSERS,
    NETWORKS,
    REGRESSOR,
    SAMPLERS,
    few,
    fitted,
    judge,
)
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from user_tables import FEATURES, ODD_TABLES, tables

from skmerc.frame import KEYS

ROLES = ("utterance", "utterance", "context", "validation")
MODELS = CLASSIFIERS | FUSERS


@few
@given(tables(), st.sampled_from(sorted(ODD_TABLES)), st.sampled_from(sorted(MODELS)))
def test_the_same_table_in_another_form_gives_the_same_answers(table, kind, name):
    X, y = table
    (_, answer), error = judge(lambda X, y: fitted(MODELS[name], X, y), *table)
    assert error is None
    result, error = judge(
        lambda X, y: fitted(MODELS[name], X, y), ODD_TABLES[kind](X), y
    )
    assert error is None, error
    values = np.asarray(answer)[:, -5:] if name in FUSERS else np.asarray(answer)
    others = np.asarray(result[1])
    others = others[:, -5:] if name in FUSERS else others
    pd.testing.assert_frame_equal(pd.DataFrame(others), pd.DataFrame(values))


@few
@given(tables(roles=ROLES), st.sampled_from(sorted(CLASSIFIERS)), st.randoms())
def test_rows_in_another_order_get_the_same_answers(table, name, random):
    X, y = table
    model, answer = fitted(CLASSIFIERS[name], X, y)
    assert len(answer) == len(X)
    order = np.array(random.sample(range(len(X)), len(X)))
    np.testing.assert_array_equal(model.predict(X.iloc[order]), answer[order])
    _, again = fitted(CLASSIFIERS[name], X.iloc[order], y[order])
    np.testing.assert_array_equal(again, answer[order])


@few
@given(tables(min_rows=3, roles=ROLES), st.sampled_from(sorted(SAMPLERS)))
def test_a_sampler_gives_all_rows_back_as_they_were(table, name):
    X, y = table
    result, error = judge(lambda X, y: fitted(SAMPLERS[name], X, y)[1], X, y)
    if error is not None:
        assert "class" in str(error) or "modality" in str(error)
        return
    more, labels = result
    assert_frame_equal(more.iloc[: len(X)], X)
    np.testing.assert_array_equal(labels[: len(X)], y)
    assert (more["dialogue__role"].iloc[len(X) :] == "synthetic").all()
    assert np.isfinite(more[list(FEATURES)].fillna(0)).all(axis=None)


@few
@given(tables(), st.sampled_from(sorted(ODD_TABLES)), st.sampled_from(sorted(SAMPLERS)))
def test_a_sampler_keeps_the_columns_of_an_odd_table(table, kind, name):
    X, y = table
    odd = ODD_TABLES[kind](X)
    result, error = judge(lambda X, y: fitted(SAMPLERS[name], X, y)[1], odd, y)
    if error is not None:
        assert "modality" in str(error)
        return
    more = result[0]
    assert list(more.columns[:4]) == list(KEYS)
    kept = pd.DataFrame(more[list(FEATURES)].iloc[: len(X)])
    kept = kept.astype(object).where(kept.notna(), np.nan).astype(float)
    np.testing.assert_array_equal(kept, X[list(FEATURES)].astype(float))


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.PartialMissingWarning")
def test_missing_objects_of_an_array_are_missing():
    array = np.array([[1, pd.NA], [None, None], [2.5, True]] * 3, dtype=object)
    _, answer = fitted(MODELS["djvae"], array, list("abb" * 3))
    assert np.isfinite(answer[:, :2]).all()


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.PartialMissingWarning")
@pytest.mark.parametrize("name", ["gan", "repeat"])
@pytest.mark.parametrize("dtype", [bool, "boolean", "int8", "Int64", "float16"])
def test_a_sampler_keeps_the_types_of_columns(name, dtype):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(0, 2, (12, 2)), columns=["text__0", "text__1"])
    X = X.astype(dtype).assign(dialogue__id=[1] * 6 + [2] * 6)
    if dtype in ("boolean", "Int64"):
        X.loc[3, ["text__0", "text__1"]] = pd.NA
    more, _ = fitted(SAMPLERS[name], X, ["joy"] * 8 + ["anger"] * 4)[1]
    assert len(more) == 16
    assert (more[["text__0", "text__1"]].dtypes == dtype).all()


@few
@given(tables(min_rows=1, max_rows=3), st.sampled_from(sorted(NETWORKS)))
def test_a_row_or_two_are_enough_or_refused(table, name):
    X, y = table
    y = np.ones(len(X)) if NETWORKS[name] is REGRESSOR else y
    result, error = judge(lambda X, y: fitted(NETWORKS[name], X, y)[1], X, y)
    if name in SAMPLERS:
        return
    assert error is None
    assert len(result) == len(X)


@few
@given(tables(min_rows=2), st.sampled_from(sorted(CLASSIFIERS)), st.booleans())
def test_one_class_is_always_answered(table, name, validation):
    X, y = table
    if validation:
        X = X.assign(dialogue__role=["utterance"] + ["validation"] * (len(X) - 1))
        X = X.assign(dialogue__id=["held out"] * len(X)).astype({"dialogue__id": str})
        X.loc[X.index[0], "dialogue__id"] = "learned"
    y = np.array(["joy"] * len(y))
    assert set(fitted(CLASSIFIERS[name], X, y)[1]) == {"joy"}


@few
@given(tables(), st.sampled_from(sorted(CLASSIFIERS)), st.data())
def test_unseen_speakers_roles_and_lost_modalities_get_an_answer(table, name, data):
    X, y = table
    model, _ = fitted(CLASSIFIERS[name], X, y)
    new = X.assign(dialogue__speaker=[f"new {i}" for i in range(len(X))])
    new = new.assign(
        dialogue__role=data.draw(st.sampled_from(["context", "synthetic"]))
    )
    if data.draw(st.booleans()):
        new = new.assign(**dict.fromkeys(FEATURES, np.nan))
    p, error = judge(model.predict_proba, new)
    assert error is None
    np.testing.assert_allclose(p.sum(axis=1), 1)


@few
@given(tables(), st.sampled_from([1e-38, 1e-20, 1e20, 1e30, 3e38]), st.data())
def test_large_and_small_numbers_give_finite_answers(table, size, data):
    X, y = table
    name = data.draw(st.sampled_from(sorted(MODELS)))
    X = X.assign(text__0=np.float32(size) * (np.arange(len(X)) % 2), text__1=size)
    result, error = judge(lambda X, y: fitted(MODELS[name], X, y), X, y)
    assert error is None, error
    model = result[0]
    found = model.predict_proba(X) if name in CLASSIFIERS else model.transform(X)
    found = found if name in CLASSIFIERS else found[["fused__0", "fused__1"]]
    assert np.isfinite(np.asarray(found, dtype=float)).all()


@few
@given(tables(min_rows=8, max_rows=14, roles=ROLES))
def test_the_three_steps_as_a_pipeline(table):
    from imblearn.pipeline import make_pipeline

    X, y = table
    steps = (SAMPLERS["gan"], FUSERS["djvae"], CLASSIFIERS["cberl"])
    pipeline = make_pipeline(*(clone(step) for step in steps))
    assert isinstance(pipeline, Pipeline)
    result, error = judge(lambda X, y: pipeline.fit(X, y).predict(X), X, y)
    if error is not None:
        assert "class" in str(error) or "modality" in str(error)
        return
    assert len(result) == len(X)
