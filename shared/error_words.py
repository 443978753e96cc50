"""Descriptions of errors for logs, without values that a user or an operator has sent.

Drivers and validators put values into their messages: PostgreSQL's DETAIL contains the key of a duplicate
row, SQLAlchemy adds the parameters, Pydantic the input. Logs get the primary message and the SQLSTATE
instead. As a second protection, `without_secrets` is applied to every finished log line.
"""

import re
import traceback
from collections.abc import Iterator

import psycopg
from pydantic import ValidationError
from sqlalchemy.exc import StatementError

MOST_FAULTS = 5
"""Number of fields in the description of a validation error, and of errors shown of a group."""
MOST_LINKS = 10
"""Number of exceptions of one chain that a traceback shows."""
DATA_EXCEPTION = "22"
"""Class of SQLSTATEs whose message contains the value (`invalid input syntax for type uuid: "..."`)."""

SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/\"'<>\\]*@"), r"\1***@"),
    (re.compile(r"(?i)\b(https?://[^\s?#\"'<>\\]*)\?[^\s\"'<>\\]*"), r"\1?***"),
    (re.compile(r"(?i)(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s\"'\\]+"), r"\1***"),
    (re.compile(r"\b(lum|whsec)_[A-Za-z0-9+/=_-]{8,}"), r"\1_***"),
    (re.compile(r"DETAIL:(?:(?!\\n|\n).)*"), "DETAIL: ***"),
    (re.compile(r"\[parameters: (?:(?!\\n|\n).)*"), "[parameters: ***]"),
)
"""Patterns that are replaced in log lines: user and password of a URL, the query of a URL, signatures of S3
requests, API keys and webhook secrets, PostgreSQL's DETAIL, parameters of SQL statements."""


def words_of(error: BaseException) -> str:
    """One line that describes the error without values, for `reason` fields and the ends of tracebacks."""
    match error:
        case StatementError() if error.orig is not None:
            return words_of(error.orig)
        case psycopg.Error():
            return words_of_driver(error)
        case ValidationError():
            return words_of_validation(error)
        case _:
            return without_secrets(str(error).partition("\n[SQL")[0]) or type(error).__name__


def words_of_driver(error: psycopg.Error) -> str:
    """`UniqueViolation: duplicate key value violates unique constraint "uq_x" (SQLSTATE 23505)`."""
    name, state = type(error).__name__, error.diag.sqlstate or error.sqlstate
    if state is not None and state.startswith(DATA_EXCEPTION):
        return f"{name} (SQLSTATE {state})"
    message = error.diag.message_primary or next(iter(str(error).splitlines()), "")
    code = f" (SQLSTATE {state})" if state is not None else ""
    return without_secrets(f"{name}: {message}{code}" if message else f"{name}{code}")


def words_of_validation(error: ValidationError) -> str:
    """`1 faults: prompt: string_too_long`. Only the first step of a path is shown; others may be input."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    named = [
        f"{fault['loc'][0]}: {fault['type']}"
        if fault["loc"] and fault["type"] != "extra_forbidden"
        else fault["type"]
        for fault in faults[:MOST_FAULTS]
    ]
    return f"{len(faults)} faults: " + "; ".join(named)


def without_secrets(text: str) -> str:
    """The text with everything that matches SECRETS replaced by `***`."""
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text


def traceback_of(error: BaseException) -> str:
    """The traceback with its chain as Python prints it, but with `words_of` instead of each message."""
    return "".join(parts_of(error, MOST_LINKS)).rstrip("\n")


def parts_of(error: BaseException, links: int) -> Iterator[str]:
    """Parts of the traceback, first cause first. Of a longer chain, the last `links` errors are shown."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and links > 1:
        yield from parts_of(before, links - 1)
        if error.__cause__ is not None:
            yield "\nThe above exception was the direct cause of the following exception:\n\n"
        else:
            yield "\nDuring handling of the above exception, another exception occurred:\n\n"
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(error.__traceback__)
    yield f"{name_of(error)}: {words_of(error)}\n"
    if isinstance(error, BaseExceptionGroup) and links > 1:
        inner: tuple[BaseException, ...] = error.exceptions
        for number, one in enumerate(inner[:MOST_FAULTS], start=1):
            yield f"-- error {number} of the group:\n"
            yield from parts_of(one, links - 1)


def name_of(error: BaseException) -> str:
    """Name of the exception's class with its module, as in Python's tracebacks."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
