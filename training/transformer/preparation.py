"""A model folder's transformer, made ready to be trained: all of it, or adapters alone."""

from functools import partial
from pathlib import Path

import torch
from torch.utils.checkpoint import checkpoint

from services.worker.engine.config import ModelConfig
from services.worker.engine.loading import load_transformer
from services.worker.engine.transformer import Transformer
from training.distributed import Workers
from training.transformer.lora import add_lora


def load_for_training(
    folder: Path, workers: Workers, *, lora: int | None, bf16: bool, recompute: bool, seed: int
) -> Transformer:
    """The model in training mode; what is to be trained requires gradients.

    lora: train fresh adapters of this rank only. bf16: what is not trained may be kept in bfloat16.
    recompute: keep each layer's input alone for the backward pass and compute the rest again.
    Raises EngineError for a folder that cannot be loaded.
    """
    is_frozen_bf16 = lora is not None and bf16 and workers.count == 1
    # many workers first read the whole model on the CPU, then keep a part of each layer
    device = workers.device if workers.count == 1 else torch.device("cpu")
    config = ModelConfig.from_folder(folder)
    model, _ = load_transformer(folder, config, torch.bfloat16 if is_frozen_bf16 else torch.float32, device)
    model.train()
    if lora is None:
        model.requires_grad_(True)
    else:
        add_lora(model, lora, seed)
    if recompute:
        for layer in model.layers:
            # no step draws random numbers, so there is no state of theirs to keep
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)
    return model
