"""Pass requests to the SDK, which is imported and started with the first one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import Context
from importlib import import_module
from typing import TYPE_CHECKING

from starlette.types import Message, Receive, Scope, Send

from services.api.process.gateway import Gateway

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

SDK = "services.api.mcp.server"


class McpDoor:
    """The SDK's session manager, in the task that runs it. It keeps no sessions."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._opening = asyncio.Lock()
        self._manager: StreamableHTTPSessionManager | None = None
        self._running: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; its body is read before, so that its problems are those of other bodies."""
        replay = replayed(await read_body(receive), receive)
        await (await self._opened()).handle_request(scope, replay, send)

    async def close(self) -> None:
        """End open requests and stop."""
        self._leave.set()
        if self._running is not None:
            await self._running

    async def _opened(self) -> "StreamableHTTPSessionManager":
        async with self._opening:
            if self._manager is None:
                await asyncio.to_thread(import_module, SDK)
                started = asyncio.Event()
                self._manager = self._make()
                self._running = asyncio.create_task(
                    self._run(self._manager, started), name="mcp", context=Context()
                )
                await started.wait()
        return self._manager

    def _make(self) -> "StreamableHTTPSessionManager":
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        from services.api.mcp.server import make_server

        longest = self._gateway.settings.gateway.max_body_bytes
        return StreamableHTTPSessionManager(
            make_server(self._gateway), stateless=True, max_request_body_size=longest
        )

    async def _run(self, manager: "StreamableHTTPSessionManager", started: asyncio.Event) -> None:
        """The manager's tasks belong to the task that has started it, so it has one of its own.

        Its context is empty: the first request's caller is not that of the others.
        """
        async with manager.run():
            started.set()
            await self._leave.wait()


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises Problem of the limits of bodies."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)
    return bytes(body)


def replayed(body: bytes, receive: Receive) -> Receive:
    """A channel that has the body as its first message; then come the messages of the connection."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


@asynccontextmanager
async def open_door(gateway: Gateway) -> AsyncGenerator[McpDoor]:
    """The door of a process."""
    door = McpDoor(gateway)
    try:
        yield door
    finally:
        await door.close()
