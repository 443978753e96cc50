"""HEAD for every route with GET: the same response without its body. Source: RFC 9110, section 9.3.2."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = "luminary.head"


def is_head(scope: Scope) -> bool:
    """Whether the client has sent HEAD: a route whose body has no end must not begin it."""
    return bool(scope.get(HEAD))


class HeadAsGet:
    """ASGI middleware: routes see GET instead of HEAD, and the client gets only status and headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Turn HEAD into GET in the request, and drop the body of the response."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET", HEAD: True}, receive, send_without_body)
