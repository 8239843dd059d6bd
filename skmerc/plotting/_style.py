"""Axes to draw into, and colours, hatches and markers that differ for all readers."""

from typing import Any

import numpy as np
import pandas as pd

from skmerc._utils.optional import need

# Okabe and Ito (2008), with grey in place of black, on which no hatching is seen.
COLORS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#999999",
)
# Their numbers have no common factor, so that 72 classes differ in the pair of both.
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo", "---", "+++", "|||")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "h")
LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))

BAR = {"edgecolor": "black", "linewidth": 0.6}
ABOVE: dict[str, Any] = {
    "loc": "lower center",
    "bbox_to_anchor": (0.5, 1.0),
    "frameon": False,
}
"""A legend above the axes, where it covers nothing."""


class Display:
    """What all displays share: the axes that they are drawn into."""

    ax_: Any
    figure_: Any

    def _start(self, ax: Any, figsize: tuple[float, float] | None = None) -> Any:
        """Take the axes that are given, or make some in a figure of their own."""
        (pyplot,) = need("plot", "matplotlib.pyplot")
        if ax is None:
            _, ax = pyplot.subplots(figsize=figsize, layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        return ax


def plain(name: Any) -> str:
    """Write a name as it is: between two dollar signs it would be a formula."""
    return str(name).replace("$", r"\$")


def fill(position: int) -> dict[str, Any]:
    """Colour and hatching of the class at a position."""
    color = COLORS[position % len(COLORS)]
    return {"facecolor": color, "hatch": HATCHES[position % len(HATCHES)], **BAR}


def marker(position: int, fillstyle: str = "full") -> dict[str, Any]:
    """Marker of the class at a position, half filled on demand."""
    return {
        "marker": MARKERS[position % len(MARKERS)],
        "markersize": 7,
        "markerfacecolor": COLORS[position % len(COLORS)],
        "markerfacecoloralt": "white",
        "markeredgecolor": "black",
        "markeredgewidth": 0.6,
        "fillstyle": fillstyle,
    }


def draw_matrix(
    ax: Any, table: pd.DataFrame, texts: np.ndarray, *, cmap: Any, vmax: Any = None
) -> tuple[Any, np.ndarray]:
    """Draw a table as coloured cells with a text in each; return image and texts."""
    values = table.to_numpy(float)
    image = ax.imshow(values, cmap=cmap, vmin=0, vmax=vmax)
    written = np.empty(values.shape, object)
    for row, column in np.ndindex(*values.shape):
        red, green, blue, _ = image.cmap(image.norm(values[row, column]))
        is_light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
        written[row, column] = ax.text(
            column,
            row,
            texts[row, column],
            ha="center",
            va="center",
            color="black" if is_light else "white",
        )
    names = [plain(name) for name in table.columns]
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right")
    ax.set_yticks(range(len(table)), [plain(name) for name in table.index])
    return image, written
