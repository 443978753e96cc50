"""Fetch a picture from a URL that a client gave, without becoming the client's hand inside our network.

The host is resolved once, every address of it is checked, and the connection goes to one of those very
addresses: a name that resolves differently a moment later changes nothing. Each redirect is a new URL and
starts over. No proxy, cookie or credential of the environment is used.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpx2

from services.api.problems import Problem, ProblemCode
from services.api.public_addresses import is_public_address

Address = IPv4Address | IPv6Address

TOTAL_SECONDS = 20.0
"""For all redirects and the whole body; a server that drips bytes does not hold a request for longer."""
CONNECT_SECONDS = 5.0
MOST_REDIRECTS = 3
REDIRECTS = {301, 302, 303, 307, 308}
PORTS = {"http": 80, "https": 443}


async def resolve(host: str, port: int) -> Sequence[Address]:
    """The addresses of a host as the system sees it. Raises OSError or UnicodeError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(place[0]) for *_, place in found]


class ImageFetcher:
    """An HTTP client that reaches public addresses alone."""

    def __init__(
        self,
        max_bytes: int,
        *,
        is_allowed: Callable[[Address], bool] = is_public_address,
        resolve: Callable[[str, int], Awaitable[Sequence[Address]]] = resolve,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`trust` replaces the system's certificate authorities."""
        self._max_bytes = max_bytes
        self._is_allowed = is_allowed
        self._resolve = resolve
        self._client = httpx2.AsyncClient(
            trust_env=False,
            verify=True if trust is None else trust,
            follow_redirects=False,
            timeout=httpx2.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS),
            # A kept connection is found again by its address alone: another host at the same address would
            # get one whose certificate was checked for the first.
            limits=httpx2.Limits(max_connections=32, max_keepalive_connections=0),
            headers={"User-Agent": "Luminary", "Accept": "image/*", "Accept-Encoding": "identity"},
        )

    async def fetch(self, url: str) -> bytes:
        """The body of a 200 answer, of any type: the bytes are judged later, never the header.

        Raises Problem: image_url_forbidden, image_unavailable or image_too_large.
        """
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                return await self._follow(httpx2.URL(url))
        except TimeoutError as error:
            raise gone(f"The URL took longer than {TOTAL_SECONDS:.0f} s.") from error
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
        """The body, or where a redirect leads."""
        address = (await self._checked_addresses(url))[0]
        request = self._client.build_request(
            "GET",
            url.copy_with(host=str(address)),
            headers={"Host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        answer = await self._client.send(request, stream=True)
        try:
            if answer.status_code in REDIRECTS and "location" in answer.headers:
                return answer.headers["location"]
            if answer.status_code != 200:
                raise gone(f"The URL answered {answer.status_code}.")
            return await self._read(answer)
        finally:
            await answer.aclose()

    async def _checked_addresses(self, url: httpx2.URL) -> Sequence[Address]:
        """The addresses of the URL's host, all of them allowed. Raises Problem."""
        if url.scheme not in PORTS or not url.host or url.userinfo:
            raise forbidden("Only http and https URLs without a user name are fetched.")
        try:
            addresses = await self._resolve(url.host, url.port or PORTS[url.scheme])
        except (OSError, UnicodeError) as error:
            raise gone("The URL's host has no address.") from error
        if not addresses or not all(map(self._is_allowed, addresses)):
            raise forbidden("The URL's host has an address that is not public.")
        return addresses

    async def _read(self, answer: httpx2.Response) -> bytes:
        """The body as it was sent: undone compression could make gigabytes of a few bytes."""
        body = bytearray()
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > self._max_bytes:
                raise Problem(
                    ProblemCode.IMAGE_TOO_LARGE,
                    f"The URL has more than {self._max_bytes} bytes.",
                    param="image",
                )
        return bytes(body)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def gone(detail: str) -> Problem:
    """The URL gives no picture."""
    return Problem(ProblemCode.IMAGE_UNAVAILABLE, detail, param="image")


def forbidden(detail: str) -> Problem:
    """The URL is one that the gateway does not fetch."""
    return Problem(ProblemCode.IMAGE_URL_FORBIDDEN, detail, param="image")
