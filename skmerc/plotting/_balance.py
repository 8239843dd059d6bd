"""How many utterances each emotion has."""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skmerc._utils.types import Table
from skmerc.frame._columns import parse_table
from skmerc.frame._per_row import one_column
from skmerc.plotting._style import ABOVE, Display, fill, plain


class ClassBalanceDisplay(Display):
    """How many utterances each emotion has, also before and after sampling.

    Parameters
    ----------
    counts : DataFrame of shape (n_classes, n_tables)
        Number of labelled utterances of each class, a column for each table.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn into.
    figure_ : matplotlib Figure
        The figure of these axes.
    bars_ : dict
        For each table the bars of the classes, in the order of `counts`.

    Examples
    --------
    >>> from skmerc.plotting import ClassBalanceDisplay
    >>> display = ClassBalanceDisplay.from_labels(["joy", "fear", None, "joy"])
    >>> display.counts["utterances"].to_dict()
    {'joy': 2, 'fear': 1}
    """

    def __init__(self, counts: pd.DataFrame) -> None:
        self.counts = counts

    @classmethod
    def from_estimator(
        cls, sampler: Any, X: Table, y: ArrayLike, *, ax: Any = None
    ) -> Self:
        """Draw the balance of a table before and after a sampler.

        Parameters
        ----------
        sampler : object
            A sampler, such as :class:`skmerc.MultimodalGANSampler`; it is fitted here.
        X : DataFrame of shape (n_utterances, n_columns)
            The table.
        y : array-like of shape (n_utterances,)
            Its emotions, missing in context rows.
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.

        Returns
        -------
        ClassBalanceDisplay
            The display, drawn.
        """
        X_after, y_after = sampler.fit_resample(X, y)
        tables = {"before": _count(y, X), "after": _count(y_after, X_after)}
        return cls(_join(tables)).plot(ax)

    @classmethod
    def from_labels(
        cls, y: ArrayLike, *, X: Table | None = None, ax: Any = None
    ) -> Self:
        """Draw the balance of labels.

        Parameters
        ----------
        y : array-like of shape (n_utterances,)
            Emotions; rows without one (None, NaN) are not counted.
        X : DataFrame of shape (n_utterances, n_columns), default=None
            The table, whose context rows are not counted, whatever stands in `y`.
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.

        Returns
        -------
        ClassBalanceDisplay
            The display, drawn.
        """
        return cls(_join({"utterances": _count(y, X)})).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the counts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.

        Returns
        -------
        self : object
            The display.
        """
        n_classes, n_tables = self.counts.shape
        ax = self._start(ax, (6.4, 1.4 + 0.28 * n_classes * (0.5 + n_tables)))
        places, height = np.arange(n_classes), 0.8 / n_tables
        self.bars_ = {}
        for number, (name, counts) in enumerate(self.counts.items()):
            offset = (number - (n_tables - 1) / 2) * height
            bars = ax.barh(places + offset, counts, height, label=name, **fill(number))
            ax.bar_label(bars, padding=3, fontsize="small")
            self.bars_[name] = bars
        ax.set_yticks(places, [plain(name) for name in self.counts.index])
        ax.invert_yaxis()
        ax.margins(x=0.12)
        ax.set(xlabel="utterances with a label", ylabel="emotion")
        if n_tables > 1:
            ax.legend(ncols=n_tables, **ABOVE)
        return self


def _count(y: Any, X: Any) -> pd.Series:
    labels = one_column(y, "y").astype(object)
    if X is not None:
        context = parse_table(X).is_context
        if len(context) != len(labels):
            raise ValueError(f"y has {len(labels)} labels and X {len(context)} rows.")
        labels = labels[~context]
    counts = labels.dropna().value_counts()
    if not len(counts):
        raise ValueError(f"None of the {len(labels)} rows has a label to count.")
    return counts


def _join(tables: dict[str, pd.Series]) -> pd.DataFrame:
    """Join counts, the class that is the most frequent in the first table on top."""
    counts = pd.DataFrame(tables).fillna(0).astype(int)
    first = next(iter(tables))
    return counts.sort_values(first, ascending=False, kind="stable")
