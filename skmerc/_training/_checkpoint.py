"""The state of training on disk, from which a fit goes on after a crash."""

import hashlib
import io
import logging
from numbers import Integral
from pathlib import Path

import joblib
import numpy as np
import torch
from skorch.callbacks import Callback
from skorch.history import History

from skmerc._random import current_source
from skmerc._training._files import write_atomically
from skmerc._warnings import warn_user
from skmerc.exceptions import DamagedCheckpointWarning

FORMAT = 2
"""Raised when what a checkpoint holds means something else than before."""

_DIGEST_SIZE = hashlib.sha256().digest_size
_KEPT = 2
_PARTS = ("module_", "criterion_", "optimizer_")
_logger = logging.getLogger(__name__)


class Checkpoint(Callback):
    """Write the state of training after each epoch, and go on from the last.

    Two epochs are kept, since the file of one may be damaged. A file holds no more
    than tensors, numbers and text behind their SHA-256, and is read as such.

    Parameters
    ----------
    folder : str or Path
        Where the files go; made if it is not there.
    fingerprint : dict of str to str
        By name, the hash of everything that must agree with the files.
    """

    def __init__(self, folder, fingerprint):
        self.folder, self.fingerprint = Path(folder), fingerprint

    @classmethod
    def of(cls, estimator, data, start):
        """Make that of a fit to some data, from the weights of a net if there is one.

        Parameters
        ----------
        estimator : estimator
            Its parameter `checkpoint` names the folder, and others must agree.
        data : dict
            What else must agree; the seed that was drawn as ``"random_state"``.
        start : skorch.NeuralNet or None
            The net of the fit before, from which training goes on.
        """
        if not isinstance(estimator.random_state, Integral):
            raise ValueError(
                "checkpoint needs an integer random_state, or a fit that is started "
                f"again would draw other numbers; it is {estimator.random_state!r}."
            )
        parts = estimator.get_params(deep=False) | data
        for name in ("checkpoint", "device", "verbose"):
            del parts[name]
        weights = start.module_.state_dict().values() if start else ()
        parts["the weights at the start"] = [w.cpu().numpy() for w in weights]
        parts |= {"the version of torch": torch.__version__, "the format": FORMAT}
        return cls(
            estimator.checkpoint, {n: _hash(n, value) for n, value in parts.items()}
        )

    def attach(self, net):
        """Watch a net that is initialised; return the number of epochs done before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self._newest()
        # Behind all callbacks whose state it reads and restores.
        net.callbacks_.append(("checkpoint", self))
        return len(self.state["history"]) if self.state else 0

    def on_train_begin(self, net, **kwargs):
        """Give the net the state of the last epoch."""
        if not self.state:
            return
        state, self.state = self.state, None
        net.history = History(state["history"])
        for part in _PARTS:
            getattr(net, part).load_state_dict(state[part])
        for name, callback in net.callbacks_:
            _give_back(callback, state["callbacks"].get(name, {}))
        # Not by set_params, which cannot do that once a net is initialised.
        net.iterator_train__passed = len(net.history)
        current_source().set_state(state["rng"])
        _logger.info("Training goes on after epoch %d.", len(net.history))

    def on_epoch_end(self, net, **kwargs):
        """Write the state of this epoch, and let go of the one before the last."""
        state = {part: _plain(getattr(net, part).state_dict()) for part in _PARTS}
        state |= {
            "fingerprint": self.fingerprint,
            "history": _plain(list(net.history)),
            "callbacks": {name: _state_of(cb) for name, cb in net.callbacks_},
            "rng": current_source().get_state(),
        }
        content = io.BytesIO()
        torch.save(state, content)
        digest = hashlib.sha256(content.getbuffer()).digest()
        path = self.folder / f"epoch-{len(net.history):06}.pt"
        write_atomically(path, digest + content.getvalue())
        for old in self._files()[_KEPT:]:
            old.unlink()

    def remove(self):
        """Delete all files, when the fit is finished."""
        for path in [*self._files(), *self.folder.glob(".epoch-*.tmp")]:
            path.unlink()

    def _files(self):
        """The newest first."""
        return sorted(self.folder.glob("epoch-*.pt"), reverse=True)

    def _newest(self):
        for path in self._files():
            state = _read(path)
            if state is not None:
                self._refuse_another(state["fingerprint"])
                return state
            warn_user(
                f"{path} is damaged; training goes on from the file before it, or from "
                "the start where there is none.",
                DamagedCheckpointWarning,
            )
        return None

    def _refuse_another(self, found):
        names = found.keys() | self.fingerprint.keys()
        other = sorted(n for n in names if found.get(n) != self.fingerprint.get(n))
        if other:
            raise ValueError(
                f"{self.folder} holds the checkpoint of another fit, which differs in "
                f"{', '.join(other)}. Repeat that fit to go on, name another folder, "
                "or delete this one to begin anew."
            )


def _hash(name, value):
    try:
        return joblib.hash(value)
    except Exception as error:
        raise ValueError(
            f"With a checkpoint a fit must be known again, and {name}={value!r} cannot "
            f"be pickled ({error}). Use what can, or checkpoint=None."
        ) from error


def _read(path):
    """The state in a file, or None where it is not what was written."""
    content = path.read_bytes()
    digest, content = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
    if hashlib.sha256(content).digest() != digest:
        return None
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _state_of(callback):
    """What a callback knows: plain attributes whose names end in an underscore."""
    state = {}
    for name, value in vars(callback).items():
        if not name.endswith("_") or isinstance(value, type):
            continue
        if hasattr(value, "state_dict"):  # a scheduler of the learning rate
            state[name] = _plain(value.state_dict())
        elif _is_plain(value):
            state[name] = _plain(value)
    return state


def _give_back(callback, state):
    for name, value in state.items():
        if hasattr(getattr(callback, name, None), "load_state_dict"):
            getattr(callback, name).load_state_dict(value)
        else:
            setattr(callback, name, value)


def _plain(thing):
    """Turn what is numbers, text and tensors into kinds that are safe to read."""
    if isinstance(thing, dict):
        return {key: _plain(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [tuple, list][isinstance(thing, list)](map(_plain, thing))
    if isinstance(thing, np.generic):
        return thing.item()
    if thing is None or isinstance(thing, bool | int | float | str | torch.Tensor):
        return thing
    raise TypeError(f"A checkpoint cannot keep {thing!r} ({type(thing).__name__}).")


def _is_plain(thing):
    try:
        _plain(thing)
    except TypeError:
        return False
    return True
