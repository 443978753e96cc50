"""Check that a model and its KV cache fit into the available memory, before any of it is allocated.

The figures are sums over the model's shapes. The size of the cache decides only how many pictures are drawn
at a time; no bit of a picture depends on it.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch

from services.worker.engine.errors import MemoryShortageError
from services.worker.engine.kernels.precision import Precision, Quantization
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.loading.checkpoint import PIECE_BYTES, expected_shapes
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.kv_cache import BLOCK_TOKENS, bytes_per_token, run_length
from services.worker.engine.row_shapes import MAX_ROWS

GIB: Final = 1 << 30
USUAL_TOKENS: Final = 65_536
"""Default size of the KV cache, if memory allows it and the model's pictures do not need more."""
PROMPT_TOKENS: Final = 512
"""Tokens that are reserved for a prompt, in addition to its picture."""
CODE_PIXELS: Final = 8
"""Width and height of a cell in pixels, in every public model."""
SHARE: Final = 0.7
"""Share of the memory left after the weights that the KV cache takes by default; other programs need some."""
BYTES_OF_A_WEIGHT = {Quantization.INT8: 1.0, Quantization.NF4: 0.5 + 4 / 64}
"""Bytes per weight, with scales: int8 has one per row, NF4 a float32 for 64 weights."""


@dataclass(frozen=True)
class ModelNeed:
    """Memory that a model needs in a precision, in bytes.

    weights: the loaded weights. working: activations of the widest pass, and buffers used while loading.
    per_token: one token of KV cache.
    """

    weights: int
    working: int
    per_token: int

    def total(self, kv_cache_tokens: int) -> int:
        """Bytes with a KV cache of this size."""
        return self.weights + self.working + kv_cache_tokens * self.per_token


def model_need(config: ModelConfig, precision: Precision, image_codes: int) -> ModelNeed:
    """Memory that a model of this configuration needs. image_codes: size of the image codebook."""
    size = precision.dtype.itemsize
    projection_bytes = BYTES_OF_A_WEIGHT.get(precision.quantization, float(size))
    shapes = expected_shapes(config)
    numbers = {name: math.prod(shape) for name, shape in shapes.items()}
    projections = sum(count for name, count in numbers.items() if name.endswith("_proj.weight"))
    others = sum(numbers.values()) - projections
    weights = int(projections * projection_bytes) + (others + image_codes * config.hidden_size) * size
    largest = max(numbers.values())
    # for each row: a few vectors of the hidden and the inner size, and logits with their noise and order
    row = 8 * config.hidden_size + 4 * config.intermediate_size + 6 * image_codes
    return ModelNeed(
        weights=weights,
        working=min(PIECE_BYTES, weights) + largest * size + 4 * MAX_ROWS * row,
        per_token=bytes_per_token(config, precision.dtype),
    )


def tokens_of_pictures(size: PictureSize, count: int) -> int:
    """KV cache tokens of `count` guided pictures, each below a given panel of the same size."""
    codes = 2 * (size.width // CODE_PIXELS + 1) * (size.height // CODE_PIXELS)
    return 2 * count * run_length(codes + PROMPT_TOKENS)


def choose_kv_cache_tokens(need: ModelNeed, available: int | None, size: PictureSize, pictures: int) -> int:
    """Size of the KV cache: enough for `pictures` guided pictures of `size`, or less if memory is short.

    available: bytes, or None if unknown; then memory does not limit the size.
    Raises MemoryShortageError if not even one such picture fits.
    """
    wanted = max(USUAL_TOKENS, tokens_of_pictures(size, pictures))
    if available is None:
        return wanted
    room = int(SHARE * max(0, available - need.weights - need.working)) // need.per_token
    tokens = min(wanted, room - room % BLOCK_TOKENS)
    least = tokens_of_pictures(size, 1)
    if tokens < least:
        check_memory(need, available, least)
        return least
    return tokens


def check_memory(
    need: ModelNeed, available: int | None, kv_cache_tokens: int, *, remedy: str | None = None
) -> None:
    """Raise MemoryShortageError if the model needs more memory than is available.

    The error is one line that names the setting to change. remedy: advice that replaces this one.
    """
    total = need.total(kv_cache_tokens)
    if available is None or total <= available:
        return
    cache = kv_cache_tokens * need.per_token
    raise MemoryShortageError(
        f"{_gib(total)} of memory are needed, {_gib(available)} are available: weights {_gib(need.weights)}, "
        f"KV cache {_gib(cache)} for {kv_cache_tokens} tokens, working memory {_gib(need.working)}; "
        + (remedy or _remedy(need, available))
    )


def _remedy(need: ModelNeed, available: int) -> str:
    room = (available - need.weights - need.working) // need.per_token
    room -= room % BLOCK_TOKENS
    if room >= 2 * BLOCK_TOKENS:
        return f"set WORKER_KV_CACHE_TOKENS to {room} or less"
    return "set WORKER_QUANTIZATION=int8 (or nf4), WORKER_DTYPE=bf16, or use a machine with more memory"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"


def is_memory_refusal(error: BaseException) -> bool:
    """Whether an error means that an allocation failed, on the CPU or on a device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == 12  # ENOMEM, from mmap
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
