"""What is refused before a network is built, and what `score` takes."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from skmerc._training import check_weight
from skmerc._utils.types import Table
from skmerc.frame._conversations import Conversations
from skmerc.frame._labels import read_labels
from skmerc.metrics._rows import labelled_rows


def plain(value: Any) -> Any:
    """Python's number in place of numpy's, which some layers of torch refuse."""
    return value.item() if isinstance(value, np.integer) else value


def scored_rows(
    X: Table, y: ArrayLike, sample_weight: ArrayLike | None, *, numeric: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check what `score` takes: rows that are no context, their labels and weights."""
    rows = labelled_rows(X)
    labels = read_labels(y, ~rows, numeric=numeric)[rows]
    weight = check_weight(sample_weight, rows)[rows]
    if not weight.any():
        raise ValueError("sample_weight is 0 in all rows that can be scored.")
    return rows, labels, weight


def most_speakers(table: Conversations, rows: np.ndarray) -> int:
    """Count the speakers of the dialogue that has the most, among some rows."""
    voices = np.stack([table.dialogue, table.speaker])[:, rows]
    return int(np.bincount(np.unique(voices, axis=1)[0]).max())


def weight_parameter(estimator: Any) -> str | None:
    """Name the parameter of `fit` that takes weights of rows; None if there is none.

    That of a pipeline is for its last step, and searches and votes hand weights on.
    """
    if isinstance(estimator, Pipeline):
        step, last = estimator.steps[-1]
        name = weight_parameter(last)
        return name and f"{step}__{name}"
    if isinstance(estimator, GridSearchCV | RandomizedSearchCV):
        return weight_parameter(estimator.estimator)
    if isinstance(estimator, VotingClassifier | StackingClassifier):
        members = [member for _, member in estimator.estimators if member != "drop"]
        takes = all(has_fit_parameter(member, "sample_weight") for member in members)
        return "sample_weight" if takes else None
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None
