"""Load a published model folder: config, tokenizer, weights streamed into their final form."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch

from services.worker.engine.acceleration import accelerate, kernel_for, plain_kernel_for
from services.worker.engine.adapters import Adapter, find_adapter, load_adapter
from services.worker.engine.checkpoint import open_checkpoint
from services.worker.engine.config import ModelConfig
from services.worker.engine.errors import CheckpointError
from services.worker.engine.fused.support import runs_fused
from services.worker.engine.precision import Precision
from services.worker.engine.self_check import CapabilityReport, byte_products_are_exact, check_kernels
from services.worker.engine.tasks import PictureSize
from services.worker.engine.text_tokenizer import TextTokenizer
from services.worker.engine.transformer import Transformer, checkpoint_name
from services.worker.engine.vocabulary import Vocabulary
from services.worker.engine.window import StepCosts

Value = TypeVar("Value")


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to run.

    image_ids: token ids of the image codes. ignored: weights of the checkpoint that the decoder does not
    need. capabilities: what was found true of the kernels on this machine. adapter: the name of the one
    that is merged in. default_size, default_guidance_scale: what generation_config.json recommends.
    """

    model: Transformer
    config: ModelConfig
    vocabulary: Vocabulary
    text_tokenizer: TextTokenizer
    precision: Precision
    device: torch.device
    image_ids: range
    ignored: tuple[str, ...]
    capabilities: CapabilityReport
    default_size: PictureSize
    default_guidance_scale: float
    adapter: str | None = None

    @cached_property
    def step_costs(self) -> StepCosts:
        """What passes take here. Engines learn it as they run, and the next one goes on from there."""
        return StepCosts(self.capabilities.pass_seconds, self.model.fewest_rows)


def load_model(
    folder: Path,
    precision: Precision | None = None,
    device: str | torch.device = "cpu",
    adapter: str | None = None,
    *,
    fused: bool | None = None,
) -> LoadedModel:
    """Read a folder of the public layout.

    adapter: the name or the path of one to merge in; see `find_adapter`. fused: whether the layers run in one
    compiled call; by default where that is possible and the model is large.
    Raises CheckpointError for incomplete or damaged files, VocabularyError for a tokenizer of another
    family, PrecisionError for a form that this device cannot run.
    """
    precision = precision or Precision()
    device = torch.device(device)
    config = ModelConfig.from_folder(folder)
    text_tokenizer = TextTokenizer.from_folder(folder)
    vocabulary = Vocabulary.from_names(
        text_tokenizer.token_ids, begin_name=text_tokenizer.begin_name, size=config.vocab_size
    )
    first = vocabulary.first_image_token
    image_ids = range(first, first + vocabulary.image_code_count)
    change = None if adapter is None else load_adapter(find_adapter(folder, adapter), config)
    model, ignored = load_transformer(folder, config, precision.dtype, device, change)
    if runs_fused(config, precision, device, asked=fused):
        # its compiler is loaded where it is needed
        from services.worker.engine.fused.loading import fuse

        capabilities = fuse(model, precision, image_ids)
    else:
        vnni = byte_products_are_exact()
        accelerate(
            model, kernel_for(precision, device, vnni=vnni), plain_kernel_for(precision, device), image_ids
        )
        capabilities = check_kernels(model, precision, device)
    return LoadedModel(
        model=model,
        config=config,
        vocabulary=vocabulary,
        text_tokenizer=text_tokenizer,
        precision=precision,
        device=device,
        image_ids=image_ids,
        ignored=ignored,
        capabilities=capabilities,
        default_size=default_size(folder),
        default_guidance_scale=default_guidance_scale(folder),
        adapter=None if change is None else change.name,
    )


def default_size(folder: Path) -> PictureSize:
    """`image_size` of generation_config.json, "WxH", where it is given; else the public model's 768x768."""
    return _recommended(folder, "image_size", "768x768", PictureSize.parse)


def default_guidance_scale(folder: Path) -> float:
    """`guidance_scale` of generation_config.json, where it is given; else the public model's 4."""
    return _recommended(folder, "guidance_scale", 4.0, float)


def _recommended(folder: Path, name: str, otherwise: object, parse: Callable[[Any], Value]) -> Value:
    """A value of generation_config.json. Raises CheckpointError for one that cannot be read."""
    file = folder / "generation_config.json"
    try:
        settings = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        value = settings.get(name)
        return parse(otherwise if value is None else value)
    except (ValueError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error


def load_transformer(
    folder: Path,
    config: ModelConfig,
    dtype: torch.dtype,
    device: torch.device,
    adapter: Adapter | None = None,
) -> tuple[Transformer, tuple[str, ...]]:
    """The decoder with plain weights, in evaluation mode, and the names of the weights it ignored."""
    checkpoint = open_checkpoint(folder, config)
    with torch.device("meta"):
        model = Transformer(config)
    names = {checkpoint_name(name): name for name, _ in model.named_parameters()}
    for public_name, stored in checkpoint.tensors():
        tensor = stored if adapter is None else adapter.merged(public_name, stored)
        _assign(model, names[public_name], tensor.to(device=device, dtype=dtype))
    if config.tie_word_embeddings:
        model.lm_head.weight = model.embed_tokens.weight
    return model.eval().requires_grad_(False), checkpoint.ignored


def _assign(model: Transformer, name: str, tensor: torch.Tensor) -> None:
    owner, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(owner), attribute, torch.nn.Parameter(tensor, requires_grad=False))
