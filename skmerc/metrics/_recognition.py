"""Scores of recognised emotions."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import unique_labels

from skmerc._utils.compat import StrOptions, validate_params
from skmerc._utils.types import Table
from skmerc.frame._labels import (
    column_names,
    read_labels,
    refuse_other_columns,
    refuse_other_than_truths,
    shape_of,
)
from skmerc.frame._warnings import warn_of_other_labels
from skmerc.metrics._calibration import (
    brier_score,
    class_errors,
    expected_calibration_error,
)
from skmerc.metrics._labels import (
    as_targets,
    check_labels,
    read_column,
    refuse_no_rows,
)
from skmerc.metrics._probabilities import with_classes
from skmerc.metrics._rows import labelled_rows, rows_with_labels

_MEANS = ["precision", "recall", "f1"]


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def weighted_f1(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    """F1 per class, averaged in proportion to the classes' support.

    The papers on conversations call it WF1, WAF1 or "weighted average F1":
    the sum over the classes c of ``n_c / N * F1_c``. A class that is never
    predicted counts with F1 = 0 and raises no warning.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels. Rows without one (None, NaN or ``pandas.NA``) are left out.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; all 1 by default.

    Returns
    -------
    float
        Between 0 and 1, the higher the better.

    See Also
    --------
    minority_f1 : Mean F1 of the rare classes, which hardly move this score.

    Examples
    --------
    >>> from skmerc.metrics import weighted_f1
    >>> score = weighted_f1(["joy", "joy", "joy", "fear"], ["joy"] * 4)
    >>> round(score, 3)  # 3 / 4 of the F1 of joy, which is 6 / 7
    0.643
    """
    if len(shape_of(y_true)) == 1:  # scikit-learn checks indicator matrices
        y_true, y_pred, sample_weight = check_labels(y_true, y_pred, sample_weight)
    score = f1_score(
        y_true,
        y_pred,
        average="weighted",
        sample_weight=sample_weight,
        zero_division=0.0,
    )
    return float(score)


@validate_params({"y": ["array-like"]}, prefer_skip_nested_validation=True)
def minority_classes(y: ArrayLike) -> list:
    """Find the classes with fewer rows than the class mean.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels, usually those of the training rows. Missing ones are not counted.

    Returns
    -------
    list
        Sorted labels whose count lies strictly below ``n_samples / K``,
        where K is the number of classes in `y`. Empty where all classes are
        equally frequent.

    Examples
    --------
    >>> from skmerc.metrics import minority_classes
    >>> minority_classes(["neutral"] * 6 + ["joy"] * 2 + ["fear"] * 1)
    ['fear', 'joy']
    """
    (y,) = rows_with_labels(None, read_column(y, "y"))
    y = as_targets(y)
    classes, counts = np.unique(y, return_counts=True)
    return classes[counts * len(counts) < counts.sum()].tolist()


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "minority": ["array-like", None],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def minority_f1(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    minority: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean F1 of the minority classes.

    Weighted F1 hides rare emotions: on MELD, fear and disgust are 5 % of the
    rows, and several published systems never predict either of them. This
    score looks at nothing else.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels. Rows without one (None, NaN or ``pandas.NA``) are left out.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.
    minority : array-like of labels, default=None
        The minority classes. By default those with fewer rows in `y_true`
        than the class mean (:func:`minority_classes`). Give the list where
        scores are compared between test sets or folds, since the default
        may pick different classes in each.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; all 1 by default. Which classes are rare is counted
        without it.

    Returns
    -------
    float
        Unweighted mean of the F1 of these classes; a class that is never
        predicted counts 0.

    Raises
    ------
    ValueError
        If `minority` is empty or names a label without a row in `y_true`, or
        if `minority` is None and all classes are equally frequent.

    Examples
    --------
    >>> from skmerc.metrics import minority_f1
    >>> y_true = ["joy", "joy", "joy", "joy", "fear", "anger"]
    >>> y_pred = ["joy", "joy", "joy", "joy", "fear", "joy"]
    >>> minority_f1(y_true, y_pred)
    0.5
    >>> minority_f1(y_true, y_pred, minority=["fear"])
    1.0
    """
    y_true, y_pred, sample_weight = check_labels(y_true, y_pred, sample_weight)
    minority = _check_minority(y_true, minority)
    scores = f1_score(
        y_true,
        y_pred,
        labels=minority,
        average=None,
        sample_weight=sample_weight,
        zero_division=0.0,
    )
    return float(np.mean(scores))


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "X": "no_validation",
        "labels": ["array-like", None],
        "minority": ["array-like", None],
        "y_prob": "no_validation",
        "classes": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def recognition_report(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    X: Table | None = None,
    labels: ArrayLike | None = None,
    minority: ArrayLike | None = None,
    y_prob: Table | None = None,
    classes: ArrayLike | None = None,
) -> pd.DataFrame:
    """Precision, recall and F1 of every class, and the usual summaries.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_classes)
        True labels. Rows without one (None, NaN or ``pandas.NA``) are left out. Of an
        indicator matrix, the columns of a DataFrame name the classes.
    y_pred : array-like of shape (n_samples,) or (n_samples, n_classes)
        Predicted labels.
    X : DataFrame or array-like of shape (n_samples, n_columns), default=None
        The table of utterances. With it rows of role ``"context"`` are left out, as by
        the scorers, whatever stands in `y_true`, and a label that is missing in another
        row is an error.
    labels : array-like of labels, default=None
        Classes to list, in this order; sorted by default. A listed class
        without a row gets zeros. The summaries cover all labelled rows in any case.
    minority : array-like of labels, default=None
        The minority classes, as in :func:`minority_f1`.
    y_prob : array-like of shape (n_samples, n_classes), default=None
        Probabilities, for two columns more; a DataFrame names the classes. Not for
        indicator matrices.
    classes : array-like of shape (n_classes,), default=None
        The classes in the order of the columns of `y_prob`, or of indicator matrices,
        ``model.classes_``; see :func:`expected_calibration_error`.

    Returns
    -------
    DataFrame
        One row per class with the columns ``precision``, ``recall``, ``f1``
        and ``support``, then five summaries:

        - ``accuracy``, in all three columns, since precision, recall and F1
          over all rows coincide. The papers' WAA ("weighted average
          accuracy", the sum over the classes of ``n_c / N * recall_c``) *is*
          this plain accuracy, and nothing that corrects for imbalance;
        - ``balanced accuracy``, in the column ``recall``: mean recall of the
          classes in `y_true`;
        - ``macro F1``, ``weighted F1`` and ``minority F1``: the means over
          the classes of precision, recall and F1, each in its column. They
          are NaN for the minority where all classes are equally frequent.

        Of indicator matrices ``accuracy`` is the share of rows of which all labels are
        right, and ``micro F1``, over all labels of all rows, stands in place of
        ``balanced accuracy``; summaries but for ``accuracy`` count labels.

        ``support`` is the number of rows that a line speaks of. With `y_prob` there
        are ``brier``, the Brier score, and ``ece``, the expected calibration error: in
        the line of a class those of its probability against all others, in that of
        ``accuracy`` those of :func:`brier_score` and
        :func:`expected_calibration_error`.

    Raises
    ------
    ValueError
        If no row has a label, no class of `labels` occurs, one is listed twice,
        `minority` is empty or names a label without a row in `y_true`, `y_prob`
        holds no probabilities of these classes, or matrices differ in their columns or
        hold more than 0 and 1.

    See Also
    --------
    dialogue_confusion_matrix : Which class is taken for which.

    Examples
    --------
    >>> from skmerc.metrics import recognition_report
    >>> y_true = ["joy", "joy", "joy", "joy", "fear", "anger"]
    >>> y_pred = ["joy", "joy", "joy", "fear", "fear", "joy"]
    >>> recognition_report(y_true, y_pred).round(2)
                       precision  recall    f1  support
    anger                   0.00    0.00  0.00        1
    fear                    0.50    1.00  0.67        1
    joy                     0.75    0.75  0.75        4
    accuracy                0.67    0.67  0.67        6
    balanced accuracy        NaN    0.58   NaN        6
    macro F1                0.42    0.58  0.47        6
    weighted F1             0.58    0.67  0.61        6
    minority F1             0.25    0.50  0.33        2
    """
    if shape_of(y_true)[1:] not in ((), (1,)):
        return _report_of_sets(y_true, y_pred, X, labels, minority, y_prob, classes)
    all_true = y_true
    y_true, y_pred, _ = check_labels(y_true, y_pred, None, X)
    named = with_classes(y_prob, classes)[1]
    complete = named is not None
    warn_of_other_labels(y_true, named if complete else y_pred, complete=complete)
    table = _class_table(y_true, y_pred, unique_labels(y_true, y_pred))
    recall = table["recall"][table["support"] > 0].mean()
    n_rows = int(table["support"].sum())
    summary = {
        "accuracy": [accuracy_score(y_true, y_pred)] * 3 + [n_rows],
        "balanced accuracy": [np.nan, recall, np.nan, n_rows],
    }
    report = _join_summaries(table, summary, y_true, labels, minority)
    if y_prob is None:
        return report
    given: dict[str, Any] = {"classes": classes, "X": X}
    errors = class_errors(all_true, y_prob, **given)
    errors.loc["accuracy"] = {
        "brier": brier_score(all_true, y_prob, **given),
        "ece": expected_calibration_error(all_true, y_prob, **given),
    }
    return report.join(errors)


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "X": "no_validation",
        "labels": ["array-like", None],
        "normalize": [StrOptions({"true", "pred", "all"}), None],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def dialogue_confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    X: Table | None = None,
    labels: ArrayLike | None = None,
    normalize: str | None = None,
    sample_weight: ArrayLike | None = None,
) -> pd.DataFrame:
    """Count which class is taken for which, over the rows that have a label.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels. Rows without one (None, NaN or ``pandas.NA``) are left out.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.
    X : DataFrame or array-like of shape (n_samples, n_columns), default=None
        The table of utterances. With it rows of role ``"context"`` are left out, as by
        the scorers, whatever stands in `y_true`, and a label that is missing in another
        row is an error.
    labels : array-like of labels, default=None
        Classes to list, in this order; by default all that occur, sorted.
    normalize : {"true", "pred", "all"}, default=None
        Whether rows, columns or all numbers are divided by their sum.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row; all 1 by default.

    Returns
    -------
    DataFrame of shape (n_classes, n_classes)
        One row per true class and one column per predicted class, under their names.

    Raises
    ------
    ValueError
        If no row has a label, no class of `labels` occurs, or one is listed twice.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : Draws it, from ``table.to_numpy()`` and
        ``display_labels=table.index``.

    Examples
    --------
    >>> from skmerc.metrics import dialogue_confusion_matrix
    >>> y_true = ["joy", "joy", None, "fear"]
    >>> dialogue_confusion_matrix(y_true, ["joy", "fear", "joy", "fear"])
    predicted  fear  joy
    true
    fear          1    0
    joy           1    1
    """
    y_true, y_pred, sample_weight = check_labels(y_true, y_pred, sample_weight, X)
    classes = unique_labels(y_true, y_pred).tolist()
    if labels is not None:
        classes = _check_listed(classes, labels)
    counts = confusion_matrix(
        y_true,
        y_pred,
        labels=classes,
        normalize=normalize,
        sample_weight=sample_weight,
    )
    names = pd.Index(classes, dtype=object)
    return pd.DataFrame(counts, names.rename("true"), names.rename("predicted"))


