"""How much a model relies on each modality."""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skmerc._utils.types import Table
from skmerc.inspection import modality_importance
from skmerc.plotting._style import COLORS, Display, fill, plain


class ModalityDisplay(Display):
    """How much a model relies on each modality and on context.

    Parameters
    ----------
    importance : DataFrame of shape (n_modalities, 2 + n_repeats)
        What :func:`skmerc.inspection.modality_importance` gives.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn into.
    figure_ : matplotlib Figure
        The figure of these axes.
    bars_ : matplotlib BarContainer
        The mean of each modality, with its standard deviation.
    points_ : matplotlib Line2D
        The single repeats.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmerc.plotting import ModalityDisplay
    >>> importance = pd.DataFrame({"mean": [0.2], "std": [0.0]}, index=["text"])
    >>> ModalityDisplay(importance).importance.index.tolist()
    ['text']
    """

    def __init__(self, importance: pd.DataFrame) -> None:
        self.importance = importance

    @classmethod
    def from_estimator(
        cls, model: Any, X: Table, y: ArrayLike, *, ax: Any = None, **options: Any
    ) -> Self:
        """Measure the importance of modalities, and draw it.

        Parameters
        ----------
        model : object
            A fitted estimator or pipeline.
        X : DataFrame of shape (n_utterances, n_columns)
            Whole dialogues, best ones that the model was not fitted on.
        y : array-like of shape (n_utterances,)
            Their labels.
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.
        **options
            Passed to :func:`skmerc.inspection.modality_importance`.

        Returns
        -------
        ModalityDisplay
            The display, drawn.
        """
        return cls(modality_importance(model, X, y, **options)).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw means, deviations and the single repeats.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.

        Returns
        -------
        self : object
            The display.
        """
        table = self.importance
        ax = self._start(ax, (6.4, 1.3 + 0.45 * len(table)))
        places = np.arange(len(table))
        self.bars_ = ax.barh(
            places,
            table["mean"],
            0.6,
            xerr=table["std"],
            error_kw={"capsize": 3, "elinewidth": 1.2},
            **fill(4),
        )
        repeats = table.filter(regex=r"^repeat_\d+$")
        (self.points_,) = ax.plot(
            repeats.to_numpy().ravel(),
            np.repeat(places, repeats.shape[1]),
            linestyle="",
            marker="o",
            markersize=4,
            markerfacecolor="white",
            markeredgecolor=COLORS[5],
        )
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_yticks(places, [plain(name) for name in table.index])
        ax.invert_yaxis()
        ax.set(xlabel="loss of score without it", ylabel="modality")
        return self
