"""Limits of a request body's length and of the time it takes; a body too long is never held in memory."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.http.body_room import BodyRoom
from services.api.problems.codes import Problem, ProblemCode

CLOSE = {"Connection": "close"}


@dataclass(frozen=True)
class BodyLimits:
    """Limits of one body."""

    max_bytes: int
    idle_seconds: float
    """Longest pause between two chunks."""
    total_seconds: float
    """Longest time for the whole body."""
    too_large: ProblemCode = ProblemCode.BODY_TOO_LARGE
    """The problem of a longer body."""


@dataclass(frozen=True)
class BodyRule:
    """Limits of bodies, and the room that they share."""

    limits: BodyLimits
    room: BodyRoom


class BodyLimit:
    """ASGI middleware: reading a body that is too long or arrives too slowly raises Problem."""

    def __init__(
        self,
        app: ASGIApp,
        rule: BodyRule,
        rules: Mapping[str, BodyRule],
        owner_of: Callable[[Scope], UUID | None],
    ) -> None:
        """rules: for paths whose bodies have limits of their own."""
        self._app = app
        self._rule = rule
        self._rules = rules
        self._owner_of = owner_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reserve memory when the body is first read; free it on `release`, or when the request ends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        rule = self._rules.get(scope["path"], self._rule)
        body = IncomingBody(scope, receive, rule, self._owner_of(scope))
        scope[BODY] = body
        try:
            await self._app(scope, body.receive, send)
        finally:
            await body.release()
            del scope[BODY]  # a reference cycle: the body's `receive` belongs to an object that has the scope


class IncomingBody:
    """The body of one request while it is received."""

    def __init__(self, scope: Scope, receive: Receive, rule: BodyRule, owner: UUID | None) -> None:
        limits = rule.limits
        self._announced = announced_length(Headers(scope=scope))
        self._receive = receive
        self._limits = limits
        self._hold = rule.room.hold(owner, limits.max_bytes if self._announced is None else self._announced)
        self._began: float | None = None
        self._holding = False
        self._seen = 0
        self._whole = False

    async def receive(self) -> Message:
        """The next ASGI message. Raises Problem when the body is too long, too slow, or memory is short."""
        if self._whole:  # the only message after the body is `http.disconnect`
            return await self._receive()
        if self._began is None:
            await self._begin()
        message = await self._next_piece()
        self._seen += len(message.get("body", b""))
        if self._seen > self._limits.max_bytes:
            raise self._too_large()
        self._whole = message["type"] == "http.request" and not message.get("more_body", False)
        return message

    async def _begin(self) -> None:
        if (self._announced or 0) > self._limits.max_bytes:
            raise self._too_large()
        await self._hold.__aenter__()
        self._holding = True
        self._began = asyncio.get_running_loop().time()

    async def _next_piece(self) -> Message:
        began = self._began or 0.0
        left = began + self._limits.total_seconds - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(self._limits.idle_seconds, left)):
                return await self._receive()
        except TimeoutError as error:
            raise Problem(
                ProblemCode.REQUEST_TIMEOUT,
                f"The body did not arrive in time: a pause may last {self._limits.idle_seconds:g} s, the "
                f"whole body {self._limits.total_seconds:g} s.",
                param="body",
                headers=CLOSE,
            ) from error

    def _too_large(self) -> Problem:
        detail = f"The body has more than {self._limits.max_bytes} bytes."
        return Problem(self._limits.too_large, detail, param="body")

    async def release(self) -> None:
        """Free the reserved memory: the caller keeps no part of the body any more."""
        if self._holding:
            self._holding = False
            await self._hold.__aexit__(None, None, None)


BODY = "luminary.body"


def body_of(scope: Scope) -> IncomingBody:
    """The body of this request."""
    return scope[BODY]


def announced_length(headers: Headers) -> int | None:
    """Content-Length; None for a chunked body, whose length is unknown until its end."""
    if "transfer-encoding" in headers:
        return None
    text = headers.get("content-length", "")
    return int(text[:20]) if text.isdecimal() else 0
