"""Labels that are missing, and keys that were forgotten."""

import numpy as np
import pandas as pd
import pytest
from systems import mostly_slow

from skmerc import (
    CBERLClassifier,
    DJVAEFuser,
    JoyfulClassifier,
    MultimodalGANSampler,
)
from skmerc.exceptions import NoDialogueWarning

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