def _check_minority(y_true, minority):
    if minority is None:
        return minority_classes(y_true) or _raise_no_minority(y_true)
    minority = list(minority)
    classes = np.unique(y_true).tolist()
    unseen = [label for label in minority if label not in set(classes)]
    if unseen or not minority:
        raise ValueError(
            f"minority={minority!r} must name classes of y_true, which are {classes}; "
            f"without a row there: {unseen}. Correct the list, or score more rows."
        )
    return minority


def _raise_no_minority(y_true):
    raise ValueError(
        f"y_true has no minority class: each of its {len(np.unique(y_true))} classes "
        "has as many rows as the others. Name the classes with minority=[...]."
    )


def _check_listed(classes, labels):
    labels = list(labels)
    if len(set(labels)) < len(labels):
        raise ValueError(f"labels={labels!r} names a class twice.")
    if not set(labels) & set(classes):
        raise ValueError(
            f"No class of labels={labels!r} occurs; y_true and y_pred hold "
            f"{list(classes)}."
        )
    return labels


def _report_of_sets(y_true, y_pred, X, labels, minority, y_prob, classes):
    """Report on indicator matrices."""
    if y_prob is not None:
        raise ValueError(
            "y_prob is for one emotion of each utterance, and y_true is an indicator "
            "matrix; leave it out."
        )
    true, pred, classes = _read_sets(y_true, y_pred, X, classes)
    table = _class_table(true, pred, classes)
    micro = precision_recall_fscore_support(
        true, pred, average="micro", zero_division=0.0
    )
    summary = {
        "accuracy": [accuracy_score(true, pred)] * 3 + [len(true)],
        "micro F1": [*micro[:3], int(true.sum())],
    }
    found = np.repeat(classes, table["support"])
    return _join_summaries(table, summary, found, labels, minority)


