"""Header checks before all others: lengths, headers that must not repeat, no compressed bodies."""

from collections import Counter

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.problems.codes import Problem, ProblemCode

LONGEST_ADDRESS = 8 * 1024
LONGEST_HEADERS = 32 * 1024
ONCE = ("Authorization", "Idempotency-Key", "Content-Type", "Content-Length", "Content-Encoding", "Host")
"""Headers that must not repeat: proxies and servers differ in which of two values they use."""


class HeaderRules:
    """ASGI middleware: raises Problem for headers that are too long or ambiguous, or a compressed body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the headers, then call the application."""
        if scope["type"] == "http":
            check_length(scope)
            check_headers(Headers(scope=scope))
        await self._app(scope, receive, send)


def check_length(scope: Scope) -> None:
    """Raise Problem if the headers or the address are too long."""
    if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_ADDRESS:
        raise malformed(f"The path and its query have more than {LONGEST_ADDRESS} bytes.", "path")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > LONGEST_HEADERS:
        raise malformed(f"The headers have more than {LONGEST_HEADERS} bytes.", "headers")


def check_headers(headers: Headers) -> None:
    """Raise Problem for a repeated header, for two ways of giving the body's length, or for compression."""
    counts = Counter(name.lower() for name in headers.keys())  # noqa: SIM118  (a multi-dict: keys repeat)
    for name in ONCE:
        if counts[name.lower()] > 1:
            raise malformed(f"The header {name} occurs more than once.", name)
    if counts["content-length"] and counts["transfer-encoding"]:
        raise malformed("Send either Content-Length or Transfer-Encoding, not both.", "Transfer-Encoding")
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        raise Problem(
            ProblemCode.UNSUPPORTED_MEDIA_TYPE,
            f"The body is compressed (Content-Encoding: {encoding[:40]}); send it uncompressed.",
            param="Content-Encoding",
        )


def malformed(detail: str, param: str) -> Problem:
    """Problem of invalid headers."""
    return Problem(ProblemCode.MALFORMED_REQUEST, detail, param=param)
