"""One dialogue, turn by turn."""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length

from skmerc._utils.optional import need
from skmerc._utils.types import Table
from skmerc.frame._columns import KEYS, parse_table
from skmerc.frame._conversations import sortable
from skmerc.frame._per_row import one_column
from skmerc.plotting._answers import as_probabilities, certain, probabilities_of
from skmerc.plotting._style import Display, fill, marker, plain

_HEIGHT = 0.66
_TRUE_AT = 0.8


class ConversationDisplay(Display):
    """A dialogue turn by turn, with a lane for each speaker.

    Each turn is a bar in the lane of its speaker, divided by the probabilities of the
    emotions. What is true, where it is known, stands above as a marker: filled where
    the most probable emotion is the true one, half filled where it is not.

    Parameters
    ----------
    probabilities : DataFrame of shape (n_turns, n_classes)
        Probability of each emotion, the columns, in each turn.
    speaker : array-like of shape (n_turns,)
        Who speaks; empty where unknown.
    turn : array-like of shape (n_turns,), default=None
        What to write below the turns; counted from 0 by default.
    y_true : array-like of shape (n_turns,), default=None
        True emotions, missing (None, NaN) where unknown.
    dialogue : str, default=None
        Name of the dialogue, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn into.
    figure_ : matplotlib Figure
        The figure of these axes.
    bars_ : dict
        For each emotion the bars of all turns.
    true_ : list of matplotlib Line2D
        The markers of true emotions, one for each turn that has a label.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmerc.plotting import ConversationDisplay
    >>> probabilities = pd.DataFrame({"joy": [0.9, 0.4], "fear": [0.1, 0.6]})
    >>> display = ConversationDisplay(probabilities, ["Ann", "Bob"])
    >>> display.speaker.tolist()
    ['Ann', 'Bob']
    """

    def __init__(
        self,
        probabilities: pd.DataFrame,
        speaker: ArrayLike,
        *,
        turn: ArrayLike | None = None,
        y_true: ArrayLike | None = None,
        dialogue: str | None = None,
    ) -> None:
        check_consistent_length(probabilities, speaker, turn, y_true)
        self.probabilities = probabilities
        self.speaker = np.asarray(speaker)
        self.turn = np.arange(len(probabilities)) if turn is None else np.asarray(turn)
        self.y_true = None if y_true is None else np.asarray(y_true, dtype=object)
        self.dialogue = dialogue

    @classmethod
    def from_estimator(
        cls,
        model: Any,
        X: Table,
        y: ArrayLike | None = None,
        *,
        dialogue: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Let a model answer for a dialogue, and draw what it says.

        Parameters
        ----------
        model : object
            A fitted classifier or pipeline; with ``predict`` alone its answers are
            drawn as certain.
        X : DataFrame of shape (n_utterances, n_columns)
            A table with keys. Only the dialogue that is drawn is answered.
        y : array-like of shape (n_utterances,), default=None
            True emotions, missing where unknown. Those of context rows are not drawn.
        dialogue : str, default=None
            Which dialogue; by default the first one in X.
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.

        Returns
        -------
        ConversationDisplay
            The display, drawn.
        """
        rows, name = _rows_of(X, dialogue)
        part = parse_table(X).data.iloc[rows]
        probabilities = probabilities_of(model, part)
        return cls._make(X, rows, name, probabilities, y).plot(ax)

    @classmethod
    def from_predictions(
        cls,
        X: Table,
        *,
        y_pred: ArrayLike | None = None,
        y_prob: Table | None = None,
        classes: ArrayLike | None = None,
        y_true: ArrayLike | None = None,
        dialogue: str | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw answers that were given before.

        Parameters
        ----------
        X : DataFrame of shape (n_utterances, n_columns)
            A table with keys.
        y_pred : array-like of shape (n_utterances,), default=None
            Predicted emotions. Give either these or `y_prob`.
        y_prob : array-like of shape (n_utterances, n_classes), default=None
            Probabilities; a DataFrame names the classes.
        classes : array-like of shape (n_classes,), default=None
            The emotions in the order of columns, legend and colours. By default the
            columns of `y_prob`, or what occurs in `y_pred`, sorted.
        y_true : array-like of shape (n_utterances,), default=None
            True emotions, missing where unknown. Those of context rows are not drawn.
        dialogue : str, default=None
            Which dialogue; by default the first one in X.
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.

        Returns
        -------
        ConversationDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If X has no such dialogue, or not one of `y_pred` and `y_prob` is given.
        """
        if (y_pred is None) == (y_prob is None):
            raise ValueError("Give y_pred or y_prob, one of the two.")
        check_consistent_length(X, y_pred, y_prob, y_true)
        rows, name = _rows_of(X, dialogue)
        if y_prob is None:
            probabilities = certain(y_pred, classes)
        else:
            probabilities = as_probabilities(y_prob, classes)
        return cls._make(X, rows, name, probabilities.iloc[rows], y_true).plot(ax)

    @classmethod
    def _make(
        cls, X: Any, rows: np.ndarray, name: str, probabilities: pd.DataFrame, y: Any
    ) -> Self:
        table = parse_table(X)
        keys = table.keys.iloc[rows]
        if y is not None:
            check_consistent_length(table.data, y)
            known = one_column(y, "y").astype(object)
            y = known.mask(table.is_context, None).to_numpy()[rows]
        return cls(
            probabilities,
            keys[KEYS[2]].to_numpy(),
            turn=keys[KEYS[1]].to_numpy(),
            y_true=y,
            dialogue=name,
        )

    def plot(self, ax: Any = None) -> Self:
        """Draw the dialogue.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own, wider for more turns.

        Returns
        -------
        self : object
            The display.
        """
        n_turns = len(self.probabilities)
        lanes = list(dict.fromkeys(self.speaker))
        height = max(1.6 + 0.9 * len(lanes), 0.6 + 0.2 * len(self._emotions()))
        size = (min(max(6.0, 2 + 0.32 * n_turns), 18.0), height)
        ax = self._start(ax, size)
        lane_of = {speaker: -number for number, speaker in enumerate(lanes)}
        floor = np.array([lane_of[speaker] for speaker in self.speaker], dtype=float)
        self._draw_bars(ax, floor)
        self._draw_truth(ax, floor)
        for lane in lane_of.values():
            ax.axhline(lane, color="0.6", linewidth=0.6, zorder=0)
        names = [plain(speaker) or "unknown" for speaker in lanes]
        ax.set_yticks([lane + _HEIGHT / 2 for lane in lane_of.values()], names)
        step = max(1, int(np.ceil(n_turns / 24)))
        shown = np.arange(0, n_turns, step)
        turns = [plain(turn) for turn in self.turn[shown]]
        is_long = max((len(turn) for turn in turns), default=0) > 4
        ax.set_xticks(shown, turns, **({"rotation": 90} if is_long else {}))
        ax.set(
            xlim=(-0.7, n_turns - 0.3),
            ylim=(1 - len(lanes) - 0.08, 1.0),
            xlabel="turn",
            ylabel="speaker",
        )
        if self.dialogue is not None:
            ax.set_title(f"dialogue {plain(self.dialogue)}")
        self._write_legend(ax)
        return self

    def _draw_bars(self, ax: Any, floor: np.ndarray) -> None:
        places = np.arange(len(floor))
        shares = self.probabilities.to_numpy(float) * _HEIGHT
        bottoms = floor[:, np.newaxis] + shares.cumsum(axis=1) - shares
        self.bars_ = {
            name: ax.bar(places, shares[:, k], 0.86, bottoms[:, k], **fill(k))
            for k, name in enumerate(self.probabilities.columns)
        }

    def _draw_truth(self, ax: Any, floor: np.ndarray) -> None:
        self.true_ = []
        if self.y_true is None:
            return
        classes = self._emotions()
        p = self.probabilities.to_numpy(float)
        answers = self.probabilities.columns.to_numpy(object)[p.argmax(axis=1)]
        answers[~p.any(axis=1)] = None  # of turns without an answer
        for place, (true, answer) in enumerate(zip(self.y_true, answers, strict=True)):
            if not pd.isna(true):
                style = marker(
                    classes.index(true), "full" if true == answer else "left"
                )
                height = [floor[place] + _TRUE_AT]
                self.true_ += ax.plot([place], height, linestyle="", **style)

    def _emotions(self) -> list:
        """List the classes of the model, and then those that are only true."""
        classes = list(self.probabilities.columns)
        known = [] if self.y_true is None else self.y_true[~pd.isna(self.y_true)]
        return classes + [
            label for label in dict.fromkeys(known) if label not in classes
        ]

    def _write_legend(self, ax: Any) -> None:
        lines, patches, legend = need(
            "plot",
            "matplotlib.lines",
            "matplotlib.patches",
            "matplotlib.legend_handler",
        )
        emotions = self._emotions()
        entries: list[Any] = []
        for k in range(len(emotions)):
            patch = patches.Patch(**fill(k))
            mark = lines.Line2D([], [], linestyle="", **marker(k))
            entries.append((patch, mark) if self.true_ else patch)
        title = "emotion, and where it is true\n(half filled: the answer differs)"
        ax.legend(
            entries,
            [plain(name) for name in emotions],
            handler_map={tuple: legend.HandlerTuple(ndivide=None)},
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            title=title if self.true_ else "emotion",
            fontsize="small",
            title_fontsize="small",
            frameon=False,
        )


def _rows_of(X: Any, dialogue: str | None) -> tuple[np.ndarray, str]:
    """Rows of a dialogue in the order of its turns, and its name.

    Synthetic ones are left out: they are alternatives to a turn.
    """
    table = parse_table(X)
    if KEYS[0] not in table.key_names:
        raise ValueError("X has no column dialogue__id; see skmerc.frame.make_frame.")
    ids = table.keys[KEYS[0]]
    if not len(ids):
        raise ValueError("X has no row, so that there is no dialogue to draw.")
    name = ids.iloc[0] if dialogue is None else str(dialogue)
    rows = np.flatnonzero((ids == name) & ~table.is_synthetic)
    if not len(rows):
        raise ValueError(
            f"X has no dialogue {name!r}; its ids are text such as {ids.iloc[0]!r}."
        )
    turns = sortable(table.keys[KEYS[1]].iloc[rows])
    return rows[np.argsort(turns, kind="stable")], name
