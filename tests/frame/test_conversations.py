"""The view of a table that estimators read: order, alternatives, roles, warnings."""

import datetime
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from systems import make_model, mostly_slow, target_of

from skmerc.datasets import make_conversations
from skmerc.exceptions import DuplicateTurnWarning, SplitDialogueWarning
from skmerc.frame import _columns, make_frame, mark_validation, split_frame
from skmerc.frame._columns import synthetic_id
from skmerc.frame._conversations import (
    ranges,
    read_conversations,
)
from skmerc.model_selection import StratifiedDialogueKFold, fill_labels

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)


def read(X, **settings_):
    return read_conversations(BaseEstimator(), X, reset=True, **settings_)


def table(dialogue, turn=None, role=None, speaker=None):
    block = {"text": np.arange(len(dialogue), dtype=float)[:, None]}
    return make_frame(block, dialogue=dialogue, turn=turn, role=role, speaker=speaker)


def split_up(sequences):
    """Each sequence as (rows, owned)."""
    cuts = sequences.offsets[1:-1]
    rows, owned = np.split(sequences.rows, cuts), np.split(sequences.owned, cuts)
    return [(r.tolist(), o.tolist()) for r, o in zip(rows, owned, strict=True)]


def orders(X):
    return [rows for rows, _ in split_up(read(X).sequences())]


class TestOrder:
    def test_dialogues_are_ordered_by_turn(self):
        X = table(list("abab"), turn=[5, 1, 2, 0])
        assert orders(X) == [[2, 0], [3, 1]]

    def test_equal_turns_are_ordered_by_row_and_counted(self):
        X = table(list("aaaa"), turn=[1, 0, 1, 1])
        with pytest.warns(DuplicateTurnWarning, match="^2 utterances share") as found:
            assert orders(X) == [[1, 0, 2, 3]]
        assert len(found) == 1

    def test_restarting_ids_are_reported_as_equal_turns(self):
        two_files = pd.concat([table([0, 0, 1]), table([0, 0, 1])], ignore_index=True)
        with pytest.warns(DuplicateTurnWarning, match="^3 utterances share") as found:
            read(two_files)
        assert len(found) == 1

    def test_nobody_is_warned_when_predicting(self):
        X = table(list("aaaa"), turn=[1, 0, 1, 1])
        estimator = BaseEstimator()
        with pytest.warns(DuplicateTurnWarning):
            read_conversations(estimator, X, reset=True)
        read_conversations(estimator, X, reset=False)

    def test_a_synthetic_alternative_is_no_equal_turn(self):
        read(table(list("aa"), turn=[0, 0], role=["utterance", "synthetic"]))

    def test_keys_may_be_numbers(self):
        X = table([3, 3, 1], turn=[1, 0, 0], speaker=[0, 1, 1])
        numeric = X.astype({"dialogue__id": int, "dialogue__speaker": float})
        assert orders(numeric) == orders(X) == [[2], [1, 0]]
        assert read(numeric).speaker.tolist() == [0, 1, 1]

    def test_turns_written_as_text_are_ordered_as_numbers(self):
        assert orders(table(list("aa"), turn=["10", "9"])) == [[1, 0]]

    @pytest.mark.parametrize(
        "convert",
        [
            list,
            pd.to_datetime,
            lambda t: pd.Series(t, dtype=object),
            lambda t: pd.to_datetime(t, utc=True),
            lambda t: pd.to_datetime(t) - pd.Timestamp(2020, 1, 1),
        ],
    )
    def test_turns_may_be_times_and_gaps_in_them_say_nothing(self, convert):
        days = [datetime.datetime(2024, 1, day) for day in (9, 3, 30, 1)]
        X = table(list("aaaa"), turn=convert(days))
        assert orders(X) == [[3, 1, 0, 2]]

    @pytest.mark.parametrize(
        "kind", ["duration[us][pyarrow]", "timestamp[us][pyarrow]", ">i4", ">f8"]
    )
    def test_turns_of_arrow_and_of_other_machines_have_their_order(self, kind):
        pytest.importorskip("pyarrow")
        turns = pd.Series([10, 9, 200], dtype="int64")
        times = pd.to_timedelta(turns, unit="h")
        times = pd.Timestamp(2024, 1, 1) + times if "timestamp" in kind else times
        turns = (times if "arrow" in kind else turns).astype(kind)
        X = table(list("aaa")).assign(dialogue__turn=turns)
        assert orders(X) == [[1, 0, 2]]

    def test_turns_may_be_yes_or_no(self):
        assert orders(table(list("aa"), turn=[True, False])) == [[1, 0]]

    def test_dates_of_arrow_are_refused_as_dates_are(self):
        pytest.importorskip("pyarrow")
        days = pd.Series(pd.date_range("2026-03-01", periods=2).date)
        for turn in (days, days.astype("date32[pyarrow]")):
            with pytest.raises(ValueError, match="finite numbers or timestamps"):
                read(table(list("aa"), turn=turn))

    def test_turns_may_be_nullable_integers(self):
        X = table(list("aaa"), turn=pd.array([2, 0, 1], dtype="Int64"))
        assert orders(X) == [[1, 2, 0]]

    def test_a_turn_that_is_text_names_the_row(self):
        with pytest.raises(ValueError, match="dialogue__turn is 'late' in row 2"):
            read(table(list("aaa"), turn=["1", "2", "late"]))

    def test_without_keys_every_row_is_a_dialogue(self):
        assert orders(np.ones((3, 2))) == [[0], [1], [2]]
        assert not read(np.ones((3, 2))).keyed

    @pytest.mark.slow
    @quick
    @given(st.data())
    def test_sequences_of_a_shuffled_table_show_the_same_rows(self, data):
        n = data.draw(st.integers(1, 12))
        ids = data.draw(st.lists(st.sampled_from("abc"), min_size=n, max_size=n))
        turn = data.draw(st.permutations(range(n)))
        role = data.draw(
            st.lists(st.sampled_from(["utterance", "context"]), min_size=n, max_size=n)
        )
        shuffle = data.draw(st.permutations(range(n)))
        X = table(ids, np.array(turn) * 1.5, role)
        shuffled = [[shuffle[r] for r in rows] for rows in orders(X.iloc[shuffle])]
        assert sorted(shuffled) == sorted(orders(X))


