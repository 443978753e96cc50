"""Spans of HTTP requests, which FastAPI itself writes."""

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

UNTRACED = frozenset({"/health", "/healthz", "/ready", "/readyz", "/metrics"})
"""Paths that are requested every few seconds by probes and scrapers."""


def request_spans() -> "TelemetryConfig":
    """FastAPI's settings: one span for each request that a client sends, and nothing else.

    FastAPI's records of exceptions have their messages, which may contain values of clients, so they are off.
    """
    return {"tracing": True, "operation_spans": False, "metrics": False, "logs": False, "exclude": is_probe}


def is_probe(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request is not traced."""
    return scope.get("path") in UNTRACED
