"""A random-weight model of the size that the published comparison uses, in the public folder layout."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from services.worker.engine.checkpoint import expected_shapes
from services.worker.engine.config import ModelConfig

TOKENIZER_FILES = Path(__file__).parents[1] / "tests" / "golden" / "public" / "transformer"
IMAGE_CODES = 4096
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
"""Of about nine million parameters: draws a small picture in a fraction of a second."""


def write_benchmark_model(folder: Path, *, seed: int = 0, changes: Mapping[str, Any] | None = None) -> None:
    """171 million parameters: hidden 1024, 12 layers, 16 heads, 8,192 ids, 4,096 of them image codes.

    changes: other entries of config.json.
    """
    config = {**CONFIG, **(changes or {})}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    _write_tokenizer(folder)
    generator = torch.Generator().manual_seed(seed)
    weights: dict[str, torch.Tensor] = {}
    for name, shape in expected_shapes(ModelConfig.from_dict(config)).items():
        if "norm" in name:
            weights[name] = torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
        else:
            weights[name] = torch.randn(shape, generator=generator) * 0.02
    save_file(weights, folder / "model.safetensors")


def _write_tokenizer(folder: Path) -> None:
    """The fixture's tokenizer with more image codes behind its last one."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(TOKENIZER_FILES / name, folder / name)
    tokenizer = json.loads((TOKENIZER_FILES / "tokenizer.json").read_text(encoding="utf-8"))
    added = tokenizer["added_tokens"]
    codes = [token for token in added if token["content"].startswith("<MOVQGAN")]
    first, known = min(token["id"] for token in codes), len(codes)
    for code in range(known, IMAGE_CODES):
        added.append({**codes[0], "id": first + code, "content": f"<MOVQGAN{code}>"})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
