"""Which device to compute on."""

from typing import Any

import torch


def resolve_device(device: Any) -> torch.device:
    """Turn ``"auto"`` into the best device of this machine."""
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        # Without an index, so that a model finds its place on other machines too.
        return torch.device("cuda" if n_gpus else "cpu")
    try:
        found, reason = torch.device(device), None
    except RuntimeError:
        reason = "is unknown"
    else:
        if found.type == "meta":
            reason = "holds no values"
        if found.type == "cuda" and (found.index or 0) >= n_gpus:
            reason = f"is not there: torch sees {n_gpus or 'no'} GPU"
    if reason:
        raise ValueError(f"device={device!r} {reason}; use 'auto', 'cpu' or 'cuda'.")
    return found
