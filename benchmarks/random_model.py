"""Write models with random weights in the public layout: `python -m benchmarks.random_model --parameters 2b`.

Only one file of weights is in memory at a time, so that a small machine can write billions of parameters.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import torch
from safetensors.torch import save_file

from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig
from services.worker.engine.loading.checkpoint import INDEX_FILE, WEIGHTS_FILE, Shape, expected_shapes
from services.worker.engine.model.config import ModelConfig

PUBLIC_SET = Path(__file__).parents[1] / "tests" / "golden" / "public"
TOKENIZER_FILES = PUBLIC_SET / "transformer"
IMAGE_CODES, FULL_IMAGE_CODES = 4096, 16_384
IMAGE_TOKENIZER_FILE = "movqgan_270M.ckpt"
SPREAD = 0.02
"""Standard deviation of a random weight."""
SHARD_BYTES = 500_000_000
"""Largest size of a file of weights, unless a single weight is larger."""
CONFIG: dict[str, Any] = {
    "architectures": ["ChameleonForConditionalGeneration"],
    "model_type": "chameleon",
    "vocab_size": 8192,
    "hidden_size": 1024,
    "intermediate_size": 2816,
    "num_hidden_layers": 12,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
}


SMALL = {
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
}
"""Changes of CONFIG for about nine million parameters: a small picture takes a fraction of a second."""

TWO_BILLION = {
    "vocab_size": 171_392,
    "max_position_embeddings": 10_240,
    "hidden_size": 2048,
    "intermediate_size": 5504,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "mask_image_logits": True,
    "torch_dtype": "bfloat16",
}
"""Changes of CONFIG for 2.3 billion parameters with the public vocabulary: 4.6 GB in bf16."""


def write_benchmark_model(folder: Path, *, seed: int = 0, changes: Mapping[str, Any] | None = None) -> None:
    """Write a model of 171 million parameters: hidden 1024, 12 layers, 16 heads, 8,192 ids, 4,096 codes.

    changes: entries that replace those of config.json.
    """
    config = _write_config(folder, changes or {})
    write_text_tokenizer(folder, IMAGE_CODES)
    (folder / "generation_config.json").write_text('{"image_sizes": "any"}', encoding="utf-8")
    save_file(dict(_random_weights(config, seed)), folder / WEIGHTS_FILE)


def write_full_model(
    folder: Path,
    *,
    changes: Mapping[str, Any] = TWO_BILLION,
    image_tokenizer: MoVQGANConfig | None = None,
    shard_bytes: int = SHARD_BYTES,
    seed: int = 0,
) -> None:
    """Write a folder like a published one: sharded weights, their index, and the image tokenizer's `.ckpt`.

    changes: entries that replace those of CONFIG, the model of 171 million parameters.
    image_tokenizer: by default the published MoVQGAN 270M; the model gets as many image codes as it has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    image_tokenizer = image_tokenizer or MoVQGANConfig.preset("270M")
    config = _write_config(folder, changes)
    write_text_tokenizer(folder, image_tokenizer.n_embed)
    _write_shards(folder, config, shard_bytes, seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.save(MoVQGAN(image_tokenizer).state_dict(), folder / IMAGE_TOKENIZER_FILE)


def write_text_tokenizer(folder: Path, image_codes: int) -> None:
    """Write the fixture's text tokenizer, extended to `image_codes` image codes."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(TOKENIZER_FILES / name, folder / name)
    tokenizer = json.loads((TOKENIZER_FILES / "tokenizer.json").read_text(encoding="utf-8"))
    added = tokenizer["added_tokens"]
    codes = [token for token in added if token["content"].startswith("<MOVQGAN")]
    first, known = min(token["id"] for token in codes), len(codes)
    for code in range(known, image_codes):
        added.append({**codes[0], "id": first + code, "content": f"<MOVQGAN{code}>"})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")


def _write_config(folder: Path, changes: Mapping[str, Any]) -> ModelConfig:
    config = {**CONFIG, **changes}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return ModelConfig.from_dict(config)


def _random_weights(config: ModelConfig, seed: int) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield every weight with its name, in the configuration's dtype."""
    generator = torch.Generator().manual_seed(seed)
    for name, shape in expected_shapes(config).items():
        weight = torch.empty(shape, dtype=config.torch_dtype)
        if "norm" in name:
            yield name, weight.fill_(0 if name.endswith("bias") else 1)
        else:
            yield name, weight.normal_(std=SPREAD, generator=generator)


def _write_shards(folder: Path, config: ModelConfig, shard_bytes: int, seed: int) -> None:
    """Write numbered files of weights and their index, in transformers' layout."""
    groups = _shards(expected_shapes(config), shard_bytes // config.torch_dtype.itemsize)
    files = [f"model-{number + 1:05d}-of-{len(groups):05d}.safetensors" for number in range(len(groups))]
    weights, total = _random_weights(config, seed), 0
    for file, names in zip(files, groups, strict=True):
        shard = dict(next(weights) for _ in names)
        save_file(shard, folder / file, metadata={"format": "pt"})
        total += sum(weight.nbytes for weight in shard.values())
    placement = {name: file for file, names in zip(files, groups, strict=True) for name in names}
    index = {"metadata": {"total_size": total}, "weight_map": placement}
    (folder / INDEX_FILE).write_text(json.dumps(index), encoding="utf-8")


def _shards(shapes: Mapping[str, Shape], numbers: int) -> list[list[str]]:
    """Divide the weights' names, in order, into files of at most `numbers` numbers each."""
    groups: list[list[str]] = [[]]
    room = numbers
    for name, shape in shapes.items():
        size = torch.Size(shape).numel()
        if groups[-1] and size > room:
            groups.append([])
            room = numbers
        groups[-1].append(name)
        room -= size
    return groups


@click.command()
@click.option(
    "--parameters", type=click.Choice(["9m", "171m", "2b"]), required=True, help="Number of parameters."
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder. [default: model-SIZE]")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same weights.")
def main(*, parameters: str, out: Path | None, seed: int) -> None:
    """Write a model folder with random weights; 2b includes a MoVQGAN 270M and needs 5.7 GB of disk."""
    folder = out or Path(f"model-{parameters}")
    folder.mkdir(parents=True, exist_ok=True)
    if parameters == "2b":
        write_full_model(folder, seed=seed)
    else:
        write_benchmark_model(folder, seed=seed, changes=SMALL if parameters == "9m" else None)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    click.echo(f"{folder}: {size / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
