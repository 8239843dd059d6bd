"""Random numbers that belong to one fit, and to nobody else in the process.

The generators that torch keeps for a process are shared by its threads. A fit that drew
from them would be changed by another thread's draws, and would change these.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_SOURCE: ContextVar["Source | None"] = ContextVar("_SOURCE", default=None)


class Source:
    """The random numbers of one fit: a generator of torch for each device.

    Parameters
    ----------
    seed : int
        Where all of them start.
    """

    def __init__(self, seed: int) -> None:
        self.start_from(seed)

    def on(self, device: torch.device) -> torch.Generator:
        """Return the generator of a device."""
        generator = self.generators.get(device)
        if generator is None:
            generator = torch.Generator(device).manual_seed(self.seed)
            self.generators[device] = generator
        return generator

    def start_from(self, seed: int) -> None:
        """Start anew from another seed."""
        self.seed = seed
        self.generators: dict[torch.device, torch.Generator] = {}

    def get_state(self) -> dict[str, Tensor]:
        """Return where each generator stands, by the name of its device."""
        return {str(d): g.get_state() for d, g in self.generators.items()}

    def set_state(self, state: dict[str, Tensor]) -> None:
        """Let the generators go on from where those of their devices stood."""
        self.generators = {}
        for name, known in state.items():
            with suppress(RuntimeError):  # of a device that is not here any more
                self.on(torch.device(name))
            if torch.device(name) in self.generators:
                self.generators[torch.device(name)].set_state(known)

    @contextmanager
    def opened(self) -> Iterator["Source"]:
        """Draw from it what this thread draws inside the block."""
        token = _SOURCE.set(self)
        try:
            yield self
        finally:
            _SOURCE.reset(token)


def current_source() -> Source | None:
    """Return the source that is open in this thread, or None."""
    return _SOURCE.get()


def generator_on(device: torch.device) -> torch.Generator | None:
    """Return the generator that this thread draws from; None stands for torch's own."""
    source = _SOURCE.get()
    if source is None or device.type == "meta":  # whose tensors hold no numbers
        return None
    return source.on(device)


def rand(
    *size: Any, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Draw uniformly from [0, 1), as :func:`torch.rand` does."""
    device = torch.get_default_device() if device is None else device
    generator = generator_on(device)
    return torch.rand(*size, generator=generator, device=device, dtype=dtype)


def randn(
    *size: Any, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Draw from the normal distribution, as :func:`torch.randn` does."""
    device = torch.get_default_device() if device is None else device
    generator = generator_on(device)
    return torch.randn(*size, generator=generator, device=device, dtype=dtype)


def randint(high: int, size: Sequence[int], device: torch.device) -> Tensor:
    """Draw integers from 0 to below `high`, as :func:`torch.randint` does."""
    return torch.randint(high, size, generator=generator_on(device), device=device)


def randperm(n: int, device: torch.device) -> Tensor:
    """Draw an order, as :func:`torch.randperm` does."""
    return torch.randperm(n, generator=generator_on(device), device=device)


class Dropout(nn.Dropout):
    """Dropout that draws from the source of the fit."""

    def forward(self, x: Tensor) -> Tensor:
        """Set entries to 0 at random in training, and scale the rest up."""
        return _dropout(x, self.p, self.training)


def _dropout(
    x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    if not training or not p:
        return x
    if p == 1:
        return x * 0.0
    if x.device.type == "cpu":
        # The numbers of Tensor.bernoulli_, which takes twice as long to draw them.
        drawn = rand(x.shape, dtype=torch.float64, device=x.device)
        kept = (drawn < 1 - p).to(x.dtype)
    else:
        kept = torch.empty_like(x).bernoulli_(1 - p, generator=generator_on(x.device))
    return x * kept.div_(1 - p)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    if not dropout_p:
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask, 0.0, is_causal, scale=scale,
            enable_gqa=enable_gqa,
        )  # fmt: skip
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = (x.repeat_interleave(times, -3) for x in (key, value))
    factor = (query.shape[-1] ** -0.5 if scale is None else scale) ** 0.5
    scores = (query * factor) @ (key * factor).transpose(-2, -1)
    if is_causal:
        attn_mask = scores.new_ones(scores.shape[-2:], dtype=torch.bool).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return _dropout(scores.softmax(dim=-1), dropout_p) @ value


def _rand_like(
    x: Tensor,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    **settings: Any,
) -> Tensor:
    device = x.device if device is None else device
    return rand(x.shape, dtype=dtype or x.dtype, device=torch.device(device))


def _randn_like(
    x: Tensor,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    **settings: Any,
) -> Tensor:
    device = x.device if device is None else device
    return randn(x.shape, dtype=dtype or x.dtype, device=torch.device(device))


# What takes a generator: by name, since transformers puts its own in the place of some.
_DRAWING = {
    "bernoulli", "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_",
    "kaiming_normal_", "kaiming_uniform_", "multinomial", "normal", "normal_",
    "poisson", "rand", "randint", "randn", "random_", "randperm", "trunc_normal_",
    "uniform_",
}  # fmt: skip
# What takes none, and what stands in.
_INSTEAD: dict[Callable, Callable] = {
    F.dropout: _dropout,
    torch.dropout: _dropout,
    F.scaled_dot_product_attention: _attention,
    torch.rand_like: _rand_like,
    torch.randn_like: _randn_like,
}


class _FromTheSource(TorchFunctionMode):
    def __torch_function__(
        self, function: Callable, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in _INSTEAD:
            return _INSTEAD[function](*args, **kwargs)
        drawing = getattr(function, "__name__", None) in _DRAWING
        if drawing and kwargs.get("generator") is None:
            kwargs = kwargs | {"generator": generator_on(_device_of(args, kwargs))}
        return function(*args, **kwargs)


def _device_of(args: Sequence, kwargs: Mapping) -> torch.device:
    device = kwargs.get("device")
    for thing in [*args, *kwargs.values()]:
        if device is None and isinstance(thing, Tensor):
            device = thing.device
    return torch.get_default_device() if device is None else torch.device(device)


def redirected() -> TorchFunctionMode:
    """Draw from the open source also what the code of others draws inside the block.

    It looks at every call of torch, which costs a small network a quarter of its time;
    the networks of this package draw from the source by themselves.
    """
    return _FromTheSource()
