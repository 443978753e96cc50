"""An HTTP client for URLs of clients: it connects only to addresses that an `EgressGuard` has checked.

It follows no redirect and uses no proxies, cookies and credentials of the environment.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_address

import httpx2

from shared.egress.errors import AnswerTooLongError, UnresolvedHostError
from shared.egress.guard import Address, EgressGuard, pinned

CONNECT_SECONDS = 5.0
"""Longest time for connecting to an address."""

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


def resolver(threads: Executor | None = None) -> Resolve:
    """The system's resolver, which blocks one of the threads, or one of the event loop's.

    It raises OSError, UnicodeError or OverflowError.
    """

    async def resolve(host: str, port: int) -> Sequence[Address]:
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(threads, look_up)
        return [ip_address(place[0]) for *_, place in found]

    return resolve


class GuardedClient:
    """Sends requests to checked addresses; each has a connection of its own."""

    def __init__(
        self,
        guard: EgressGuard,
        *,
        seconds: float,
        connections: int,
        headers: Mapping[str, str],
        resolve: Resolve | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """seconds: limit of each read and write; the caller limits the whole request.

        resolve: finds the addresses of a host; by default `resolver()`. trust: replaces the system's
        certificate authorities.
        """
        self._guard = guard
        self._resolve = resolve or resolver()
        self._client = httpx2.AsyncClient(
            trust_env=False,
            verify=True if trust is None else trust,
            follow_redirects=False,
            timeout=httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
            # Kept connections are reused by their address alone: another host at the same address would get
            # a connection whose certificate was checked for the first host.
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=0),
            headers={"User-Agent": "Luminary", "Accept-Encoding": "identity", **headers},
        )

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: httpx2.URL,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> AsyncGenerator[httpx2.Response]:
        """The answer, whose body has not been read yet. Raises EgressError or httpx2.HTTPError."""
        checked = pinned(url, await self._checked_address(url))
        checked["headers"] |= dict(headers or {})
        request = self._client.build_request(method, **checked, content=content)
        answer = await self._client.send(request, stream=True)
        try:
            yield answer
        finally:
            await answer.aclose()

    async def _checked_address(self, url: httpx2.URL) -> Address:
        port = self._guard.check_url(url)
        try:
            addresses = await self._resolve(url.host, port)
        except (OSError, UnicodeError, OverflowError) as error:
            raise UnresolvedHostError("No address was found for the URL's host.") from error
        return self._guard.check_addresses(addresses, port)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def read_body(answer: httpx2.Response, most: int) -> bytes:
    """The body as it was sent; decompressing it could turn a few bytes into gigabytes.

    Raises AnswerTooLongError, with what was read, as soon as there are more than `most` bytes.
    """
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > most:
            raise AnswerTooLongError(f"The answer has more than {most} bytes.", bytes(body[:most]))
    return bytes(body)
