"""Searches for the watermark, one after the other in a thread of their own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from services.tokenizer.errors import ServiceBusyError
from services.tokenizer.watermark import Evidence, Place, WatermarkDetector
from services.tokenizer.wire import WatermarkBody
from shared.noise_keys import NoiseSecret
from shared.token_grid import TokenGrid

MOST_WAITING = 4
"""Searches that wait or run; each takes some seconds."""

RETRY_SECONDS = 10


class WatermarkSearches:
    """Runs a detector. Without a secret there is nothing to search for."""

    def __init__(self, secret: NoiseSecret | None) -> None:
        self._detector = None if secret is None else WatermarkDetector(secret)
        self._thread = ThreadPoolExecutor(1, "watermark")
        self._waiting = 0

    async def search(self, asked: WatermarkBody) -> Evidence | None:
        """The evidence in a grid; None without a secret. Raises TokenGridError or ServiceBusyError."""
        if self._detector is None:
            return None
        if self._waiting >= MOST_WAITING:
            raise ServiceBusyError(self._waiting, RETRY_SECONDS)
        grid = TokenGrid(asked.height, asked.width, tuple(asked.tokens))
        self._waiting += 1
        try:
            loop, known = asyncio.get_running_loop(), asked.known
            if known is None:
                return await loop.run_in_executor(self._thread, self._detector.detect, grid)
            place = Place(known.rows, known.columns, known.row, known.column)
            return await loop.run_in_executor(
                self._thread, self._detector.confirm, grid, known.seed, known.image, place
            )
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the thread after its current search."""
        self._thread.shutdown(wait=False, cancel_futures=True)
