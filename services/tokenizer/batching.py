"""Dynamic batching: items of the same shape that arrive within a short time run as one batch."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.tokenizer.errors import ServiceBusyError

Item = TypeVar("Item")
Result = TypeVar("Result")

SMOOTHING = 0.8
"""Weight of the old value in the moving average of seconds per item."""
FIRST_GUESS_SECONDS = 0.1
"""Seconds per item until the first batch is measured."""


def nobody_listens() -> None:
    """Default of `on_start`: does nothing."""


@dataclass(frozen=True)
class Member(Generic[Item, Result]):
    """One item of a batch, and the future on which its caller waits."""

    item: Item
    result: asyncio.Future[Result]
    on_start: Callable[[], None]


class Batch(Generic[Item, Result]):
    """Items of one shape that run together. If a caller is canceled before the start, its item is removed."""

    def __init__(self) -> None:
        self.members: list[Member[Item, Result]] = []
        self.full = asyncio.Event()
        self.opened = time.monotonic()
        self.started = False
        self.task: asyncio.Task[None] | None = None


class Batcher(Generic[Item, Result]):
    """Collects items by shape and runs one batch at a time.

    A batch accepts items while another one is running, and for at least `batch_seconds` unless it is full.
    All state is used on the event loop only, so it needs no lock; the work itself runs in other threads.
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
        """run: returns one result for each item, in order. turn: a lock shared by batchers of one model."""
        self._work = run
        self._turn = turn
        self._max_batch = max_batch
        self._batch_seconds = batch_seconds
        self._max_waiting = max_waiting
        self._open: dict[Hashable, Batch[Item, Result]] = {}
        self._seconds_per_item = FIRST_GUESS_SECONDS
        self.waiting = 0
        """Number of submitted items that have no result yet, without canceled ones."""

    async def submit(
        self, shape: Hashable, item: Item, on_start: Callable[[], None] = nobody_listens
    ) -> Result:
        """Compute the item's result in a batch with others of its shape.

        on_start: called when the batch begins. If the caller is canceled before that, its item is removed;
        after that the batch continues, because its other items need it.
        Raises ServiceBusyError if too many items wait, and any exception of the work.
        """
        if self.waiting >= self._max_waiting:
            seconds = math.ceil(self.waiting * self._seconds_per_item)
            raise ServiceBusyError(self.waiting, max(1, seconds))
        batch = self._open.get(shape)
        if batch is None:
            batch = self._open[shape] = Batch()
            batch.task = asyncio.ensure_future(self._run(shape, batch))
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        member = Member(item, future, on_start)
        batch.members.append(member)
        if len(batch.members) == self._max_batch:
            del self._open[shape]
            batch.full.set()
        self.waiting += 1
        try:
            return await future
        except asyncio.CancelledError:
            if not batch.started:
                batch.members.remove(member)
                self.waiting -= 1
            raise

    async def _run(self, shape: Hashable, batch: Batch[Item, Result]) -> None:
        async with self._turn:
            left = batch.opened + self._batch_seconds - time.monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(batch.full.wait(), max(0.0, left))
            if self._open.get(shape) is batch:
                del self._open[shape]
            batch.started = True
            if batch.members:
                await self._run_members(batch.members)

    async def _run_members(self, members: list[Member[Item, Result]]) -> None:
        started = time.monotonic()
        for member in members:
            member.on_start()
        try:
            results = await self._work([member.item for member in members])
        except Exception as error:  # noqa: BLE001  (every caller of the batch gets it)
            for member in members:
                if not member.result.done():
                    member.result.set_exception(error)
        else:
            for member, result in zip(members, results, strict=True):
                if not member.result.done():
                    member.result.set_result(result)
            self._observe((time.monotonic() - started) / len(members))
        finally:
            self.waiting -= len(members)

    def _observe(self, seconds_per_item: float) -> None:
        self._seconds_per_item = SMOOTHING * self._seconds_per_item + (1 - SMOOTHING) * seconds_per_item
