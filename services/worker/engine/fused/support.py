"""Conditions under which the fused decoder can run, and under which it is worth its start-up time."""

from typing import Final

import torch

from services.worker.engine.errors import PrecisionError
from services.worker.engine.kernels.precision import Precision, Quantization
from services.worker.engine.model.config import ModelConfig

HEAD_STEP: Final = 16
"""The head size must be a multiple of this: two vectors of eight numbers."""

WORTH_BYTES: Final = 128 << 20
"""Smallest model, in bytes of float32 weights, that is fused by default. A smaller one draws a picture in
less time than it takes to load the compiled code, or to compile it the first time."""


def obstacle(config: ModelConfig, precision: Precision, device: torch.device) -> str | None:
    """The reason why the fused decoder cannot run a model here, or None."""
    features = torch.cpu.get_capabilities()
    if device.type != "cpu":
        return "it runs on CPUs only"
    if not (features.get("avx2") and features.get("fma3", True)):
        return "this CPU has no AVX2"
    if precision.dtype not in {torch.float32, torch.bfloat16} or precision.quantization is Quantization.NF4:
        return f"it does not support {precision.name}"
    if config.head_dim % HEAD_STEP:
        return f"the head size {config.head_dim} is not a multiple of {HEAD_STEP}"
    return None


def runs_fused(
    config: ModelConfig, precision: Precision, device: torch.device, *, asked: bool | None
) -> bool:
    """Whether to use the fused decoder. asked: the operator's choice; None chooses by model size.

    Raises PrecisionError if the operator chose it and it cannot run here.
    """
    reason = obstacle(config, precision, device)
    if asked and reason:
        raise PrecisionError(f"the fused decoder cannot run this model: {reason}")
    if asked is not None:
        return asked
    return reason is None and weight_bytes(config) >= WORTH_BYTES


def weight_bytes(config: ModelConfig) -> int:
    """Bytes of the weights of all matrix products of the layers, in float32."""
    heads = config.num_attention_heads + config.num_key_value_heads
    attention = 2 * heads * config.head_dim
    return 4 * config.num_hidden_layers * config.hidden_size * (attention + 3 * config.intermediate_size)
