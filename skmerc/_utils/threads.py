"""How many threads of the processor a network computes with."""

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import torch
from threadpoolctl import ThreadpoolController

_FEW_WEIGHTS = 4_000_000
"""Up to here a second thread saves a third at best (``examples/threads_cost.py``)."""

_OUTSIDE: ContextVar[int | None] = ContextVar("_OUTSIDE", default=None)
"""The number that torch had before this package took one."""


@contextmanager
def one_thread() -> Iterator[int]:
    """Compute with one thread, and tell what number torch has otherwise.

    Threads of torch wait for each other after each of its many small steps. On a
    processor that something else uses as well, or of which a container may use a share,
    they wait for milliseconds each time: a fit of seconds takes many minutes then.

    Only the thread that calls is told, and torch has its own number again afterwards.
    """
    outside = _OUTSIDE.get() or torch.get_num_threads()
    token = _OUTSIDE.set(outside)
    try:
        with _limited(1):
            yield outside
    finally:
        _OUTSIDE.reset(token)


@contextmanager
def threads_for(network: torch.nn.Module) -> Iterator[None]:
    """Compute with one thread where a network is small, and else with those of torch.

    Of these no more than there are cores that this process may use.
    """
    with one_thread() as outside:
        if sum(w.numel() for w in network.parameters()) <= _FEW_WEIGHTS:
            yield
            return
        with _limited(min(outside, joblib.cpu_count())):
            yield


@contextmanager
def _limited(n_threads: int) -> Iterator[None]:
    with _threads_of_torch().limit(limits=n_threads):
        of_mkl = _tell_mkl()(n_threads)
        try:
            yield
        finally:
            _tell_mkl()(of_mkl)


@cache
def _threads_of_torch() -> ThreadpoolController:
    """Find the library that torch takes its threads from, among those of others."""
    found = ThreadpoolController().select(user_api="openmp")
    paths = [lib.filepath for lib in found.lib_controllers if _is_of_torch(lib)]
    return found.select(filepath=paths)


@cache
def _tell_mkl() -> Callable[[int], int]:
    """Find what tells MKL, inside torch, the number of this thread, and gives the last.

    After ``torch.set_num_threads`` it has one apart from that of OpenMP. Where torch
    comes without MKL there is nothing to tell.
    """
    name = {"win32": "torch_cpu.dll", "darwin": "libtorch_cpu.dylib"}
    path = Path(torch.__file__).parent / "lib"
    path /= name.get(sys.platform, "libtorch_cpu.so")
    try:
        return ctypes.CDLL(str(path)).MKL_Set_Num_Threads_Local
    except (AttributeError, OSError):
        return int


def _is_of_torch(library: Any) -> bool:
    before = torch.get_num_threads()
    library.set_num_threads(before + 1)
    try:
        return torch.get_num_threads() == before + 1
    finally:
        library.set_num_threads(before)
