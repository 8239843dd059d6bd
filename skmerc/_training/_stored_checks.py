"""What a saved network claims to be, held against the tensors that were saved with it.

A file of a few bytes can ask for a network of any size. So each network is first built
without memory, and may register no parameter that is not among the saved ones.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

_NUMBER = 10_000
"""Whole numbers up to here are no matter, whatever the saved tensors are.

A setting can be out of use, such as the size of a code where there is none.
"""

_WINDOW = "window"
"""Stands in the names of settings of which nothing is made."""


def check_net(settings: dict, n_epochs: int) -> None:
    """Demand the settings of a net of this package, of so many epochs."""
    for name, base in (
        ("module", nn.Module),
        ("criterion", nn.Module),
        ("optimizer", torch.optim.Optimizer),
    ):
        kind = settings.get(name)
        if not isinstance(kind, type) or not issubclass(kind, base):
            raise ValueError(f"the {name} of a net is {kind!r}, and no {base.__name__}")
    passed = settings.get("iterator_train__passed", 0)
    if passed > n_epochs:
        raise ValueError(
            f"a net claims that {passed} epochs have passed, and has {n_epochs} in its "
            "history"
        )


def check_module(kind: type, settings: dict, state: dict) -> None:
    """Demand that a class and its settings make no other parameters than were saved."""
    if not isinstance(kind, type) or not issubclass(kind, nn.Module):
        raise ValueError(f"a network is {kind!r}")
    tensors = [value for value in state.values() if isinstance(value, torch.Tensor)]
    _check_numbers(kind, settings, tensors)
    with torch.device("meta"), _registering_only(tensors, kind):
        kind(**settings)


def _check_numbers(kind: type, settings: dict, tensors: list[torch.Tensor]) -> None:
    largest = max([_NUMBER, len(tensors), *(n for t in tensors for n in t.shape)])
    for name, value in settings.items():
        sized = isinstance(value, Integral) and _WINDOW not in name
        if sized and value > largest:
            raise ValueError(
                f"{kind.__name__} claims {name}={value}, and no saved tensor has more "
                f"than {largest}"
            )


@contextmanager
def _registering_only(tensors: list[torch.Tensor], kind: type) -> Iterator[None]:
    """Let this thread register parameters of the shapes of these tensors only."""
    left, this_thread = Counter(t.shape for t in tensors), threading.get_ident()
    n_elements = sum(t.numel() for t in tensors)

    def check_parameter(
        module: nn.Module, name: str, parameter: nn.Parameter | None
    ) -> None:
        if parameter is None or threading.get_ident() != this_thread:
            return
        left[parameter.shape] -= 1
        if left[parameter.shape] < 0:
            raise ValueError(
                f"{kind.__name__} claims the parameter {name!r} of shape "
                f"{tuple(parameter.shape)}, which is not among the saved ones"
            )

    def check_buffer(module: nn.Module, name: str, buffer: torch.Tensor | None) -> None:
        if buffer is None or threading.get_ident() != this_thread:
            return
        if buffer.numel() > n_elements:
            raise ValueError(
                f"{kind.__name__} claims the buffer {name!r} of shape "
                f"{tuple(buffer.shape)}, which is more than all that was saved"
            )

    hooks = [
        register_module_parameter_registration_hook(check_parameter),
        register_module_buffer_registration_hook(check_buffer),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