def _read_sets(y_true, y_pred, X, classes):
    """Read indicator matrices of the rows with labels, and names of their columns."""
    check_consistent_length(X, y_true, y_pred)
    unlabelled = pd.isna(np.asarray(y_true)).all(axis=1)
    kept = ~unlabelled if X is None else labelled_rows(X)
    names = (column_names(y_true), column_names(y_pred), classes)
    named = next((np.asarray(name) for name in names if name is not None), None)
    for y in (y_true, y_pred):
        refuse_other_columns(y, named if classes is None else np.asarray(classes))
    true, pred = read_labels(y_true, ~kept)[kept], read_labels(y_pred, ~kept)[kept]
    refuse_no_rows(true)
    named = np.arange(true.shape[1]) if named is None else named
    if true.shape != pred.shape or len(named) != true.shape[1]:
        raise ValueError(
            f"y_true is of shape {np.shape(y_true)}, y_pred of {np.shape(y_pred)}, and "
            f"there are {len(named)} classes; give a column for each class."
        )
    refuse_other_than_truths(true, "y_true")
    refuse_other_than_truths(pred, "y_pred")
    return true.astype(int), pred.astype(int), named


def _class_table(y_true, y_pred, classes):
    labels = classes if y_true.ndim == 1 else None
    columns = precision_recall_fscore_support(
        y_true, y_pred, labels=labels, zero_division=0.0
    )
    table = dict(zip([*_MEANS, "support"], columns, strict=True))
    # A list makes the index hold plain Python labels, found by == from outside.
    return pd.DataFrame(table, index=pd.Index(classes.tolist(), dtype=object))


def _join_summaries(table, summary, found, labels, minority):
    """Put summaries below the classes; `found` is the class of each label."""
    if minority is not None or minority_classes(found):
        minority = _check_minority(found, minority)
    else:
        minority = []
    means, support = table[_MEANS], table["support"]
    shares = support if support.any() else None
    is_rare = table.index.isin(minority)
    rows = summary | {
        "macro F1": [*means.mean(), len(found)],
        "weighted F1": [*np.average(means, axis=0, weights=shares), len(found)],
        "minority F1": [*means[is_rare].mean(), int(support[is_rare].sum())],
    }
    summary = pd.DataFrame.from_dict(rows, orient="index", columns=table.columns)
    summary = summary.set_axis(summary.index.astype(object)).astype(table.dtypes)
    if labels is not None:
        table = table.reindex(_check_listed(table.index, labels), fill_value=0)
    return pd.concat([table, summary])
