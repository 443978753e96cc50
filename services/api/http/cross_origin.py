"""What pages of other origins may send and read (CORS), for the origins in GATEWAY_CORS_ORIGINS.

API keys travel in a header and never in cookies, so no credentials of a browser are involved.
"""

from typing import Any

CORS: dict[str, Any] = {
    "allow_credentials": False,
    "allow_methods": ["GET", "POST", "PUT", "PATCH", "DELETE"],
    "allow_headers": [
        *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"),
        *("Last-Event-ID", "Prefer", "X-Request-Id"),
    ],
    "expose_headers": [
        "ETag",
        "Expected-Bytes",
        "Location",
        "Preference-Applied",
        "Retry-After",
        "X-Request-Id",
    ],
    "max_age": 600,
}
"""Arguments of Starlette's middleware."""
