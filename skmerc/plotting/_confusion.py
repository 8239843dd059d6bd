"""Which emotion is taken for which."""

from functools import wraps
from typing import Any, Self

from numpy.typing import ArrayLike
from sklearn.metrics import ConfusionMatrixDisplay

from skmerc._utils.optional import need
from skmerc._utils.types import Table
from skmerc.metrics._labels import check_labels


class DialogueConfusionMatrixDisplay(ConfusionMatrixDisplay):
    """Which emotion is taken for which, over the rows that have a label.

    scikit-learn's :class:`~sklearn.metrics.ConfusionMatrixDisplay`, except that rows
    without a label are left out, that colours are those of ``cividis``, and that names
    of classes are slanted.

    Parameters
    ----------
    confusion_matrix : ndarray of shape (n_classes, n_classes)
        Counts, or shares; a row for each true class.
    display_labels : ndarray of shape (n_classes,), default=None
        Names of the classes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn into.
    figure_ : matplotlib Figure
        The figure of these axes.
    im_ : matplotlib AxesImage
        The cells.
    text_ : ndarray of shape (n_classes, n_classes)
        The text of each cell.

    Examples
    --------
    >>> from skmerc.plotting import DialogueConfusionMatrixDisplay
    >>> display = DialogueConfusionMatrixDisplay.from_predictions(
    ...     ["joy", None, "fear"], ["joy", "joy", "joy"]
    ... )
    >>> display.confusion_matrix
    array([[0, 1],
           [0, 1]])
    """

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Table, y: ArrayLike, **options: Any
    ) -> Self:
        """Let a model answer all rows, and count those with a label.

        Parameters
        ----------
        estimator : object
            A fitted classifier or pipeline.
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues; context rows are answered and left out.
        y : array-like of shape (n_utterances,)
            Their emotions, which may be missing in context rows.
        **options
            Those of :meth:`sklearn.metrics.ConfusionMatrixDisplay.from_predictions`.

        Returns
        -------
        DialogueConfusionMatrixDisplay
            The display, drawn.
        """
        return cls.from_predictions(y, estimator.predict(X), X=X, **options)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        X: Table | None = None,
        sample_weight: ArrayLike | None = None,
        **options: Any,
    ) -> Self:
        """Count answers that were given before.

        Parameters
        ----------
        y_true : array-like of shape (n_utterances,)
            True emotions. Rows without one are left out.
        y_pred : array-like of shape (n_utterances,)
            Predicted emotions.
        X : DataFrame of shape (n_utterances, n_columns), default=None
            The table, whose context rows are left out, whatever stands in `y_true`.
        sample_weight : array-like of shape (n_utterances,), default=None
            Weight of each row.
        **options
            Those of :meth:`sklearn.metrics.ConfusionMatrixDisplay.from_predictions`.

        Returns
        -------
        DialogueConfusionMatrixDisplay
            The display, drawn.
        """
        y_true, y_pred, weight = check_labels(y_true, y_pred, sample_weight, X)
        if options.get("ax") is None:
            (pyplot,) = need("plot", "matplotlib.pyplot")
            options["ax"] = pyplot.subplots(layout="constrained")[1]
        settings = {"cmap": "cividis", "xticks_rotation": 45} | options
        return super().from_predictions(
            y_true, y_pred, sample_weight=weight, **settings
        )

    @wraps(ConfusionMatrixDisplay.plot)
    def plot(self, *args: Any, **options: Any) -> Self:
        display: Any = super().plot(*args, **options)
        for name in [*display.ax_.get_xticklabels(), *display.ax_.get_yticklabels()]:
            name.set_parse_math(False)  # names are no formulas
        return display
