"""Read the weights of a checkpoint into a decoder, and convert each layer as soon as it is complete.

At most one layer is in its original form at a time, so loading needs only the memory of the loaded model and
of one piece of a file.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from services.worker.engine.errors import CheckpointError
from services.worker.engine.loading.adapters import Adapter
from services.worker.engine.loading.checkpoint import open_checkpoint
from services.worker.engine.loading.freed_memory import give_back_freed_memory
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.transformer import DecoderLayer, Transformer, checkpoint_name

TakeLayer = Callable[[int, DecoderLayer], None]
"""Called with the index of a layer and the layer, once all of its weights are loaded."""


def load_transformer(
    folder: Path,
    config: ModelConfig,
    dtype: torch.dtype,
    device: torch.device,
    adapter: Adapter | None = None,
    *,
    take_layer: TakeLayer | None = None,
) -> tuple[Transformer, tuple[str, ...]]:
    """Load the decoder, in evaluation mode; also returns the names of the ignored weights.

    take_layer: converts or packs each complete layer; without it layers keep their original form. Raises
    CheckpointError for a folder that is incomplete or damaged, or has weights that are NaN or infinite.
    """
    checkpoint = open_checkpoint(folder, config)
    with torch.device("meta"):
        model = Transformer(config)
    names = {checkpoint_name(name): name for name, _ in model.named_parameters()}
    missing = Counter(index for name in names.values() if (index := _layer_index(name)) is not None)

    def final_form(name: str, stored: Tensor) -> Tensor:
        final = stored if adapter is None else adapter.merged(name, stored)
        return final.to(device=device, dtype=dtype, copy=final is stored)

    for name, stored_in, weight in checkpoint.tensors(final_form):
        _refuse_non_finite(name, stored_in, weight, adapter)
        own_name = names[name]
        _assign(model, own_name, weight)
        index = _layer_index(own_name)
        if index is None:
            continue
        missing[index] -= 1
        if not missing[index] and take_layer is not None:
            take_layer(index, cast("DecoderLayer", model.layers[index]))
            give_back_freed_memory()
    if config.tie_word_embeddings:
        model.lm_head.weight = model.embed_tokens.weight
    give_back_freed_memory()
    return model.eval().requires_grad_(False), checkpoint.ignored


def _layer_index(parameter: str) -> int | None:
    """Layer of a parameter: 3 for `layers.3.mlp.down_proj.weight`, None for one outside of the layers."""
    section, _, rest = parameter.partition(".")
    return int(rest.partition(".")[0]) if section == "layers" else None


def _refuse_non_finite(name: str, file: Path, weight: Tensor, adapter: Adapter | None) -> None:
    """Raise CheckpointError with the file's name for NaN and infinity, which would give black pictures."""
    least, most = weight.aminmax()
    if torch.isfinite(least) and torch.isfinite(most):
        return
    if adapter is not None and name in adapter.factors:
        raise CheckpointError(f"{name} is not finite with the adapter {adapter.name} in {weight.dtype}")
    raise CheckpointError(f"{file.name}: {name} contains NaN, or numbers too large for {weight.dtype}")


def _assign(model: Transformer, name: str, tensor: Tensor) -> None:
    owner, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(owner), attribute, torch.nn.Parameter(tensor, requires_grad=False))
