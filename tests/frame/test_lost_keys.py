"""Tables whose keys got lost on the way to an estimator of dialogues."""

import warnings
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from systems import mostly_slow

from skmerc import CBERLClassifier, DJVAEFuser, JoyfulRegressor
from skmerc.datasets import make_conversations
from skmerc.exceptions import (
    DuplicateTurnWarning,
    IdFeatureWarning,
    NoDialogueWarning,
    UntidyTableWarning,
)
from skmerc.frame import drop_keys, make_frame, split_frame
from skmerc.frame._conversations import read_conversations

X, y = make_conversations(8, random_state=0)
BARE = drop_keys(X)


def classifier():
    settings = {"hidden_size": 4, "heads": 2, "max_epochs": 1, "device": "cpu"}
    return CBERLClassifier(**settings, random_state=0)


def transformer(**settings):
    text = [name for name in X if name.startswith("text")]
    steps = [("text", StandardScaler(), text)]
    return ColumnTransformer(steps, **settings).set_output(transform="pandas")


def keys_of_messages():
    return make_frame({"text": BARE}, dialogue=np.arange(len(X)))


@pytest.mark.parametrize(
    "table",
    mostly_slow(
        [BARE, pl.from_pandas(BARE), keys_of_messages(), X.drop(columns="dialogue__id")]
    ),
    ids=["no keys", "polars", "a dialogue for each row", "turns without dialogues"],
)
def test_tables_in_which_every_dialogue_has_one_turn_are_told(table):
    with pytest.warns(NoDialogueWarning) as caught:
        classifier().fit(table, y)
    told = [w for w in caught if "of one turn" in str(w.message)]
    assert len(told) == 1
    assert f"{len(X)} dialogues of one turn, context is unused" in str(told[0].message)
    assert 'remainder="passthrough"' in str(told[0].message)
    assert told[0].filename == __file__


def test_keys_that_a_column_transformer_drops_are_told():
    with pytest.warns(NoDialogueWarning, match="of one turn"):
        make_pipeline(transformer(), classifier()).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_pipeline(transformer(remainder="passthrough"), classifier()).fit(X, y)


def embed(texts):
    """Stand in for an embedder, which gives an array of single precision."""
    return np.resize(BARE.to_numpy(np.float32), (len(texts), 16))


def test_a_column_of_texts_has_no_keys():
    texts, labels = pd.Series(["a"] * 20), np.resize(["joy", "anger"], 20)
    model = make_pipeline(FunctionTransformer(embed), classifier())
    with pytest.warns(NoDialogueWarning, match="20 dialogues .*X is an array"):
        model.fit(texts, labels)


def test_regressors_tell_too():
    model = JoyfulRegressor(
        fusion_size=4, hidden_size=4, n_bases=2, heads=2, max_epochs=1, random_state=0
    )
    with pytest.warns(NoDialogueWarning, match="of one turn"):
        model.fit(BARE, BARE["text__0"])


