"""Labels of a table, some of which may be missing where nobody reads them."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skmerc.frame._columns import as_pandas, is_array_like
from skmerc.frame._numbers import as_floats, find_no_number, unmasked

SEVERAL_LABELS = (
    "If rows have several labels each, make an indicator matrix of them: "
    "sklearn.preprocessing.MultiLabelBinarizer().fit_transform(y)."
)
_MOST = 1e30
NO_LABELS = object()
"""Stands for y where there is none to read."""


def complete_labels(y: Any, context: np.ndarray, *, numeric: bool = False) -> Any:
    """Give context rows without a label one of the others, which is ignored, or 0.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        The labels.
    context : ndarray of shape (n_rows,)
        Whether a row is context.
    numeric : bool, default=False
        Whether labels are numbers.

    Returns
    -------
    array-like of shape (n_rows,)
        `y` as it is where no label is missing, and as an array of numpy where it is of
        a type of pandas.

    Raises
    ------
    ValueError
        If a label is missing in another row, or labels are of several types.
    """
    # Of numpy's newest type of text, pandas and scikit-learn know nothing.
    if getattr(getattr(y, "dtype", None), "kind", None) == "T":
        y = y.astype(object)
    y = unmasked(y)
    shape = shape_of(y)
    if len(shape) not in (1, 2) or shape[0] != len(context):
        return y  # for scikit-learn to refuse
    labels = as_pandas(y) if hasattr(y, "columns") else y
    if not isinstance(labels, list | tuple) and not hasattr(labels, "dtype"):
        labels = np.asarray(labels)
    if shape[1:] == (1,):
        labels = np.asarray(labels)[:, 0]
    elif len(shape) == 2:
        return _complete_matrix(y, np.asarray(labels), context)
    labels = as_series(labels)
    _refuse_lists(labels)
    missing = labels.isna().to_numpy()
    _refuse_missing(missing & ~context)
    if numeric and pd.api.types.is_numeric_dtype(labels):
        infinite = np.isinf(labels.to_numpy(float, na_value=np.nan))
        missing = missing | context & infinite
    if missing.all():
        return np.zeros(len(labels), int)
    labels = labels.where(~missing, labels[~missing].iloc[0])
    (_refuse_text if numeric else refuse_mixed)(labels)
    # scikit-learn would make floats of whole numbers and truths in types of pandas.
    is_plain = isinstance(labels.dtype, np.dtype) and labels.dtype != object
    return y if is_plain and not missing.any() else _as_array(labels)


def _complete_matrix(y: Any, labels: np.ndarray, context: np.ndarray) -> Any:
    missing = pd.isna(labels)
    _refuse_missing(missing.any(axis=1) & ~context)
    # Types of pandas give objects, of which scikit-learn makes no matrix of indicators.
    # scipy takes no bytes in the order of other machines.
    if labels.dtype != object and labels.dtype.isnative and not missing.any():
        return y
    labels = labels.astype(labels.dtype.newbyteorder("="))
    return _as_numbers(np.where(missing, 0, labels))


def _as_numbers(labels: np.ndarray) -> np.ndarray:
    """Take objects for numbers where they are some, as they are beside a None."""
    are_numbers = labels.dtype == object and find_no_number(labels) is None
    return as_floats(labels) if are_numbers else labels


def read_labels(y: Any, context: np.ndarray, *, numeric: bool = False) -> np.ndarray:
    """Array of the labels of a table, for scores and splits."""
    y = np.asarray(complete_labels(y, context, numeric=numeric))
    if not y.ndim or len(y) != len(context):
        raise ValueError(
            f"y is of shape {y.shape}, and X has {len(context)} rows; give one label "
            "for each."
        )
    return y


def refuse_context_alone(context: np.ndarray) -> None:
    """Refuse a table without a row that has a label."""
    if len(context) and context.all():
        raise ValueError("All rows have the role 'context'; none has a label.")


def shape_of(y: Any) -> tuple[int, ...]:
    """Shape of labels; empty where they are no array."""
    if not is_array_like(y) or issparse(y):
        return ()
    try:
        return np.asarray(y).shape
    except ValueError as error:
        raise ValueError(
            f"y is no array: its rows differ in length. {SEVERAL_LABELS}"
        ) from error


def _refuse_lists(labels: pd.Series) -> None:
    if labels.dtype != object:
        return
    several = (list, tuple, set, frozenset, dict, np.ndarray)
    rows = [row for row, label in enumerate(labels) if isinstance(label, several)]
    if rows:
        raise ValueError(
            f"y is {labels.iloc[rows[0]]!r:.200} in row {rows[0]}, which is no label. "
            f"{SEVERAL_LABELS}"
        )


def column_names(y: Any) -> np.ndarray | None:
    """Names of the columns of an indicator matrix, None where it is no frame."""
    columns = list(getattr(y, "columns", ()))
    if len(columns) < 2:
        return None
    whole = all(isinstance(name, Integral) for name in columns)
    return np.array(columns if whole else [str(name) for name in columns])


def refuse_other_columns(y: Any, classes: Any, *, numbered: bool = False) -> None:
    """Refuse an indicator matrix whose columns are not those that a model learned.

    A model of a matrix without names numbers them, which says nothing of names: they
    are refused only where `numbered` says so.
    """
    names = column_names(y)
    if names is None or not isinstance(classes, np.ndarray):
        return
    are_alike = names.dtype.kind == classes.dtype.kind
    if (are_alike or numbered) and list(names) != list(classes):
        raise ValueError(
            f"The columns of y are {names.tolist()} now, and were {classes.tolist()} "
            "at first; give them in that order."
        )


def refuse_other_than_truths(y: np.ndarray, name: str) -> None:
    """Refuse a matrix that does not tell by 0 and 1 which emotions are there."""
    if y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all():
        raise ValueError(
            f"{name} has several columns that hold more than 0 and 1. Give one emotion "
            "for each utterance, or a matrix that tells which emotions are there."
        )


def by_class(parameter: str, given: dict, classes: np.ndarray) -> dict:
    """Check a number for each class, and return those of the classes that are there.

    As in scikit-learn, a class may be named that some training rows lack, where all
    others are named too; beside one that is left out it is taken for a misspelling.
    """
    known = classes.tolist()
    unknown = [label for label in given if label not in known]
    left_out = [label for label in known if label not in given]
    if unknown and left_out:
        raise ValueError(
            f"{parameter} names {unknown[0]!r}, which is not among the classes "
            f"{known}, and leaves {left_out[0]!r} out. Correct the name; where "
            "training may lack that class, name all the others."
        )
    for label, value in given.items():
        if not isinstance(value, Real) or not 0 <= float(value) <= _MOST:
            raise ValueError(
                f"{parameter} gives {value!r} to {label!r}; give a number from 0 to "
                f"{_MOST}."
            )
    return {label: value for label, value in given.items() if label not in unknown}


def as_series(labels: Any) -> pd.Series:
    """Series of labels by position, where categories are the values they stand for."""
    labels = pd.Series(unmasked(labels))
    is_category = isinstance(labels.dtype, pd.CategoricalDtype)
    return (labels.astype(object) if is_category else labels).reset_index(drop=True)


def _as_array(labels: pd.Series) -> np.ndarray:
    """Array of numbers where all labels are numbers, and of text as it was."""
    is_text = pd.api.types.infer_dtype(labels) == "string"
    return (labels if is_text else labels.infer_objects()).to_numpy()


def _refuse_missing(missing: np.ndarray) -> None:
    unknown = np.flatnonzero(missing)
    if len(unknown):
        raise ValueError(
            f"Input y contains NaN: the label is missing in {len(unknown)} rows, first "
            f"in row {unknown[0]}. Leave these rows out, or give them the role "
            "'context' if their neighbours shall still read them."
        )


def refuse_mixed(labels: Any, name: str = "y") -> None:
    """Refuse labels of which some are text and others are not."""
    labels = pd.Series(labels)
    if labels.dtype != object:
        return
    is_text = labels.map(lambda label: isinstance(label, str)).to_numpy()
    if is_text.any() and not is_text.all():
        row = int(np.argmax(is_text != is_text[0]))
        raise ValueError(
            f"{name} is {labels.iloc[0]!r} in row 0 and {labels.iloc[row]!r} in row "
            f"{row}; labels are all text, or all numbers."
        )
    if len(labels) and not is_text.all() and not isinstance(labels.iloc[0], bytes):
        _refuse_things(labels, name)


def _refuse_things(labels: pd.Series, name: str) -> None:
    """Refuse labels that are neither text nor numbers, such as members of an enum."""
    found = find_no_number(labels.to_numpy())
    if found is not None:
        row = found[0]
        raise ValueError(
            f"{name} is {labels.iloc[row]!r:.200} in row {row}, and labels are text or "
            "numbers. Give what it is called, such as [str(label) for label in y]."
        )


def _refuse_text(labels: pd.Series) -> None:
    if pd.api.types.is_numeric_dtype(labels) and not pd.api.types.is_bool_dtype(labels):
        return
    found = find_no_number(labels.to_numpy(object))
    if found is not None or labels.dtype != object:
        row = 0 if found is None else found[0]
        (label,) = labels.iloc[[row]].tolist()
        raise ValueError(f"y is {label!r} in row {row}, and scores are numbers.")
