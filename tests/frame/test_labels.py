"""Labels that are missing, and keys that were forgotten."""

from enum import Enum

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.naive_bayes import GaussianNB
from systems import mostly_slow

from skmerc import (
    CBERLClassifier,
    DialogueVotingClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    MultimodalGANSampler,
    UtteranceClassifier,
)
from skmerc.exceptions import NoDialogueWarning
from skmerc.metrics import weighted_f1

SMALL = {"hidden_size": 8, "random_state": 0}
FITS = {
    "classifier": CBERLClassifier(max_epochs=1, **SMALL).fit,
    "sampler": MultimodalGANSampler(n_steps=2, **SMALL).fit_resample,
    "fuser": DJVAEFuser(max_epochs=1, classification_weight=1.0, **SMALL).fit,
}


@pytest.fixture(params=[None, np.nan], ids=str)
def holes(request, conversations_xy):
    """A table and its labels, of which those of rows 2 and 7 are missing."""
    X, y = conversations_xy
    y = pd.Series(y, dtype=object)
    y.iloc[[2, 7]] = request.param
    return X, y


@pytest.mark.parametrize("fit", FITS.values(), ids=list(FITS))
def test_a_missing_label_is_told_by_its_row(holes, fit):
    with pytest.raises(ValueError, match="label is missing in 2 rows, first in row 2"):
        fit(*holes)


@pytest.mark.parametrize("fit", mostly_slow(FITS.values()), ids=list(FITS))
def test_context_rows_need_no_label(holes, fit):
    X, y = holes
    X.loc[[2, 7], "dialogue__role"] = "context"
    fit(X, y)


def test_a_sampler_gives_labels_back_in_the_type_that_they_had(holes):
    X, y = holes
    X.loc[[2, 7], "dialogue__role"] = "context"
    labels = FITS["sampler"](X, y.rename("emotion"))[1]
    assert isinstance(labels, pd.Series)
    assert labels.name == "emotion"


def test_labels_of_context_rows_change_nothing(holes):
    X, y = holes
    X.loc[[2, 7], "dialogue__role"] = "context"
    model = CBERLClassifier(max_epochs=1, **SMALL)
    without = model.fit(X, y).predict_proba(X)
    y.iloc[[2, 7]] = y.iloc[5]
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), without)


def test_turns_without_dialogues_are_warned_of(conversations_xy):
    X, y = conversations_xy
    model = CBERLClassifier(max_epochs=1, **SMALL).fit(X, y)
    forgotten = X.drop(columns="dialogue__id")
    with pytest.warns(NoDialogueWarning, match="dialogue__turn and dialogue__speaker"):
        model.predict(forgotten)


@pytest.mark.parametrize("gap", ["nan", "none", "nullable", "lists"])
def test_sets_of_labels_are_read_beside_context_without_any(conversations_xy, gap):
    X, y = conversations_xy
    sets = pd.DataFrame({name: (y == name).astype(int) for name in np.unique(y)})
    context = pd.Series(np.arange(len(X)) % 4 == 0)
    X = X.assign(dialogue__role=np.where(context, "context", "utterance"))
    given = {
        "nan": sets.astype(float).mask(context, axis=0),
        "none": sets.astype(object).where(~context, None, axis=0),
        "nullable": sets.astype("Int64").mask(context, axis=0),
        "lists": [
            [None] * sets.shape[1] if unread else row
            for unread, row in zip(context, sets.to_numpy().tolist(), strict=True)
        ],
    }[gap]
    model = JoyfulClassifier(fusion_size=8, max_epochs=1, **SMALL)
    expected = model.fit(X, sets).predict_proba(X)
    np.testing.assert_array_equal(model.fit(X, given).predict_proba(X), expected)


class Mood(Enum):
    """Labels that are neither text nor numbers."""

    CALM = 0
    ANGRY = 1


