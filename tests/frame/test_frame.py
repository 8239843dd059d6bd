"""make_frame and its relatives."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from skmerc import CBERLClassifier
from skmerc.exceptions import NoDialogueWarning
from skmerc.frame import (
    KEYS,
    drop_keys,
    make_frame,
    mark_validation,
    read_keys,
    split_frame,
)

BLOCKS = {"text": np.arange(8.0).reshape(4, 2), "audio": np.ones((4, 1))}


def test_keys_come_first_then_float32_features():
    X = make_frame(
        BLOCKS, dialogue=[7, 7, 8, 8], turn=[3, 1, 0, 5], speaker=[1, 2, 1, 1]
    )
    assert list(X.columns) == [*KEYS, "text__0", "text__1", "audio__0"]
    assert X["dialogue__id"].tolist() == ["7", "7", "8", "8"]
    assert X["dialogue__turn"].tolist() == [3, 1, 0, 5]
    assert X["dialogue__speaker"].tolist() == ["1", "2", "1", "1"]
    assert set(X["dialogue__role"]) == {"utterance"}
    assert set(X.dtypes.iloc[4:]) == {np.dtype("float32")}


def test_without_a_dialogue_every_row_stands_alone():
    X = make_frame(BLOCKS)
    assert X["dialogue__id"].nunique() == 4
    assert X["dialogue__turn"].tolist() == [0, 0, 0, 0]


def test_turns_default_to_the_order_of_rows_even_where_dialogues_interleave():
    X = make_frame(BLOCKS, dialogue=["a", "b", "a", "b"])
    assert X["dialogue__turn"].tolist() == [0, 0, 1, 1]


def test_unknown_speakers_are_empty():
    X = make_frame(BLOCKS, dialogue=list("aabb"), speaker=["Joey", None, np.nan, ""])
    assert X["dialogue__speaker"].tolist() == ["Joey", "", "", ""]


@pytest.mark.parametrize("kind", ["i4", "u8", "f8", "U3", "M8[s]"])
def test_keys_in_the_byte_order_of_other_machines_are_the_same(kind):
    keys = np.array([10, 10, 9, 9]).astype(f"<{kind}")
    given = {"dialogue": keys, "turn": np.arange(4)[::-1], "speaker": keys}
    other = {
        name: key.astype(key.dtype.newbyteorder(">")) for name, key in given.items()
    }
    X, swapped = make_frame(BLOCKS, **given), make_frame(BLOCKS, **other)
    pd.testing.assert_frame_equal(X, swapped)
    assert read_keys(swapped).equals(read_keys(X))


def test_keys_of_several_levels_are_refused():
    index = pd.MultiIndex.from_tuples([("a", 0), ("a", 1), ("b", 0), ("b", 1)])
    with pytest.raises(ValueError, match="dialogue is a MultiIndex"):
        make_frame(BLOCKS, dialogue=index)


def test_an_index_that_all_parts_share_is_kept():
    ids = pd.Series(list("aabb"), index=[9, 8, 7, 6])
    block = pd.DataFrame(BLOCKS["text"], index=ids.index)
    assert make_frame({"text": block}, dialogue=ids).index.tolist() == [9, 8, 7, 6]


def test_one_index_in_two_orders_is_refused():
    ids = pd.Series(list("aabb"))
    with pytest.raises(ValueError, match="'text' and 'dialogue' have the same index"):
        make_frame({"text": pd.DataFrame(BLOCKS["text"])}, dialogue=ids[::-1])


def test_a_modality_may_be_called_like_a_key_and_is_not_passed_over():
    ids = pd.Series(list("aabb"))
    block = pd.DataFrame(BLOCKS["text"], index=[3, 2, 1, 0])
    with pytest.raises(ValueError, match="'role' and 'dialogue' have the same index"):
        make_frame({"role": block}, dialogue=ids)


def test_a_block_without_columns_is_refused():
    with pytest.raises(ValueError, match="Block 'audio' has no columns"):
        make_frame(BLOCKS | {"audio": pd.DataFrame(index=range(4))})


def test_a_frame_in_place_of_the_blocks_is_refused():
    with pytest.raises(ValueError, match="blocks is no mapping"):
        make_frame(pd.DataFrame({"text": [1.0]}))


def test_text_in_a_block_is_told_by_row_and_column():
    block = pd.DataFrame({"pitch": [1.0, 2.0], "note": ["3", "n/a"]})
    with pytest.raises(ValueError, match="first in row 1, column 'note'"):
        make_frame({"audio": block})


def test_indexes_of_other_labels_are_ignored():
    block = pd.DataFrame(BLOCKS["text"], index=[9, 8, 7, 6])
    ids = pd.Series(list("aabb"), index=[3, 2, 1, 0])
    X = make_frame({"text": block}, dialogue=ids)
    assert X.index.tolist() == [0, 1, 2, 3]
    assert X["dialogue__id"].tolist() == list("aabb")
    assert X["text__0"].tolist() == [0, 2, 4, 6]


def test_frames_keep_their_column_names_behind_the_modality():
    named = pd.DataFrame({"pitch": [1.0], "energy": [2.0]})
    assert list(make_frame({"audio": named}))[4:] == ["audio__pitch", "audio__energy"]
    assert list(make_frame({"audio": pl.from_pandas(named)}))[4:] == [
        "audio__pitch",
        "audio__energy",
    ]


def test_split_frame_is_the_way_back():
    X = make_frame(BLOCKS, dialogue=list("aabb"), role="context")
    keys, blocks = split_frame(X)
    pd.testing.assert_frame_equal(keys, X[list(KEYS)])
    assert list(blocks) == ["text", "audio"]
    for name, block in blocks.items():
        np.testing.assert_array_equal(block, BLOCKS[name])


@pytest.mark.parametrize("name", ["a__b", "", "dialogue", 3])
def test_a_modality_has_a_name_that_can_be_told_from_keys(name):
    with pytest.raises(ValueError, match="A modality cannot be called"):
        make_frame({name: np.ones((1, 1))})


@pytest.mark.parametrize("key", ["dialogue", "turn", "speaker"])
def test_one_value_for_all_utterances_is_refused(key):
    with pytest.raises(ValueError, match=f"{key}='abcd' is one value"):
        make_frame(BLOCKS, **{key: "abcd"})
    with pytest.raises(ValueError, match=f"{key}=4 is one value"):
        make_frame(BLOCKS, **{key: 4})


def test_parts_of_different_lengths_are_named():
    with pytest.raises(ValueError, match="block 'text': 4.*speaker: 3"):
        make_frame(BLOCKS, speaker=["a", "b", "c"])
    with pytest.raises(ValueError, match="at least one block"):
        make_frame({})


def test_blocks_are_tables_of_numbers():
    with pytest.raises(ValueError, match="'text' has 1 dimensions"):
        make_frame({"text": [1.0, 2.0]})
    with pytest.raises(ValueError, match="'text' holds values that are no numbers"):
        make_frame({"text": [["hello"]]})


def test_a_number_too_large_for_float32_is_refused_by_place():
    block = np.ones((3, 2))
    block[2, 1] = -1e39
    with pytest.raises(ValueError, match="'audio' holds -1e\\+39 in row 2, column 1"):
        make_frame({"audio": block})


@pytest.mark.parametrize("key", ["dialogue", "turn"])
def test_a_missing_dialogue_or_turn_names_the_row(key):
    with pytest.raises(ValueError, match=f"{key} is missing in 2 rows, first in row 1"):
        make_frame(BLOCKS, **{"dialogue": [0, 0, 1, 1], key: [0, None, 1, None]})


def test_turns_or_speakers_without_dialogues_warn():
    with pytest.warns(NoDialogueWarning, match="dialogue__turn but no dialogue__id"):
        X = make_frame(BLOCKS, turn=[3, 1, 2, 0])
    assert X["dialogue__id"].is_unique


def test_an_unknown_role_names_the_row():
    role = ["utterance", "context", "test", "utterance"]
    with pytest.raises(ValueError, match="Unknown role 'test' in row 2"):
        make_frame(BLOCKS, role=role)
    with pytest.raises(ValueError, match="Unknown role .* in row 1"):
        make_frame(BLOCKS, role=["utterance", None, "context", "synthetic"])


def test_timestamps_stay_timestamps():
    turns = [datetime.datetime(2024, 1, day) for day in (4, 3, 2, 1)]
    X = make_frame(BLOCKS, dialogue=list("aaaa"), turn=turns)
    assert pd.api.types.is_datetime64_any_dtype(X["dialogue__turn"])


def test_read_keys_fills_what_is_absent():
    X = pd.DataFrame({"dialogue__speaker": ["x", "y"], "text__0": [1.0, 2.0]})
    keys = read_keys(X)
    assert list(keys) == list(KEYS)
    assert keys["dialogue__id"].nunique() == 2
    assert keys["dialogue__turn"].tolist() == [0, 0]
    assert keys["dialogue__speaker"].tolist() == ["x", "y"]
    assert read_keys([[1.0], [2.0], [3.0]])["dialogue__id"].nunique() == 3


@pytest.mark.parametrize(
    "columns",
    [["dialogue__id", "remainder__dialogue__id"], ["dialogue__id", "dialogue__id"]],
)
def test_a_key_that_stands_twice_is_refused(columns):
    X = pd.DataFrame([["a", "b", 1.0]], columns=[*columns, "text__0"])
    with pytest.raises(ValueError, match="key 'dialogue__id' twice"):
        read_keys(X)


def test_multiindex_columns_are_refused_with_a_recipe_that_works():
    columns = pd.MultiIndex.from_tuples([("dialogue", "id"), ("text", 0)])
    X = pd.DataFrame([["a", 1.0]], columns=columns)
    with pytest.raises(ValueError, match=r"'__'\.join\(map\(str, column\)\)"):
        split_frame(X)
    X.columns = ["__".join(map(str, column)) for column in X.columns]
    keys, blocks = split_frame(X)
    assert keys["dialogue__id"].tolist() == ["a"]
    assert list(blocks) == ["text"]


def test_drop_keys_leaves_arrays_alone_and_only_keys_out():
    array = np.ones((2, 2))
    assert drop_keys(array) is array
    X = make_frame(BLOCKS).rename(columns={"dialogue__turn": "rest__dialogue__turn"})
    X["mydialogue__id"] = 1.0
    assert list(drop_keys(X)) == ["text__0", "text__1", "audio__0", "mydialogue__id"]


def test_other_tables_than_pandas_and_polars_are_refused():
    class Table:
        columns = ["text__0"]

    with pytest.raises(TypeError, match="give a pandas or polars"):
        read_keys(Table())


class TestModalities:
    X = make_frame(BLOCKS, dialogue=list("aabb"))

    @pytest.mark.parametrize(
        "given",
        [
            ["text__1", "audio__0"],
            slice(1, 3),
            [1, 2],
            np.array([1, 2]),
            slice(-2, None),
        ],
    )
    def test_by_name_slice_and_position(self, given):
        _, blocks = split_frame(self.X, modalities={"both": given, "rest": [0]})
        np.testing.assert_array_equal(blocks["both"], [[1, 1], [3, 1], [5, 1], [7, 1]])
        assert blocks["rest"].shape == (4, 1)

    def test_the_given_order_of_columns_is_kept(self):
        _, blocks = split_frame(self.X, modalities={"m": ["audio__0", "text__0"]})
        np.testing.assert_array_equal(blocks["m"][:, 1], [0, 2, 4, 6])
        _, blocks = split_frame(self.X, modalities={"m": [2, 1, 0]})
        np.testing.assert_array_equal(blocks["m"][:, 2], [0, 2, 4, 6])

    @pytest.mark.parametrize("column", ["video__0", "dialogue__id", 3, -4, 1.5, True])
    def test_an_unknown_column_is_named(self, column):
        with pytest.raises(ValueError, match=f"'m' names the column {column!r}"):
            split_frame(self.X, modalities={"m": [column]})

    def test_names_mean_nothing_to_an_array(self):
        with pytest.raises(ValueError, match="names the column 'text__0'"):
            split_frame(np.ones((2, 2)), modalities={"m": ["text__0"]})

    @pytest.mark.parametrize("given", [{}, {"m": []}, {"m": slice(5, 9)}])
    def test_nothing_is_no_modality(self, given):
        with pytest.raises(ValueError, match="modalities is empty|given no column"):
            split_frame(self.X, modalities=given)

    def test_columns_of_a_modality_need_not_be_neighbours(self):
        X = pd.DataFrame([[1.0, 2.0, 3.0, 4.0]], columns=["a__x", "b__x", "a__y", "c"])
        _, blocks = split_frame(X)
        assert {name: block.tolist() for name, block in blocks.items()} == {
            "a": [[1, 3]],
            "b": [[2]],
            "features": [[4]],
        }


class TestMarkValidation:
    X = make_frame(
        {"text": np.ones((6, 1))},
        dialogue=list("aabbcc"),
        role=["utterance", "synthetic", "utterance", "context", "context", "context"],
    ).set_axis([5, 4, 3, 2, 1, 0])

    def test_only_ordinary_rows_of_the_dialogues_change(self):
        before = self.X.copy()
        marked = mark_validation(self.X, dialogues=["a", "c"])
        assert marked["dialogue__role"].tolist() == [
            "validation",
            "synthetic",
            "utterance",
            "context",
            "context",
            "context",
        ]
        pd.testing.assert_frame_equal(self.X, before)
        pd.testing.assert_frame_equal(
            marked.drop(columns=KEYS[3]), before.drop(columns=KEYS[3])
        )

    def test_a_share_is_drawn_from_dialogues_that_can_be_scored(self):
        for seed in range(10):
            marked = mark_validation(self.X, fraction=0.5, random_state=seed)
            assert (marked["dialogue__role"] == "validation").sum() == 1

    def test_a_share_is_repeatable_and_leaves_both_sides_something(self):
        X = make_frame({"text": np.ones((20, 1))}, dialogue=np.repeat(range(10), 2))
        marked = mark_validation(X, fraction=0.3, random_state=0)
        held_out = marked["dialogue__role"] == "validation"
        assert held_out.sum() == 6
        assert marked[held_out]["dialogue__id"].nunique() == 3
        pd.testing.assert_frame_equal(
            marked, mark_validation(X, fraction=0.3, random_state=0)
        )
        other = mark_validation(X[::-1], fraction=0.3, random_state=0)
        pd.testing.assert_frame_equal(other[::-1], marked)
        for fraction in (0.001, 0.999):
            roles = mark_validation(X, fraction=fraction, random_state=0)[KEYS[3]]
            assert set(roles) == {"utterance", "validation"}

    def test_renamed_and_absent_roles(self):
        X = self.X.rename(columns={KEYS[3]: "rest__dialogue__role"})
        marked = mark_validation(X, dialogues="b")
        assert list(marked) == list(X)
        assert marked["rest__dialogue__role"].iloc[2] == "validation"
        marked = mark_validation(self.X.drop(columns=KEYS[3]), dialogues=["b"])
        assert (marked[KEYS[3]] == "validation").sum() == 2

    def test_numbers_name_dialogues_too(self):
        X = make_frame({"text": np.ones((2, 1))}, dialogue=[1, 2])
        assert mark_validation(X, dialogues=[2])[KEYS[3]].iloc[1] == "validation"

    def test_no_dialogues_at_all_are_refused(self):
        with pytest.raises(ValueError, match="dialogues is empty"):
            mark_validation(self.X, dialogues=[])

    @pytest.mark.parametrize("given", [{}, {"dialogues": ["a"], "fraction": 0.5}])
    def test_dialogues_or_fraction(self, given):
        with pytest.raises(ValueError, match="dialogues or fraction, one of the two"):
            mark_validation(self.X, **given)

    @pytest.mark.parametrize("fraction", [0, 1, -0.5])
    def test_the_share_lies_between_0_and_1(self, fraction):
        with pytest.raises(ValueError, match=f"fraction={fraction}"):
            mark_validation(self.X, fraction=fraction)

    def test_unknown_dialogues_and_tables_without_any(self):
        with pytest.raises(ValueError, match="no dialogue 'z'"):
            mark_validation(self.X, dialogues=["a", "z"])
        with pytest.raises(ValueError, match="no column dialogue__id"):
            mark_validation(np.ones((2, 1)), fraction=0.5)


class TestNamesThatAreOne:
    """Ids and names of which several become one, or one several."""

    def frame(self, **keys):
        return make_frame({"text": np.ones((2, 1))}, **keys)

    @pytest.mark.parametrize("pair", [("a", "a "), ("\ta", "a"), ("é", "e\u0301")])
    def test_dialogues_that_look_alike(self, pair):
        with pytest.raises(ValueError, match="dialogue is .* in row 0 .* look alike"):
            self.frame(dialogue=list(pair))
        # Among speakers of many dialogues that would stop a whole table for a blank.
        X = self.frame(dialogue=["x", "x"], speaker=list(pair))
        assert X[KEYS[2]].tolist() == list(pair)

    def test_that_differ(self):
        X = self.frame(dialogue=["x", "x"], speaker=[" a", "A"])
        assert X[KEYS[2]].tolist() == [" a", "A"]

    @pytest.mark.parametrize("dtype", [float, object])
    def test_floats_that_leave_numbers_out(self, dtype):
        ids = np.array([2.0**53 + 1, 5.0], dtype=dtype)
        with pytest.raises(
            ValueError, match=r"dialogue is .* in row 0, a float too lar"
        ):
            self.frame(dialogue=ids)
        X = self.frame(dialogue=np.array([2**53 + 1, 2**53], dtype=object))
        assert X[KEYS[0]].tolist() == [str(2**53 + 1), str(2**53)]

    @pytest.mark.parametrize("blank", ["", " ", "\t"])
    def test_dialogues_of_nothing(self, blank):
        with pytest.raises(ValueError, match="dialogue is missing in 1 rows, first in"):
            self.frame(dialogue=["a", blank])


@pytest.mark.parametrize(
    "tensor",
    [torch.ones(4, 2, requires_grad=True), torch.ones(4, 2, dtype=torch.bfloat16)],
)
def test_a_tensor_that_is_no_array_is_refused_by_its_name(tensor):
    with pytest.raises(ValueError, match="'text' cannot .*detach.*float"):
        make_frame({"text": tensor})
    array = tensor.detach().cpu().float().numpy()
    assert make_frame({"text": array}).shape == (4, 6)


@pytest.mark.parametrize(
    "tensor",
    [torch.ones(4, 2, requires_grad=True), torch.ones(4, 2, dtype=torch.bfloat16)],
    ids=["with gradients", "bfloat16"],
)
def test_a_tensor_as_a_table_is_told_so_too(tensor):
    labels = ["a", "b", "a", "b"]
    with pytest.raises(ValueError, match="X cannot become an array .*detach.*float"):
        CBERLClassifier(hidden_size=4, max_epochs=1).fit(tensor, labels)


def test_a_number_beyond_double_precision_is_told():
    if np.finfo(np.longdouble).max == np.finfo(float).max:
        pytest.skip("no wider numbers on this machine")
    block = np.ones((4, 2), np.longdouble)
    block[2, 1] = np.longdouble("1e4000")
    with pytest.raises(
        ValueError, match=r"holds 1e\+4000 in row 2, column 1, .*too la"
    ):
        make_frame({"text": block})
