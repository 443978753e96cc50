"""Pick a device, and a precision that this machine runs well: by capability, then by a short measurement."""

import statistics
import time
from functools import cache

import torch

from services.worker.engine.config import ModelConfig
from services.worker.engine.errors import PrecisionError
from services.worker.engine.fused.support import runs_fused
from services.worker.engine.linear_kernels import PackedKernel
from services.worker.engine.precision import Precision
from services.worker.engine.row_shapes import ROW_COUNTS

WORTH_IT = 1.3
"""How much faster bf16 must be before its rounding is accepted."""

PROBE_SIDE = 2048
PROBE_RUNS = 5


def choose_device(name: str = "auto") -> torch.device:
    """The named device; "auto" is the first GPU where there is one.

    Raises PrecisionError for a name that is none, and for a GPU that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise PrecisionError(f"unknown device {name!r}") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise PrecisionError(f"there is no device {name!r} here")
    return device


def choose_precision(
    config: ModelConfig, dtype: str = "auto", quantization: str = "none", device: str | torch.device = "cpu"
) -> Precision:
    """The named precision; "auto" picks bf16 where it is clearly faster for this model, else fp32.

    Raises PrecisionError for an unknown name.
    """
    if dtype != "auto":
        return Precision.parse(dtype, quantization)
    halved = Precision.parse("bf16", quantization)
    if runs_bf16_well(config, halved, torch.device(device)):
        return halved
    return Precision.parse("fp32", quantization)


def runs_bf16_well(config: ModelConfig, halved: Precision, device: torch.device) -> bool:
    """Whether a GPU multiplies bf16, a CPU is faster in it, or a pass is bound by the bytes that it reads."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return runs_fused(config, halved, device, asked=None) or (device.type == "cpu" and cpu_multiplies_bf16())


@cache
def cpu_multiplies_bf16() -> bool:
    """Whether bf16 products are native to this CPU and clearly faster than fp32 ones."""
    if not torch.cpu.get_capabilities().get("avx512_bf16", False):
        return False
    return _probe_seconds(torch.float32) > WORTH_IT * _probe_seconds(torch.bfloat16)


@torch.inference_mode()
def _probe_seconds(dtype: torch.dtype) -> float:
    """Median seconds of one decoding-sized product."""
    generator = torch.Generator().manual_seed(0)
    kernel = PackedKernel(torch.randn(PROBE_SIDE, PROBE_SIDE, generator=generator).to(dtype), None)
    rows = torch.ones(ROW_COUNTS[0], PROBE_SIDE, dtype=dtype)
    kernel(rows)
    seconds: list[float] = []
    for _ in range(PROBE_RUNS):
        started = time.perf_counter()
        kernel(rows)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
