"""A fit as callbacks of scikit-learn see it: a task, in which each epoch is one."""

from typing import Any, Self

from skorch import NeuralNet
from skorch.callbacks import Callback


class FitTasks:
    """The task that is a whole fit, which begins here.

    Parameters
    ----------
    estimator : estimator
        What is fitted. Its ``_so_far(net)`` tells which attributes make it answer
        before it is, or None where nothing does.
    n_epochs : int
        The largest number of epochs.
    **given
        What `fit` was given.
    """

    def __init__(self, estimator: Any, n_epochs: int, **given: Any) -> None:
        self.estimator, self.given = estimator, given
        self.task = estimator._init_callback_context(max_subtasks=n_epochs)
        self._begin(self.task)

    @classmethod
    def of(cls, estimator: Any, X: Any, y: Any, sample_weight: Any) -> Self | None:
        """Make that of a fit; None where scikit-learn has no callbacks, before 1.9."""
        if not hasattr(estimator, "_init_callback_context"):
            return None
        n_epochs = estimator._net_settings().get("max_epochs", estimator.max_epochs)
        metadata = {"sample_weight": sample_weight}
        return cls(estimator, n_epochs, X=X, y=y, metadata=metadata)

    def begin_epoch(self) -> Any:
        """Begin the task of an epoch, and return it."""
        return self._begin(self.task.subcontext(task_name="epoch"))

    def end_epoch(self, task: Any, net: NeuralNet) -> bool:
        """End the task of an epoch; return whether a callback wants no further one."""
        net.module_.eval()  # as it is when it answers; skorch undoes this
        return self._end(task, lambda: self.estimator._so_far(net))

    def end(self) -> None:
        """End the fit."""
        self._end(self.task, {})

    def _begin(self, task: Any) -> Any:
        return task.call_on_fit_task_begin(estimator=self.estimator, **self.given)

    def _end(self, task: Any, attributes: Any) -> bool:
        return task.call_on_fit_task_end(
            estimator=self.estimator,
            reconstruction_attributes=attributes,
            **self.given,
        )


class EpochTasks(Callback):
    """Make each epoch a task of a fit, and let go of the fit when training ends."""

    stopped_ = False
    """Whether a callback of scikit-learn has ended training."""
    task: Any = None

    def __init__(self, fit: FitTasks) -> None:
        self.fit: Any = fit

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Begin a task."""
        self.task = self.fit.begin_epoch()

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """End it, and training too where a callback says so."""
        task, self.task = self.task, None
        if self.fit.end_epoch(task, net):
            self.stopped_ = True
            raise KeyboardInterrupt  # by which callbacks of skorch end training

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """End the task of an epoch that was broken off, or stopped early."""
        if self.task is not None:
            self.fit.end_epoch(self.task, net)
        self.fit = self.task = None
