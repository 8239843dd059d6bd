"""Calibration error, Brier score, and scores of groups."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss

from skmerc.frame import make_frame
from skmerc.metrics import (
    brier_score,
    expected_calibration_error,
    recognition_report,
    scores_by_group,
)

Y = np.array(["fear", "joy", "joy", "fear"])
P = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.0, 1.0]])
ROLES = ["utterance"] * 3 + ["context"]
X = make_frame(
    {"text": np.zeros((4, 1))}, dialogue=["a"] * 4, role=ROLES,
    speaker=["Ann", "Bob", "Ann", ""],
)  # fmt: skip


def test_calibration_error_by_hand():
    # Bin of 0.9: two answers, one right. Bin of 0.6: right. Bin of 1.0: wrong.
    error = expected_calibration_error(Y, P, n_bins=5)
    assert error == pytest.approx((3 * abs(2.8 / 3 - 1 / 3) + 0.4) / 4)
    assert expected_calibration_error(Y, P, X=X) == pytest.approx(0.4)


def test_brier_score_is_that_of_scikit_learn_without_the_half():
    expected = brier_score_loss(Y, P[:, 1], pos_label="joy", scale_by_half=False)
    assert brier_score(Y, P) == pytest.approx(expected)


def test_rows_without_a_label_are_left_out_of_all():
    missing = np.where(np.arange(4) == 3, None, Y)
    for score in (brier_score, expected_calibration_error):
        assert score(missing, P) == score(Y, P, X=X) == score(Y[:3], P[:3])
    by_group = scores_by_group(Y, Y, "dialogue__speaker", X=X)
    pd.testing.assert_frame_equal(
        by_group, scores_by_group(missing, Y, ["Ann", "Bob", "Ann", ""])
    )
    assert by_group["support"].to_dict() == {"Ann": 2, "Bob": 1, "(all)": 3}


def test_a_class_that_the_model_does_not_know_has_probability_zero():
    assert brier_score(["anger"], [[1.0, 0.0]], classes=["fear", "joy"]) == 2


def test_the_report_tells_what_probabilities_are_worth():
    report = recognition_report(Y, ["fear", "fear", "joy", "joy"], y_prob=P)
    assert report.columns.tolist()[-2:] == ["brier", "ece"]
    assert report.loc["accuracy", "brier"] == pytest.approx(brier_score(Y, P))
    assert report.loc["accuracy", "ece"] == pytest.approx(
        expected_calibration_error(Y, P)
    )
    binary = brier_score_loss(Y == "joy", P[:, 1])
    assert report.loc["joy", "brier"] == pytest.approx(binary)
    assert report.loc[["macro F1", "minority F1"], "brier"].isna().all()


def test_groups_are_scored_apart():
    groups = ["a", None, "b", "a"]
    table = scores_by_group(Y, ["fear"] * 4, groups, scores={"wa": accuracy_score})
    assert table["wa"].to_dict() == {"(unknown)": 0, "a": 1, "b": 0, "(all)": 0.5}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: brier_score(Y, P[:, :1]), "the 2 classes are"),
        (lambda: brier_score(Y, P * 2), "no probabilities in 4 rows, first in row 0"),
        (lambda: brier_score([None] * 4, P), "None of the 4 rows"),
        (lambda: scores_by_group(Y, Y, "sex"), "give the table as X="),
        (lambda: scores_by_group(Y, Y, "sex", X=X), "no column 'sex'"),
    ],
)
def test_what_cannot_be_scored_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_groups_of_one_column_are_taken_and_of_several_are_refused():
    frame = pd.DataFrame({"session": ["a", None, "b", "a"], "scene": range(4)})
    pd.testing.assert_frame_equal(
        scores_by_group(Y, Y, frame[["session"]]),
        scores_by_group(Y, Y, frame["session"]),
    )
    with pytest.raises(ValueError, match=r"the columns \['session', 'scene'\]"):
        scores_by_group(Y, Y, frame)


def test_groups_that_are_numbers_have_their_order():
    found = scores_by_group(["joy"] * 3, ["joy"] * 3, [10, 2, 1])
    assert found.index.tolist() == [1, 2, 10, "(all)"]


@pytest.mark.parametrize("score", [brier_score, expected_calibration_error])
def test_names_of_columns_count_and_numbers_of_pandas_do_not(score):
    expected = score(Y, P)
    assert score(Y, pd.DataFrame(P)) == expected
    assert score(Y, pd.DataFrame(P), classes=["fear", "joy"]) == expected
    turned = pd.DataFrame(P, columns=["fear", "joy"])[["joy", "fear"]]
    assert score(Y, turned) == pytest.approx(expected)
    assert score(Y, turned, classes=["fear", "joy"]) == expected
    of_polars = pl.DataFrame({name: turned[name].to_numpy() for name in turned})
    for more in ({}, {"X": X}):
        assert score(Y, of_polars, **more) == pytest.approx(score(Y, P, **more))
    with pytest.raises(ValueError, match="y_prob names its columns"):
        score(Y, turned, classes=["fear", "rage"])


@pytest.mark.filterwarnings("ignore::skmerc.exceptions.UntidyTableWarning")
@pytest.mark.parametrize("score", [brier_score, expected_calibration_error])
@pytest.mark.parametrize(
    ("labels", "columns", "classes", "message"),
    [
        ([0, 1, 1, 0], ["0", "1"], None, "y_true holds 0 and the classes of y_prob '0"),
        (Y, None, [0, 1], "y_true holds 'fear' and the classes of y_prob 0"),
        (Y, None, ["Fear", "Joy"], "of which none is among the classes"),
        (Y, ["Fear", "Joy"], None, "of which none is among the classes"),
        (Y, ["joy", "joy"], None, "'joy' is there twice"),
        (Y, None, ["joy", "joy"], "'joy' is there twice"),
        ([1, 2, 1, 1], range(3), None, "the 2 classes are"),
    ],
)
def test_labels_that_are_no_classes_are_told(score, labels, columns, classes, message):
    y_prob = np.c_[P, np.zeros(4)][:, : 2 if columns is None else len(columns)]
    if columns is not None:
        y_prob = pd.DataFrame(y_prob, columns=columns)
    with pytest.raises(ValueError, match=message):
        score(labels, y_prob, classes=classes)
    with pytest.raises(ValueError, match=message):
        recognition_report(labels, labels, y_prob=y_prob, classes=classes)


def test_columns_without_names_are_those_of_the_sorted_labels():
    numbers = np.where(Y == "joy", 2, 1)
    for score in (brier_score, expected_calibration_error):
        assert score(numbers, pd.DataFrame(P)) == score(Y, P)
        of_some = score(numbers[1:3], pd.DataFrame(P)[1:3], classes=[1, 2])
        assert of_some == score(Y[1:3], P[1:3], classes=["fear", "joy"])


def test_labels_that_are_text_in_one_and_numbers_in_the_other_are_told():
    with pytest.raises(ValueError, match="y_true holds 1 and y_pred '1'"):
        recognition_report([1, 2], ["1", "2"])
