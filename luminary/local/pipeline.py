"""Text and pictures in, pictures out, all in one process: the engine and the image tokenizer together.

The only place outside the services where both models meet. The platform does the same over the wire.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image

from services.tokenizer.image_codec import decode_grids, encode_pixels, read_pixels
from services.tokenizer.movqgan import MoVQGAN, load_movqgan
from services.worker.engine.engine import Engine, EngineOptions, kv_cache_tokens
from services.worker.engine.errors import CheckpointError
from services.worker.engine.handle import Handle
from services.worker.engine.loading import LoadedModel, load_model
from services.worker.engine.precision import Precision
from services.worker.engine.prompts import PictureRequest
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling import SamplingParameters
from services.worker.engine.sequence_plan import SequencePlan, plan_sequence
from services.worker.engine.tasks import PictureSize
from shared.token_grid import TokenGrid

MAX_INPUT_PIXELS = 64_000_000
IMAGE_TOKENIZER_PLACES = ("movqgan", "movqgan_270M.ckpt", "movqgan/270M/movqgan_270M.ckpt")
"""Where a model folder keeps its image tokenizer, in the order they are tried."""


@dataclass(frozen=True)
class Picture:
    """One drawn picture: its tokens are the truth, the image is made from them."""

    image: Image.Image
    grid: TokenGrid
    index: int
    score: float
    forward_passes: int


class LocalPipeline:
    """A loaded model that draws."""

    def __init__(self, loaded: LoadedModel, movqgan: MoVQGAN, options: EngineOptions | None = None) -> None:
        """Raises CheckpointError when the two were not made for each other."""
        codes, entries = loaded.vocabulary.image_code_count, movqgan.config.n_embed
        if codes != entries:
            raise CheckpointError(
                f"the image tokenizer has {entries} codes, but the model draws {codes}: "
                "they were not made for each other"
            )
        self.loaded = loaded
        self.movqgan = movqgan
        self._options = options

    @classmethod
    def load(
        cls,
        folder: Path,
        precision: Precision | None = None,
        options: EngineOptions | None = None,
        device: str | torch.device = "cpu",
        adapter: str | None = None,
    ) -> "LocalPipeline":
        """Read a model folder with its image tokenizer. Raises EngineError or MoVQGANError.

        adapter: the name or the path of a LoRA adapter to merge in.
        """
        loaded = load_model(folder, precision, device, adapter=adapter)
        return cls(loaded, load_movqgan(find_image_tokenizer(folder), device=device), options)

    @cached_property
    def engine(self) -> Engine:
        """An engine for many requests; `draw` makes its own, just large enough."""
        return Engine(self.loaded, self._options)

    @property
    def default_size(self) -> PictureSize:
        """The size that the model was trained for, as its generation_config.json says; else 768x768."""
        return self.loaded.default_size

    def encode(self, data: bytes, size: PictureSize) -> tuple[int, ...]:
        """Image codes of a picture file, fitted to `size`. Raises ImageError."""
        pixels = read_pixels(data, max_pixels=MAX_INPUT_PIXELS, fit=(size.width, size.height))
        return encode_pixels(self.movqgan, pixels)[0].tokens

    def plan(self, request: PictureRequest) -> SequencePlan:
        """Lay a request out. Raises PromptError and its kin."""
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
        """Draw `count` pictures of one request, together.

        whole: hand the given panel back above the result, too.
        watch: called after every forward pass with the pictures' handles.
        """
        first = GenerationRequest(self.plan(request), sampling, speculative=speculative)
        tokens = kv_cache_tokens(self.loaded, first) * count
        engine = Engine(self.loaded, EngineOptions(kv_cache_tokens=tokens, max_sequences=count))
        handles = [engine.submit(replace(first, image=index)) for index in range(count)]
        while engine.step():
            if watch is not None:
                watch(handles)
        return list(self._pictures(handles, whole=whole))

    def describe(
        self, picture: Picture, request: PictureRequest, sampling: SamplingParameters
    ) -> dict[str, str]:
        """Everything needed to draw the picture again, but for the given picture, as PNG text chunks."""
        parameters = {
            "task": str(request.task),
            "prompt": request.prompt,
            "size": str(request.size),
            "map": None if request.map is None else str(request.map),
            "subject": request.subject,
            **asdict(sampling),
            "image": picture.index,
            "precision": self.loaded.precision.name,
            "adapter": self.loaded.adapter,
            "tokens_sha256": picture.grid.sha256(),
        }
        return {"Software": "Luminary", "Description": request.prompt, "luminary": json.dumps(parameters)}

    def _pictures(self, handles: list[Handle], *, whole: bool) -> Iterator[Picture]:
        for index, handle in enumerate(handles):
            grid = drawn_grid(handle, whole=whole)
            image = decode_grids(self.movqgan, [grid])[0]
            progress = handle.progress
            yield Picture(image, grid, index, progress.score, progress.forward_passes)


def drawn_grid(handle: Handle, *, whole: bool = False) -> TokenGrid:
    """The token grid of a finished request: its result, or the whole picture."""
    codes = handle.whole_codes() if whole else handle.result_codes()
    columns = handle.finished_plan.shape.columns
    return TokenGrid(height=len(codes) // columns, width=columns, tokens=codes)


def find_image_tokenizer(folder: Path) -> Path:
    """The image tokenizer inside a model folder. Raises FileNotFoundError naming where it was sought."""
    for place in IMAGE_TOKENIZER_PLACES:
        if (folder / place).exists():
            return folder / place
    raise FileNotFoundError(f"{folder} has no image tokenizer: none of {', '.join(IMAGE_TOKENIZER_PLACES)}")