class TestSplitDialogues:
    @staticmethod
    def long_table(n_dialogues=20, length=12):
        ids = np.repeat(np.arange(n_dialogues), length)
        return table(ids, turn=np.tile(np.arange(length), n_dialogues))

    @pytest.mark.parametrize("share", [0.6, 0.8, 0.9])
    def test_a_split_by_rows_is_noticed(self, share):
        X = self.long_table().sample(frac=share, random_state=0)
        with pytest.warns(SplitDialogueWarning, match="Split by dialogue") as found:
            read(X)
        assert len(found) == 1

    def test_a_split_by_dialogues_and_a_lost_turn_here_and_there_are_fine(self):
        X = self.long_table()
        read(X)
        read(X[X["dialogue__id"].astype(int) % 2 == 0])
        read(X.drop(index=[5, 17, 40, 41, 100]))

    def test_one_side_of_every_dialogue_is_fine(self):
        X = self.long_table()
        read(X[X["dialogue__turn"] % 2 == 0])

    def test_only_integer_turns_are_judged(self):
        X = self.long_table().sample(frac=0.8, random_state=0)
        read(X.assign(dialogue__turn=X["dialogue__turn"] + 0.5))

    def test_generated_conversations_are_whole(self):
        read(make_conversations(8, random_state=0)[0])

    @pytest.mark.slow
    def test_no_real_table_warns(self, real_data):
        for path in sorted(real_data.glob("*.npz")):
            with np.load(path) as parts:
                keys = {name: parts[name] for name in ("dialogue", "turn", "speaker")}
            read(make_frame({"none": np.zeros((len(keys["turn"]), 1))}, **keys))


