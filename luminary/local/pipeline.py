"""Draw pictures with the engine and the image tokenizer in one process.

On the platform the two models run in separate services.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from luminary.local.folder_check import check_both, find_image_tokenizer, require_same_codes
from services.tokenizer.fingerprint import fingerprint, name_numerics
from services.tokenizer.image_codec import decode_grids, encode_pixels, read_pixels, write_png
from services.tokenizer.movqgan import MoVQGAN, load_movqgan
from services.worker.engine.engine import Engine, EngineOptions, kv_cache_tokens
from services.worker.engine.handle import Handle
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import SequencePlan, plan_sequence
from services.worker.engine.loading.load import LoadedModel, load_model
from services.worker.engine.loading.machine_memory import available_bytes
from services.worker.engine.loading.memory_plan import ModelNeed, check_memory, model_need
from services.worker.engine.loading.model_folder import check_model_folder
from services.worker.engine.loading.numerics import NumericsIdentity
from services.worker.engine.model.kv_cache import bytes_per_token
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling.filters import SamplingParameters
from services.worker.job.provenance import add_text, describe
from services.worker.model.identity import ModelIdentity
from shared.noise_keys import NoiseSecret
from shared.pictures.opening import open_image
from shared.token_grid import TokenGrid

MAX_INPUT_PIXELS = 64_000_000


@dataclass(frozen=True)
class Picture:
    """One drawn picture: its codes, and the image that the image tokenizer decoded from them."""

    image: Image.Image
    grid: TokenGrid
    index: int
    score: float
    forward_passes: int


class LocalPipeline:
    """A loaded decoder with its image tokenizer."""

    def __init__(
        self,
        loaded: LoadedModel,
        movqgan: MoVQGAN,
        options: EngineOptions | None = None,
        folder: Path | None = None,
    ) -> None:
        """folder: the decoder's folder, whose name is written into the pictures.

        Raises CheckpointError when decoder and image tokenizer do not belong together.
        """
        require_same_codes(loaded.vocabulary.image_code_count, movqgan.config.n_embed)
        self.loaded = loaded
        self.movqgan = movqgan
        self._options = options
        self._folder = folder

    @classmethod
    def load(
        cls,
        folder: Path,
        precision: Precision | None = None,
        options: EngineOptions | None = None,
        device: str | torch.device = "cpu",
        adapter: str | None = None,
        *,
        noise_secret: NoiseSecret | None = None,
    ) -> "LocalPipeline":
        """Load a model folder and its image tokenizer. Raises EngineError or MoVQGANError.

        adapter: name or path of a LoRA adapter that is merged into the weights. noise_secret: the secret of
        an installation, to draw its pictures again.
        """
        image_tokenizer = find_image_tokenizer(folder)
        check_both(folder, image_tokenizer)
        _check_memory(folder, precision or Precision(), torch.device(device))
        movqgan = load_movqgan(image_tokenizer, device=device)
        loaded = load_model(folder, precision, device, adapter=adapter, noise_secret=noise_secret)
        return cls(loaded, movqgan, options, folder)

    @cached_property
    def engine(self) -> Engine:
        """An engine for many requests; `draw` uses a new engine with a cache of the needed size instead."""
        return Engine(self.loaded, self._options)

    @property
    def default_size(self) -> PictureSize:
        """The model's default size from its generation_config.json; 768x768 if the file has none."""
        return self.loaded.default_size

    def encode(self, data: bytes, size: PictureSize) -> tuple[int, ...]:
        """Encode a picture file, scaled and cropped to `size`, into image codes. Raises ImageError."""
        pixels = read_pixels(data, max_pixels=MAX_INPUT_PIXELS, fit=(size.width, size.height))
        return encode_pixels(self.movqgan, pixels)[0].tokens

    def plan(self, request: PictureRequest) -> SequencePlan:
        """Plan the token sequence of a request. Raises PromptError."""
        return plan_sequence(self.loaded.vocabulary, self.loaded.text_tokenizer, request)

    def draw(
        self,
        request: PictureRequest,
        sampling: SamplingParameters,
        *,
        count: int = 1,
        speculative: bool = True,
        whole: bool = False,
        watch: Callable[[list[Handle]], None] | None = None,
    ) -> list[Picture]:
        """Draw `count` pictures of one request in one batch.

        whole: return the given panel above the result.
        watch: called with the handles of all pictures after every forward pass.
        """
        first = GenerationRequest(self.plan(request), sampling, speculative=speculative)
        tokens = kv_cache_tokens(self.loaded, first) * count
        _check_cache(self.loaded, tokens)
        engine = Engine(self.loaded, EngineOptions(kv_cache_tokens=tokens, max_sequences=count))
        handles = [engine.submit(replace(first, image=index)) for index in range(count)]
        while engine.step():
            if watch is not None:
                watch(handles)
        return list(self._pictures(handles, whole=whole))

    def png(self, picture: Picture, request: PictureRequest, sampling: SamplingParameters) -> bytes:
        """The picture as a PNG file, with the same metadata that the platform writes."""
        text = describe(
            request,
            sampling,
            image=picture.index,
            grid=picture.grid,
            model=self._made_with,
            partial=False,
        )
        return add_text(write_png(picture.image), text)

    @cached_property
    def numerics(self) -> NumericsIdentity:
        """The numerics identity of both models; a worker with an equal identity draws the same bits."""
        return self.loaded.numerics.with_image_tokenizer(name_numerics(self.movqgan))

    @cached_property
    def _made_with(self) -> dict[str, Any]:
        """The entries about the models in a picture's metadata."""
        name = "" if self._folder is None else self._folder.resolve().name
        identity = ModelIdentity(name, self.numerics, self.loaded.adapter)
        return {**identity.as_text(), "image_tokenizer": fingerprint(self.movqgan)}

    def _pictures(self, handles: list[Handle], *, whole: bool) -> Iterator[Picture]:
        for index, handle in enumerate(handles):
            grid = drawn_grid(handle, whole=whole)
            image = decode_grids(self.movqgan, [grid])[0]
            progress = handle.progress
            yield Picture(image, grid, index, progress.score, progress.forward_passes)


def check_image(data: bytes) -> None:
    """Decode a given picture, to report its errors before the model is loaded. Raises ImageError."""
    open_image(data, MAX_INPUT_PIXELS)


def drawn_grid(handle: Handle, *, whole: bool = False) -> TokenGrid:
    """The token grid of a finished request: the result panel, or with `whole` all panels."""
    codes = handle.whole_codes() if whole else handle.result_codes()
    columns = handle.finished_plan.shape.columns
    return TokenGrid(height=len(codes) // columns, width=columns, tokens=codes)


def _check_memory(folder: Path, precision: Precision, device: torch.device) -> None:
    """Raise MemoryShortageError if the weights do not fit into the free memory."""
    checked = check_model_folder(folder)
    need = model_need(checked.config, precision, checked.vocabulary.image_code_count)
    check_memory(need, available_bytes(device), 0, remedy="take --quant int8 or nf4, or --dtype bf16")


def _check_cache(loaded: LoadedModel, tokens: int) -> None:
    """Raise MemoryShortageError if a KV cache of `tokens` does not fit beside the loaded model."""
    size = bytes_per_token(loaded.config, loaded.precision.dtype)
    need = ModelNeed(weights=0, working=0, per_token=size)
    check_memory(need, available_bytes(loaded.device), tokens, remedy="draw fewer pictures, or smaller ones")
