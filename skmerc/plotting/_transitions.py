"""Which emotion follows which."""

from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skmerc._utils.types import Table
from skmerc.frame._columns import KEYS, parse_table
from skmerc.frame._conversations import sortable
from skmerc.frame._labels import read_labels
from skmerc.metrics._labels import as_targets
from skmerc.plotting._style import Display, draw_matrix, plain

_FOLLOWS = {
    "any": "next turn of the dialogue",
    "same": "next turn of the same speaker",
    "other": "next turn, where another speaks",
}


class EmotionTransitionDisplay(Display):
    """Which emotion follows which: a matrix of counts.

    Parameters
    ----------
    counts : DataFrame of shape (n_classes, n_classes)
        How often the emotion of the column follows that of the row.
    speaker : {"any", "same", "other"}, default="any"
        What follows means here; for the axis.

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
    >>> from skmerc.datasets import make_conversations
    >>> from skmerc.plotting import EmotionTransitionDisplay
    >>> X, y = make_conversations(20, random_state=0)
    >>> display = EmotionTransitionDisplay.from_labels(X, y, speaker="same")
    >>> bool(display.counts.to_numpy().sum() < len(X))  # a last turn has no next one
    True
    """

    def __init__(
        self, counts: pd.DataFrame, *, speaker: Literal["any", "same", "other"] = "any"
    ) -> None:
        self.counts = counts
        self.speaker = speaker

    @classmethod
    def from_estimator(
        cls,
        model: Any,
        X: Table,
        *,
        speaker: Literal["any", "same", "other"] = "any",
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw the transitions in what a model answers, context rows included.

        Parameters
        ----------
        model : object
            A fitted classifier or pipeline.
        X : DataFrame of shape (n_utterances, n_columns)
            Whole dialogues, with keys.
        speaker : {"any", "same", "other"}, default="any"
            See :meth:`from_labels`.
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.
        **options
            Passed to :meth:`plot`.

        Returns
        -------
        EmotionTransitionDisplay
            The display, drawn.
        """
        answers = np.asarray(model.predict(X))
        classes = getattr(model, "classes_", None)
        everywhere = np.zeros(len(answers), bool)
        counts = _count(X, answers, everywhere, speaker, classes)
        return cls(counts, speaker=speaker).plot(ax, **options)

    @classmethod
    def from_labels(
        cls,
        X: Table,
        y: ArrayLike,
        *,
        speaker: Literal["any", "same", "other"] = "any",
        ax: Any = None,
        **options: Any,
    ) -> Self:
        """Draw the transitions in labels.

        Parameters
        ----------
        X : DataFrame of shape (n_utterances, n_columns)
            Whole dialogues, with keys.
        y : array-like of shape (n_utterances,)
            Their emotions. Context rows have none, whatever stands here, and are part
            of no transition; nothing leads over them either. Synthetic rows are
            left out, since they are alternatives to a turn.
        speaker : {"any", "same", "other"}, default="any"
            What follows a turn: the next turn of the dialogue, the next one of the same
            speaker, or the next turn of the dialogue where it is of another speaker.
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.
        **options
            Passed to :meth:`plot`.

        Returns
        -------
        EmotionTransitionDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If no labelled turn follows another one, or `speaker` is none of the three.
        """
        context = parse_table(X).is_context
        labels = read_labels(y, context)
        return cls(_count(X, labels, context, speaker, None), speaker=speaker).plot(
            ax, **options
        )

    def plot(
        self,
        ax: Any = None,
        *,
        normalize: bool = True,
        cmap: Any = "cividis",
        colorbar: bool = True,
    ) -> Self:
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.
        normalize : bool, default=True
            Whether to draw shares of each row in place of counts.
        cmap : str or matplotlib Colormap, default="cividis"
            Colours of the cells.
        colorbar : bool, default=True
            Whether to draw the scale.

        Returns
        -------
        self : object
            The display.
        """
        size = 2.2 + 0.62 * len(self.counts)
        ax = self._start(ax, (size + 1.0, size))
        total = self.counts.sum(axis=1)
        shares = self.counts.div(total.where(total > 0, 1), axis=0)
        drawn = shares if normalize else self.counts
        form = "{:.2f}" if normalize else "{:.0f}"
        texts = np.array([[form.format(v) for v in row] for row in drawn.to_numpy()])
        self.im_, self.text_ = draw_matrix(
            ax, drawn, texts, cmap=cmap, vmax=1 if normalize else None
        )
        if normalize:
            names = [f"{plain(name)} (n={n:.0f})" for name, n in total.items()]
            ax.set_yticks(range(len(names)), names)
        if colorbar:
            label = "share of the row" if normalize else "transitions"
            self.figure_.colorbar(self.im_, ax=ax, label=label)
        ax.set(xlabel=_FOLLOWS[self.speaker], ylabel="emotion of a turn")
        return self


def _count(
    X: Any, labels: np.ndarray, unread: np.ndarray, speaker: str, classes: Any
) -> pd.DataFrame:
    """Count which label follows which, where both are read."""
    if speaker not in _FOLLOWS:
        known = ", ".join(map(repr, _FOLLOWS))
        raise ValueError(f"speaker={speaker!r}; give one of {known}.")
    table = parse_table(X)
    keys = table.keys
    if labels.shape != (len(keys),):
        raise ValueError(
            f"The labels are of shape {labels.shape} and X has {len(keys)} rows; give "
            "one emotion for each."
        )
    real = ~table.is_synthetic  # the others are alternatives to a turn, and no turns
    keys = keys[real].reset_index(drop=True)
    labels, unread = labels[real], unread[real]
    turns = sortable(keys[KEYS[1]])
    by = [KEYS[0], KEYS[2]] if speaker == "same" else [KEYS[0]]
    place = pd.Series(np.arange(len(keys)))[np.argsort(turns, kind="stable")]
    following = place.groupby([keys[key].loc[place.index] for key in by]).shift(-1)
    pairs = following.dropna().astype(int)
    first, second = pairs.index.to_numpy(), pairs.to_numpy()
    kept = ~unread[first] & ~unread[second]
    if speaker == "other":
        who = keys[KEYS[2]].to_numpy()
        kept &= who[first] != who[second]
    first, second = labels[first[kept]], labels[second[kept]]
    if not len(first):
        raise ValueError(
            f"No labelled turn has a labelled {_FOLLOWS[speaker]}; the table holds "
            "dialogues of one turn, or labels that do not touch."
        )
    known = as_targets(labels[~unread])  # which refuses scores
    classes = np.unique(known) if classes is None else classes
    counts = pd.crosstab(first, second)
    counts = counts.reindex(index=classes, columns=classes, fill_value=0)
    return counts.rename_axis(index="emotion", columns="next emotion")
