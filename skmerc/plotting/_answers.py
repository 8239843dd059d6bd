"""Answers of a model as a table of probabilities."""

from typing import Any

import numpy as np
import pandas as pd

from skmerc.frame._per_row import one_column
from skmerc.metrics._probabilities import with_classes
from skmerc.metrics._responses import ask


def probabilities_of(model: Any, X: Any) -> pd.DataFrame:
    """Ask for probabilities, or for the answer alone, which is then certain."""
    classes = getattr(model, "classes_", None)
    if classes is None or isinstance(classes, list):
        raise ValueError(
            f"{type(model).__name__} gives no classes, one for each utterance; draw "
            "the answers of a fitted classifier."
        )
    name, answer = ask(model, X, ["predict_proba", "predict"])
    if name == "predict":
        return certain(answer, classes)
    return as_probabilities(answer, classes)


def certain(y: Any, classes: Any) -> pd.DataFrame:
    """Probabilities of answers without any: 1 for the answer."""
    labels = one_column(y, "y_pred").to_numpy(object)
    if classes is None:
        classes = sorted(set(labels[~pd.isna(labels)]))
    is_class = labels[:, np.newaxis] == np.asarray(classes, dtype=object)
    unknown = ~is_class.any(axis=1) & ~pd.isna(labels)
    if unknown.any():
        row = int(np.argmax(unknown))
        raise ValueError(
            f"The answer in row {row} is {labels[row]!r}, which is not among the "
            f"classes {list(classes)}."
        )
    return pd.DataFrame(is_class.astype(float), columns=list(classes))


def as_probabilities(y_prob: Any, classes: Any) -> pd.DataFrame:
    """Give probabilities the names of their classes."""
    y_prob, classes = with_classes(y_prob, classes)
    values = np.asarray(y_prob, dtype=float)
    if classes is None or values.ndim != 2 or values.shape[1] != len(classes):
        known = "none" if classes is None else list(classes)
        raise ValueError(
            f"y_prob is of shape {values.shape} and classes={known}; give a column for "
            "each class, and the classes in their order."
        )
    if not np.allclose(values.sum(axis=1), 1, atol=1e-2):
        row = int(np.argmax(np.abs(values.sum(axis=1) - 1)))
        raise ValueError(
            f"The probabilities of row {row} sum to {values[row].sum():.3g}; those of "
            "one emotion for each utterance sum to 1."
        )
    return pd.DataFrame(values, columns=list(classes))
