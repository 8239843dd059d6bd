"""Random numbers, defaults of libraries and order of sums, apart from the process."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
import torch.utils._device  # which torch would import with the first fit
from sklearn.utils import check_random_state
from torch import Tensor
from torch.backends import cudnn
from torch.overrides import TorchFunctionMode
from torch.utils import deterministic

from skmerc._utils.locks import Turn
from skmerc._utils.random import Source, redirected
from skmerc._utils.threads import one_thread

_TURN = Turn()
"""Held by the one thread of the process that changes what torch shares among all."""


def draw_seed(random_state: Any) -> int:
    """Draw an integer seed from what scikit-learn calls a random state."""
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def drawing(seed: int, device: torch.device) -> Iterator[Source]:
    """Let the networks of this package draw from a seed, whatever other threads do.

    What other code draws, such as the first weights of a layer of torch, needs
    :func:`skmerc._utils.random.redirected` around it. What fits is
    :func:`undisturbed` by its decorator.
    """
    with Source(seed).opened() as source, repeatable(device):
        yield source


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[Source]:
    """Let all that draws do so from a seed, at the price of :func:`redirected`."""
    with undisturbed(), drawing(seed, device) as source, redirected():
        yield source


@contextmanager
def undisturbed() -> Iterator[None]:
    """Compute as where nobody has changed the defaults of torch and numpy.

    Single precision, tensors on the processor unless told otherwise, gradients, no
    automatic change of precision, and one thread, but for what
    :func:`skmerc._utils.threads.threads_for` large networks takes. Numbers that are too
    small become 0, and those that are none are warned of.
    """
    with ExitStack() as stack:
        stack.enter_context(np.errstate(all="warn", under="ignore"))
        stack.enter_context(one_thread())
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if torch.get_default_dtype() != torch.float32:
            stack.enter_context(_SinglePrecision())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        yield


# What makes numbers of the default type, and what is told to by its name.
_MAKING = {
    torch.empty, torch.eye, torch.linspace, torch.ones, torch.rand, torch.randn,
    torch.zeros,
}  # fmt: skip
_TURNING = {Tensor.bfloat16, Tensor.double, Tensor.half}


class _SinglePrecision(TorchFunctionMode):
    """Turn what is of the default type, and was made of nothing such, to float32."""

    def __torch_function__(
        self, function: Callable, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in _MAKING and kwargs.get("dtype") is None:
            kwargs = kwargs | {"dtype": torch.float32}
        made, default = function(*args, **kwargs), torch.get_default_dtype()
        if not isinstance(made, Tensor) or made.dtype != default:
            return made
        asked_for = function in _TURNING or _has([*args, *kwargs.values()], default)
        return made if asked_for else made.float()


def _has(things: Iterable, dtype: torch.dtype) -> bool:
    for thing in things:
        if isinstance(thing, list | tuple) and _has(thing, dtype):
            return True
        kind = thing if isinstance(thing, torch.dtype) else getattr(thing, "dtype", "")
        if str(kind).removeprefix("torch.") == str(dtype).removeprefix("torch."):
            return True
    return False


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Let a GPU add up in a fixed order and in full precision, as a processor does.

    By default it adds as its threads come, so that two trainings from one seed drift
    apart, and it rounds inside an LSTM to ten bits, so that the answer for a dialogue
    depends on those beside it in the fourth digit.
    """
    if device.type != "cuda":
        yield
        return
    with _TURN, _full_precision():
        # Without it some versions of torch refuse matrix products in this mode.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        before = torch.get_deterministic_debug_mode()
        told: Any = deterministic
        filling = told.fill_uninitialized_memory
        torch.set_deterministic_debug_mode("error")
        told.fill_uninitialized_memory = False  # which would only cost time
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(before)
            told.fill_uninitialized_memory = filling


@contextmanager
def _full_precision() -> Iterator[None]:
    told: Any = cudnn
    kinds = told.rnn, told.conv
    before = [kind.fp32_precision for kind in kinds]
    try:
        allowed = cudnn.allow_tf32
    except RuntimeError:  # what torch says where only the newer settings were used
        allowed = True
    # Both settings, or torch takes them for a contradiction.
    cudnn.allow_tf32 = False
    try:
        for kind in kinds:
            kind.fp32_precision = "ieee"
        yield
    finally:
        cudnn.allow_tf32 = allowed
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision
