"""How well synthetic utterances follow real ones."""

from typing import Any, Self

import numpy as np
import pandas as pd

from skmerc._utils.types import Table
from skmerc.metrics import sample_quality
from skmerc.plotting._style import ABOVE, Display, fill

_IDEAL = {
    "two_sample_auc": 0.5,
    "precision": 1.0,
    "recall": 1.0,
    "density": 1.0,
    "coverage": 1.0,
}
"""What equal distributions have; of the other measures 0."""
_END = 1.5
"""Where the axis ends, since a few measures have no largest value."""


class SampleQualityDisplay(Display):
    """How well synthetic utterances follow real ones.

    A bar leads from the best value of each measure to what was measured: the shorter,
    the better. The number stands at the end. Bars beyond 1.5 are cut there.

    Parameters
    ----------
    quality : Series of shape (n_measures,) or DataFrame of shape (n_measures, n_tables)
        What :func:`skmerc.metrics.sample_quality` gives, a column for each class or
        each sampler that shall be compared.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn into.
    figure_ : matplotlib Figure
        The figure of these axes.
    bars_ : dict
        For each column the bars of the measures.

    Examples
    --------
    >>> import numpy as np
    >>> from skmerc.plotting import SampleQualityDisplay
    >>> rows = np.random.default_rng(0).normal(size=(100, 4))
    >>> display = SampleQualityDisplay.from_samples(rows[:50], rows[50:])
    >>> "two_sample_auc" in display.quality.index
    True
    """

    def __init__(self, quality: pd.Series | pd.DataFrame) -> None:
        is_table = isinstance(quality, pd.DataFrame)
        self.quality = quality if is_table else quality.to_frame("synthetic")

    @classmethod
    def from_samples(
        cls, real: Table, synthetic: Table, *, ax: Any = None, **options: Any
    ) -> Self:
        """Measure the quality of synthetic utterances, and draw it.

        Parameters
        ----------
        real : array-like of shape (n_real, n_features)
            Real rows of one class. Key columns of a frame are dropped.
        synthetic : array-like of shape (n_synthetic, n_features)
            Synthetic rows of this class.
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.
        **options
            Passed to :func:`skmerc.metrics.sample_quality`.

        Returns
        -------
        SampleQualityDisplay
            The display, drawn.
        """
        return cls(sample_quality(real, synthetic, **options)).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the measures.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.

        Returns
        -------
        self : object
            The display.
        """
        n_measures, n_tables = self.quality.shape
        ax = self._start(ax, (7.0, 1.4 + 0.3 * n_measures * (0.4 + 0.6 * n_tables)))
        places, height = np.arange(n_measures), 0.76 / n_tables
        ideal = np.array([_IDEAL.get(name, 0.0) for name in self.quality.index])
        self.bars_ = {}
        for number, (name, values) in enumerate(self.quality.items()):
            at = places + (number - (n_tables - 1) / 2) * height
            width = values.to_numpy(float).clip(max=_END) - ideal
            bars = ax.barh(at, width, height, ideal, label=str(name), **fill(number))
            self._write(ax, at, ideal + width, ideal, values)
            self.bars_[name] = bars
        (best,) = ax.plot(
            np.repeat(ideal, 3),
            np.ravel([places - 0.45, places + 0.45, np.full(n_measures, np.nan)], "F"),
            color="black",
            linewidth=2.2,
            label="best value",
        )
        ax.set_yticks(places, [str(n).replace("_", " ") for n in self.quality.index])
        ax.invert_yaxis()
        ax.set(xlim=(-0.2, _END + 0.55), xlabel="value", ylabel="measure")
        shown = [best] if n_tables == 1 else [best, *self.bars_.values()]
        ax.legend(handles=shown, ncols=4, fontsize="small", **ABOVE)
        return self

    def _write(
        self, ax: Any, at: np.ndarray, end: np.ndarray, ideal: np.ndarray, values: Any
    ) -> None:
        for y, x, best, value in zip(at, end, ideal, values, strict=True):
            is_left = x < best
            ax.annotate(
                f"{value:.2f}" + (" (cut)" if value > _END else ""),
                (x, y),
                xytext=(-4 if is_left else 4, 0),
                textcoords="offset points",
                ha="right" if is_left else "left",
                va="center",
                fontsize="small",
            )
