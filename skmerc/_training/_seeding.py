"""Random numbers, without a trace in the global generators."""

from contextlib import contextmanager
from threading import RLock

import torch
from sklearn.utils import check_random_state

_TURN = RLock()
"""Held by the one thread of the process that draws from torch's generators."""


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
    with _TURN, torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if cuda:
            torch.cuda.manual_seed_all(seed)
        yield
