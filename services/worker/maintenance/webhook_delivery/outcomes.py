"""Decide what follows from one try: the delivery is done, tried again, or given up. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

GONE = 410
"""The receiver wants no further events."""
JITTER = 0.1
"""Pauses are up to this share longer, so that the messages of an outage do not all return at once."""
LONGEST_RETRY_AFTER = 86_400.0
"""Longest pause in seconds that a receiver can request."""


class TryError(StrEnum):
    """Why a try failed."""

    STATUS = "status"
    """The status of the answer is not 2xx."""
    REDIRECT = "redirect"
    """The answer is a redirect, which is never followed."""
    TIMEOUT = "timeout"
    """The whole answer did not arrive in time."""
    ANSWER_TOO_LONG = "answer_too_long"
    URL_FORBIDDEN = "url_forbidden"
    """The URL's host has an address, or the URL has a port, that must not be requested."""
    HOST_UNRESOLVED = "host_unresolved"
    CONNECTION_FAILED = "connection_failed"
    """No connection, a certificate that is not valid, or no HTTP answer."""
    INTERNAL_ERROR = "internal_error"
    """An error in the io worker; its log has the details."""


@dataclass(frozen=True)
class Answer:
    """The result of one request."""

    seconds: float
    status: int | None = None
    error: TryError | None = None
    excerpt: str | None = None
    """The beginning of the answer's body."""
    retry_after: str | None = None
    """The header of this name."""


@dataclass(frozen=True)
class Delivered:
    """The receiver has the message."""


@dataclass(frozen=True)
class TryAgain:
    """Another try follows."""

    seconds: float


@dataclass(frozen=True)
class GiveUp:
    """All tries have failed."""


@dataclass(frozen=True)
class StopEndpoint:
    """The receiver wants no further events."""


Outcome = Delivered | TryAgain | GiveUp | StopEndpoint


def outcome_of(
    answer: Answer, failures: int, pauses: Sequence[float], sent_at: datetime, chance: float
) -> Outcome:
    """What follows from an answer.

    failures: failed tries before this one. pauses: seconds after each failed try. chance: from 0 to 1, for
    the jitter.
    """
    if answer.status == GONE:
        return StopEndpoint()
    if answer.error is None:
        return Delivered()
    if failures >= len(pauses):
        return GiveUp()
    pause = pauses[failures] * (1 + JITTER * chance)
    return TryAgain(max(pause, requested_pause(answer.retry_after, sent_at)))


def requested_pause(retry_after: str | None, now: datetime) -> float:
    """Seconds of a Retry-After header, 0 to a day; 0 for one that is not valid. Source: RFC 9110, 10.2.3."""
    if retry_after is None:
        return 0.0
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:12]), LONGEST_RETRY_AFTER))
    try:
        seconds = (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):  # TypeError: a date without its zone
        return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def error_of_status(status: int) -> TryError | None:
    """The error of an answer that arrived; None for 2xx."""
    if 200 <= status < 300:
        return None
    return TryError.REDIRECT if 300 <= status < 400 else TryError.STATUS
