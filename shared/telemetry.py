"""Structured logging: one JSON object per line for machines, or short lines for people.

No line contains a secret or a value that a client sent, not even in tracebacks: see `shared.error_words`.
"""

import json
import logging
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from shared.error_words import traceback_of, without_secrets, words_of
from shared.settings import LogSettings
from shared.tracing.contexts import trace_ids

STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",  # uvicorn's copy of its message for terminals
}

CHATTY = ("httpx2", "httpcore2", "botocore", "boto3", "urllib3")
"""Libraries that log every request; only their warnings are logged."""

ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

logger = logging.getLogger(__name__)

bound: ContextVar[Mapping[str, Any]] = ContextVar("bound", default={})  # noqa: B039  (never changed in place)


@contextmanager
def log_context(**fields: Any) -> Generator[None]:
    """Add fields, such as job_id and attempt, to every log line inside the block."""
    token = bound.set({**bound.get(), **fields})
    try:
        yield
    finally:
        bound.reset(token)


def extra_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Fields of the log call, of its context and of its trace; exceptions as `words_of` describes them."""
    own = {name: value for name, value in vars(record).items() if name not in STANDARD_FIELDS}
    return {
        name: words_of(value) if isinstance(value, BaseException) else value
        for name, value in {**bound.get(), **trace_ids(), **own}.items()
    }


class DiscreetFormatter(logging.Formatter):
    """Formats log lines without secrets, and tracebacks without values."""

    def formatException(self, ei: ErrorInfo) -> str:  # noqa: N802  (logging's name)
        """The traceback of `exc_info`."""
        return traceback_of(ei[1]) if ei[1] is not None else ""


class JsonFormatter(DiscreetFormatter):
    """Formats each log line as a JSON object."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """The log line."""
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
        return without_secrets(json.dumps(line, default=str))


class PlainFormatter(DiscreetFormatter):
    """Formats log lines for people: `12:34:56 INFO message key=value`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """The line without its traceback."""
        fields = "".join(f" {name}={value}" for name, value in extra_fields(record).items())
        return super().formatMessage(record) + fields

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback below it."""
        return without_secrets(super().format(record))


def configure_logging(service: str, settings: LogSettings, *, json_lines: bool, level: str = "INFO") -> None:
    """Write the log lines of all loggers to standard error in one format; called once when a process starts.

    json_lines: whether to log JSON if the setting is "auto".
    """
    as_json = json_lines if settings.format == "auto" else settings.format == "json"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(service) if as_json else PlainFormatter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.excepthook = log_the_end
    threading.excepthook = log_the_end_of_a_thread


def log_the_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A `sys.excepthook` that logs without values; Python's own would print them."""
    if isinstance(error, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logger.critical("the process ended with an unhandled exception", exc_info=error)


def log_the_end_of_a_thread(death: threading.ExceptHookArgs) -> None:
    """A `threading.excepthook` that logs without values."""
    if death.exc_value is not None and death.exc_type is not SystemExit:
        name = death.thread.name if death.thread else None
        logger.error(
            "a thread ended with an unhandled exception", exc_info=death.exc_value, extra={"died": name}
        )
