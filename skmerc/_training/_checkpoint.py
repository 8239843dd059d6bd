"""The state of training on disk, from which a fit goes on after a crash."""

import logging
from contextlib import nullcontext
from typing import Any, Self

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.history import History

from skmerc._training._callbacks import without_handles
from skmerc._training._checkpoint_folder import CheckpointFolder
from skmerc._utils.checkpoints import check_same_fit, fingerprint_of
from skmerc._utils.random import current_source
from skmerc._utils.types import FilePath

FORMAT = 3
"""Raise this number when files of earlier versions can no longer be read."""

_DECIDES_NOTHING = ("checkpoint", "device", "verbose")
_PARTS = ("module_", "criterion_", "optimizer_")
_KINDS = {
    **dict.fromkeys(_PARTS, dict),
    "callbacks": dict,
    "fingerprint": dict,
    "history": list,
    "rng": dict,
    "threads": int,
}
_logger = logging.getLogger(__name__)


class Checkpoint(Callback):
    """Write the state of training after each epoch, and go on from the last.

    Two epochs are kept, since the file of one may be damaged. A file holds no more
    than tensors, numbers and text behind their SHA-256, and is read as such. Inside a
    ``with`` block no other fit may use the folder.

    Parameters
    ----------
    folder : str or Path
        Where the files go; made if it is not there.
    fingerprint : dict of str to str
        By name, the hash of everything that must agree with the files.
    """

    def __init__(self, folder: FilePath, fingerprint: dict[str, str]) -> None:
        self.folder, self.fingerprint = CheckpointFolder(folder), fingerprint

    def __enter__(self) -> Self:
        self.folder.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.folder.__exit__(*error)

    @classmethod
    def of(cls, estimator: Any, data: dict, start: NeuralNet | None = None) -> Any:
        """Make that of a fit to some data, or an empty context where none is wanted.

        Parameters
        ----------
        estimator : estimator
            Its parameter `checkpoint` names the folder or is None; others must agree.
        data : dict
            What else must agree; the seed that was drawn as ``"random_state"``.
        start : skorch.NeuralNet, optional
            The net of the fit before, from which training goes on.
        """
        if estimator.checkpoint is None:
            return nullcontext()
        weights = start.module_.state_dict().values() if start else ()
        inside = estimator.net_params
        if inside and "callbacks" in inside:
            inside = inside | {"callbacks": without_handles(inside["callbacks"])}
        data = data | {
            "callbacks": without_handles(estimator.callbacks),
            "net_params": inside,
            "the weights at the start": [w.cpu().numpy() for w in weights],
            "the format": FORMAT,
        }
        return cls(
            estimator.checkpoint, fingerprint_of(estimator, data, _DECIDES_NOTHING)
        )

    def attach(self, net: NeuralNet) -> int:
        """Watch a net that is initialised; return the number of epochs done before."""
        # It comes after all callbacks, whose state it reads and restores.
        net.callbacks_.append(("checkpoint", self))
        self.state = None
        for name, state in self.folder.read():
            if self.state is None:
                self._check(state, net.max_epochs)
                self.state = state
            if state.get("fingerprint") == self.fingerprint:
                self.folder.written.add(name)
        return len(self.state["history"]) if self.state else 0

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Give the net the state of the last epoch."""
        if not self.state:
            return
        state, self.state = self.state, None
        try:
            self._give_back(net, state)
        except Exception as error:
            raise ValueError(
                f"The checkpoint in {self.folder.path} does not fit this network "
                f"({type(error).__name__}: {error}). Delete it, or name another folder."
            ) from error
        _logger.info("Training goes on after epoch %d.", len(net.history))

    @staticmethod
    def _give_back(net: NeuralNet, state: dict) -> None:
        net.history = History(state["history"])
        for part in _PARTS:
            getattr(net, part).load_state_dict(state[part])
        _refuse_other_shapes(net.optimizer_)
        for name, callback in net.callbacks_:
            _give_back(callback, state["callbacks"].get(name, {}))
        # set_params cannot do that once a net is initialised.
        net.iterator_train__passed = len(net.history)
        source: Any = current_source()
        source.set_state(state["rng"])

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Write the state of this epoch, and let go of the one before the last."""
        state = {part: _plain(getattr(net, part).state_dict()) for part in _PARTS}
        source: Any = current_source()
        state |= {
            "fingerprint": self.fingerprint,
            "history": _plain(list(net.history)),
            "callbacks": {name: _state_of(cb) for name, cb in net.callbacks_},
            "rng": source.get_state(),
            "threads": torch.get_num_threads(),
        }
        self.folder.write(len(net.history), state)

    def _check(self, state: dict, max_epochs: int) -> None:
        """Refuse the state of another fit, and anything that is no state."""
        for name, kind in _KINDS.items():
            self._demand(isinstance(state.get(name), kind), name)
        check_same_fit(
            self.folder.path,
            state["fingerprint"],
            self.fingerprint,
            state["threads"],
        )
        epochs = state["history"]
        known = len(epochs) <= max_epochs and all(isinstance(e, dict) for e in epochs)
        self._demand(known, "history")

    def _demand(self, holds: bool, name: str) -> None:
        if not holds:
            raise ValueError(
                f"{self.folder.path} holds a file of another kind: its {name!r} is not "
                "what a fit writes. Delete it, or name another folder."
            )


def _refuse_other_shapes(optimizer: torch.optim.Optimizer) -> None:
    """Refuse the state of an optimiser whose shapes are not those of the weights."""
    for weight, known in optimizer.state.items():
        for name, value in known.items():
            shape = getattr(value, "shape", ())
            if len(shape) and shape != weight.shape:
                raise ValueError(
                    f"{name!r} of the optimiser has the shape {tuple(shape)}, and the "
                    f"weight {tuple(weight.shape)}"
                )


def _state_of(callback: Any) -> dict:
    """Return the plain attributes of a callback whose names end in an underscore."""
    state = {}
    for name, value in vars(callback).items():
        if not name.endswith("_") or isinstance(value, type):
            continue
        if hasattr(value, "state_dict"):  # a scheduler of the learning rate
            state[name] = _plain(value.state_dict())
        elif _is_plain(value):
            state[name] = _plain(value)
    return state


def _give_back(callback: Any, state: dict) -> None:
    for name, value in state.items():
        if not name.endswith("_") or callable(getattr(type(callback), name, None)):
            raise ValueError(f"{type(callback).__name__} keeps nothing as {name!r}")
        if hasattr(getattr(callback, name, None), "load_state_dict"):
            getattr(callback, name).load_state_dict(value)
        else:
            setattr(callback, name, value)


def _plain(thing: Any) -> Any:
    """Turn numbers, text and tensors into types that are safe to read."""
    if isinstance(thing, dict):
        return {key: _plain(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [tuple, list][isinstance(thing, list)](map(_plain, thing))
    if isinstance(thing, np.generic):
        return thing.item()
    if thing is None or isinstance(thing, bool | int | float | str | torch.Tensor):
        return thing
    raise TypeError(f"A checkpoint cannot keep {thing!r} ({type(thing).__name__}).")


def _is_plain(thing: Any) -> bool:
    try:
        _plain(thing)
    except TypeError:
        return False
    return True
