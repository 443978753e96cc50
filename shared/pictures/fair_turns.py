"""A semaphore that is shared fairly between keys: a key with many requests does not delay the others."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager

from shared.pictures.errors import DecodersBusyError

Waiter = asyncio.Future[None]


class FairTurns:
    """A number of turns, at most `per_key` of them for one key; waiting keys are served in rotation.

    All methods run on the event loop, so no lock is needed.
    """

    def __init__(self, turns: int, per_key: int, most_waiting: int) -> None:
        """most_waiting: requests of one key that may wait; further ones are refused."""
        self._free = turns
        self._per_key = per_key
        self._most_waiting = most_waiting
        self._held = Counter[Hashable]()
        self._waiting: OrderedDict[Hashable, deque[Waiter]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, key: Hashable) -> AsyncGenerator[None]:
        """Hold a turn while the block runs. Raises DecodersBusyError if too many of the key are waiting."""
        await self._take(key)
        try:
            yield
        finally:
            self._give_back(key)

    async def _take(self, key: Hashable) -> None:
        queue = self._waiting.setdefault(key, deque())
        if len(queue) >= self._most_waiting:
            raise DecodersBusyError(f"{len(queue)} pictures are already waiting to be decoded")
        waiter: Waiter = asyncio.get_running_loop().create_future()
        queue.append(waiter)
        self._serve()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._forget(key, waiter)
            else:
                # The turn was granted at the same moment as the request was canceled.
                self._give_back(key)
            raise

    def _give_back(self, key: Hashable) -> None:
        self._free += 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]
        self._serve()

    def _serve(self) -> None:
        """Grant free turns to the keys that have waited longest for one."""
        while self._free:
            eligible = [key for key in self._waiting if self._held[key] < self._per_key]
            if not eligible:
                return
            key = eligible[0]
            waiter = self._waiting[key].popleft()
            if self._waiting[key]:
                self._waiting.move_to_end(key)
            else:
                del self._waiting[key]
            if not waiter.done():
                self._free -= 1
                self._held[key] += 1
                waiter.set_result(None)

    def _forget(self, key: Hashable, waiter: Waiter) -> None:
        queue = self._waiting.get(key)
        if queue is not None and waiter in queue:
            queue.remove(waiter)
            if not queue:
                del self._waiting[key]
