"""What moved an answer."""

from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from skmerc.plotting._style import Display, fill, plain

_FOR, _AGAINST = 0, 1
"""Positions of the two fills."""


class ExplanationDisplay(Display):
    """What moved the answer for one utterance: turns, speakers, modalities or words.

    Parameters
    ----------
    explanation : object
        What ``skmerc.inspection.explain`` gives: tables ``turns``, ``speakers``,
        ``modalities`` and ``words`` (or None), each with a column ``"effect"``, and
        ``row``, ``target`` and ``outcome``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn into.
    figure_ : matplotlib Figure
        The figure of these axes.
    bars_ : matplotlib BarContainer
        One bar for each part.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import pandas as pd
    >>> from skmerc.plotting import ExplanationDisplay
    >>> modalities = pd.DataFrame({"effect": [0.3, -0.1]}, index=["text", "audio"])
    >>> found = SimpleNamespace(
    ...     row=3, target="joy", outcome=0.8, modalities=modalities
    ... )
    >>> display = ExplanationDisplay(found)
    """

    def __init__(self, explanation: Any) -> None:
        self.explanation = explanation

    def plot(
        self,
        ax: Any = None,
        *,
        part: Literal["turns", "speakers", "modalities", "words"] = "turns",
    ) -> Self:
        """Draw the effects of one kind of parts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.
        part : {"turns", "speakers", "modalities", "words"}, default="turns"
            Whose effects to draw. Turns and words stand in their order, and the turn
            that is explained is marked by an arrow.

        Returns
        -------
        self : object
            The display.

        Raises
        ------
        ValueError
            If the explanation has no such part.
        """
        table = getattr(self.explanation, part, None)
        if part not in _NAMES or table is None:
            known = [name for name in _NAMES if self._has(name)]
            raise ValueError(
                f"part={part!r} is not in this explanation; it has {', '.join(known)}."
            )
        ax = self._start(ax, (6.4, 1.4 + 0.3 * len(table)))
        effects = table["effect"].to_numpy(float)
        places = np.arange(len(table))
        self.bars_ = ax.barh(places, effects, 0.72, edgecolor="black", linewidth=0.6)
        for bar, effect in zip(self.bars_, effects, strict=True):
            style = fill(_FOR if effect >= 0 else _AGAINST)
            bar.set(facecolor=style["facecolor"], hatch=style["hatch"])
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_yticks(places, _NAMES[part](table, self.explanation.row))
        ax.invert_yaxis()
        target = self.explanation.target
        what = "score" if target is None else f"probability of {plain(target)}"
        ax.set(xlabel=f"effect on the {what}", ylabel=part)
        ax.set_title(f"{what}: {self.explanation.outcome:.2f}")
        return self

    def _has(self, part: str) -> bool:
        return getattr(self.explanation, part, None) is not None


def _turns(table: pd.DataFrame, row: Any) -> list[str]:
    marks = ["→ " if label == row else "" for label in table.index]
    said = zip(marks, table["turn"], table["speaker"], strict=True)
    return [
        f"{mark}{plain(turn)} {plain(speaker) or 'unknown'}"
        for mark, turn, speaker in said
    ]


def _index(table: pd.DataFrame, row: Any) -> list[str]:
    return [plain(name) or "unknown" for name in table.index]


def _words(table: pd.DataFrame, row: Any) -> list[str]:
    return [plain(word) for word in table["word"]]


_NAMES = {"turns": _turns, "speakers": _index, "modalities": _index, "words": _words}
