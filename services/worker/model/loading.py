"""Create the engine for a model folder: check the folder, plan the memory, load the weights."""

import logging
from pathlib import Path

import torch

from services.worker.engine.engine import Engine, EngineOptions
from services.worker.engine.errors import MemoryShortageError
from services.worker.engine.loading.auto_precision import choose_device, choose_precision, remark_on_speed
from services.worker.engine.loading.load import load_model
from services.worker.engine.loading.machine_memory import available_bytes
from services.worker.engine.loading.memory_plan import (
    GIB,
    ModelNeed,
    check_memory,
    choose_kv_cache_tokens,
    is_memory_refusal,
    model_need,
)
from services.worker.engine.loading.model_folder import check_model_folder
from services.worker.model.picture_sizes import TrainedSizes, read_trained_sizes
from services.worker.settings import AUTO, GpuWorkerSettings
from shared.noise_keys import NoiseSecret

logger = logging.getLogger(__name__)


def load_engine(folder: Path, own: GpuWorkerSettings, noise_secret: NoiseSecret | None = None) -> Engine:
    """Load the model of a folder into an engine.

    Raises EngineError if the folder is damaged or does not fit into memory, before any weight is read.
    """
    device = choose_device(own.device)
    checked, sizes = check_model_folder(folder), read_trained_sizes(folder)
    precision = choose_precision(checked.config, own.dtype, own.quantization, device)
    if remark := remark_on_speed(precision, device):
        logger.warning(remark)
    need = model_need(checked.config, precision, checked.vocabulary.image_code_count)
    tokens = kv_cache_tokens(own, need, sizes, device)
    logger.info(
        "memory: %.1f GiB for weights, %.1f GiB for %d tokens of KV cache",
        need.weights / GIB,
        tokens * need.per_token / GIB,
        tokens,
    )
    options = EngineOptions(
        kv_cache_tokens=tokens,
        max_sequences=own.max_sequences,
        decode_share=own.decode_share,
        code_interval_seconds=own.code_interval_seconds,
    )
    try:
        return Engine(load_model(folder, precision, device, noise_secret=noise_secret), options)
    except (MemoryError, OSError, RuntimeError) as error:
        if not is_memory_refusal(error):
            raise
        raise MemoryShortageError(
            f"the model needs {need.total(tokens) / GIB:.1f} GiB of memory, which could not be allocated; "
            f"set WORKER_KV_CACHE_TOKENS below {tokens}, or WORKER_QUANTIZATION=int8"
        ) from error


def kv_cache_tokens(
    own: GpuWorkerSettings, need: ModelNeed, sizes: TrainedSizes, device: torch.device
) -> int:
    """Size of the KV cache in tokens: the setting, or a choice by memory and model if it is `auto`.

    Raises MemoryShortageError if the setting exceeds the memory.
    """
    available = available_bytes(device)
    if own.kv_cache_tokens == AUTO:
        largest = max(sizes.default_single, sizes.default_panel, key=lambda size: size.width * size.height)
        return choose_kv_cache_tokens(need, available, largest, own.max_sequences)
    check_memory(need, available, own.kv_cache_tokens)
    return own.kv_cache_tokens