class TestAlternatives:
    def test_an_alternative_stands_at_its_source_in_a_copy(self):
        X = table(
            ["a", "a", "a", "b", "a"],
            turn=[0, 1, 2, 0, 1],
            role=["utterance"] * 4 + ["synthetic"],
        )
        assert split_up(read(X).sequences()) == [
            ([0, 1, 2], [True] * 3),
            ([3], [True]),
            ([0, 4, 2], [False, True, False]),
        ]

    def test_distinct_turns_share_a_copy_and_equal_ones_do_not(self):
        X = table(
            ["a"] * 6,
            turn=[0, 1, 2, 2, 0, 2],
            role=["utterance"] * 3 + ["synthetic"] * 3,
        )
        assert split_up(read(X).sequences())[1:] == [
            ([4, 1, 3], [True, False, True]),
            ([0, 1, 5], [False, False, True]),
        ]

    def test_isolated_ones_stand_alone_but_belong_to_their_source(self):
        ids = ["a", "a", synthetic_id("a", 0), synthetic_id("a", 1)]
        role = ["utterance", "utterance", "synthetic", "synthetic"]
        conversations = read(table(ids, role=role))
        assert [rows for rows, _ in split_up(conversations.sequences())] == [
            [0, 1],
            [2],
            [3],
        ]
        assert conversations.sequences().owned.all()
        assert len(set(conversations.group)) == 1
        assert len(set(conversations.dialogue)) == 3

    @pytest.mark.parametrize(("dialogue", "turn"), [("b", 0), ("a", 7)])
    def test_without_its_source_it_stands_alone(self, dialogue, turn):
        X = table(
            ["a", "a", dialogue], [0, 1, turn], ["utterance", "utterance", "synthetic"]
        )
        assert split_up(read(X).sequences())[1:] == [([2], [True])]

    def test_of_equal_turns_the_first_is_replaced(self):
        X = table(["a"] * 5, [0, 0, 1, 1, 0], ["utterance"] * 3 + ["synthetic"] * 2)
        with pytest.warns(DuplicateTurnWarning):
            assert orders(X) == [[0, 1, 2], [4, 1, 3]]

    def test_a_table_of_synthetic_rows_alone(self):
        X = table(["a", "a", "b"], role="synthetic")
        assert orders(X) == [[0], [1], [2]]

    def test_context_may_be_a_source(self):
        X = table(["a", "a", "a"], [0, 1, 1], ["utterance", "context", "synthetic"])
        assert orders(X) == [[0, 1], [0, 2]]

    @pytest.mark.slow
    @quick
    @given(st.data())
    def test_every_row_answers_once_and_real_rows_see_nothing_synthetic(self, data):
        n = data.draw(st.integers(1, 15))
        draw = {"min_size": n, "max_size": n}
        ids = data.draw(st.lists(st.sampled_from("abc"), **draw))
        role = data.draw(
            st.lists(st.sampled_from(["utterance", "validation", "synthetic"]), **draw)
        )
        turn = data.draw(st.lists(st.integers(0, 4), **draw))
        # Real turns are unique, so that nothing warns; synthetic ones repeat them.
        real = np.array(role) != "synthetic"
        turn = np.where(real, 10 + np.arange(n), 10 + np.array(turn))
        conversations = read(table(ids, turn.astype(float), role))
        sequences = conversations.sequences()
        owned = sequences.rows[sequences.owned]
        assert sorted(owned) == list(range(n))
        at = {(ids[row], turn[row]): row for row in np.flatnonzero(real)}
        for rows, own in split_up(sequences):
            rows, own = np.array(rows), np.array(own)
            if real[rows].all():
                assert own.all()
                continue
            np.testing.assert_array_equal(own, ~real[rows])
            shown = [at.get((ids[r], turn[r]), -1) for r in rows]
            if -1 in shown:
                assert len(rows) == 1
            else:
                whole = sorted(r for (d, _), r in at.items() if d == ids[rows[0]])
                assert shown == whole


@quick
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=8))
def test_ranges_concatenates_aranges(pairs):
    starts, lengths = np.array(pairs, dtype=int).reshape(-1, 2).T
    expected = [np.arange(s, s + n) for s, n in pairs]
    np.testing.assert_array_equal(
        ranges(starts, lengths), np.concatenate([np.zeros(0, int), *expected])
    )


