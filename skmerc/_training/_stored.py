"""Networks as settings and tensors, for files from which no code is run."""

import copyreg
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn import config_context
from torch import nn

from skmerc._training._stored_checks import check_module, check_net
from skmerc._utils.device import resolve_device
from skmerc._utils.fitting import copy_of
from skmerc._utils.registry import storable
from skmerc._utils.seeding import seeded

if TYPE_CHECKING:
    from skorch import NeuralNet

_STORE: ContextVar["Store | None"] = ContextVar("_STORE", default=None)
_REQUESTS = "_metadata_request"
_PARTS = ("module_", "criterion_", "optimizer_")


@storable
@dataclass
class StoredTensor:
    """Stands for a tensor."""

    name: str


@storable
@dataclass
class StoredModule:
    """Stands for a network: its class, what it is built from, its tensors."""

    kind: type
    settings: dict
    state: dict


@storable
@dataclass
class StoredNet:
    """Stands for a skorch net, whose callbacks have done their work."""

    settings: dict
    history: str
    parts: dict


def _plain_requests(asked: Any) -> dict[str, dict]:
    """Take apart what metadata an estimator asks for, which holds the estimator."""
    methods = {k: getattr(v, "requests", None) for k, v in vars(asked).items()}
    return {name: dict(each) for name, each in methods.items() if each}


def _ask_again(estimator: Any, asked: dict[str, dict]) -> None:
    with config_context(enable_metadata_routing=True):
        for method, requests in asked.items():
            getattr(estimator, f"set_{method}_request")(**requests)


class NetworkHolder:
    """Mixin of estimators with networks, which skops reads as arrays and settings.

    Inside a :class:`Store` that is opened their tensors are set apart.
    """

    def __getstate__(self) -> Any:
        store = _STORE.get() or Arrays()
        state: Any = super().__getstate__()
        kept = {k: value for k, value in state.items() if k != "_skl_callbacks"}
        if _REQUESTS in kept:
            kept[_REQUESTS] = _plain_requests(kept[_REQUESTS])
        return store.take_out(self, kept)

    def __setstate__(self, state: dict) -> None:
        store = _STORE.get() or Arrays()
        asked = state.get(_REQUESTS)
        if type(asked) is dict:
            state = {k: value for k, value in state.items() if k != _REQUESTS}
        # BaseEstimator has it.
        super().__setstate__(store.put_back(state))  # type: ignore[misc]
        if type(asked) is dict:
            _ask_again(self, asked)

    def __reduce_ex__(self, protocol: Any) -> Any:
        # What pickle asks for, and skops does not: a pickle keeps networks as they are.
        new: Any = vars(copyreg)["__newobj__"]
        return new, (type(self),), super().__getstate__()

    def __copy__(self) -> Any:
        return copy_of(self)


