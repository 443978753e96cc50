"""Dynamic batching: items of equal shape that meet within a moment are worked on as one batch."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from services.tokenizer.errors import ServiceBusyError

Item = TypeVar("Item")
Result = TypeVar("Result")

SMOOTHING = 0.8
"""Weight of the past in the running mean of seconds for an item."""
FIRST_GUESS_SECONDS = 0.1


class Batch(Generic[Item, Result]):
    """Items of one shape that run together; all of their callers await the same task."""

    def __init__(self, first: Item, run: Callable[["Batch[Item, Result]"], Awaitable[list[Result]]]) -> None:
        self.items = [first]
        self.full = asyncio.Event()
        self.opened = time.monotonic()
        self.task = asyncio.ensure_future(run(self))


class Batcher(Generic[Item, Result]):
    """Collects items by shape and runs one batch at a time.

    A batch stays open while another has the turn, and at least `batch_seconds` unless it is full before.
    All of this happens on the event loop, so no lock guards it; only the work itself is done elsewhere.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Awaitable[list[Result]]],
        turn: asyncio.Lock,
        *,
        max_batch: int,
        batch_seconds: float,
        max_waiting: int,
    ) -> None:
        """run: makes one result for each item, in order. turn: shared by batchers that share a model."""
        self._work = run
        self._turn = turn
        self._max_batch = max_batch
        self._batch_seconds = batch_seconds
        self._max_waiting = max_waiting
        self._open: dict[Hashable, Batch[Item, Result]] = {}
        self._seconds_per_item = FIRST_GUESS_SECONDS
        self.waiting = 0
        """Items that were taken and have no result yet."""

    async def submit(self, shape: Hashable, item: Item) -> Result:
        """The item's result, computed together with others of its shape.

        Raises ServiceBusyError when too many wait, and whatever the work raises.
        """
        if self.waiting >= self._max_waiting:
            seconds = math.ceil(self.waiting * self._seconds_per_item)
            raise ServiceBusyError(self.waiting, max(1, seconds))
        batch = self._open.get(shape)
        if batch is None:
            batch = self._open[shape] = Batch(item, lambda batch: self._run(shape, batch))
        else:
            batch.items.append(item)
        place = len(batch.items) - 1
        if len(batch.items) == self._max_batch:
            del self._open[shape]
            batch.full.set()
        self.waiting += 1
        try:
            # shielded: a caller that leaves must not take the others of its batch along
            results = await asyncio.shield(batch.task)
        finally:
            self.waiting -= 1
        return results[place]

    async def _run(self, shape: Hashable, batch: Batch[Item, Result]) -> list[Result]:
        async with self._turn:
            left = batch.opened + self._batch_seconds - time.monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(batch.full.wait(), max(0.0, left))
            if self._open.get(shape) is batch:
                del self._open[shape]
            started = time.monotonic()
            results = await self._work(batch.items)
            self._observe((time.monotonic() - started) / len(batch.items))
            return results

    def _observe(self, seconds_per_item: float) -> None:
        self._seconds_per_item = SMOOTHING * self._seconds_per_item + (1 - SMOOTHING) * seconds_per_item
