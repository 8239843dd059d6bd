"""The skorch net of dialogues, which shows scoring callbacks rows in their place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from skorch import NeuralNet
from skorch.callbacks import BatchScoring, Callback, EpochScoring
from skorch.dataset import Dataset

from skmerc._training._batches import DialogueDataset
from skmerc._training._callbacks import names_of
from skmerc._training._inference import infer


class DialogueNet(NeuralNet):
    """A net that is trained on dialogues, and scored by callbacks on their rows.

    Scorers get the net as an estimator, features and targets of the rows that count,
    without keys, and answers that the net has just given.
    """

    rows_: "ScoredRows | None" = None
    """A :class:`ScoredRows` as long as training goes on."""
    own_: tuple[str, ...] = ()
    """Names of the callbacks that did not come from the user."""

    @property
    def _default_callbacks(self) -> list:
        taken = names_of(self.callbacks or [])
        return [item for item in super()._default_callbacks if item[0] not in taken]

    def initialize_callbacks(self) -> Self:
        """Set the parameters of callbacks, all of which must be there."""
        names = [name for name, _ in self._uniquely_named_callbacks()]
        for given in vars(self):
            prefix, name = [*given.split("__"), ""][:2]
            if prefix == "callbacks" and name and name not in names:
                raise ValueError(
                    f"{given!r} names no callback; there are {', '.join(names)}."
                )
        return super().initialize_callbacks()

    def forward_iter(self, X: Any, *args: Any, **settings: Any) -> Any:
        """Refuse to answer for a table, which the network does not read."""
        raise TypeError(
            "A callback asks the net itself for answers, and the network reads nothing "
            "but batches of dialogues. To score rows in training use EpochScoring, "
            "whose scorer f(estimator, X, y) gets an estimator that answers for them."
        )

    def notify(self, method_name: str, **given: Any) -> None:
        """Call a method of all callbacks."""
        getattr(self, method_name)(self, **given)
        for _, callback in self.callbacks_:
            method = getattr(callback, method_name)
            if self.rows_ and isinstance(callback, BatchScoring | EpochScoring):
                self.rows_.tell(self, callback, method, given)
            else:
                method(self, **given)

    def on_epoch_begin(self, net: NeuralNet, **given: Any) -> None:
        """Begin an epoch, of which there are no answers yet."""
        super().on_epoch_begin(net, **given)
        if self.rows_:
            self.rows_.answers = {}

    def on_train_end(self, net: NeuralNet, **given: Any) -> None:
        """Let go of the data."""
        super().on_train_end(net, **given)
        self.rows_ = None

    def after_training(self) -> dict[str, Any]:
        """Return what takes the place of attributes that served training only."""
        # The callbacks of the user have done their work, and may hold what cannot be
        # pickled.
        known = getattr(self, "callbacks_", [])
        own = [(name, cb) for name, cb in known if name in self.own_]
        return {"rows_": None, "callbacks_": own, "callbacks": None}

    def __getstate__(self) -> dict:
        return super().__getstate__() | self.after_training()


class ScoredRows:
    """Rows that scoring callbacks are told of, in the place of dialogues.

    Parameters
    ----------
    task : Task
        How the network's answers are read.
    validation : DialogueDataset or None
        The dialogues that are held out.
    """

    def __init__(self, task: Any, validation: DialogueDataset | None) -> None:
        self.task, self.validation = task, validation
        self.answers: dict[str, np.ndarray] = {}

    def tell(
        self, net: NeuralNet, callback: Callback, method: Callable, given: dict
    ) -> None:
        """Call a method of a scoring callback with rows in the place of dialogues."""
        told, which = (net, given), "training" if callback.on_train else "validation"
        if method.__name__ == "on_batch_end":
            told = self._of_batch(net, given)
        elif method.__name__ == "on_epoch_end":
            name = "dataset_train" if callback.on_train else "dataset_valid"
            told = self._of_epoch(net, name, given)
        with _telling(f"The callback {type(callback).__name__}", which, told[0]):
            method(told[0], **told[1])

    def score_validation(self, net: NeuralNet, scorer: Callable) -> float | None:
        """Score the rows that are held out; None where there are none."""
        if self.validation is None:
            return None
        view, given = self._of_epoch(net, "dataset_valid", {})
        with _telling("The scorer", "validation", view):
            return scorer(view, given["dataset_valid"].X, given["dataset_valid"].y)

    def _of_batch(self, net: NeuralNet, given: dict) -> tuple[Any, dict]:
        inputs, answer = given["batch"]
        rows = answer["weight"] > 0
        logits = given["y_pred"].logits.detach().cpu()[rows].numpy()
        truth = self.task.truth(answer["target"][rows].numpy())
        batch = inputs["features"][rows].numpy(), truth
        return self._view(net, logits, truth), given | {
            "batch": batch,
            "y_pred": logits,
        }

    def _of_epoch(self, net: NeuralNet, name: str, given: dict) -> tuple[Any, dict]:
        is_training = name == "dataset_train"
        dataset = given[name] if is_training else self.validation
        nothing = dict.fromkeys(("dataset_train", "dataset_valid"))
        if dataset is None:
            return net, given | nothing
        rows = np.flatnonzero(dataset.weight)
        if name not in self.answers:
            self.answers[name] = infer(net, dataset, "logits")[rows]
        features = dataset.conversations.features[rows]
        truth = self.task.truth(dataset.target[rows])
        data = nothing | {name: Dataset(features, truth)}
        return self._view(net, self.answers[name], truth), given | data

    def _view(self, net: NeuralNet, logits: np.ndarray, truth: np.ndarray) -> "_View":
        kind = _ClassesView if hasattr(self.task, "predict_proba") else _ValuesView
        return kind(net, self.task, logits, truth)


@contextmanager
def _telling(who: str, which: str, told: Any) -> Iterator[None]:
    """Say in the error which rows could not be scored, and by whom."""
    try:
        yield
    except (TypeError, ValueError) as error:
        hint = getattr(told, "hint", "") if isinstance(error, ValueError) else ""
        raise ValueError(
            f"{who} could not score {which} rows: {str(error).rstrip('.')}.{hint}"
        ) from error


class _View(BaseEstimator):
    """Wrap a net as an estimator whose answers are already known."""

    use_caching = False  # which tells callbacks to ask for answers

    def __init__(
        self, net: NeuralNet, task: Any, logits: np.ndarray, truth: np.ndarray
    ) -> None:
        self.net, self.task, self.logits, self.truth = net, task, logits, truth

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["net"], name)

    @property
    def hint(self) -> str:
        """What to say where a scorer fails."""
        return ""

    def predict(self, X: Any) -> np.ndarray:
        """What the network has answered."""
        return self.task.predict(self._answers(X))

    def _answers(self, X: Any) -> np.ndarray:
        if len(X) != len(self.logits):
            raise ValueError(
                f"answers are known of {len(self.logits)} rows together, and the "
                f"scorer asks for those of {len(X)}."
            )
        return self.logits


class _ClassesView(ClassifierMixin, _View):
    @property
    def classes_(self) -> np.ndarray:
        return self.task.classes(self.logits)

    @property
    def hint(self) -> str:
        absent = np.setdiff1d(self.classes_, self.truth).tolist()
        if self.truth.ndim > 1 or not absent:
            return ""
        return f" These rows lack {absent}; the scorers of skmerc.metrics allow that."

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities that the network has answered."""
        return self.task.predict_proba(self._answers(X))


class _ValuesView(RegressorMixin, _View):
    pass
