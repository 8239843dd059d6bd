"""Whether probabilities can be taken at their word."""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skmerc._utils.types import Table
from skmerc.metrics._calibration import calibration_error, confidence_bins
from skmerc.plotting._answers import probabilities_of
from skmerc.plotting._style import COLORS, Display, fill


class ReliabilityDisplay(Display):
    """Reliability diagram, with a histogram of confidence above it.

    For answers of about the same confidence (the probability of the answer itself) it
    shows how many are right. On the diagonal, confidence can be taken at its word;
    below it the model is too sure.

    Parameters
    ----------
    bins : DataFrame of shape (n_bins, 5)
        By bin: its ends ``"low"`` and ``"high"``, mean ``"confidence"``, ``"accuracy"``
        and ``"count"`` of answers. The means of empty bins are NaN.
    error : float, default=None
        Expected calibration error, for the legend.
    name : str, default=None
        Name of the model, for the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What the diagram is drawn into.
    histogram_ax_ : matplotlib Axes
        The histogram above it.
    figure_ : matplotlib Figure
        The figure of these axes.
    line_ : matplotlib Line2D
        Accuracy over confidence, a point for each bin that has answers.
    bars_ : matplotlib BarContainer
        The share of answers in each bin.

    See Also
    --------
    skmerc.metrics.expected_calibration_error : The same in one number.

    Examples
    --------
    >>> from skmerc.plotting import ReliabilityDisplay
    >>> y_prob = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]
    >>> display = ReliabilityDisplay.from_predictions(
    ...     ["fear", "joy", "joy"], y_prob, classes=["fear", "joy"], n_bins=5
    ... )
    >>> display.bins["count"].tolist()
    [0, 0, 0, 1, 2]
    """

    def __init__(
        self,
        bins: pd.DataFrame,
        *,
        error: float | None = None,
        name: str | None = None,
    ) -> None:
        self.bins = bins
        self.error = error
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        model: Any,
        X: Table,
        y: ArrayLike,
        *,
        n_bins: int = 10,
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw how reliable the probabilities of a model are.

        Parameters
        ----------
        model : object
            A fitted classifier or pipeline with ``predict_proba``.
        X : DataFrame or array-like of shape (n_utterances, n_columns)
            Whole dialogues that the model was not fitted on.
        y : array-like of shape (n_utterances,)
            Their emotions; context rows are left out.
        n_bins : int, default=10
            Number of bins of equal width.
        name : str, default=None
            Name for the legend; by default the class of the model.
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.

        Returns
        -------
        ReliabilityDisplay
            The display, drawn.
        """
        if not hasattr(model, "predict_proba"):
            raise ValueError(
                f"{type(model).__name__} gives no probabilities whose reliability "
                "could be drawn; use a classifier with predict_proba."
            )
        y_prob = probabilities_of(model, X)
        name = type(model).__name__ if name is None else name
        return cls.from_predictions(y, y_prob, X=X, n_bins=n_bins, name=name, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_prob: Table,
        *,
        classes: ArrayLike | None = None,
        X: Table | None = None,
        n_bins: int = 10,
        name: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw how reliable given probabilities are.

        Parameters
        ----------
        y_true : array-like of shape (n_utterances,)
            True emotions. Rows without one are left out.
        y_prob : array-like of shape (n_utterances, n_classes)
            Probabilities; a DataFrame names the classes.
        classes : array-like of shape (n_classes,), default=None
            The emotions in the order of columns; by default the names of the columns,
            and of an array what occurs in `y_true`, sorted.
        X : DataFrame of shape (n_utterances, n_columns), default=None
            The table, whose context rows are left out, whatever stands in `y_true`.
        n_bins : int, default=10
            Number of bins of equal width.
        name : str, default=None
            Name for the legend.
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.

        Returns
        -------
        ReliabilityDisplay
            The display, drawn.
        """
        bins = confidence_bins(y_true, y_prob, classes=classes, X=X, n_bins=n_bins)
        return cls(bins, error=calibration_error(bins), name=name).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw diagram and histogram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own. The histogram stands
            above these axes.

        Returns
        -------
        self : object
            The display.
        """
        ax = self._start(ax, (5.4, 6.0))
        ax.plot([0, 1], [0, 1], color="0.4", linestyle="--", label="as sure as right")
        found = self.bins[self.bins["count"] > 0]
        label = self.name or "answers"
        if self.error is not None:
            label += f" (calibration error {self.error:.3f})"
        (self.line_,) = ax.plot(
            found["confidence"],
            found["accuracy"],
            color=COLORS[0],
            marker="s",
            label=label,
        )
        ax.set(
            xlim=(0, 1),
            ylim=(-0.02, 1.02),
            xlabel="confidence: probability of the answer",
            ylabel="accuracy: share of right answers",
        )
        ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.13),
            fontsize="small",
            frameon=False,
        )
        self._draw_histogram(ax)
        return self

    def _draw_histogram(self, ax: Any) -> None:
        above = ax.inset_axes([0, 1.03, 1, 0.22], sharex=ax)
        total = max(int(self.bins["count"].sum()), 1)
        width = self.bins["high"] - self.bins["low"]
        shares = self.bins["count"] / total
        self.bars_ = above.bar(self.bins["low"], shares, width, align="edge", **fill(4))
        above.tick_params(labelbottom=False)
        above.set(ylabel="share", ylim=(0, float(np.nanmax(shares)) * 1.1 or 1))
        above.set_title(f"{total} answers", fontsize="medium")
        self.histogram_ax_ = above
