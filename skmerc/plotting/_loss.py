"""How training went."""

from typing import Any, Self

import numpy as np
import pandas as pd

from skmerc.plotting._style import ABOVE, COLORS, LINES, MARKERS, Display

_LOSS = "loss"


class LossDisplay(Display):
    """Losses and validation scores of a training, epoch by epoch.

    Parameters
    ----------
    history : DataFrame of shape (n_epochs, n_columns)
        A column for each loss and each score, by epoch. Columns whose names hold
        ``"loss"`` share the left axis, others have the right one.
    best_epoch : int, default=None
        The epoch whose weights were kept, where one was chosen.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What the losses are drawn into.
    score_ax_ : matplotlib Axes or None
        The axes of what is no loss, on the right; None where there is nothing.
    figure_ : matplotlib Figure
        The figure of these axes.
    lines_ : dict of str to matplotlib Line2D
        The line of each column.
    best_line_ : matplotlib Line2D or None
        The line at the best epoch.

    Examples
    --------
    >>> import pandas as pd
    >>> from skmerc.plotting import LossDisplay
    >>> history = pd.DataFrame({"train_loss": [2.0, 1.0]}, index=[1, 2])
    >>> LossDisplay(history, best_epoch=2).best_epoch
    2
    """

    def __init__(self, history: pd.DataFrame, *, best_epoch: int | None = None) -> None:
        self.history = history
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, model: Any, *, ax: Any = None) -> Self:
        """Draw the ``history_`` of a fitted estimator.

        Parameters
        ----------
        model : object
            A fitted estimator with ``history_``, or a pipeline or search whose last
            step is one. Of other steps of a pipeline give the step itself.
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.

        Returns
        -------
        LossDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If there is no history.
        """
        fitted = _with_history(model)
        history = pd.DataFrame(fitted.history_)
        if "epoch" not in history:  # of the generator, a line for each
            history.insert(0, "epoch", np.arange(1, len(history) + 1))
        if "fold" in history:
            history["fold"] = history["fold"].fillna(-1)
            history = history.pivot(index="epoch", columns="fold")
            history.columns = [
                name if fold < 0 else f"{name}, without fold {fold:.0f}"
                for name, fold in history.columns
            ]
        else:
            history = history.set_index("epoch")
        history = history.loc[:, ~history.columns.str.startswith("dur")]
        return cls(history, best_epoch=_best_epoch(fitted)).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What to draw into; by default a figure of its own.

        Returns
        -------
        self : object
            The display.
        """
        ax = self._start(ax, (7.6, 4.2))
        is_loss = {name: _LOSS in str(name) for name in self.history}
        if not any(is_loss.values()):  # those of the generator have names of their own
            is_loss = dict.fromkeys(is_loss, True)
        right: Any = None if all(is_loss.values()) else ax.twinx()
        self.score_ax_ = right
        self.lines_ = {}
        for number, (name, values) in enumerate(self.history.items()):
            drawn_into = ax if is_loss[name] else right
            shown = values.dropna()
            (self.lines_[name],) = drawn_into.plot(
                shown.index,
                shown,
                label=str(name).replace("_", " ")
                + ("" if is_loss[name] else " (right axis)"),
                color=COLORS[number % len(COLORS)],
                linestyle=LINES[number % len(LINES)],
                marker=MARKERS[number % len(MARKERS)],
                markersize=4,
                markevery=max(1, len(shown) // 12),
            )
        handles = list(self.lines_.values())
        self.best_line_ = None
        if self.best_epoch is not None:
            self.best_line_ = ax.axvline(
                self.best_epoch,
                color="black",
                linestyle=(0, (2, 2)),
                linewidth=1,
                label=f"best epoch ({self.best_epoch})",
            )
            handles.append(self.best_line_)
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.get_major_locator().set_params(integer=True)
        if self.score_ax_ is not None:
            self.score_ax_.set_ylabel("score")
        ax.legend(handles=handles, ncols=3, fontsize="small", **ABOVE)
        return self


def _with_history(model: Any) -> Any:
    """Find the estimator that has a history: itself, the best or the last one."""
    if getattr(model, "history_", None):
        return model
    if hasattr(model, "best_estimator_"):
        return _with_history(model.best_estimator_)
    if hasattr(model, "steps"):
        return _with_history(model.steps[-1][1])
    raise ValueError(
        f"{type(model).__name__} has no history_ of training: give a fitted estimator "
        "that trains a network; of a pipeline, the step that does."
    )


def _best_epoch(fitted: Any) -> int | None:
    """Number of the epoch that was kept, where validation dialogues chose one."""
    from skmerc._training._measures import BEST_EPOCH

    recorded = getattr(getattr(fitted, "net_", None), "history", None)
    if not recorded or BEST_EPOCH not in recorded[-1]:
        return None
    return len(fitted.history_) - len(recorded) + int(recorded[-1][BEST_EPOCH])