@pytest.mark.parametrize(
    "table", mostly_slow([X, BARE.to_numpy(float), BARE.to_numpy()[:, :9], BARE[:5]])
)
def test_dialogues_arrays_and_a_handful_of_rows_are_fitted_in_silence(table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = classifier().fit(table, y[: len(table)])
        model.predict(table)


def test_what_reads_single_rows_needs_no_dialogues():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DJVAEFuser(latent_size=2, hidden_size=4, max_epochs=1, device="cpu").fit(BARE)


# --- Ids among the features


@pytest.mark.parametrize(
    "name",
    mostly_slow([
        "call_id", "conversation", "index", "Unnamed: 0", "Unnamed: 0.1", "callid",
        "remainder__call_id", "session_id", "level_0", "remainder__index", "idx",
        "speakerID", "text__utterance_id",
    ]),
)  # fmt: skip
@pytest.mark.parametrize("kind", mostly_slow([int, float, "Int64"]))
def test_whole_numbers_that_are_named_like_ids_are_told(name, kind):
    table = X.assign(**{name: pd.Series(np.arange(len(X))).astype(kind)})
    with pytest.warns(IdFeatureWarning, match=f"X has '{name}' among its features"):
        read_conversations(BaseEstimator(), table, reset=True)


@pytest.mark.parametrize(
    "column",
    [
        {"audio__spectral_index": 0.5},
        {"duration": 3},
        {"text__0": 7},
        {"remainder__duration": 3},
        {"valid": True},
        {"is_agent": 1},
        {"grid": 1},
    ],
)
def test_other_columns_are_features(column):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_conversations(BaseEstimator(), X.assign(**column), reset=True)


def test_ids_are_told_by_fit_alone():
    table, model = X.assign(call_id=1), classifier()
    with pytest.warns(IdFeatureWarning):
        model.fit(table, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(table)


# --- Columns that a ColumnTransformer passes on


def test_what_is_left_over_is_no_modality():
    table = X.assign(duration=1.0)
    _, blocks = split_frame(transformer(remainder="passthrough").fit_transform(table))
    expected = {"text", "features", *(name.partition("__")[0] for name in BARE)}
    assert blocks.keys() == expected
    assert blocks["features"].shape == (len(X), 1)
    _, before = split_frame(X)
    for name in blocks.keys() - {"text", "features"}:
        np.testing.assert_array_equal(blocks[name], before[name])


# --- Messages that held whole tables


@pytest.mark.parametrize("given", [{"id": ["a"] * 999}, set(range(999))])
def test_a_key_that_is_no_column_is_shown_in_part(given):
    with pytest.raises(ValueError, match="dialogue=.* is one value") as caught:
        make_frame({"text": np.eye(3)}, dialogue=given)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "labels",
    [
        [["joy"], ["joy", "anger"]] * 2,
        pd.Series([["joy"], ["anger"]] * 2),
        pd.Series([{"joy"}, {"anger"}] * 2),
        np.array([("joy",), ("joy", "anger"), None, ("joy",)], dtype=object),
    ],
)
def test_lists_of_labels_are_told_with_a_way(labels):
    with pytest.raises(ValueError, match="MultiLabelBinarizer"):
        classifier().fit(X[:4], labels)


def test_a_table_to_answer_that_lacks_the_keys_of_the_fit_is_told():
    model = classifier().fit(X, y)
    with pytest.warns(NoDialogueWarning, match="no dialogue__id and no dialogue__sp"):
        model.predict(BARE)
    with pytest.warns(NoDialogueWarning, match="as those of one speaker"):
        model.predict(X.drop(columns="dialogue__speaker"))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_fuser_in_front_hides_no_lost_keys():
    """Behind it stand all four keys, or none of their names."""
    fuser = DJVAEFuser(hidden_size=4, max_epochs=1, random_state=0, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error", NoDialogueWarning)
        model = make_pipeline(fuser, classifier()).fit(X, y)
        model.predict(X.drop(columns="dialogue__turn"))
    for lost in (BARE, X.drop(columns=["dialogue__id", *X.columns[1:3]])):
        with pytest.warns(NoDialogueWarning, match="no dialogue__id and no dialogue__"):
            model.predict(lost)
    with pytest.warns(NoDialogueWarning, match="as those of one speaker"):
        model.predict(X.drop(columns="dialogue__speaker"))


@pytest.mark.parametrize(
    "table", [X.drop(columns="dialogue__turn"), BARE.iloc[[0]], BARE.to_numpy()]
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_keys_that_change_nothing_are_not_missed(table):
    model = classifier().fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", NoDialogueWarning)
        model.predict(table)


def test_without_keys_in_the_fit_none_are_missed():
    with pytest.warns(NoDialogueWarning, match="dialogues of one turn"):
        model = classifier().fit(BARE, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", NoDialogueWarning)
        model.predict(BARE)


def test_two_tables_of_the_same_ids_are_told():
    model = classifier().fit(X, y)
    with pytest.warns(DuplicateTurnWarning, match="^8 dialogues begin anew"):
        model.predict(pd.concat([X, X.groupby("dialogue__id").head(3)]))


def test_labels_in_another_order_than_rows_are_told():
    labels = pd.Series(y, index=X.index)
    with pytest.warns(UntidyTableWarning, match=r"y\.loc\[X\.index\]"):
        classifier().fit(X, labels[::-1])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UntidyTableWarning)
        classifier().fit(X, labels)
        classifier().fit(X, labels.set_axis(labels.index + len(X)))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([f"{label.upper()} " for label in y], "in case or blanks alone: .*'JOY '"),
        (["bliss"] * len(y), "'bliss', of which the model knows none"),
    ],
)
def test_labels_that_no_answer_can_equal_are_told(labels, words):
    model = classifier().fit(X, y)
    with pytest.warns(UntidyTableWarning, match=words):
        assert model.score(X, labels) == 0


def test_times_of_two_zones_are_told():
    zones = [timezone(timedelta(hours=hours)) for hours in (2, 1)]
    turns = [datetime(2026, 10, 25, 2, 30, tzinfo=zone) for zone in zones]
    table = make_frame({"text": np.eye(2)}, dialogue=["a", "a"], turn=turns)
    with pytest.raises(ValueError, match="other time zones"):
        classifier().fit(table.astype({"dialogue__turn": object}), ["joy", "anger"])
