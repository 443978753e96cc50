"""Work that continues after its request has ended; its id is a hash of the request.

A large picture may take longer than any client waits for one response. So a response may be 202, and a
repeated request joins the work in progress or gets its result: nothing is computed twice. Work that has not
begun is dropped if no client has requested it for LEAVE_SECONDS. Everything here runs on the event loop.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

Result = TypeVar("Result")

KEEP_SECONDS = 120.0
"""Time for which a result is kept; after a lost response, clients repeat the request within seconds."""
KEEP_BYTES = 64 * 1024 * 1024
"""Memory for kept results; above it, the oldest are dropped."""
LEAVE_SECONDS = 15.0
"""Time without a request after which work that has not begun is dropped."""
ID_DIGITS = 40


def work_id(operation: str, *parts: bytes) -> str:
    """`decode-` and a hash of everything that decides the result; equal for equal requests."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return f"{operation}-{digest.hexdigest()[:ID_DIGITS]}"


@dataclass
class Undertaking(Generic[Result]):
    """One piece of work, and the number of requests that wait for it."""

    id: str
    task: asyncio.Task[Result] = field(init=False)
    accepted: float = field(default_factory=time.monotonic)
    started: float | None = None
    """`time.monotonic()` when the model began; None before that."""
    watchers: int = 0
    """Number of requests that wait for the result."""
    timer: asyncio.TimerHandle | None = None

    @property
    def state(self) -> Literal["queued", "running"]:
        """`running` after the model has begun, `queued` before."""
        return "queued" if self.started is None else "running"

    @property
    def running_seconds(self) -> float:
        """Seconds since the model began; 0 before that."""
        return 0.0 if self.started is None else time.monotonic() - self.started

    @property
    def queued_seconds(self) -> float:
        """Seconds from the first request until the model began, or until now."""
        return (time.monotonic() if self.started is None else self.started) - self.accepted

    def begin(self) -> None:
        """Note that the model has begun."""
        self.started = time.monotonic()

    def keep_for(self, seconds: float, then: Callable[[], None]) -> None:
        """Call `then` after `seconds`; replaces an earlier timer."""
        self.stay()
        self.timer = asyncio.get_running_loop().call_later(seconds, then)

    def stay(self) -> None:
        """Cancel the timer of `keep_for`."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Ongoing(Generic[Result]):
    """All undertakings of the service, by id."""

    def __init__(
        self,
        size_of: Callable[[Result], int],
        *,
        leave_seconds: float = LEAVE_SECONDS,
        keep_seconds: float = KEEP_SECONDS,
        keep_bytes: int = KEEP_BYTES,
    ) -> None:
        """size_of: memory of a result in bytes."""
        self._size_of = size_of
        self._leave_seconds = leave_seconds
        self._keep_seconds = keep_seconds
        self._keep_bytes = keep_bytes
        self._known: dict[str, Undertaking[Result]] = {}
        self._kept: dict[str, int] = {}
        """Memory of each finished undertaking in bytes, oldest first."""

    def join(
        self, name: str, begin: Callable[[Callable[[], None]], Coroutine[Any, Any, Result]]
    ) -> Undertaking[Result]:
        """The undertaking with this id; a new one is started if there is none.

        begin: makes the coroutine of the work; its argument must be called when the model begins.
        """
        known = self._known.get(name)
        if known is not None:
            return known
        one = Undertaking[Result](name)
        one.task = asyncio.ensure_future(begin(one.begin))
        self._known[name] = one
        one.task.add_done_callback(lambda _: self._ended(one))
        return one

    def find(self, name: str) -> Undertaking[Result] | None:
        """The undertaking with this id; None if it is unknown or was dropped."""
        return self._known.get(name)

    async def wait(
        self, one: Undertaking[Result], seconds: float | None, client_left: asyncio.Future[Any]
    ) -> bool:
        """Wait for the work's end, for `seconds` at most, or until the client leaves; True if it ended."""
        one.watchers += 1
        if not one.task.done():
            one.stay()
        try:
            await asyncio.wait({one.task, client_left}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            one.watchers -= 1
            if not one.watchers and not one.task.done():
                one.keep_for(self._leave_seconds, lambda: self._abandon(one))
        return one.task.done()

    def result(self, one: Undertaking[Result]) -> Result:
        """The result of ended work. Raises its exception if it failed; the next request then retries it."""
        if one.task.cancelled() or one.task.exception() is not None:
            self._forget(one)
        return one.task.result()

    def close(self) -> None:
        """Cancel and drop all work."""
        for one in list(self._known.values()):
            one.task.cancel()
            self._forget(one)

    def _abandon(self, one: Undertaking[Result]) -> None:
        """Drop work that no request waits for; a computation that has begun cannot be stopped."""
        if not one.watchers and one.started is None:
            one.task.cancel()
            self._forget(one)

    def _ended(self, one: Undertaking[Result]) -> None:
        if one.task.cancelled() or self._known.get(one.id) is not one:
            self._forget(one)
            return
        failed = one.task.exception() is not None
        self._kept[one.id] = 0 if failed else self._size_of(one.task.result())
        one.keep_for(self._keep_seconds, lambda: self._forget(one))
        while sum(self._kept.values()) > self._keep_bytes and len(self._kept) > 1:
            self._forget(self._known[next(iter(self._kept))])

    def _forget(self, one: Undertaking[Result]) -> None:
        one.stay()
        if self._known.get(one.id) is one:
            del self._known[one.id]
            self._kept.pop(one.id, None)
