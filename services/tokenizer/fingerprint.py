"""Short names of an image tokenizer: of its weights, and of all that decides the bits of its results."""

import hashlib
import platform

import torch

from services.tokenizer.movqgan import MoVQGAN

DIGITS = 16
"""Hexadecimal digits: 64 bits are enough to distinguish the few tokenizers of one installation."""

PROBE_SIDE = 4
"""Side of the grid that is decoded to compare arithmetic, in codes."""


def fingerprint(model: MoVQGAN) -> str:
    """`movqgan-` and the first digits of a SHA-256 over all weights, in float32 and sorted by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return f"movqgan-{digest.hexdigest()[:DIGITS]}"


def name_numerics(model: MoVQGAN) -> str:
    """Everything that decides the bits of codes and pixels, in one line.

    The number of CPU threads is part of it, because it changes the order of sums in convolutions.
    """
    weight = model.quant_conv.weight
    dtype = str(weight.dtype).removeprefix("torch.")
    return f"{fingerprint(model)} {dtype} {device_class(weight.device)} {arithmetic_of(model)}"


def device_class(device: torch.device) -> str:
    """The device's type and instruction set or compute capability, and on a CPU the number of threads."""
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return f"cuda {major}.{minor}"
    if device.type != "cpu":
        return device.type
    capability = torch.backends.cpu.get_cpu_capability().lower()
    return f"cpu {platform.machine()} {capability} threads {torch.get_num_threads()}"


def arithmetic_of(model: MoVQGAN) -> str:
    """First digits of a SHA-256 over the pixels of a small fixed grid, which this machine decodes."""
    codes = torch.arange(PROBE_SIDE * PROBE_SIDE).view(1, PROBE_SIDE, PROBE_SIDE) % model.config.n_embed
    pixels = model.decode(codes).to("cpu", torch.float32).contiguous()
    return hashlib.sha256(pixels.numpy().tobytes()).hexdigest()[:DIGITS]
