"""Model folders of the public layout: written from a transformer, or copied with new weights."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors.torch
import torch
from tokenizers import Tokenizer
from torch import Tensor

from services.worker.engine.layout.text_tokenizer import DEFAULT_BEGIN_NAME
from services.worker.engine.layout.vocabulary import IMAGE_END_NAME
from services.worker.engine.loading.adapters import ADAPTERS_FOLDER
from services.worker.engine.loading.checkpoint import INDEX_FILE, WEIGHTS_FILE
from services.worker.engine.model.config import CONFIG_FILE, ModelConfig
from services.worker.engine.model.transformer import Transformer, checkpoint_name
from services.worker.model.card import CARDS
from training.transformer.text_vocabulary import write_tokenizer

GUIDANCE = 2.0
"""Recommended guidance scale, at which the tiny model makes the fewest errors."""
GENERATION_FILE = "generation_config.json"


def write_model_folder(
    folder: Path,
    model: Transformer,
    tokenizer: Tokenizer,
    movqgan: Path,
    *,
    image_size: str,
    other_sizes: Sequence[str] = (),
) -> None:
    """Write everything that the engine loads, and a copy of the image tokenizer `movqgan`.

    image_size: "WxH" of the model's default picture size. other_sizes: more sizes that it is trained for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    begin, end = (tokenizer.token_to_id(name) for name in (DEFAULT_BEGIN_NAME, IMAGE_END_NAME))
    _write_json(
        folder / CONFIG_FILE, {**_public_config(model.config), "bos_token_id": begin, "eos_token_id": end}
    )
    settings = {
        "bos_token_id": begin,
        "eos_token_id": end,
        "do_sample": True,
        "image_size": image_size,
        "image_sizes": [image_size, *other_sizes],
        "panel_sizes": [image_size, *other_sizes],
        "guidance_scale": GUIDANCE,
    }
    _write_json(folder / GENERATION_FILE, settings)
    write_tokenizer(tokenizer, folder)
    shutil.copytree(movqgan, folder / "movqgan", dirs_exist_ok=True)
    write_weights(folder, dict(model.named_parameters()), model.config.torch_dtype)


def write_weights(folder: Path, parameters: dict[str, Tensor], dtype: torch.dtype) -> None:
    """Write model.safetensors from the parameters of a `Transformer`, under their public names.

    A head that is tied to the embedding is left out, as in the public layout.
    """
    tensors = {
        checkpoint_name(name): value.detach().to(dtype).contiguous() for name, value in parameters.items()
    }
    safetensors.torch.save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})


def copy_with_weights(source: Path, folder: Path, parameters: dict[str, Tensor]) -> None:
    """Copy a model folder with new weights, without adapters and cards, which belong to the old ones."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.is_dir() and file.name != ADAPTERS_FOLDER:
            shutil.copytree(file, folder / file.name, dirs_exist_ok=True)
        elif file.is_file() and file.suffix != ".safetensors" and file.name not in {INDEX_FILE, *CARDS}:
            shutil.copy2(file, folder / file.name)
    write_weights(folder, parameters, ModelConfig.from_folder(source).torch_dtype)


def _public_config(config: ModelConfig) -> dict[str, object]:
    """Content of config.json as transformers writes it for this architecture."""
    return {
        "architectures": ["ChameleonForConditionalGeneration"],
        "model_type": "chameleon",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "max_position_embeddings": config.max_position_embeddings,
        "model_parallel_size": config.model_parallel_size,
        "hidden_act": "silu",
        "rms_norm_eps": config.rms_norm_eps,
        "rope_theta": config.rope_theta,
        "rope_scaling": None,
        "swin_norm": config.swin_norm,
        "attention_bias": config.attention_bias,
        "mlp_bias": config.mlp_bias,
        "tie_word_embeddings": config.tie_word_embeddings,
        "mask_image_logits": config.mask_image_logits,
        "torch_dtype": str(config.torch_dtype).removeprefix("torch."),
    }


def _write_json(file: Path, document: Mapping[str, object]) -> None:
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
