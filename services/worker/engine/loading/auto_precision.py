"""Choose a device and a precision by the capabilities of the hardware, without measuring speed.

The precision decides the bits of every picture. A measurement could give another precision on a busy machine,
and the same seed would then draw another picture.
"""

import torch

from services.worker.engine.errors import PrecisionError
from services.worker.engine.fused.support import WORTH_BYTES, runs_fused, weight_bytes
from services.worker.engine.kernels.precision import Precision, Quantization
from services.worker.engine.model.config import ModelConfig

BF16_UNITS = ("amx_bf16", "avx512_bf16")
"""PyTorch's names of the CPU features that multiply bfloat16."""


def choose_device(name: str = "auto") -> torch.device:
    """The named device; "auto" is the first GPU if there is one, else the CPU.

    Raises PrecisionError for an unknown name, and for a GPU that does not exist.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise PrecisionError(f"unknown device {name!r}") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise PrecisionError(f"this machine has no device {name!r}")
    return device


def choose_precision(
    config: ModelConfig, dtype: str = "auto", quantization: str = "none", device: str | torch.device = "cpu"
) -> Precision:
    """The named precision; "auto" is bf16 where this model is faster in it, else fp32.

    The result depends only on the configuration and the device's capabilities.
    Raises PrecisionError for an unknown name.
    """
    if dtype != "auto":
        return Precision.parse(dtype, quantization)
    halved = Precision.parse("bf16", quantization)
    if runs_bf16_well(config, halved, torch.device(device)):
        return halved
    return Precision.parse("fp32", quantization)


def remark_on_speed(precision: Precision, device: torch.device) -> str | None:
    """A one-line warning about a precision that is slow on this device, else None."""
    if precision.quantization is not Quantization.NF4 or device.type != "cpu":
        return None
    factor = "several times" if cpu_multiplies_bf16() else "about 30 times"
    return (
        f"nf4 saves memory on a CPU, not time: each pass expands all weights, which is {factor} slower than "
        "bf16 here; int8 saves memory and is fast"
    )


def runs_bf16_well(config: ModelConfig, halved: Precision, device: torch.device) -> bool:
    """Whether bf16 is faster: on a GPU with bf16 units, or if passes on the CPU are limited by memory
    bandwidth.

    A small model on a CPU keeps fp32: its weights stay in the caches, and fp32 kernels give the same bits
    with any number of threads, which bf16 kernels do not.
    """
    match device.type:
        case "cuda":
            return multiplies_bf16(device)
        case "cpu":
            is_large = weight_bytes(config) >= WORTH_BYTES
            return runs_fused(config, halved, device, asked=None) or (is_large and cpu_multiplies_bf16())
        case _:
            return False


def cpu_multiplies_bf16() -> bool:
    """Whether this CPU has instructions that multiply bfloat16."""
    features = torch.cpu.get_capabilities()
    return any(features.get(name, False) for name in BF16_UNITS)


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a GPU has units that multiply bfloat16, not only emulation."""
    with torch.cuda.device(device):
        return torch.cuda.is_bf16_supported(including_emulation=False)
