"""Requests of a project: per minute over all gateways, and at the same time in this one.

Source of the headers: draft-ietf-httpapi-ratelimit-headers-10.
"""

from collections import Counter
from typing import TYPE_CHECKING
from uuid import UUID

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.auth.middleware import caller_of
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.request_counts import WINDOW_SECONDS, Standing

if TYPE_CHECKING:
    from services.api.process.gateway import Gateway

RETRY_SECONDS = "1"


class RequestQuotas:
    """ASGI middleware, inside of `Authentication`: refuses requests above the limits of their project."""

    def __init__(self, app: ASGIApp, *, most_at_once: int, per_minute: int | None) -> None:
        """most_at_once: of one project, with its event streams. per_minute: for projects without a limit."""
        self._app = app
        self._most_at_once = most_at_once
        self._per_minute = per_minute
        self._open: Counter[UUID] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request. Raises Problem if the project has made too many."""
        caller = caller_of(scope) if scope["type"] == "http" else None
        if caller is None:
            await self._app(scope, receive, send)
            return
        project_id = caller.project_id
        if self._open[project_id] >= self._most_at_once:
            detail = f"The project has {self._most_at_once} requests in progress, which is its limit."
            raise Problem(ProblemCode.TOO_MANY_REQUESTS, detail, headers={"Retry-After": RETRY_SECONDS})
        self._open[project_id] += 1
        try:
            limit = caller.limits.requests_per_minute or self._per_minute
            if limit is None:
                await self._app(scope, receive, send)
            else:
                await self._count(scope, receive, send, project_id, limit)
        finally:
            self._open[project_id] -= 1
            if not self._open[project_id]:
                del self._open[project_id]

    async def _count(self, scope: Scope, receive: Receive, send: Send, project_id: UUID, limit: int) -> None:
        gateway: Gateway = scope["app"].state.gateway
        standing = await gateway.request_counts.count(project_id, limit)
        headers = headers_of(standing)
        if not standing.is_allowed:
            raise Problem(
                ProblemCode.TOO_MANY_REQUESTS,
                f"The project may make {limit} requests a minute.",
                headers={**headers, "Retry-After": str(standing.reset_seconds)},
            )

        async def send_with_standing(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._app(scope, receive, send_with_standing)


def headers_of(standing: Standing) -> dict[str, str]:
    """`RateLimit-Policy`: what is allowed; `RateLimit`: what is left, and for how many seconds."""
    return {
        "RateLimit-Policy": f'"requests";q={standing.limit};w={WINDOW_SECONDS}',
        "RateLimit": f'"requests";r={standing.remaining};t={standing.reset_seconds}',
    }
