"""Which device to compute on."""

import torch


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
