"""A GPU that is not there: tensors remember where they would be, and must not mix.

What was moved to ``"cuda"`` stays where it is and counts as being there, as does what
is computed of it. An operation on a tensor from there and one from here fails, as it
does on a GPU, and so does numpy with what was not brought back.
"""

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter

HERE, THERE = torch.device("cpu"), torch.device("cuda")
# The sizes of packed batches are here always.
_MAY_MIX = {"copy_", "gru", "lstm", "_has_compatible_shallow_copy_type"}
_NEEDS_TO_BE_HERE = {"numpy", "__array__"}


def place_of(tensor):
    """Where a tensor would be, None where that is not known."""
    return getattr(tensor, "place", None)


class Elsewhere(TorchFunctionMode):
    """Follow tensors inside the block."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name, kwargs = getattr(function, "__name__", ""), kwargs or {}
        if function is torch.device or name == "_parse_to":
            return function(*args, **kwargs)
        if function == Tensor.device.__get__:
            return place_of(args[0]) or HERE
        if function == Tensor.is_cuda.__get__:
            return place_of(args[0]) == THERE
        if function == Tensor.data.__set__:
            args[0].place = place_of(args[1])
        if name in _NEEDS_TO_BE_HERE and place_of(args[0]) == THERE:
            raise TypeError(f"can't convert cuda tensor to numpy: {args[0].shape}")
        asked, args, kwargs = _without_devices(name, args, kwargs)
        given = [t for t in tree_iter((args, kwargs)) if isinstance(t, Tensor)]
        found = {place_of(t) for t in given} - {None}
        self._refuse_to_mix(name, args, given)
        made = function(*args, **kwargs)
        if asked and any(made is t for t in given):
            made = made.clone()
        place = asked or (THERE if THERE in found else HERE)
        if asked or found or not given:
            self._note(made, given, place)
        return made

    def _refuse_to_mix(self, name, args, given):
        places = {place_of(t) for t in given if t.dim()} - {None}
        if len(places) < 2 or name in _MAY_MIX:
            return
        if name == "__getitem__" and place_of(args[0]) == THERE:
            return  # whose indices may be here
        shapes = [(tuple(t.shape), str(place_of(t))) for t in given]
        raise RuntimeError(f"{name} got tensors from here and there: {shapes}")

    def _note(self, made, given, place):
        for tensor in tree_iter(made):
            if isinstance(tensor, Tensor) and not any(tensor is t for t in given):
                tensor.place = place


def _without_devices(name, args, kwargs):
    """Find the device that is asked for, and ask for the one that is there."""
    asked = HERE if name == "cpu" else None
    if name == "to" and len(args) > 1 and isinstance(args[1], Tensor):
        asked = place_of(args[1])

    def here(thing):
        nonlocal asked
        is_device = isinstance(thing, str | torch.device)
        if not is_device or str(thing).split(":")[0] not in ("cpu", "cuda"):
            return thing
        asked = HERE if torch.device(thing).type == "cpu" else THERE
        return HERE

    args = tuple(here(thing) for thing in args)
    kwargs = {key: here(thing) for key, thing in kwargs.items()}
    return asked, args, kwargs
