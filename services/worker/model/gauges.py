"""Gauges that show the engine's state whenever metrics are asked for."""

from collections.abc import Mapping
from typing import Any

import torch

from services.worker.engine.engine import Engine
from services.worker.metrics import GPU_MEMORY, INFO, KV_CACHE, MOST_PICTURES, PICTURES


def show_engine(engine: Engine, described: Mapping[str, Any]) -> None:
    """Let the gauges read this engine. described: see `describe_model`."""
    scheduler, allocator = engine.scheduler, engine.cache.allocator
    PICTURES.labels("running").set_function(lambda: len(scheduler.running))
    PICTURES.labels("waiting").set_function(lambda: len(scheduler.waiting))
    MOST_PICTURES.set(scheduler.max_sequences)
    KV_CACHE.labels("all").set(allocator.capacity)
    KV_CACHE.labels("used").set_function(lambda: allocator.used)
    INFO.clear()
    INFO.labels(described["name"], described["precision"], engine.loaded.device.type).set(1)
    if engine.loaded.device.type == "cuda":
        show_gpu(engine.loaded.device)


def show_gpu(device: torch.device) -> None:
    """Let the gauges read this GPU's memory."""
    GPU_MEMORY.labels("all").set(torch.cuda.get_device_properties(device).total_memory)
    GPU_MEMORY.labels("allocated").set_function(lambda: torch.cuda.memory_allocated(device))
    GPU_MEMORY.labels("reserved").set_function(lambda: torch.cuda.memory_reserved(device))
