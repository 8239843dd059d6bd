"""What a saved model may name, by what is done with it when the model is loaded.

skops has one list of names to trust, and builds with them whatever a file says: what is
on it as a value, such as ``print``, could also be called as the type of a list. So each
name is known here for one purpose.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import numpy as np
import skorch
import torch
from sklearn.compose import make_column_selector
from sklearn.metrics import accuracy_score, f1_score
from sklearn.utils import Bunch
from torch_geometric import nn as pyg

from skmerc import (
    calibration,
    ensemble,
    features,
    fusion,
    model_selection,
    nn,
    recognition,
    sampling,
)
from skmerc._training import DialogueLoader
from skmerc._utils.registry import STORABLE
from skmerc.frame import drop_keys
from skmerc.metrics import minority_f1, weighted_f1, weighted_f1_scorer
from skmerc.persistence._checks import nodes

_ROOMS = (
    calibration,
    ensemble,
    features,
    fusion,
    model_selection,
    recognition,
    sampling,
)
"""Whose classes have told that they can be saved, now that they are imported."""

# Estimators import their networks when they are fitted.
for _module in iter_modules(nn.__path__, f"{nn.__name__}."):
    import_module(_module.name)

# Made anew, without a call, and given the attributes that a file holds, as are those
# of this package. Of the callbacks those that write no files.
_OBJECTS = (
    make_column_selector,
    skorch.callbacks.EarlyStopping,
    skorch.callbacks.EpochTimer,
    skorch.callbacks.GradientNormClipping,
    skorch.callbacks.LRScheduler,
    skorch.callbacks.PrintLog,
    skorch.callbacks.ProgressBar,
    type(weighted_f1_scorer),
)
_PRIVATE_OBJECTS = {
    # It stands on this room, which cannot import it.
    "skmerc.recognizer._recognizer.EmotionRecognizer",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.metrics._scorer._PassthroughScorer",
}
# Values, of which nets are built where they are settings of one, as are the networks of
# this package.
_TYPES = (
    DialogueLoader,
    skorch.dataset.Dataset,
    pyg.GATConv,
    pyg.GATv2Conv,
    pyg.GCNConv,
    pyg.GraphConv,
    pyg.RGCNConv,
    pyg.SAGEConv,
    pyg.TransformerConv,
)
# Values that loading never calls.
_FUNCTIONS = (
    accuracy_score,
    drop_keys,
    f1_score,
    minority_f1,
    skorch.utils.noop,
    weighted_f1,
)
# Called with the arguments that a file holds.
_CALLED = (type(Path()),)
_PLAIN_KEYS = ("builtins.str", "builtins.int", "builtins.float")


def known_names() -> dict[str, set[str]]:
    """Names to trust besides those of skops, by the node of skops that may use each."""
    networks = [kind for kind in STORABLE if issubclass(kind, torch.nn.Module)]
    objects = [*_OBJECTS, *(kind for kind in STORABLE if kind not in networks)]
    for name in "combine ensemble over_sampling pipeline under_sampling".split():
        room = import_module(f"imblearn.{name}")
        objects += [getattr(room, kind) for kind in room.__all__ if kind[0].isupper()]
    types = [*_TYPES, *networks]
    for room, base in (
        (torch.optim, torch.optim.Optimizer),
        (torch.optim.lr_scheduler, torch.optim.lr_scheduler.LRScheduler),
    ):
        found = [kind for kind in vars(room).values() if isinstance(kind, type)]
        types += [kind for kind in found if issubclass(kind, base)]
    names = {*map(name_of, objects)} | _PRIVATE_OBJECTS
    return {
        "ObjectNode": names,
        # Of their methods skops trusts none by itself.
        "MethodNode": names,
        "TypeNode": names | {*map(name_of, types)} | {"builtins.print"},
        "FunctionNode": {*map(name_of, _FUNCTIONS)},
        "ConstructorFromReduceNode": {*map(name_of, _CALLED)},
        "DTypeNode": {name_of(np.dtype)},  # of an array that the file holds
        "DictNode": {name_of(Bunch)},
    }


def name_of(kind: Any) -> str:
    """Name a type or function as files do."""
    return f"{kind.__module__}.{kind.__name__}"


def check_purposes(schema: dict[str, Any], trusted: set[str]) -> None:
    """Refuse a known name where a file would use it for what it is not known for.

    Parameters
    ----------
    schema : dict
        The node of a model.
    trusted : set of str
        Names that may be used for everything.
    """
    known = known_names()
    every = set().union(*known.values())
    for node in nodes(schema):
        name, loader = _name(node), node["__loader__"]
        if name in every - known.get(loader, set()) - trusted:
            raise ValueError(f"it uses {name} as what skops calls {loader}")
        if loader == "DictNode":
            _check_keys(node, trusted)


def _check_keys(node: dict[str, Any], trusted: set[str]) -> None:
    """Refuse keys that are neither text nor numbers, since their types are called."""
    for key in node["key_types"]["content"]:
        name = _name(key)
        is_plain = name in trusted or name in _PLAIN_KEYS or _is_number(name)
        if key["__loader__"] != "TypeNode" or not is_plain:
            raise ValueError(f"it has a key of the type {name}")


def _is_number(name: str) -> bool:
    module, _, kind = name.rpartition(".")
    found = getattr(np, kind, None) if module == "numpy" else None
    return isinstance(found, type) and issubclass(found, np.number | np.str_)


def _name(node: dict[str, Any]) -> str:
    return f"{node['__module__']}.{node['__class__']}"
