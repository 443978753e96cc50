"""Where training computes."""

import torch


def choose_device(name: str) -> torch.device:
    """A device by its name; "auto" is the GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
