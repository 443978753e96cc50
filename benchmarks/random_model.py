"""Random-weight models: of the published comparison's size as a public folder, of full size on a device."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from services.worker.engine.acceleration import accelerate, kernel_for, plain_kernel_for
from services.worker.engine.checkpoint import expected_shapes
from services.worker.engine.config import ModelConfig
from services.worker.engine.loading import LoadedModel
from services.worker.engine.precision import Precision
from services.worker.engine.self_check import byte_products_are_exact, check_kernels
from services.worker.engine.tasks import PictureSize
from services.worker.engine.text_tokenizer import TextTokenizer
from services.worker.engine.transformer import Transformer
from services.worker.engine.vocabulary import Vocabulary

PUBLIC_SET = Path(__file__).parents[1] / "tests" / "golden" / "public"
TOKENIZER_FILES = PUBLIC_SET / "transformer"
IMAGE_CODES, FULL_IMAGE_CODES = 4096, 16_384
FULL_SIZE = PUBLIC_SET / "maps" / "chameleon_7b_shapes.json"
SPREAD = 0.02
"""Standard deviation of a random weight."""
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
    _write_tokenizer(folder, IMAGE_CODES)
    generator = torch.Generator().manual_seed(seed)
    weights: dict[str, torch.Tensor] = {}
    for name, shape in expected_shapes(ModelConfig.from_dict(config)).items():
        if "norm" in name:
            weights[name] = torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
        else:
            weights[name] = torch.randn(shape, generator=generator) * SPREAD
    save_file(weights, folder / "model.safetensors")


def load_full_size_model(
    precision: Precision, device: torch.device, changes: Mapping[str, Any] | None = None
) -> LoadedModel:
    """The 7B's shape with random weights, made on the device and never on a disk.

    changes: other entries of its config.json.
    """
    known = json.loads(FULL_SIZE.read_text(encoding="utf-8"))["config_used"]
    config = ModelConfig.from_dict({"model_type": "chameleon", **known, **(changes or {})})
    with tempfile.TemporaryDirectory() as folder:
        _write_tokenizer(Path(folder), FULL_IMAGE_CODES)
        text = TextTokenizer.from_folder(Path(folder))
    vocabulary = Vocabulary.from_names(text.token_ids, begin_name=text.begin_name, size=config.vocab_size)
    first = vocabulary.first_image_token
    image_ids = range(first, first + vocabulary.image_code_count)
    model = _random_transformer(config, precision.dtype, device)
    kernel = kernel_for(precision, device, vnni=byte_products_are_exact())
    accelerate(model, kernel, plain_kernel_for(precision, device), image_ids)
    return LoadedModel(
        model=model,
        config=config,
        vocabulary=vocabulary,
        text_tokenizer=text,
        precision=precision,
        device=device,
        image_ids=image_ids,
        ignored=(),
        capabilities=check_kernels(model, precision, device),
        default_size=PictureSize(768, 768),
        default_guidance_scale=4.0,
    )


def _random_transformer(config: ModelConfig, dtype: torch.dtype, device: torch.device) -> Transformer:
    with torch.device("meta"):
        model = Transformer(config)
    generator = torch.Generator(device).manual_seed(0)
    for name, parameter in list(model.named_parameters()):
        weight = torch.empty(parameter.shape, dtype=dtype, device=device)
        if "norm" in name:
            weight.fill_(0 if name.endswith("bias") else 1)
        else:
            weight.normal_(std=SPREAD, generator=generator)
        owner, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(owner), attribute, torch.nn.Parameter(weight, requires_grad=False))
    return model.eval()


def _write_tokenizer(folder: Path, image_codes: int) -> None:
    """The fixture's tokenizer with more image codes behind its last one."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(TOKENIZER_FILES / name, folder / name)
    tokenizer = json.loads((TOKENIZER_FILES / "tokenizer.json").read_text(encoding="utf-8"))
    added = tokenizer["added_tokens"]
    codes = [token for token in added if token["content"].startswith("<MOVQGAN")]
    first, known = min(token["id"] for token in codes), len(codes)
    for code in range(known, image_codes):
        added.append({**codes[0], "id": first + code, "content": f"<MOVQGAN{code}>"})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
