"""Random numbers without a trace in the global generators, and sums in fixed order."""

import os
from contextlib import contextmanager
from threading import RLock

import torch
from sklearn.utils import check_random_state
from torch.backends import cudnn
from torch.utils import deterministic

_TURN = RLock()
"""Held by the one thread of the process that changes what torch shares among all."""


def draw_seed(random_state):
    """Draw an integer seed from what scikit-learn calls a random state."""
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def seeded(seed, device):
    """Run torch from a seed, and give its generators back as they were.

    Other threads wait: all draw from the same generators.
    """
    cuda = device.type == "cuda"
    devices = range(torch.cuda.device_count()) if cuda else []
    with _TURN, torch.random.fork_rng(devices=devices), repeatable(device):
        torch.default_generator.manual_seed(seed)
        if cuda:
            torch.cuda.manual_seed_all(seed)
        yield


@contextmanager
def repeatable(device):
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
        filling = deterministic.fill_uninitialized_memory
        torch.set_deterministic_debug_mode("error")
        deterministic.fill_uninitialized_memory = False  # which would only cost time
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(before)
            deterministic.fill_uninitialized_memory = filling


@contextmanager
def _full_precision():
    kinds = cudnn.rnn, cudnn.conv
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
