import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.metrics import f1_score

from skmerc.frame import make_frame
from skmerc.metrics import emotion_shift_f1, emotion_shifts

# Two dialogues; Ann speaks in both, and what she felt in "a" is no matter in "b".
ROWS = pd.DataFrame(
    [
        ("a", 0, "Ann", "joy", False),
        ("a", 1, "Ben", "fear", False),
        ("a", 2, "Ann", "joy", False),
        ("a", 3, "Ben", "joy", True),
        ("a", 4, "Ann", "fear", True),
        ("b", 0, "Ann", "joy", False),
        ("b", 1, "Ann", "anger", True),
    ],
    columns=["dialogue", "turn", "speaker", "emotion", "shift"],
)


def table(rows, role="utterance"):
    keys = {name: rows[name].to_numpy() for name in ("dialogue", "turn", "speaker")}
    return make_frame({"text": np.eye(len(rows))}, **keys, role=role)


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_shifts_are_told_by_speaker_and_dialogue_in_any_order_of_rows(seed):
    rows = ROWS if seed is None else ROWS.sample(frac=1, random_state=seed)
    assert_array_equal(emotion_shifts(table(rows), rows["emotion"]), rows["shift"])


def test_turns_that_are_text_have_the_order_of_numbers():
    rows = pd.DataFrame({"turn": np.arange(12), "emotion": ["joy"] * 6 + ["fear"] * 6})
    rows = rows.assign(dialogue="a", speaker="Ann", turn=rows["turn"].astype(str))
    shifts = emotion_shifts(table(rows), rows["emotion"])
    assert np.flatnonzero(shifts).tolist() == [6]


def test_rows_without_a_label_are_passed_over():
    emotions = ROWS["emotion"].to_list()
    emotions[3] = None
    role = np.where(ROWS.index == 3, "context", "utterance")
    expected = ROWS["shift"] & (ROWS.index != 3)
    assert_array_equal(emotion_shifts(table(ROWS, role), emotions), expected)
    pred = ["fear"] * 7
    score = emotion_shift_f1(emotions, pred, X=table(ROWS, role))
    assert score == pytest.approx(1 / 2 * 2 / 3)  # fear is one of two


def test_speakers_default_to_one_per_dialogue_and_dialogues_to_one_per_row():
    X = make_frame({"text": np.eye(3)}, dialogue=["a"] * 3)
    assert emotion_shifts(X, ["joy", "fear", "fear"]).tolist() == [False, True, False]
    assert not emotion_shifts(np.eye(3), ["joy", "fear", "joy"]).any()


@pytest.mark.parametrize("average", ["weighted", "macro"])
def test_the_score_is_that_of_the_shifts_alone(average):
    pred = np.array(["joy", "joy", "joy", "joy", "joy", "joy", "fear"])
    shift = ROWS["shift"].to_numpy()
    expected = f1_score(
        ROWS["emotion"][shift], pred[shift], average=average, zero_division=0
    )
    score = emotion_shift_f1(ROWS["emotion"], pred, X=table(ROWS), average=average)
    assert score == pytest.approx(expected)


def test_nothing_to_score_is_told():
    with pytest.raises(ValueError, match="No speaker's emotion changes in the 7 rows"):
        emotion_shift_f1(["joy"] * 7, ["joy"] * 7, X=table(ROWS))
    with pytest.raises(ValueError, match="give one label for each"):
        emotion_shifts(table(ROWS), ["joy"])


def test_alternatives_to_a_turn_are_no_turns():
    more = pd.concat([ROWS, ROWS.assign(emotion="calm")], ignore_index=True)
    role = np.repeat(["utterance", "synthetic"], len(ROWS))
    shifts = emotion_shifts(table(more, role), more["emotion"])
    assert_array_equal(shifts, [*ROWS["shift"], *[False] * len(ROWS)])


@pytest.mark.parametrize("kind", ["category", "string[pyarrow]", "column", "frame"])
def test_emotions_of_any_type_of_pandas_and_in_a_column_are_read(kind):
    X, y = table(ROWS), ROWS["emotion"]
    forms = {"column": y.to_numpy()[:, np.newaxis], "frame": y.to_frame()}
    given = forms[kind] if kind in forms else y.astype(kind)
    answers = y.where(np.arange(len(y)) != 3, "fear")
    assert_array_equal(emotion_shifts(X, given), ROWS["shift"])
    score = emotion_shift_f1(y, answers, X=X)
    assert emotion_shift_f1(given, answers, X=X) == score
    assert emotion_shift_f1(given, given, X=X) == 1.0


def test_emotions_that_no_answer_can_meet_are_refused():
    X, y = table(ROWS), ROWS["emotion"]
    several = pd.get_dummies(y)
    with pytest.raises(ValueError, match="y is of shape.*one value for each row"):
        emotion_shift_f1(several, several, X=X)
    with pytest.raises(ValueError, match="text in one and numbers in the other"):
        emotion_shift_f1(y, pd.factorize(y)[0], X=X)
    with pytest.raises(ValueError, match="y_pred has no label in row 4"):
        emotion_shift_f1(y, y.where(np.arange(len(y)) != 4), X=X)
