"""One event stream: first the past, read in pages at the client's pace, then the present from the feed.

A client that reads too slowly misses events in the bounded buffer; the stream then reads them from the
database. The connection's own limit (`GATEWAY_BODY_IDLE_SECONDS`) ends a stream whose client stops reading.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing

from fastapi.sse import EventSourceResponse
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.api.events.feed import Feed
from services.api.events.messages import PING, Message, ending, opening
from services.api.events.position import Position
from services.api.events.subscription import Subscription
from services.api.http.head_requests import is_head
from shared.async_database import DATABASE_FAULTS

PING_SECONDS = 15.0
"""Longest silence on a stream; proxies close connections that are silent for longer."""
AGAIN_SECONDS = 1.0
"""Pause before the past is read again while the database does not answer."""
TOO_OLD = "open the stream again: its key is checked again then"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""No cache keeps a stream, and nginx passes each event on at once."""


class EventStream(EventSourceResponse):
    """The response; its place among the open streams is free when it ends, however it ends."""

    def __init__(
        self, feed: Feed, subscription: Subscription, history: str, start: Position, longest_seconds: float
    ) -> None:
        """start: the place after which the stream begins. longest_seconds: time after which it ends."""
        self._feed = feed
        self._subscription = subscription
        self._lines = StreamLines(feed, subscription, start, longest_seconds).read(history)
        super().__init__(self._lines, headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream. Raises Problem, before anything is sent, if too many are open."""
        if is_head(scope):
            await Response(headers=dict(self.headers))(scope, receive, send)
            return
        with self._feed.streams.entered(self._subscription):
            async with aclosing(self._lines):
                await super().__call__(scope, receive, send)


class StreamLines:
    """What is sent on one stream."""

    def __init__(
        self, feed: Feed, subscription: Subscription, start: Position, longest_seconds: float
    ) -> None:
        self._feed = feed
        self._subscription = subscription
        self._position = start
        self._ends_at = time.monotonic() + longest_seconds
        self._is_done = False
        """Whether the one job of the stream has ended, and its last event was sent."""

    async def read(self, history: str) -> AsyncGenerator[bytes]:
        """The lines from the opening to the end."""
        yield opening(history, self._position)
        while not self._is_done:
            reason = self._reason_to_end()
            if reason is not None:
                yield ending(reason)
                return
            async for line in self._past():
                yield line
            async for line in self._present():
                yield line

    async def _past(self) -> AsyncGenerator[bytes]:
        """Read from the database until nothing is left."""
        is_last = False
        while not is_last and not self._is_done and self._reason_to_end() is None:
            try:
                await self._feed.start()
                page = await self._feed.replay(self._subscription.subject, self._position)
            except DATABASE_FAULTS:
                yield PING
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            for line in self._texts(page.messages):
                yield line
            self._position, is_last = page.end, page.is_last

    async def _present(self) -> AsyncGenerator[bytes]:
        """Pass on what the feed offers, until some of it was missed."""
        while not self._is_done and self._reason_to_end() is None and not self._subscription.take_missed():
            if not await self._subscription.wait(min(PING_SECONDS, self._seconds_left())):
                yield PING
            messages, latest = self._subscription.take()
            for line in self._texts(messages):
                yield line
            for line in latest:
                yield line

    def _texts(self, messages: Sequence[Message]) -> Generator[bytes]:
        """The text of each message that the stream has not sent; the stream is then done after a last one."""
        for message in messages:
            if message.position <= self._position or self._is_done:
                continue
            self._position = message.position
            self._is_done = message.is_final and self._subscription.subject.job_id is not None
            if message.type in self._subscription.types:
                yield message.text

    def _seconds_left(self) -> float:
        return max(0.0, self._ends_at - time.monotonic())

    def _reason_to_end(self) -> str | None:
        if self._subscription.ending is None and self._seconds_left() == 0:
            self._subscription.end(TOO_OLD)
        return self._subscription.ending
