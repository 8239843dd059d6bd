"""What a saved model may name, by what is done with it when the model is loaded.

skops has one list of names to trust, and builds with them whatever a file says: what is
on it as a value, such as ``print``, could also be called as the type of a list. So each
name is known here for one purpose.
"""

from pathlib import Path

import numpy as np
import skorch
import torch
from imblearn import combine, ensemble, over_sampling, pipeline, under_sampling
from sklearn.compose import make_column_selector
from sklearn.metrics import accuracy_score, f1_score

from skmerc import features
from skmerc._training import DialogueLoader, Moments
from skmerc._training._stored import StoredModule, StoredNet, StoredTensor
from skmerc.ensemble import FocalAdaBoostClassifier
from skmerc.frame import drop_keys
from skmerc.fusion import DJVAEFuser
from skmerc.metrics import minority_f1, weighted_f1, weighted_f1_scorer
from skmerc.model_selection import (
    DialogueKFold,
    DialogueShuffleSplit,
    StratifiedDialogueKFold,
)
from skmerc.nn.cberl import CBERLLoss, CBERLNetwork
from skmerc.nn.gan import MultimodalGAN
from skmerc.nn.joyful import JoyfulLoss, JoyfulNetwork
from skmerc.nn.standardize import Standardize
from skmerc.nn.vae import JointVAE
from skmerc.persistence._checks import nodes
from skmerc.recognition import CBERLClassifier, JoyfulClassifier, JoyfulRegressor
from skmerc.sampling import DialogueSampler, MultimodalGANSampler

# Made anew, without a call, and given the attributes that a file holds. Of the
# callbacks those that write no files.
_OBJECTS = (
    CBERLClassifier,
    DialogueKFold,
    DialogueSampler,
    DialogueShuffleSplit,
    DJVAEFuser,
    FocalAdaBoostClassifier,
    JoyfulClassifier,
    JoyfulRegressor,
    Moments,
    MultimodalGANSampler,
    StoredModule,
    StoredNet,
    StoredTensor,
    StratifiedDialogueKFold,
    features.AudioFunctionals,
    features.FaceFeatures,
    features.FineTunedTextEmbedder,
    features.TextEmbedder,
    features.VideoFunctionals,
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
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.metrics._scorer._PassthroughScorer",
}
# Values, of which nets are built where they are settings of one.
_TYPES = (
    CBERLLoss,
    CBERLNetwork,
    DialogueLoader,
    JointVAE,
    JoyfulLoss,
    JoyfulNetwork,
    MultimodalGAN,
    Standardize,
    skorch.dataset.Dataset,
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


def known_names():
    """Names to trust besides those of skops, by the node of skops that may use each."""
    objects = [*_OBJECTS]
    for room in (combine, ensemble, over_sampling, pipeline, under_sampling):
        objects += [getattr(room, name) for name in room.__all__ if name[0].isupper()]
    types = [*_TYPES]
    for room, base in (
        (torch.optim, torch.optim.Optimizer),
        (torch.optim.lr_scheduler, torch.optim.lr_scheduler.LRScheduler),
    ):
        found = [kind for kind in vars(room).values() if isinstance(kind, type)]
        types += [kind for kind in found if issubclass(kind, base)]
    objects = {*map(name_of, objects)} | _PRIVATE_OBJECTS
    return {
        "ObjectNode": objects,
        # Of their methods skops trusts none by itself.
        "MethodNode": objects,
        "TypeNode": objects | {*map(name_of, types)} | {"builtins.print"},
        "FunctionNode": {*map(name_of, _FUNCTIONS)},
        "ConstructorFromReduceNode": {*map(name_of, _CALLED)},
    }


def name_of(kind):
    """Name a type or function as files do."""
    return f"{kind.__module__}.{kind.__name__}"


def check_purposes(schema, trusted):
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


def _check_keys(node, trusted):
    """Refuse keys that are neither text nor numbers, since their types are called."""
    for key in node["key_types"]["content"]:
        name = _name(key)
        is_plain = name in trusted or name in _PLAIN_KEYS or _is_number(name)
        if key["__loader__"] != "TypeNode" or not is_plain:
            raise ValueError(f"it has a key of the type {name}")


def _is_number(name):
    module, _, kind = name.rpartition(".")
    found = getattr(np, kind, None) if module == "numpy" else None
    return isinstance(found, type) and issubclass(found, np.number | np.str_)


def _name(node):
    return f"{node['__module__']}.{node['__class__']}"
