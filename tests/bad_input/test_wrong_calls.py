"""Functions, splitters, scorers and reports: any value in any place."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import CLASSIFIERS, check_error, fitted, judge, many
from scipy.sparse import csr_matrix
from user_tables import FAULTS, ODD_TABLES, WRONG_TABLES, tables, with_cell

from skmerc.datasets import make_conversations, to_frame
from skmerc.frame import make_frame, mark_validation, read_keys, split_frame
from skmerc.metrics import (
    accuracy_scorer,
    minority_f1_scorer,
    recognition_report,
    weighted_f1_scorer,
)
from skmerc.model_selection import (
    DialogueKFold,
    DialogueShuffleSplit,
    StratifiedDialogueKFold,
)

CELLS = [
    *(None, True, 0, 1, -1, 2**70, 0.5, np.nan, np.inf, 1e39, 1j, "", "joy", "1", b"x"),
    *(pd.NA, pd.NaT, Decimal(1), datetime.date(2024, 1, 1), pd.Timestamp(2024, 1, 1)),
    *([], ["joy"], {}, {"x": 1}, (1, 2)),
]
COLUMNS = [
    lambda n: None,
    lambda n: "joy",
    lambda n: 3,
    lambda n: np.zeros(n),
    lambda n: np.arange(n) % 2,
    lambda n: list("abc" * n)[:n],
    lambda n: np.zeros(n + 1),
    lambda n: np.zeros((n, 1)),
    lambda n: np.zeros((n, 2)),
    lambda n: np.zeros((n, 2, 2)),
    lambda n: np.array(3),
    lambda n: [[1]] * n,
    lambda n: [[1], [1, 2]] * n,
    lambda n: [1, "1"] * (n // 2 + 1),
    lambda n: pd.Categorical([1, 2] * n).take(range(n)),
    lambda n: pd.array([1, None] * n, dtype="Int64")[:n],
    lambda n: pd.array(["a", None] * n, dtype="string")[:n],
    lambda n: pd.date_range("2024", periods=n),
    lambda n: pd.Series(range(n), index=range(n, 0, -1)),
    lambda n: pl.Series(range(n)),
    lambda n: pl.DataFrame({"a": range(n)}),
    lambda n: pd.DataFrame({"a": range(n), "b": range(n)}),
    lambda n: pd.DataFrame([[1, 2]] * n, columns=["a", "a"]),
    lambda n: csr_matrix(np.eye(n)),
    lambda n: np.ma.masked_all((n, 2)),
    lambda n: np.zeros((n, 2), "M8[s]"),
    lambda n: set(range(n)),
    lambda n: dict.fromkeys(range(n)),
    lambda n: (i for i in range(n)),
]


@st.composite
def columns(draw, n):
    """A value for each of n rows, or what is given by mistake."""
    if draw(st.booleans()):
        return draw(st.sampled_from(COLUMNS))(n)
    return draw(st.lists(st.sampled_from(CELLS), min_size=n, max_size=n))


@many
@given(st.integers(0, 4), st.data())
def test_make_frame_reads_any_column_or_refuses_it(n, data):
    names = ("dialogue", "turn", "speaker", "role")
    keys = {
        name: data.draw(columns(n))
        for name in data.draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
    }
    block = np.ones((n, 2)) if data.draw(st.booleans()) else data.draw(columns(n))
    X, error = judge(
        lambda keys, block: make_frame({"text": block}, **keys), keys, block
    )
    if error is None:
        assert len(X) == n or X.shape[1] > 4
        assert X.iloc[:, 4:].dtypes.eq(np.float32).all()


def any_table(data, table):
    X, _ = table
    kind = data.draw(st.sampled_from(["cell", "odd", "wrong"]))
    if kind == "cell":
        column, value, _ = data.draw(st.sampled_from(FAULTS))
        return with_cell(X, column, data.draw(st.integers(0, len(X) - 1)), value)
    if kind == "odd":
        return ODD_TABLES[data.draw(st.sampled_from(sorted(ODD_TABLES)))](X)
    return WRONG_TABLES[data.draw(st.sampled_from(sorted(WRONG_TABLES)))][0](X)


@many
@given(tables(), st.data())
def test_frames_are_split_and_marked_or_refused(table, data):
    X = any_table(data, table)
    found, error = judge(split_frame, X)
    if error is None:
        keys, blocks = found
        assert all(len(block) == len(keys) for block in blocks.values())
    judge(read_keys, X)
    fraction = data.draw(st.sampled_from([0.5, 0, 1, -1, np.nan, "x", None, True, [1]]))
    judge(lambda X: mark_validation(X, fraction=fraction), X)
    dialogues = data.draw(columns(2))
    judge(lambda X, dialogues: mark_validation(X, dialogues=dialogues), X, dialogues)


@many
@given(tables(), st.data())
def test_splitters_deal_every_row_or_refuse(table, data):
    X, y = table
    kinds = (DialogueKFold, StratifiedDialogueKFold, DialogueShuffleSplit)
    splitter = data.draw(st.sampled_from(kinds))(n_splits=2)
    X = any_table(data, table) if data.draw(st.booleans()) else X
    y = data.draw(columns(len(y))) if data.draw(st.booleans()) else y
    parts, error = judge(lambda X, y: list(splitter.split(X, y)), X, y)
    for train, test in parts if error is None else ():
        assert sorted([*train, *test]) == list(range(len(table[0])))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@many
@given(st.integers(0, 5), st.data())
def test_reports_read_any_labels_or_refuse_them(n, data):
    y_true, y_pred = data.draw(columns(n)), data.draw(columns(n))
    labels, minority = (
        data.draw(st.none() | st.lists(st.sampled_from(CELLS[:15]), max_size=2))
        for _ in range(2)
    )
    try:
        report = recognition_report(y_true, y_pred, labels=labels, minority=minority)
    except (ValueError, TypeError):
        return
    assert report["f1"].dropna().between(0, 1).all()


@pytest.fixture(scope="module")
def model():
    X, y = make_conversations(4, modalities={"text": 2, "audio": 3}, random_state=0)
    return fitted(CLASSIFIERS["cberl"], X, y)[0], X, y


# Scikit-learn's guess that many labels are measures.
@pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning")
@many
@given(st.data())
def test_scorers_read_any_labels_or_refuse_them(model, data):
    estimator, X, y = model
    scorers = (accuracy_scorer, weighted_f1_scorer, minority_f1_scorer)
    wrong = data.draw(columns(len(y)))
    try:
        score = data.draw(st.sampled_from(scorers))(estimator, X, wrong)
    except (ValueError, TypeError):
        return
    assert 0 <= score <= 1


FIELDS = ("text", "label", "speaker", "dialogue", "turn", "id", "reply_to", "timestamp")


@many
@given(
    st.lists(
        st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(CELLS)), max_size=4
    ),
    st.sampled_from(["list", "nested", "frame", "utterances"]),
)
def test_to_frame_reads_any_utterances_or_refuses_them(records, form):
    forms = {
        "list": records,
        "nested": [records],
        "frame": pd.DataFrame(records),
        "utterances": [{"utterances": records}],
    }
    found, error = judge(to_frame, forms[form])
    if error is None:
        X, y = found
        assert len(X) == len(records)
        assert y is None or len(y) == len(X)


def test_an_error_of_torch_would_be_noticed():
    with pytest.raises(AssertionError):
        check_error(RuntimeError("shape mismatch between two tensors"))
    with pytest.raises(AssertionError):
        check_error(ValueError("X is wrong in row 3, column 'text__0'"), steps=[1])
