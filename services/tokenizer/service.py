"""The operations of the tokenizer service, without HTTP: encode, decode, preview, mask."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor

from services.tokenizer.batching import Batcher, nobody_listens
from services.tokenizer.fingerprint import fingerprint, name_numerics
from services.tokenizer.image_codec import decode_grids, encode_pixels, pixels_of_panel, write_png
from services.tokenizer.metrics import Metrics
from services.tokenizer.movqgan import MoVQGAN
from services.tokenizer.movqgan.errors import CodeRangeError
from services.tokenizer.pace import decode_seconds_per_code
from services.tokenizer.preview import shrink, whole_canvas
from services.tokenizer.settings import TokenizerServiceSettings
from shared.pictures.crop_sizes import Size
from shared.pictures.decoders import DecoderLimits, Decoders
from shared.pictures.mask_modes import MaskMode
from shared.pictures.masks import CellMask
from shared.token_grid import TokenGrid

Value = TypeVar("Value")


class TokenizerService:
    """Runs one model on one thread in batches. Processes decode picture files, threads write PNGs."""

    def __init__(self, model: MoVQGAN, settings: TokenizerServiceSettings, metrics: Metrics) -> None:
        self.name = fingerprint(model)
        self.numerics = name_numerics(model)
        # measured after the pass of name_numerics, which warms up the kernels
        self.decode_seconds_per_code = decode_seconds_per_code(model)
        self.codes = model.config.n_embed
        self.cell = model.config.downsampling
        self._model = model
        self._max_pixels = settings.max_pixels
        self._metrics = metrics
        self._model_thread = ThreadPoolExecutor(1, "model")
        self._picture_threads = ThreadPoolExecutor(settings.picture_threads, "pictures")
        self._decoders = Decoders(
            DecoderLimits(
                processes=settings.decoders,
                per_key=settings.decoders,
                most_waiting=settings.max_waiting,
                cpu_seconds=settings.decode_seconds,
            )
        )
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

    async def encode(
        self, data: bytes, fit: int | Size, on_start: Callable[[], None] = nobody_listens
    ) -> TokenGrid:
        """The token grid of a picture file. Raises ImageError, PixelShapeError or ServiceBusyError.

        fit: exact (width, height), or side of a square, to choose the best size with about that area.
        on_start: called when the model begins, also in the methods below.
        """
        with self._metrics.timed("encode"):
            pixels = pixels_of_panel(await self._decoders.fit(data, self._max_pixels, fit))
            return await self._encoder.submit(tuple(pixels.shape), pixels, on_start)

    async def decode(self, grid: TokenGrid, on_start: Callable[[], None] = nobody_listens) -> bytes:
        """The picture as PNG. Raises CodeRangeError or ServiceBusyError."""
        with self._metrics.timed("decode"):
            picture = await self._picture_of(grid, on_start)
            return await self._with_picture(lambda: write_png(picture))

    async def preview(
        self, grid: TokenGrid, rows: int, longest_side: int, on_start: Callable[[], None] = nobody_listens
    ) -> bytes:
        """A small PNG of a picture that has `rows` rows of codes; `grid` has the first, the rest is grey.

        Raises CodeRangeError or ServiceBusyError.
        """
        with self._metrics.timed("preview"):
            picture = await self._picture_of(grid, on_start)
            return await self._with_picture(
                lambda: write_png(shrink(whole_canvas(picture, grid, rows), longest_side))
            )

    async def mask(self, data: bytes, size: Size, mode: MaskMode) -> CellMask:
        """The cells that a mask frees. Raises ImageError."""
        with self._metrics.timed("mask"):
            return await self._decoders.read_mask(
                data, max_pixels=self._max_pixels, size=size, cell=self.cell, mode=mode
            )

    async def close(self) -> None:
        """End the decoder processes, and the threads after their current work."""
        await self._decoders.close()
        self._model_thread.shutdown()
        self._picture_threads.shutdown()

    async def _picture_of(self, grid: TokenGrid, on_start: Callable[[], None]) -> Image.Image:
        # checked before batching, because one invalid grid would fail the whole batch
        if max(grid.tokens) >= self.codes:
            raise CodeRangeError(f"token {max(grid.tokens)} is outside the codebook of {self.codes} codes")
        return await self._decoder.submit((grid.height, grid.width), grid, on_start)

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
