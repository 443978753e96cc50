"""Load a published model folder: configuration, tokenizer, and weights converted while they are read."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from services.worker.engine.fused.support import runs_fused
from services.worker.engine.kernels.acceleration import (
    accelerate_heads,
    accelerate_layer,
    kernel_for,
    plain_kernel_for,
)
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.kernels.self_check import CapabilityReport, byte_products_are_exact, check_kernels
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.text_tokenizer import TextTokenizer
from services.worker.engine.layout.vocabulary import Vocabulary
from services.worker.engine.loading.adapters import find_adapter, load_adapter
from services.worker.engine.loading.freed_memory import give_back_freed_memory
from services.worker.engine.loading.model_folder import check_model_folder
from services.worker.engine.loading.numerics import NumericsIdentity, name_numerics
from services.worker.engine.loading.weight_streaming import load_transformer
from services.worker.engine.loading.weights_fingerprint import fingerprint_adapter, fingerprint_model
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.transformer import DecoderLayer, Transformer
from services.worker.engine.sampling.noise import noise_name
from services.worker.engine.window import StepCosts
from shared.noise_keys import NoiseSecret


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to run.

    image_ids: token ids of the image codes. ignored: weights of the checkpoint that the decoder does not use.
    capabilities: results of the self-check on this machine. adapter: name of the merged adapter.
    default_size, default_guidance_scale: recommendations of generation_config.json.
    numerics: the numerics identity of its pictures. noise_secret: None for the noise of every installation.
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
    numerics: NumericsIdentity
    adapter: str | None = None
    noise_secret: NoiseSecret | None = None

    @cached_property
    def step_costs(self) -> StepCosts:
        """Estimated duration of passes; engines update it while they run, and share it."""
        return StepCosts(self.capabilities.pass_seconds, self.model.fewest_rows)


def load_model(
    folder: Path,
    precision: Precision | None = None,
    device: str | torch.device = "cpu",
    adapter: str | None = None,
    *,
    fused: bool | None = None,
    noise_secret: NoiseSecret | None = None,
) -> LoadedModel:
    """Load a model folder of the public layout.

    adapter: name or path of an adapter to merge; see `find_adapter`. fused: use the fused decoder; by default
    where it can run and the model is large. noise_secret: secret of the installation's noise.
    Raises CheckpointError for incomplete or damaged files, VocabularyError for a tokenizer of another
    family, PrecisionError for a precision that this device cannot run.
    """
    precision = precision or Precision()
    device = torch.device(device)
    checked = check_model_folder(folder)
    config, vocabulary = checked.config, checked.vocabulary
    first = vocabulary.first_image_token
    image_ids = range(first, first + vocabulary.image_code_count)
    change = None if adapter is None else load_adapter(find_adapter(folder, adapter), config)
    if runs_fused(config, precision, device, asked=fused):
        # import the compiler only where it is needed
        from services.worker.engine.fused.loading import LayerPacker

        packer = LayerPacker(precision)
        model, ignored = load_transformer(
            folder, config, precision.dtype, device, change, take_layer=packer.take
        )
        capabilities = packer.fuse(model, image_ids)
    else:
        make_kernel = kernel_for(precision, device, vnni=byte_products_are_exact())

        def take_layer(_: int, layer: DecoderLayer) -> None:
            accelerate_layer(layer, make_kernel)

        model, ignored = load_transformer(
            folder, config, precision.dtype, device, change, take_layer=take_layer
        )
        accelerate_heads(model, plain_kernel_for(precision, device), image_ids)
        capabilities = check_kernels(model, precision, device)
    numerics = name_numerics(
        model,
        precision,
        device,
        image_ids,
        weights=fingerprint_model(folder),
        adapter=None if adapter is None else fingerprint_adapter(find_adapter(folder, adapter)),
        noise=noise_name(noise_secret),
    )
    give_back_freed_memory()
    return LoadedModel(
        model=model,
        config=config,
        vocabulary=vocabulary,
        text_tokenizer=checked.text_tokenizer,
        precision=precision,
        device=device,
        image_ids=image_ids,
        ignored=ignored,
        capabilities=capabilities,
        numerics=numerics,
        default_size=checked.default_size,
        default_guidance_scale=checked.default_guidance_scale,
        adapter=None if change is None else change.name,
        noise_secret=noise_secret,
    )
