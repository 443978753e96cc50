"""Where the fused decoder runs, and where it is worth its start."""

from typing import Final

import torch

from services.worker.engine.config import ModelConfig
from services.worker.engine.errors import PrecisionError
from services.worker.engine.precision import Precision, Quantization

HEAD_STEP: Final = 16
"""Heads must be whole pairs of vectors."""

WORTH_BYTES: Final = 128 << 20
"""Weights below which a picture is drawn before the compiled code is loaded (or, the first time, made)."""


def obstacle(config: ModelConfig, precision: Precision, device: torch.device) -> str | None:
    """Why a model cannot run fused here, or None."""
    features = torch.cpu.get_capabilities()
    if device.type != "cpu":
        return "it is for the CPU"
    if not (features.get("avx2") and features.get("fma3", True)):
        return "this CPU has no AVX2"
    if precision.dtype not in {torch.float32, torch.bfloat16} or precision.quantization is Quantization.NF4:
        return f"it does not know {precision.name}"
    if config.head_dim % HEAD_STEP:
        return f"heads of {config.head_dim} numbers are not a multiple of {HEAD_STEP}"
    return None


def runs_fused(
    config: ModelConfig, precision: Precision, device: torch.device, *, asked: bool | None
) -> bool:
    """Whether to fuse: as asked, or where it can and the model is large enough.

    Raises PrecisionError where it is asked for and cannot be.
    """
    reason = obstacle(config, precision, device)
    if asked and reason:
        raise PrecisionError(f"the fused decoder cannot run this model: {reason}")
    if asked is not None:
        return asked
    return reason is None and weight_bytes(config) >= WORTH_BYTES


def weight_bytes(config: ModelConfig) -> int:
    """Bytes of all products of the layers in float32."""
    heads = config.num_attention_heads + config.num_key_value_heads
    attention = 2 * heads * config.head_dim
    return 4 * config.num_hidden_layers * config.hidden_size * (attention + 3 * config.intermediate_size)
