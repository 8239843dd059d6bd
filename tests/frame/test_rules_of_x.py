"""What X may be, and what happens to it in other people's estimators."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pandas.testing import assert_frame_equal
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from systems import mostly_slow

from skmerc import DJVAEFuser, MultimodalGANSampler
from skmerc.datasets import make_conversations
from skmerc.frame import KEYS, drop_keys, make_frame
from skmerc.frame._conversations import read_conversations

X, y = make_conversations(4, random_state=0)


def read(table, estimator=None, reset=True, **settings):
    return read_conversations(
        BaseEstimator() if estimator is None else estimator,
        table,
        reset=reset,
        **settings,
    )


def assert_same(one, other):
    np.testing.assert_array_equal(one.features, other.features)
    for name in ("dialogue", "group", "turn", "speaker", "role"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.blocks == other.blocks


def test_a_column_transformer_writes_what_we_read():
    text, audio = ([c for c in X if c.startswith(m)] for m in ("text", "audio"))
    steps = [("text", PCA(2), text), ("audio", StandardScaler(), audio)]
    transformer = ColumnTransformer(steps, remainder="passthrough")
    out = transformer.set_output(transform="pandas").fit_transform(X)
    assert "remainder__dialogue__id" in out
    found = read(out)
    assert found.blocks["text"] == slice(0, 2)
    assert found.blocks["audio"] == slice(2, 2 + len(audio))
    np.testing.assert_array_equal(found.dialogue, read(X).dialogue)
    np.testing.assert_array_equal(found.turn, read(X).turn)
    np.testing.assert_array_equal(found.speaker, read(X).speaker)


@pytest.mark.parametrize("estimator", [StandardScaler(), LogisticRegression()])
def test_stock_estimators_refuse_a_keyed_frame(estimator):
    numeric = X.assign(dialogue__id=1, dialogue__speaker=0)
    with pytest.raises(ValueError, match="could not convert string to float"):
        estimator.fit(numeric, y)


def test_polars_reads_like_pandas():
    assert_same(read(pl.from_pandas(X)), read(X))


def test_polars_nulls_are_missing():
    frame = pl.DataFrame({"dialogue__id": ["a", "a"], "text__0": [None, 1.0]})
    assert read(frame).present.tolist() == [[False], [True]]
    absent = pl.DataFrame({"dialogue__id": ["a", None], "text__0": [0.0, 1.0]})
    with pytest.raises(ValueError, match="dialogue is missing in 1 rows"):
        read(absent)


def test_the_order_of_columns_means_nothing_to_keys():
    assert_same(read(X[[*list(X)[4:], *KEYS]]), read(X))


def test_the_index_means_nothing():
    assert_same(read(X.set_axis(range(len(X), 0, -1))), read(X))


class TestFeatureChecks:
    def fitted(self, table):
        estimator = BaseEstimator()
        read(table, estimator)
        return estimator

    def test_they_cover_the_features_alone(self):
        estimator = self.fitted(X)
        assert estimator.feature_names_in_.tolist() == list(X)[4:]
        assert estimator.n_features_in_ == X.shape[1] - 4

    @pytest.mark.parametrize(
        "keys", mostly_slow([[], ["dialogue__id"], list(KEYS[:3])])
    )
    def test_it_does_not_matter_which_keys_are_there(self, keys):
        features = list(X)[4:]
        read(X[keys + features], self.fitted(X), reset=False)
        read(X, self.fitted(X[keys + features]), reset=False)

    def test_other_features_are_refused(self):
        estimator = self.fitted(X)
        with pytest.raises(ValueError, match="feature names should match"):
            read(X.rename(columns={"text__0": "text__x"}), estimator, reset=False)
        array = drop_keys(X).to_numpy()
        with pytest.raises(ValueError, match="expecting 32 features"):
            read(array[:, 1:], self.fitted(array), reset=False)


class TestRefusals:
    def test_a_feature_that_is_text_is_named(self):
        with pytest.raises(ValueError, match="Column 'sentence' holds (str|object)"):
            read(X.assign(sentence="hello"))

    @pytest.mark.parametrize("values", [["x", "y"], [1.0, "y"], [{}, 1.0]])
    def test_a_feature_of_python_objects_is_named(self, values):
        frame = pd.DataFrame({"a": [1.0, 2.0], "b": pd.Series(values, dtype=object)})
        with pytest.raises(ValueError, match="Column 'b' holds object"):
            read(frame)

    def test_numbers_in_an_object_column_are_numbers(self):
        frame = pd.DataFrame({"a": pd.Series([1, None], dtype=object)})
        np.testing.assert_array_equal(read(frame).features, [[1.0], [np.nan]])

    def test_booleans_and_nulls_of_arrow_are_numbers_as_those_of_pandas_are(self):
        pa = pytest.importorskip("pyarrow")
        columns = {"text__0": [True, None, False], "audio__0": [None] * 3}
        kinds = {"text__0": pa.bool_(), "audio__0": pa.null()}
        of_arrow = pd.DataFrame(
            {
                name: pd.array(values, dtype=pd.ArrowDtype(kinds[name]))
                for name, values in columns.items()
            }
        )
        expected = [[1.0, np.nan], [np.nan, np.nan], [0.0, np.nan]]
        np.testing.assert_array_equal(read(of_arrow).features, expected)
        named = of_arrow.assign(text__0=pd.array(list("abc"), "string[pyarrow]"))
        with pytest.raises(ValueError, match="Column 'text__0' holds string"):
            read(named)

    def test_dates_and_categories_are_no_features(self):
        for values in (pd.to_datetime(["2020-01-01"]), pd.Categorical(["x"])):
            with pytest.raises(ValueError, match="Column 'b' holds"):
                read(pd.DataFrame({"a": [1.0], "b": values}))

    def test_keys_without_features(self):
        with pytest.raises(ValueError, match=r"0 feature\(s\)"):
            read(X[list(KEYS)])

    def test_a_keyed_frame_without_rows(self):
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            read(X.iloc[:0])

    def test_mixed_names_of_features(self):
        with pytest.raises(TypeError, match="string"):
            read(pd.DataFrame({"text__0": [1.0], 5: [1.0]}))

    @pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39, -1e300])
    def test_what_float32_cannot_hold_is_refused_by_place(self, value):
        table = X.astype({"audio__1": float})
        table.loc[3, "audio__1"] = value
        place = "infinity.* in row 3, column 'audio__1' .block 'audio'."
        with pytest.raises(ValueError, match=place):
            read(table)
        array = np.ones((5, 2))
        array[4, 1] = value
        with pytest.raises(ValueError, match="row 4, column 1 .block 'm'."):
            read(array, modalities={"m": [1, 0]})

    def test_infinity_is_found_beyond_the_first_chunk(self, monkeypatch):
        monkeypatch.setattr("skmerc.frame._conversations._CHUNK", 2)
        array = np.zeros((5, 1))
        array[3] = np.inf
        with pytest.raises(ValueError, match="in row 3"):
            read(array)

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("dialogue__id", None, "dialogue is missing in 1 rows, first in row 2"),
            ("dialogue__role", "train", "Unknown role 'train' in row 2"),
        ],
    )
    def test_bad_keys_name_the_row(self, key, value, message):
        table = X.copy()
        table.loc[2, key] = value
        with pytest.raises(ValueError, match=message):
            read(table)


def test_labels_come_back_as_an_array_in_the_callers_order():
    labels = pd.Series(y, index=range(100, 100 + len(y)))
    _, found = read_conversations(BaseEstimator(), X, labels, reset=True)
    np.testing.assert_array_equal(found, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        read_conversations(BaseEstimator(), X, y[1:], reset=True)


def test_blocks_of_numbered_columns_are_one_block():
    frame = make_frame({"text": np.ones((2, 3))})
    frame.columns = [*KEYS, 0, 1, 2]
    assert read(frame).blocks == {"features": slice(0, 3)}


@pytest.mark.slow
def test_the_order_of_rows_changes_nothing_that_is_learned(conversations_xy):
    X, y = conversations_xy
    order = np.random.default_rng(0).permutation(len(X))
    shuffled = X.iloc[order].reset_index(drop=True)
    fuser = DJVAEFuser(latent_size=4, hidden_size=8, max_epochs=2, random_state=0)
    codes = clone(fuser).fit_transform(X)
    assert_frame_equal(
        fuser.fit_transform(shuffled), codes.iloc[order].reset_index(drop=True)
    )
    sampler = MultimodalGANSampler(n_steps=3, hidden_size=8, random_state=0)
    written, labels = sampler.fit_resample(X, y)
    again, labels_again = sampler.fit_resample(shuffled, y[order])
    assert_frame_equal(again[len(X) :], written[len(X) :])
    assert labels_again[len(X) :].tolist() == labels[len(X) :].tolist()
