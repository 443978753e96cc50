"""Write small random checkpoints in the public layout, for tests that need a model folder."""

import json
import math
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from services.worker.engine.loading.checkpoint import INDEX_FILE, WEIGHTS_FILE, expected_shapes
from services.worker.engine.model.config import CONFIG_FILE, ModelConfig

GOLDEN = Path(__file__).parents[2] / "golden/public/transformer"
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "generation_config.json",
)
SHARDS = 3


def write_checkpoint(
    folder: Path,
    *,
    seed: int = 0,
    sharded: bool = False,
    dtype: torch.dtype = torch.float32,
    **overrides: object,
) -> ModelConfig:
    """Write config.json, tokenizer and random weights into `folder`, which is created if necessary.

    The model is the golden one (hidden 64, 3 layers, 4 heads, 656 ids). overrides: entries of config.json
    that differ. sharded: write three files and an index instead of one file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = golden_document() | {"torch_dtype": str(dtype).removeprefix("torch.")} | overrides
    (folder / CONFIG_FILE).write_text(json.dumps(document))
    for name in TOKENIZER_FILES:
        shutil.copyfile(GOLDEN / name, folder / name)
    config = ModelConfig.from_dict(document)
    weights = random_weights(config, seed, dtype)
    if sharded:
        write_shards(folder, weights)
    else:
        save_file(weights, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    return config


def golden_document() -> dict[str, object]:
    """The golden config.json without its vocabulary map, which only the reference reads."""
    document = json.loads((GOLDEN / CONFIG_FILE).read_text())
    del document["vocabulary_map"]
    return document


def random_weights(config: ModelConfig, seed: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """Random weights that keep activations and logits near unit variance at any size."""
    generator = torch.Generator().manual_seed(seed)
    weights: dict[str, Tensor] = {}
    for name, shape in expected_shapes(config).items():
        noise = torch.randn(shape, generator=generator)
        if name.endswith("norm.weight"):
            weight = 1 + 0.1 * noise
        elif name.endswith(".bias"):
            weight = 0.1 * noise
        else:
            weight = noise / math.sqrt(shape[-1])
        weights[name] = weight.to(dtype)
    return weights


def write_shards(folder: Path, weights: dict[str, Tensor]) -> None:
    """Write the weights into numbered files, and an index that names the file of each weight."""
    names = [f"model-{number:05d}-of-{SHARDS:05d}.safetensors" for number in range(1, SHARDS + 1)]
    per_shard = math.ceil(len(weights) / SHARDS)
    placement = {name: names[place // per_shard] for place, name in enumerate(weights)}
    for file in names:
        shard = {name: weights[name] for name, place in placement.items() if place == file}
        save_file(shard, folder / file, metadata={"format": "pt"})
    total_size = sum(weight.nbytes for weight in weights.values())
    index = {"metadata": {"total_size": total_size}, "weight_map": placement}
    (folder / INDEX_FILE).write_text(json.dumps(index))
