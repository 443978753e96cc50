"""Load the transformer of a model folder for training, of all weights or of an adapter."""

from functools import partial
from pathlib import Path

import torch
from torch.utils.checkpoint import checkpoint

from services.worker.engine.loading.weight_streaming import load_transformer
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.transformer import Transformer
from training.distributed import Workers
from training.transformer.lora import add_lora


def load_for_training(
    folder: Path, workers: Workers, *, lora: int | None, bf16: bool, recompute: bool, seed: int
) -> Transformer:
    """The model in training mode; weights to train require gradients.

    lora: rank of a new adapter, which alone is trained; None trains all weights.
    bf16: weights that are not trained may be kept in bfloat16.
    recompute: keep only each layer's input for the backward pass and compute the rest again.
    Raises EngineError if the folder cannot be loaded.
    """
    is_frozen_bf16 = lora is not None and bf16 and workers.count == 1
    # with several workers, each reads the whole model into CPU memory and later keeps its shard
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
            # layers draw no random numbers, so no generator state has to be saved
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)
    return model
