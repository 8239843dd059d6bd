"""Importance of whole modalities, and of context."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from imblearn.pipeline import make_pipeline as make_imblearn_pipeline
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skmerc import CBERLClassifier, DJVAEFuser
from skmerc.datasets import make_conversations
from skmerc.frame import KEYS, drop_keys, make_frame, read_keys
from skmerc.inspection import modality_importance
from skmerc.metrics import accuracy_scorer, make_dialogue_scorer, recognition_report

UNITS = ["utterance", "dialogue"]
every_unit = pytest.mark.parametrize("unit", UNITS)


class Spy(ClassifierMixin, BaseEstimator):
    """Remembers the tables and labels that it is scored on."""

    def __init__(self):
        self.seen, self.labels = [], []

    def fit(self, X, y):
        return self

    def score(self, X, y, sample_weight=None):
        self.seen.append(X)
        self.labels.append(y)
        return float(len(self.seen))


class Neighbours(TransformerMixin, BaseEstimator):
    """The features of an utterance beside those of the turns around it."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        keys, features = read_keys(X), drop_keys(X).reset_index(drop=True)
        dialogues = features.loc[keys["dialogue__turn"].sort_values().index].groupby(
            keys["dialogue__id"]
        )
        around = [dialogues.shift(step, fill_value=0) for step in (1, -1, 2, -2)]
        return np.hstack([features, *[table.sort_index() for table in around]])


def stock():
    return make_pipeline(
        FunctionTransformer(drop_keys), StandardScaler(), LogisticRegression()
    )


def reader_of_neighbours():
    return make_pipeline(Neighbours(), LogisticRegression(max_iter=500))


