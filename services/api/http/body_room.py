"""The memory budget of request bodies, over all requests.

A long body stays unread in its socket until all of it fits into the budget, so a body that has been started
can always be read to its end. One project gets at most half of the budget, so its uploads cannot block those
of other projects. Bodies that fit into a connection's own buffer are not counted: a job with a short prompt
never waits for pictures.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from services.api.problems.codes import Problem, ProblemCode

FREE_BYTES = 64 * 1024
"""Bytes that the HTTP server buffers for each connection in any case."""
WAIT_SECONDS = 10.0
RETRY_SECONDS = "5"


class BodyRoom:
    """Counts the bytes of bodies in memory, in total and for each owner (a project)."""

    def __init__(self, total_bytes: int, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._total = total_bytes
        self._wait_seconds = wait_seconds
        self._held = 0
        self._held_by: defaultdict[Any, int] = defaultdict(int)
        self._waiting: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def hold(self, owner: Any, size: int) -> AsyncGenerator[None]:
        """Reserve `size` bytes while the block runs. Raises Problem if they are not free in time."""
        if size <= FREE_BYTES:
            yield
            return
        try:
            async with asyncio.timeout(self._wait_seconds):
                while not self._fits(owner, size):
                    await self._next_change()
        except TimeoutError as error:
            raise busy("The gateway is reading as many large bodies as it can.") from error
        self._held += size
        self._held_by[owner] += size
        try:
            yield
        finally:
            self._held -= size
            self._held_by[owner] -= size
            if not self._held_by[owner]:
                del self._held_by[owner]
            self._tell_waiting()

    async def _next_change(self) -> None:
        change = asyncio.get_running_loop().create_future()
        self._waiting.append(change)
        await change

    def _tell_waiting(self) -> None:
        for change in self._waiting:
            if not change.done():
                change.set_result(None)
        self._waiting.clear()

    def _fits(self, owner: Any, size: int) -> bool:
        """Whether the body may be read now. If no other is being read, a body of any size may."""
        if not self._held:
            return True
        mine = self._held_by.get(owner, 0)
        return self._held + size <= self._total and (not mine or mine + size <= self._total // 2)


def busy(detail: str) -> Problem:
    """Problem of a valid request that the gateway has no capacity for at the moment."""
    return Problem(ProblemCode.GATEWAY_BUSY, detail, headers={"Retry-After": RETRY_SECONDS})
