"""Count requests and measure their time, by route and never by path: paths contain ids."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.http.metrics import Metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
"""Label of methods that no route has, and of paths without a route."""
PROBES = frozenset({"/health", "/healthz", "/ready", "/readyz", "/metrics"})
"""Routes that are asked for all the time, and would hide the others in every average."""


class RequestMetrics:
    """ASGI middleware, the outermost: it sees every answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure one request. One that ends without an answer has the status `none`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "none"

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = f"{message['status'] // 100}xx"
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            route = getattr(scope.get("route"), "path", OTHER)
            if route not in PROBES:
                method = scope["method"] if scope["method"] in METHODS else OTHER
                self._metrics.requests.labels(method, route, status).observe(time.perf_counter() - started)
