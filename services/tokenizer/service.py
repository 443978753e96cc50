"""The four things the tokenizer does, between bytes and token grids; no HTTP."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor

from services.tokenizer.batching import Batcher
from services.tokenizer.fingerprint import fingerprint
from services.tokenizer.image_codec import decode_grids, encode_pixels, read_pixels, write_png
from services.tokenizer.mask import read_mask
from services.tokenizer.metrics import Metrics
from services.tokenizer.movqgan import MoVQGAN
from services.tokenizer.movqgan.errors import CodeRangeError
from services.tokenizer.preprocessing import Size
from services.tokenizer.preview import shrink, whole_canvas
from services.tokenizer.settings import TokenizerServiceSettings
from shared.token_grid import TokenGrid

Value = TypeVar("Value")


class TokenizerService:
    """One model on one thread, fed in batches; pictures are read and written on a few others."""

    def __init__(self, model: MoVQGAN, settings: TokenizerServiceSettings, metrics: Metrics) -> None:
        self.name = fingerprint(model)
        self.codes = model.config.n_embed
        self.cell = model.config.downsampling
        self._model = model
        self._max_pixels = settings.max_pixels
        self._metrics = metrics
        self._model_thread = ThreadPoolExecutor(1, "model")
        self._picture_threads = ThreadPoolExecutor(settings.picture_threads, "pictures")
        turn = asyncio.Lock()
        limits = {"max_batch": settings.max_batch, "max_waiting": settings.max_waiting}
        self._encoder = Batcher[Tensor, TokenGrid](
            self._encode_batch, turn, batch_seconds=settings.batch_seconds, **limits
        )
        self._decoder = Batcher[TokenGrid, Image.Image](
            self._decode_batch, turn, batch_seconds=settings.batch_seconds, **limits
        )
        metrics.waiting.labels("encode").set_function(lambda: self._encoder.waiting)
        metrics.waiting.labels("decode").set_function(lambda: self._decoder.waiting)

    async def encode(self, data: bytes, fit: int | Size) -> TokenGrid:
        """The token grid of a picture file. Raises ImageError, PixelShapeError or ServiceBusyError.

        fit: exact (width, height), or the side of the square whose area the best size comes close to.
        """
        with self._metrics.timed("encode"):
            pixels = await self._with_picture(lambda: read_pixels(data, max_pixels=self._max_pixels, fit=fit))
            return await self._encoder.submit(tuple(pixels.shape), pixels)

    async def decode(self, grid: TokenGrid) -> bytes:
        """The picture as PNG. Raises CodeRangeError or ServiceBusyError."""
        with self._metrics.timed("decode"):
            picture = await self._picture_of(grid)
            return await self._with_picture(lambda: write_png(picture))

    async def preview(self, grid: TokenGrid, rows: int, longest_side: int) -> bytes:
        """PNG of a picture of `rows` token rows of which `grid` has the first; small, the rest grey."""
        with self._metrics.timed("preview"):
            picture = await self._picture_of(grid)
            return await self._with_picture(
                lambda: write_png(shrink(whole_canvas(picture, grid, rows), longest_side))
            )

    async def mask(self, data: bytes, size: Size) -> list[list[bool]]:
        """Rows of cells that are white in a mask. Raises ImageError."""
        with self._metrics.timed("mask"):
            return await self._with_picture(
                lambda: read_mask(data, max_pixels=self._max_pixels, size=size, cell=self.cell)
            )

    def close(self) -> None:
        """End the threads after what they are doing."""
        self._model_thread.shutdown()
        self._picture_threads.shutdown()

    async def _picture_of(self, grid: TokenGrid) -> Image.Image:
        # checked before it is batched, so that a bad grid cannot fail the good ones beside it
        if max(grid.tokens) >= self.codes:
            raise CodeRangeError(f"token {max(grid.tokens)} is outside the codebook of {self.codes} codes")
        return await self._decoder.submit((grid.height, grid.width), grid)

    async def _with_picture(self, work: Callable[[], Value]) -> Value:
        return await asyncio.get_running_loop().run_in_executor(self._picture_threads, work)

    async def _encode_batch(self, batch: list[Tensor]) -> list[TokenGrid]:
        return await self._with_model(
            "encode", len(batch), lambda: encode_pixels(self._model, torch.cat(batch))
        )

    async def _decode_batch(self, batch: list[TokenGrid]) -> list[Image.Image]:
        return await self._with_model("decode", len(batch), lambda: decode_grids(self._model, batch))

    async def _with_model(self, direction: str, size: int, work: Callable[[], Value]) -> Value:
        started = time.perf_counter()
        value = await asyncio.get_running_loop().run_in_executor(self._model_thread, work)
        self._metrics.batch_size.labels(direction).observe(size)
        self._metrics.model_seconds.labels(direction).observe(time.perf_counter() - started)
        return value
