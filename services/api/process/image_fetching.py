"""Fetch pictures from URLs that clients send, protected against requests into our own network (SSRF)."""

import asyncio
import ssl

import httpx2

from services.api.problems.codes import Problem, ProblemCode
from shared.egress.client import GuardedClient, Resolve, read_body
from shared.egress.errors import AnswerTooLongError, ForbiddenUrlError, UnresolvedHostError
from shared.egress.guard import EgressGuard

TOTAL_SECONDS = 20.0
"""Limit for all redirects and the whole body together, also if a server sends its bytes slowly."""
MOST_CONNECTIONS = 32
MOST_REDIRECTS = 3
REDIRECTS = {301, 302, 303, 307, 308}


class ImageFetcher:
    """Fetches pictures from public addresses only."""

    def __init__(
        self,
        max_bytes: int,
        guard: EgressGuard,
        *,
        resolve: Resolve | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`trust` replaces the system's certificate authorities."""
        self._max_bytes = max_bytes
        self._client = GuardedClient(
            guard,
            seconds=TOTAL_SECONDS,
            connections=MOST_CONNECTIONS,
            headers={"Accept": "image/*"},
            resolve=resolve,
            trust=trust,
        )

    async def fetch(self, url: str) -> bytes:
        """Fetch the body of a 200 response. Its Content-Type is ignored; the decoder checks the bytes later.

        Raises Problem: image_url_forbidden, image_unavailable or image_too_large.
        """
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                return await self._follow(httpx2.URL(url))
        except TimeoutError as error:
            raise gone(f"Fetching the URL took longer than {TOTAL_SECONDS:.0f} s.") from error
        except ForbiddenUrlError as error:
            raise forbidden(str(error)) from error
        except UnresolvedHostError as error:
            raise gone(str(error)) from error
        except AnswerTooLongError as error:
            detail = f"The file behind the URL has more than {self._max_bytes} bytes."
            raise Problem(ProblemCode.IMAGE_TOO_LARGE, detail, param="image") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise gone("The URL could not be fetched.") from error

    async def _follow(self, url: httpx2.URL) -> bytes:
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._get(url)
            if isinstance(answer, bytes):
                return answer
            url = url.join(answer)
        raise gone(f"The URL redirects more than {MOST_REDIRECTS} times.")

    async def _get(self, url: httpx2.URL) -> bytes | str:
        """The body, or the address that a redirect leads to."""
        async with self._client.request("GET", url) as answer:
            if answer.status_code in REDIRECTS and "location" in answer.headers:
                return answer.headers["location"]
            if answer.status_code != 200:
                raise gone(f"The URL answered with status {answer.status_code}.")
            return await read_body(answer, self._max_bytes)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def gone(detail: str) -> Problem:
    """Problem of a URL that could not be fetched."""
    return Problem(ProblemCode.IMAGE_UNAVAILABLE, detail, param="image")


def forbidden(detail: str) -> Problem:
    """Problem of a URL that the gateway must not fetch."""
    return Problem(ProblemCode.IMAGE_URL_FORBIDDEN, detail, param="image")
