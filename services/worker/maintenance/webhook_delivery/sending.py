"""Send one message and read the answer, within the limits of time and size."""

import asyncio
import time
from collections.abc import Mapping

import httpx2

from services.worker.maintenance.webhook_delivery.outcomes import Answer, TryError, error_of_status
from shared.egress.client import GuardedClient, read_body
from shared.egress.errors import AnswerTooLongError, ForbiddenUrlError, UnresolvedHostError

MOST_ANSWER_BYTES = 65_536
"""An answer with a longer body is a failure, and the rest of it is not read."""
EXCERPT_BYTES = 1024
"""Bytes of the answer that the delivery log keeps."""


class Sender:
    """Posts messages through a client that connects only to allowed addresses."""

    def __init__(self, client: GuardedClient, seconds: float) -> None:
        """seconds: limit of one try, from resolving the host to the end of the answer."""
        self._client = client
        self._seconds = seconds

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send the message once. Never raises an error of the network or of the receiver."""
        started = time.monotonic()
        status: int | None = None
        retry_after: str | None = None
        beginning, error = b"", None
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._client.request("POST", httpx2.URL(url), headers, body) as answer,
            ):
                status, retry_after = answer.status_code, answer.headers.get("retry-after")
                error = error_of_status(status)
                beginning = await read_body(answer, MOST_ANSWER_BYTES)
        except AnswerTooLongError as too_long:
            beginning, error = too_long.beginning, error or TryError.ANSWER_TOO_LONG
        except TimeoutError:
            error = error or TryError.TIMEOUT
        except httpx2.TimeoutException:
            error = error or TryError.TIMEOUT
        except ForbiddenUrlError:
            error = TryError.URL_FORBIDDEN
        except UnresolvedHostError:
            error = TryError.HOST_UNRESOLVED
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError):
            error = error or TryError.CONNECTION_FAILED
        seconds = time.monotonic() - started
        return Answer(seconds, status, error, None if status is None else excerpt_of(beginning), retry_after)


def excerpt_of(body: bytes) -> str:
    """The beginning of a body as text that PostgreSQL can store."""
    return body[:EXCERPT_BYTES].decode("utf-8", "replace").replace("\0", "�")
