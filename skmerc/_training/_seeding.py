"""Devices and random numbers, without a trace in the global generators."""

from contextlib import contextmanager

import torch
from sklearn.utils import check_random_state


def resolve_device(device):
    """Turn ``"auto"`` into the best device of this machine."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError:
        found = None
    if found is None or (found.type == "cuda" and not torch.cuda.is_available()):
        reason = "is unknown" if found is None else "is not there: torch sees no GPU"
        raise ValueError(f"device={device!r} {reason}; use 'auto', 'cpu' or 'cuda'.")
    return found


def draw_seed(random_state):
    """Draw an integer seed from what scikit-learn calls a random state."""
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def seeded(seed, device):
    """Run torch from a seed, and give its generators back as they were."""
    cuda = device.type == "cuda"
    devices = range(torch.cuda.device_count()) if cuda else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if cuda:
            torch.cuda.manual_seed_all(seed)
        yield
