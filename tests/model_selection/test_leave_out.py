import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score

from skmerc import UtteranceClassifier
from skmerc.frame import make_frame
from skmerc.model_selection import LeaveDialogueGroupOut

IDS = [
    "Ses01F_impro01",
    "Ses01M_impro01",
    "Ses02M_impro05a",
    "Ses01F_script01_1",
    "Ses02M_script01_3b",
    "Ses02F_script02_2",
]


def table(ids):
    return make_frame({"text": np.eye(2 * len(ids))}, dialogue=np.repeat(ids, 2))


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("session", ["Ses01", "Ses01", "Ses02", "Ses01", "Ses02", "Ses02"]),
        (
            "scenario",
            ["impro01", "impro01", "impro05", "script01", "script01", "script02"],
        ),
        (r"_(impro|script)", ["impro"] * 3 + ["script"] * 3),
        (r"^Ses(\d+)(F)?", ["01_F", "01", "02", "01_F", "02", "02_F"]),
    ],
)
def test_dialogues_of_a_kind_are_left_out_together(by, names):
    X, names = table(IDS), np.repeat(names, 2)
    splitter = LeaveDialogueGroupOut(by)
    assert_array_equal(splitter.groups(X), names)
    splits = list(splitter.split(X))
    assert splitter.get_n_splits(X) == len(splits) == len(set(names))
    for (train, test), name in zip(splits, sorted(set(names)), strict=True):
        assert_array_equal(test, np.flatnonzero(names == name))
        assert_array_equal(train, np.flatnonzero(names != name))


def test_synthetic_dialogues_and_given_groups():
    X = table(["Ses01F_impro01", "Ses02F_impro01#synthetic0"])
    assert_array_equal(
        LeaveDialogueGroupOut("session").groups(X), np.repeat(["Ses01", "Ses02"], 2)
    )
    groups = ["a", "b", "a", "b"]
    given = LeaveDialogueGroupOut().split(X, groups=groups)
    for (_, test), (_, expected) in zip(
        given, LeaveOneGroupOut().split(X, groups=groups), strict=True
    ):
        assert_array_equal(test, expected)


def test_scikit_learn_needs_no_groups():
    X = table(IDS)
    y = ["joy", "fear"] * len(IDS)
    splitter = clone(LeaveDialogueGroupOut("scenario"), safe=False)
    scores = cross_val_score(UtteranceClassifier(DummyClassifier()), X, y, cv=splitter)
    assert len(scores) == 4


@pytest.mark.parametrize(
    ("by", "ids", "words"),
    [
        ("session", ["Ses01F_impro01", "dia7"], "1 of 2 dialogue ids, such as 'dia7'"),
        ("scenario", ["Ses01F_impro01", "Ses02F_impro01"], "of the group 'impro01'"),
        ("sessions", IDS, "neither 'session' nor 'scenario'"),
        ("(", IDS, "no regular expression"),
        (None, IDS, "no regular expression"),
    ],
)
def test_ids_that_tell_no_groups_are_refused(by, ids, words):
    with pytest.raises(ValueError, match=words):
        next(LeaveDialogueGroupOut(by).split(table(ids)))


def test_without_a_table_nothing_is_counted():
    with pytest.raises(ValueError, match="Give X"):
        LeaveDialogueGroupOut().get_n_splits()


def test_groups_with_gaps_are_refused():
    groups = ["a", "b", None, "b"]
    with pytest.raises(ValueError, match="missing in 1 rows, first in row 2"):
        next(LeaveDialogueGroupOut().split(np.zeros((4, 1)), groups=groups))


def test_groups_of_one_column_are_taken():
    X = np.zeros((3, 1))
    of_column = LeaveDialogueGroupOut().split(X, groups=[[1], [2], [2]])
    for (_, test), expected in zip(of_column, [[0], [1, 2]], strict=True):
        assert_array_equal(test, expected)


def test_a_table_without_rows_is_told():
    with pytest.raises(ValueError, match="X holds no row"):
        next(LeaveDialogueGroupOut(r"(\d)").split(table(["d1"]).iloc[:0]))
