"""An id for every request, which its response and its log lines contain."""

import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.problem_documents import REQUEST_ID_HEADER
from shared.telemetry import log_context

ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")
SCOPE_KEY = "luminary.request_id"


def choose_request_id(given: str | None) -> str:
    """The client's own id if it is short and has only safe characters, otherwise a new one."""
    return given if given and ACCEPTED.fullmatch(given) else uuid4().hex


def request_id_of(scope: Scope) -> str:
    """The id that RequestIds has chosen."""
    return scope.get(SCOPE_KEY) or uuid4().hex


class RequestIds:
    """ASGI middleware: gives each request an id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Choose the id, and add it to the log context and the response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = choose_request_id(Headers(scope=scope).get(REQUEST_ID_HEADER))
        scope[SCOPE_KEY] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with log_context(request_id=request_id):
            await self._app(scope, receive, send_with_id)
