"""Structured logging: one JSON object a line for machines, or short lines for people."""

import json
import logging
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from shared.settings import LogSettings

STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",  # uvicorn's copy of its message for terminals
}

bound: ContextVar[Mapping[str, Any]] = ContextVar("bound", default={})  # noqa: B039  (never changed in place)


@contextmanager
def log_context(**fields: Any) -> Generator[None]:
    """Add fields, such as job_id and attempt, to every line that is logged inside the block."""
    token = bound.set({**bound.get(), **fields})
    try:
        yield
    finally:
        bound.reset(token)


def extra_fields(record: logging.LogRecord) -> dict[str, Any]:
    """What the call and its context added to the message."""
    own = {name: value for name, value in vars(record).items() if name not in STANDARD_FIELDS}
    return {**bound.get(), **own}


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **extra_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class PlainFormatter(logging.Formatter):
    """`12:34:56 INFO message key=value`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """The line without its traceback."""
        fields = "".join(f" {name}={value}" for name, value in extra_fields(record).items())
        return super().formatMessage(record) + fields


def configure_logging(service: str, *, json_lines: bool, level: str = "INFO") -> None:
    """Send every logger of this process to standard error in one form; call once at the edge.

    `json_lines` decides unless LOG_FORMAT does.
    """
    chosen = LogSettings().format
    as_json = json_lines if chosen == "auto" else chosen == "json"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service) if as_json else PlainFormatter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