OF_PANDAS = ["Int64", "boolean", "int8[pyarrow]", "bool[pyarrow]", "Float64", "string"]
MODELS = {
    "classifier": CBERLClassifier(max_epochs=1, **SMALL),
    "single rows": UtteranceClassifier(GaussianNB()),
    "votes": DialogueVotingClassifier([("one", UtteranceClassifier(GaussianNB()))]),
}


def plain_labels(y, kind):
    """Two classes in a type of numpy, to be told in a type of pandas."""
    if "pyarrow" in kind:
        pytest.importorskip("pyarrow")
    found = y == "joy"
    if kind == "string":
        return np.where(found, "joy", "other")
    return found if "bool" in kind else found.astype(float if "F" in kind else int)


@pytest.mark.parametrize("kind", OF_PANDAS)
@pytest.mark.parametrize("model", mostly_slow(MODELS.values()), ids=list(MODELS))
def test_labels_in_types_of_pandas_are_the_values_that_they_hold(
    conversations_xy, model, kind
):
    X, y = conversations_xy
    plain = plain_labels(y, kind)
    labels = pd.Series(plain).astype(kind)
    gaps = np.arange(len(X)) % 4 == 0
    marked = X.assign(dialogue__role=np.where(gaps, "context", "utterance"))
    gapped = labels.mask(gaps)
    tables = ((X, labels), (marked, labels), (marked, gapped), (marked, gapped.array))
    for table, given in tables:
        model = clone(model).fit(table, given)
        found, expected = model.classes_.tolist(), np.unique(plain).tolist()
        assert found == expected
        assert type(found[0]) is type(expected[0])
        kept = gaps < 1 if table is marked else slice(None)
        right = (model.predict(table) == plain)[kept].mean()
        assert model.score(table, given) == pytest.approx(right)


@pytest.mark.parametrize("kind", OF_PANDAS)
def test_a_sampler_gives_them_back_with_their_gaps(conversations_xy, kind):
    X, y = conversations_xy
    gaps = np.arange(len(X)) % 4 == 0
    X = X.assign(dialogue__role=np.where(gaps, "context", "utterance"))
    given = pd.Series(plain_labels(y, kind)).astype(kind).mask(gaps)
    labels = FITS["sampler"](X, given)[1]
    pd.testing.assert_series_equal(labels.iloc[: len(X)], given)
    assert not labels.iloc[len(X) :].isna().any()


@pytest.mark.parametrize("fit", mostly_slow(FITS.values()), ids=list(FITS))
def test_masked_labels_are_missing(conversations_xy, fit):
    X, y = conversations_xy
    numbers = np.unique(y, return_inverse=True)[1]
    masked = np.ma.array(numbers, mask=np.isin(np.arange(len(y)), [2, 7]))
    with pytest.raises(ValueError, match="label is missing in 2 rows, first in row 2"):
        fit(X, masked)
    X.loc[[2, 7], "dialogue__role"] = "context"
    fit(X, masked)


def test_a_masked_label_is_no_row_to_score_and_no_answer():
    masked = np.ma.array([1, 0, 1], mask=[True, False, False])
    assert weighted_f1(masked, [0, 0, 1]) == 1
    with pytest.raises(ValueError, match="y_pred has no label in row 0"):
        weighted_f1([0, 0, 1], masked)


def test_masked_weights_are_refused(conversations_xy):
    X, y = conversations_xy
    masked = np.ma.array(np.ones(len(y)), mask=np.arange(len(y)) == 3)
    model = CBERLClassifier(max_epochs=1, **SMALL)
    with pytest.raises(ValueError, match=r"sample_weight .* masked cells, .* row 3"):
        model.fit(X, y, sample_weight=masked)


@pytest.mark.parametrize("fit", mostly_slow(FITS.values()), ids=list(FITS))
def test_labels_that_are_neither_text_nor_numbers_are_told(conversations_xy, fit):
    X, y = conversations_xy
    moods = [Mood.ANGRY if label == "joy" else Mood.CALM for label in y]
    with pytest.raises(ValueError, match=r"y is <Mood\.\w+: \d> in row 0, and labels"):
        fit(X, moods)
