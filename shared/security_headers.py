"""Headers on every answer that keep browsers from doing more with it than to show it to its reader.

Sources: OWASP HTTP Headers Cheat Sheet; RFC 6797 (Strict-Transport-Security).
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""A page that needs more, such as the API reference, sets its own policy."""
HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
"""Only for a service whose public address is https: browsers would refuse plain HTTP for a year."""


def security_headers(public_url: str = "") -> dict[str, str]:
    """The headers of a service with this address."""
    return SECURITY_HEADERS | (HTTPS_ONLY if public_url.lower().startswith("https://") else {})


class SecurityHeaders:
    """ASGI middleware: adds the headers that the application has not set itself."""

    def __init__(self, app: ASGIApp, public_url: str = "") -> None:
        self._app = app
        self._headers = security_headers(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application and add the headers to its answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
