"""The longest body that is read; the refusal is a problem document, unlike the framework's own limit."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_TOO_LARGE = 413


class BodyLimit:
    """ASGI middleware: whoever reads too long a body gets an HTTPException before it is in memory."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what comes in; a length that the client announces is believed at once when it is too much."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        too_much = announced_length(scope) > self._max_bytes
        seen = 0

        async def receive_within_limit() -> Message:
            nonlocal seen
            if too_much:
                raise self._refusal()
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                raise self._refusal()
            return message

        await self._app(scope, receive_within_limit, send)

    def _refusal(self) -> HTTPException:
        return HTTPException(BODY_TOO_LARGE, f"The body has more than {self._max_bytes} bytes.")


def announced_length(scope: Scope) -> int:
    """Content-Length; 0 without one. HTTP servers refuse what is no number before it comes here."""
    text = Headers(scope=scope).get("content-length", "")
    return int(text) if text.isdecimal() else 0
