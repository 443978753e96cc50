"""The object storage for coroutines: calls run in a thread pool, and fail at once during an outage.

A frozen storage neither answers nor closes connections, so each call blocks a thread until its timeout. These
threads are used for the storage alone, so readiness and other work continue. A call that fails or takes long
starts a health check of the storage; if that fails, further calls are refused until a health check succeeds.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

from shared.outages import Outage
from shared.settings import StorageSettings
from shared.storage import ObjectMissingError, ObjectStorage, StorageError, StorageTimes, StoredObject

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

TIMES = StorageTimes(connect_seconds=2.0, read_seconds=10.0, attempts=2)
"""Shorter than the worker's: a client is waiting for the response, and can repeat its request."""
THREADS = 16
"""Calls at the same time; one SeaweedFS server or one prefix at Amazon S3 handles them easily."""
MOST_WAITING = 64
"""Calls that may wait for a thread; each keeps a picture in memory."""
LONG_SECONDS = 2.0
"""A call that takes longer starts a health check; for a large picture, taking longer is normal."""
ASK_SECONDS = 1.0
"""Pause between two health checks while they fail."""


class StorageCalls:
    """`ObjectStorage` with coroutines as methods. Each may raise StorageError."""

    def __init__(self, settings: StorageSettings) -> None:
        self._storage = ObjectStorage(settings, TIMES)
        self._threads = ThreadPoolExecutor(THREADS, "storage")
        self._asking_thread = ThreadPoolExecutor(1, "storage life")
        self._outage = Outage(logger, "the object storage")
        self._is_away = False
        self._calls: set[asyncio.Task[Any]] = set()
        self._asking: asyncio.Task[None] | None = None

    @property
    def in_progress(self) -> int:
        """Number of calls that have not ended, including those whose client has disconnected."""
        return len(self._calls)

    async def put_image(self, folder: str, data: bytes, media_type: str) -> StoredObject:
        """Store a picture in its folder."""
        return await self._call(lambda: self._storage.put_image(folder, data, media_type))

    async def put_once(self, key: str, data: bytes, media_type: str) -> bool:
        """Write the object unless the key exists; whether it was written."""
        return await self._call(lambda: self._storage.put_once(key, data, media_type))

    async def get(self, key: str) -> bytes:
        """The object's bytes. Raises ObjectMissingError if there is no such object."""
        return await self._call(lambda: self._storage.get(key), though_away=self._storage.has_copies)

    async def get_range(self, key: str, start: int, size: int) -> bytes:
        """Bytes of the object from an offset, `size` at most. Raises ObjectMissingError."""
        return await self._call(lambda: self._storage.get_range(key, start, size))

    async def delete(self, key: str) -> None:
        """Delete the object; a missing object is no error."""
        await self._call(lambda: self._storage.delete(key))

    def is_reachable(self) -> bool:
        """Whether the bucket answers soon. Blocks; uses separate connections."""
        return self._storage.is_reachable()

    async def close(self) -> None:
        """End the threads; calls that block end at their timeouts."""
        if self._asking is not None:
            self._asking.cancel()
        for threads in (self._threads, self._asking_thread):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _call(self, work: Callable[[], Value], *, though_away: bool = False) -> Value:
        """though_away: call even if the bucket does not answer, because copies of it may."""
        if (self._is_away and not though_away) or len(self._calls) >= THREADS + MOST_WAITING:
            raise StorageError("the object storage does not answer; no further call is made for now")
        # In a separate task: a disconnect does not end the thread, so the call must stay counted.
        task = asyncio.ensure_future(self._run(work))
        self._calls.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def _run(self, work: Callable[[], Value]) -> Value:
        loop = asyncio.get_running_loop()
        too_long = loop.call_later(LONG_SECONDS, self._suspect)
        try:
            return await loop.run_in_executor(self._threads, copy_context().run, work)
        except ObjectMissingError:
            raise
        except StorageError:
            self._suspect()
            raise
        finally:
            too_long.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved here, because a cancelled caller does not

    def _suspect(self) -> None:
        """Start a health check unless one is running."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._ask())

    async def _ask(self) -> None:
        """Repeat the health check until it succeeds."""
        loop = asyncio.get_running_loop()
        started = time.monotonic()
        while not await loop.run_in_executor(self._asking_thread, self._storage.answers):
            self._is_away = True
            self._outage.failed("the health check failed", started)
            await asyncio.sleep(ASK_SECONDS)
            started = time.monotonic()
        self._is_away = False
        self._outage.answered()
