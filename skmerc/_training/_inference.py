"""Answers of a network for every row of a table."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from skmerc._training._batches import DialogueDataset
from skmerc._utils.locks import Turn
from skmerc._utils.seeding import repeatable
from skmerc._utils.threads import threads_for

if TYPE_CHECKING:
    from skorch import NeuralNet

_UTTERANCES = 1000
"""How many are answered at once: the fastest number on a processor."""

_COPIES: WeakKeyDictionary[torch.nn.Module, torch.nn.Module] = WeakKeyDictionary()
_COPYING = Turn()


@torch.no_grad()
def infer(
    net: "NeuralNet",
    dataset: DialogueDataset,
    output: str | Callable,
    dtype: torch.dtype | None = None,
) -> np.ndarray:
    """Compute one output of the network for every row of the table.

    `output` is its name, or a function of the network and its inputs. They are of
    another type of float where `dtype` is given, such as double precision. Returns an
    array of shape (n_rows, ...); rows that no sequence owns are 0.
    """
    function = output if callable(output) else partial(_named, output)
    module = net.module_ if dtype is None else deepcopy(net.module_).to(dtype)
    training = module.training
    if training:
        module.eval()
    sequences, done = dataset.sequences, 0
    result: Any = None
    for which in dataset.portions(_UTTERANCES):
        inputs, _ = dataset.batch(which)
        moved = {name: value.to(net.device) for name, value in inputs.items()}
        with repeatable(torch.device(net.device)), threads_for(module):
            values = function(module, moved).cpu().numpy()
        if result is None:
            shape = (len(dataset.conversations), *values.shape[1:])
            result = np.zeros(shape, values.dtype)
        here = slice(done, done + len(values))
        owned = sequences.owned[here]
        rows = sequences.rows[here]
        if owned.all():
            result[rows] = values
        else:
            result[rows[owned]] = values[owned]
        done = here.stop
    if training:
        module.train()
    return result


def in_double(module: torch.nn.Module) -> torch.nn.Module:
    """Copy a network to double precision, once for all who ask, on the processor."""
    with _COPYING:
        if module not in _COPIES:
            copy = deepcopy(module).cpu().double().eval()
            _COPIES[module] = copy.requires_grad_(False)
        return _COPIES[module]


def _named(name: str, module: torch.nn.Module, inputs: dict) -> torch.Tensor:
    return getattr(module(**inputs), name)