def numbered(lengths=(3, 2, 4), **keys):
    """A table whose values say which row (tens) and column (units) they are of."""
    n_rows = sum(lengths)
    values = 10.0 * np.arange(n_rows)[:, None] + np.arange(4)
    return make_frame(
        {"text": values[:, :2], "audio": values[:, 2:]},
        dialogue=np.repeat(["a", "b", "c"], lengths),
        speaker=["x", "y", "z"] * (n_rows // 3),
        **keys,
    )


def spied(X, **options):
    """The tables seen: X itself, each modality's permutations, and no context."""
    spy, y = Spy(), np.arange(len(X))
    modality_importance(spy, X, y, random_state=0, **options)
    assert all(labels is y for labels in spy.labels)
    return spy.seen


def donors(values):
    """Rows that numbered values came from; the columns must agree on them."""
    rows = np.asarray(values) // 10
    assert (rows == rows[:, :1]).all()
    return rows[:, 0].astype(int)


class TestImportance:
    @pytest.fixture(scope="class")
    @staticmethod
    def conversations():
        return make_conversations(
            60,
            information={"text": 4, "audio": 2.5, "visual": 0},
            redundancy=0,
            random_state=0,
        )

    @every_unit
    def test_ranks_modalities_by_what_they_tell(self, conversations, unit):
        X, y = conversations
        table = modality_importance(
            stock().fit(X, y), X, y, unit=unit, n_repeats=3, random_state=0
        )
        assert table.index[:2].tolist() == ["text", "audio"]
        assert table.loc["text", "mean"] > 0.3
        assert abs(table.loc["visual", "mean"]) < 0.05

    def test_context_is_of_no_importance_to_a_model_that_reads_none(
        self, conversations
    ):
        X, y = conversations
        table = modality_importance(stock().fit(X, y), X, y, n_repeats=2)
        assert (table.loc["(context)"] == 0).all()

    def test_context_is_important_to_a_model_that_reads_it(self):
        X, y = make_conversations(120, inertia=0.6, random_state=0)
        train = read_keys(X)["dialogue__id"].isin([f"dia{i}" for i in range(80)])
        train = train.to_numpy()
        model = reader_of_neighbours().fit(X[train], y[train])
        table = modality_importance(model, X[~train], y[~train], n_repeats=1)
        assert table.loc["(context)", "mean"] > 0.05

    def test_is_a_difference_of_two_scores(self, conversations):
        X, y = conversations
        model = stock().fit(X, y)
        table = modality_importance(model, X, y, n_repeats=1, random_state=3)
        rows = np.random.RandomState(3).permutation(len(X))
        text = [column for column in X if column.startswith("text__")]
        permuted = X.copy()
        permuted[text] = X[text].to_numpy()[rows]
        drop = model.score(X, y) - model.score(permuted, y)
        assert table.loc["text", "repeat_0"] == drop

    def test_is_a_table_by_modality_sorted_by_mean(self, conversations):
        X, y = conversations
        table = modality_importance(stock().fit(X, y), X, y, n_repeats=3)
        repeats = [f"repeat_{i}" for i in range(3)]
        assert table.columns.tolist() == ["mean", "std", *repeats]
        assert table.index.name == "modality"
        assert set(table.index) == {"text", "audio", "visual", "(context)"}
        assert table["mean"].is_monotonic_decreasing
        np.testing.assert_allclose(table["mean"], table[repeats].mean(axis=1))
        np.testing.assert_allclose(table["std"], np.std(table[repeats], axis=1))

    @every_unit
    def test_repeats_with_its_seed_and_leaves_the_global_one(
        self, conversations, unit, global_state_untouched
    ):
        X, y = conversations
        before, model = X.copy(), stock().fit(X, y)
        options = {"unit": unit, "n_repeats": 2}
        with global_state_untouched():
            first, again, other = (
                modality_importance(model, X, y, random_state=seed, **options)
                for seed in (0, 0, 1)
            )
        assert_frame_equal(first, again)
        assert not first.equals(other)
        assert_frame_equal(X, before)

    def test_modalities_go_through_the_same_permutations(self, conversations):
        X, y = conversations
        audio = [column for column in X if column.startswith("audio__")]
        model, options = stock().fit(X, y), {"n_repeats": 2, "random_state": 0}
        full = modality_importance(model, X, y, **options)
        one = modality_importance(model, X, y, modalities={"audio": audio}, **options)
        assert set(one.index) == {"audio", "(context)"}
        assert_frame_equal(one.loc[["audio"]], full.loc[["audio"]])

    def test_order_of_rows_does_not_matter_between_dialogues(self, conversations):
        X, y = conversations
        shuffled = np.random.default_rng(0).permutation(len(X))
        model = reader_of_neighbours().fit(X, y)
        first, second = (
            modality_importance(
                model, *table, unit="dialogue", n_repeats=2, random_state=0
            )
            for table in [(X, y), (X.iloc[shuffled], y[shuffled])]
        )
        assert_frame_equal(first, second.loc[first.index])


class TestPermutedTables:
    @every_unit
    def test_a_block_moves_as_one_and_nothing_else_moves(self, unit):
        X = numbered().set_axis(list("pqrstuvwx"))
        intact, *permuted, _ = spied(X, n_repeats=2, unit=unit)
        assert_frame_equal(intact, X)
        moved = ["text", "text", "audio", "audio"]
        for name, table in zip(moved, permuted, strict=True):
            mine = [column for column in X if column.startswith(name)]
            others = X.columns.drop(mine)
            assert_frame_equal(table[others], X[others])
            assert (donors(table[mine]) != np.arange(9)).any()
            assert table.columns.equals(X.columns)
            assert table.dtypes.equals(X.dtypes)

    def test_utterances_are_permuted_each_once(self):
        _, text, audio, _ = spied(numbered(), n_repeats=1)
        rows = donors(text[["text__0", "text__1"]])
        assert_array_equal(np.sort(rows), np.arange(9))
        assert_array_equal(donors(audio[["audio__0", "audio__1"]]), rows)

    def test_every_dialogue_gets_another_one_in_order_cut_or_begun_again(self):
        X = numbered()
        _, *permuted, _ = spied(X, n_repeats=6, unit="dialogue")
        given = {
            "a": {"b": [3, 4, 3], "c": [5, 6, 7]},
            "b": {"a": [0, 1], "c": [5, 6]},
            "c": {"a": [0, 1, 2, 0], "b": [3, 4, 3, 4]},
        }
        found = set()
        for table in permuted[:6]:
            rows = pd.Series(donors(table[["text__0", "text__1"]]))
            for mine, block in rows.groupby(X["dialogue__id"]):
                giver = X["dialogue__id"][block.iloc[0]]
                assert block.tolist() == given[mine][giver]
                found.add((mine, giver))
        assert len(found) == 6

    def test_a_dialogue_is_handed_on_by_turn_and_not_by_row(self):
        X = numbered((2, 4, 3), turn=[1, 0, 3, 2, 1, 0, 0, 1, 2])
        X = X[X["dialogue__id"] != "c"]
        _, text, _, _ = spied(X, n_repeats=1, unit="dialogue")
        rows = donors(text[["text__0", "text__1"]])
        assert_array_equal(rows, [4, 5, 0, 1, 0, 1])

    @pytest.mark.parametrize(
        "turn",
        [
            ["2", "10", "1", "3"],
            pd.to_datetime([2, 10, 1, 3]),
            pd.to_timedelta([2, 10, 1, 3]),
            pd.to_datetime([2, 10, 1, 3]).astype(object),
        ],
        ids=["text", "time", "duration", "object"],
    )
    def test_turns_may_be_times_and_text_of_numbers(self, turn):
        features = {"text": 10.0 * np.arange(4)[:, None]}
        X = make_frame(features, dialogue=list("aabb"), turn=turn)
        _, text, _ = spied(X, n_repeats=1, unit="dialogue")
        assert_array_equal(donors(text[["text__0"]]), [2, 3, 0, 1])

    def test_a_missing_modality_moves_with_its_block(self):
        X = numbered()
        X.loc[4, ["audio__0", "audio__1"]] = np.nan
        _, text, audio, _ = spied(X, n_repeats=1)
        rows = donors(text[["text__0", "text__1"]])
        missing = audio[["audio__0", "audio__1"]].isna()
        assert_array_equal(missing.all(axis=1), rows == 4)
        assert_array_equal(missing.any(axis=1), rows == 4)

    def test_context_is_taken_away_by_dialogues_of_one(self):
        X = numbered(role=["context"] * 2 + ["utterance"] * 7).add_prefix("k__")
        *_, alone = spied(X, n_repeats=1)
        keys = read_keys(alone)
        assert keys["dialogue__id"].is_unique
        assert (keys["dialogue__turn"] == 0).all()
        assert (keys["dialogue__speaker"] == "").all()
        rest = X.columns.drop([f"k__{key}" for key in KEYS[:3]])
        assert_frame_equal(alone[rest], X[rest])
        assert alone.columns.equals(X.columns)

    def test_a_table_without_dialogues_has_no_context(self):
        X = drop_keys(numbered())
        table = modality_importance(Spy(), X, np.zeros(9))
        assert set(table.index) == {"text", "audio"}

    @every_unit
    def test_columns_that_stand_apart_make_one_modality(self, unit):
        X = numbered()
        modalities = {"odd": ["audio__1", "text__1", "audio__1"]}
        _, odd, _ = spied(X, n_repeats=1, modalities=modalities, unit=unit)
        donors(odd[["text__1", "audio__1"]])
        assert_frame_equal(
            odd.drop(columns=["text__1", "audio__1"]),
            X.drop(columns=["text__1", "audio__1"]),
        )

    @every_unit
    def test_arrays_take_modalities_by_position(self, unit):
        X = 10.0 * np.arange(6)[:, None] + np.arange(3)
        X.setflags(write=False)
        modalities = {"text": slice(0, 2), "audio": [-1]}
        _, text, audio = spied(X, n_repeats=1, modalities=modalities, unit=unit)
        assert_array_equal(np.sort(donors(text[:, :2])), np.arange(6))
        assert_array_equal(text[:, 2], X[:, 2])
        assert_array_equal(audio[:, :2], X[:, :2])
        assert_array_equal(donors(audio[:, 2:]), donors(text[:, :2]))

    def test_an_array_is_one_modality_by_default(self):
        table = modality_importance(Spy(), [[1.0], [2.0]], [0, 1])
        assert table.index.tolist() == ["features"]


class TestModels:
    @pytest.mark.slow
    def test_takes_the_networks_and_polars(self):
        X, y = make_conversations(12, n_turns=6, missing=0.1, random_state=0)
        model = make_imblearn_pipeline(
            DJVAEFuser(latent_size=4, hidden_size=8, max_epochs=1, random_state=0),
            CBERLClassifier(hidden_size=8, heads=2, max_epochs=1, random_state=0),
        ).fit(X, y)
        options = {"n_repeats": 1, "random_state": 0, "unit": "dialogue"}
        table = modality_importance(model, X, y, **options)
        assert np.isfinite(table).all(axis=None)
        again = modality_importance(model, pl.from_pandas(X), y, **options)
        assert_frame_equal(again, table)

    def test_labels_of_context_rows_are_left_to_the_scorer(self):
        X, y = make_conversations(12, random_state=0)
        model = stock().fit(X, y)
        context = np.arange(len(X)) % 3 == 0
        X.loc[context, "dialogue__role"] = "context"
        unlabelled = np.where(context, None, y)
        options = {"scoring": accuracy_scorer, "n_repeats": 2, "random_state": 0}
        table = modality_importance(model, X, unlabelled, **options)
        assert_frame_equal(table, modality_importance(model, X, y, **options))

    def test_scores_by_name_and_with_weights(self):
        X, y = make_conversations(12, random_state=0)
        model, options = stock().fit(X, y), {"n_repeats": 2, "random_state": 0}
        default = modality_importance(model, X, y, **options)
        named = modality_importance(model, X, y, scoring="accuracy", **options)
        weight = np.where(y == y[0], 1.0, 3.0)
        weighted = modality_importance(model, X, y, sample_weight=weight, **options)
        assert_frame_equal(named, default)
        assert not weighted.equals(default)


class TestErrors:
    def test_a_single_dialogue_cannot_be_given_another(self):
        X = make_frame({"text": np.eye(2)}, dialogue=["a", "a"])
        with pytest.raises(ValueError, match=r"1 dialogue.*use unit='utterance'"):
            modality_importance(Spy(), X, [0, 1], unit="dialogue")

    def test_unknown_columns_are_named(self):
        with pytest.raises(ValueError, match="'voice' names the column 'pitch'"):
            modality_importance(
                Spy(), numbered(), np.zeros(9), modalities={"voice": ["pitch"]}
            )

    @pytest.mark.parametrize(
        "wrong",
        [{"n_repeats": 0}, {"unit": "turn"}, {"modalities": ["text"]}],
        ids=lambda wrong: next(iter(wrong)),
    )
    def test_parameters_out_of_range_are_named(self, wrong):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            modality_importance(Spy(), numbered(), np.zeros(9), **wrong)

    def test_lengths_must_agree(self):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            modality_importance(Spy(), numbered(), np.zeros(8))

    def test_several_scores_at_once_are_refused(self):
        X, y = make_conversations(4, random_state=0)
        with pytest.raises(ValueError, match="scoring"):
            modality_importance(stock(), X, y, scoring=["accuracy"])
        report = make_dialogue_scorer(lambda *args: recognition_report(*args).to_dict())
        with pytest.raises(TypeError, match="give a scorer that returns one"):
            modality_importance(stock().fit(X, y), X, y, scoring=report)