class Store:
    """The tensors of a model that is being saved or loaded.

    Parameters
    ----------
    tensors : dict of str to Tensor, optional
        Those of a saved model, by name.
    device : device, optional
        Where nets go; by default where their estimators were told to train, or to
        the CPU where that is not there.
    """

    def __init__(
        self,
        tensors: dict[str, torch.Tensor] | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.tensors, self.device = tensors or {}, device
        self.owners: dict[int, int] = {}

    @contextmanager
    def opened(self) -> Iterator["Store"]:
        """Set networks apart in what is saved or loaded inside the block."""
        token = _STORE.set(self)
        try:
            yield self
        finally:
            _STORE.reset(token)

    def take_out(self, owner: Any, state: dict) -> dict:
        """Put what stands for them in the place of networks."""
        number = self.owners.setdefault(id(owner), len(self.owners))
        return {
            name: self._take_out(value, f"{number}.{name}")
            for name, value in state.items()
        }

    def _take_out(self, value: Any, name: str) -> Any:
        # The sampler has no net, and most models that are saved have skorch by now.
        from skorch import NeuralNet

        if isinstance(value, NeuralNet):
            parts = {part: getattr(value, part).state_dict() for part in _PARTS}
            # skorch saves a history as JSON, too; as nodes of skops it would be large.
            history = json.dumps(list(value.history), default=float)
            return StoredNet(_settings(value), history, self._name(parts, name))
        if isinstance(value, nn.Module):
            state = self._name(value.state_dict(), name)
            settings: Any = value.settings
            return StoredModule(type(value), settings, state)
        return value

    def _name(self, thing: Any, name: str) -> Any:
        if isinstance(thing, torch.Tensor):
            return self._keep(thing.detach().cpu().clone().contiguous(), name)
        if isinstance(thing, dict):
            return {k: self._name(value, f"{name}.{k}") for k, value in thing.items()}
        if isinstance(thing, list):
            return [self._name(value, f"{name}.{k}") for k, value in enumerate(thing)]
        return thing

    def _keep(self, tensor: torch.Tensor, name: str) -> Any:
        """Keep a tensor; return what stands for it."""
        self.tensors[name] = tensor
        return StoredTensor(name)

    def put_back(self, state: dict) -> dict:
        """Build the networks again."""
        place = self.device or _available(state.get("device", "cpu"))
        return {name: self._put_back(value, place) for name, value in state.items()}

    def _put_back(self, value: Any, place: torch.device) -> Any:
        if isinstance(value, StoredNet):
            return self._build_net(value, place)
        if isinstance(value, StoredModule):
            return self._build_module(value)
        return value

    def _build_net(self, stored: StoredNet, place: torch.device) -> "NeuralNet":
        from skorch import NeuralNet
        from skorch.history import History

        history = json.loads(stored.history)
        check_net(stored.settings, len(history))
        parts = {part: self._tensors_of(stored.parts[part]) for part in _PARTS}
        module = _settings_of(stored.settings, "module__")
        check_module(stored.settings["module"], module, parts["module_"])
        settings = stored.settings | {"callbacks": "disable", "device": str(place)}
        net = NeuralNet(**settings)
        with seeded(0, place):
            net.initialize()
        for part, state in parts.items():
            getattr(net, part).load_state_dict(state)
        net.history = History(history)
        net.module_.eval()
        return net

    def _build_module(self, stored: StoredModule) -> nn.Module:
        state = self._tensors_of(stored.state)
        check_module(stored.kind, stored.settings, state)
        with seeded(0, torch.device("cpu")):
            module = stored.kind(**stored.settings)
        module.load_state_dict(state)
        return module.eval()

    def _tensors_of(self, thing: Any) -> Any:
        if isinstance(thing, dict):
            return {key: self._tensors_of(value) for key, value in thing.items()}
        if isinstance(thing, list):
            return [self._tensors_of(value) for value in thing]
        return self._find(thing)

    def _find(self, thing: Any) -> Any:
        """Return the tensor that something stands for, or else the thing itself."""
        if not isinstance(thing, StoredTensor):
            return thing
        # Each once, so that networks are no larger than what was saved.
        if thing.name not in self.tensors:
            raise ValueError(f"{thing.name!r} is no tensor, or in two places")
        return self.tensors.pop(thing.name)


class Arrays(Store):
    """Tensors as arrays, each where it stands in the state of a model."""

    def _keep(self, tensor: torch.Tensor, name: str) -> Any:
        return tensor.numpy()

    def _find(self, thing: Any) -> Any:
        if not isinstance(thing, np.ndarray):
            return thing
        return torch.from_numpy(thing.copy())  # which may be read-only


def _settings(net: "NeuralNet") -> dict:
    given = net.get_params(deep=False)
    left_out = ("_", "callbacks", "device")
    return {k: value for k, value in given.items() if not k.startswith(left_out)}


def _settings_of(settings: dict, prefix: str) -> dict:
    given = settings.items()
    return {k.removeprefix(prefix): v for k, v in given if k.startswith(prefix)}


def _available(device: str) -> torch.device:
    try:
        return resolve_device(device)
    except ValueError:
        return torch.device("cpu")
