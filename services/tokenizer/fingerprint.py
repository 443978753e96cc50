"""One name for a codebook: codes of another set of weights mean other pictures."""

import hashlib

import torch

from services.tokenizer.movqgan import MoVQGAN

DIGITS = 16
"""64 bits tell apart the few tokenizers that one installation ever sees."""


def fingerprint(model: MoVQGAN) -> str:
    """`movqgan-` and the first digits of the SHA-256 over every weight, in float32 and the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return f"movqgan-{digest.hexdigest()[:DIGITS]}"
