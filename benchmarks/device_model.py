"""A model with the 7B's shape and random weights, created on a device without files of weights."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks.random_model import FULL_IMAGE_CODES, PUBLIC_SET, SPREAD, write_text_tokenizer
from services.worker.engine.kernels.acceleration import accelerate, kernel_for, plain_kernel_for
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.kernels.self_check import byte_products_are_exact, check_kernels
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.loading.numerics import name_numerics
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.transformer import Transformer

FULL_SIZE = PUBLIC_SET / "maps" / "chameleon_7b_shapes.json"


def load_full_size_model(
    precision: Precision, device: torch.device, changes: Mapping[str, Any] | None = None
) -> LoadedModel:
    """Create a model with the 7B's shape and random weights on the device.

    changes: entries that replace those of its config.json.
    """
    known = json.loads(FULL_SIZE.read_text(encoding="utf-8"))["config_used"]
    config = ModelConfig.from_dict({"model_type": "chameleon", **known, **(changes or {})})
    with tempfile.TemporaryDirectory() as folder:
        write_text_tokenizer(Path(folder), FULL_IMAGE_CODES)
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
        numerics=name_numerics(model, precision, device, image_ids, weights="random", adapter=None),
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