def test_take_keeps_sequences_in_the_order_asked_for():
    X = table(["a", "a", "b", "a"], [0, 1, 0, 0], ["utterance"] * 3 + ["synthetic"])
    sequences = read(X).sequences()
    assert split_up(sequences.take(np.array([2, 1]))) == [
        ([3, 1], [True, False]),
        ([2], [True]),
    ]
    assert len(sequences.take(np.array([], dtype=int))) == 0


class TestRoles:
    def test_a_dialogue_with_validation_rows_teaches_nothing(self):
        ids = ["a", "a", "b", "b", "a", synthetic_id("a", 0), synthetic_id("b", 0)]
        role = ["utterance", "validation", "utterance", "context", *["synthetic"] * 3]
        conversations = read(table(ids, turn=[0, 1, 0, 1, 0, 0, 0], role=role))
        a, b = True, False
        assert conversations.held_out.tolist() == [a, a, b, b, a, a, b]
        assert np.flatnonzero(conversations.learnable).tolist() == [2, 6]

    def test_without_validation_all_but_context_teach(self):
        conversations = read(
            table(list("aab"), role=["utterance", "context", "synthetic"])
        )
        assert conversations.learnable.tolist() == [True, False, True]
        assert not conversations.held_out.any()


def test_a_modality_is_missing_only_where_all_of_it_is_nan():
    text = [[np.nan, np.nan], [np.nan, 1.0], [1.0, 2.0]]
    audio = [[1.0], [np.nan], [2.0]]
    conversations = read(make_frame({"text": text, "audio": audio}))
    assert conversations.present.tolist() == [
        [False, True],
        [True, False],
        [True, True],
    ]


def test_speakers_never_named_are_one_person():
    X = table(list("aaa"), speaker=[None, "x", None])
    speaker = read(X).speaker
    assert speaker[0] == speaker[2] != speaker[1]


def test_text_in_an_array_is_traced_to_where_it_may_come_from():
    with pytest.raises(ValueError, match="'agent': X is an array .*set_output"):
        read(np.array([["agent", 1.0]], dtype=object))


@pytest.fixture
def names_read(monkeypatch):
    """How often each column's name has been read."""
    count, key_of = Counter(), _columns._key_of

    def read_name(column):
        count[column] += 1
        return key_of(column)

    monkeypatch.setattr(_columns, "_key_of", read_name)
    return count


@pytest.mark.parametrize("name", mostly_slow(["cberl", "fuser", "regressor"]))
def test_estimators_read_each_columns_name_once_a_call(name, names_read):
    X, y = make_conversations(12, random_state=0)
    y = target_of(name, X, y)
    model = make_model(name)
    answer = model.transform if name == "fuser" else model.predict
    for call in (
        lambda: model.fit(X, y),
        lambda: answer(X),
        lambda: model.score(X, y),
    ):
        names_read.clear()
        call()
        assert names_read == dict.fromkeys(X.columns, 1)


@pytest.mark.parametrize("placement", mostly_slow(["dialogue", "isolated"]))
def test_samplers_read_each_columns_name_once_a_call(placement, names_read):
    X, y = make_conversations(12, random_state=0)
    sampler = make_model("sampler", placement=placement)
    names_read.clear()
    sampler.fit_resample(X, y)
    assert names_read == dict.fromkeys(X.columns, 1)


@pytest.mark.parametrize(
    "call",
    [
        split_frame,
        lambda X: mark_validation(X, fraction=0.5, random_state=0),
        lambda X: list(StratifiedDialogueKFold(2).split(X, np.arange(len(X)) % 2)),
        lambda X: fill_labels(X, np.arange(len(X))),
    ],
    ids=["split_frame", "mark_validation", "folds", "fill_labels"],
)
def test_functions_read_each_columns_name_once_a_call(call, names_read):
    X = table(["a", "a", "b", "b", "c", "c", "d", "d"])
    names_read.clear()
    call(X)
    assert names_read == dict.fromkeys(X.columns, 1)
