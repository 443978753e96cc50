"""A connection whose task is cancelled while it is made is closed before garbage is collected."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from infra.local.ports import HOST
from shared.async_database import AsyncDatabase
from shared.settings import DatabaseSettings
from tests.support.servers.addresses import at_place

SECONDS = 10
CHUNK = 65_536


class SlowServer:
    """PostgreSQL behind a relay that keeps the server's answers back until they may pass."""

    def __init__(self) -> None:
        self.answered, self.may_pass, self.client_left = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.relaying: set[asyncio.Task[None]] = set()

    async def relay(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter, port: int) -> None:
        """Forward the bytes of one connection."""
        if (task := asyncio.current_task()) is not None:
            self.relaying.add(task)
        server, requests = await asyncio.open_connection(HOST, port)
        going_back = asyncio.create_task(self._forward_answers(server, answers))
        while data := await client.read(CHUNK):
            requests.write(data)
        self.client_left.set()
        for side in (requests, answers):
            side.close()
            await side.wait_closed()
        await going_back

    async def _forward_answers(self, server: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        while data := await server.read(CHUNK):
            self.answered.set()
            await self.may_pass.wait()
            answers.write(data)


@asynccontextmanager
async def slow_server(settings: DatabaseSettings) -> AsyncGenerator[tuple[SlowServer, DatabaseSettings]]:
    """The relay, and settings that lead through it."""
    url = settings.url.get_secret_value()
    upstream = urlsplit(url).port
    assert upstream is not None
    slow = SlowServer()
    server = await asyncio.start_server(
        lambda client, answers: slow.relay(client, answers, upstream), HOST, 0
    )
    async with server:
        through = at_place(url, HOST, server.sockets[0].getsockname()[1])
        yield slow, settings.model_copy(update={"url": SecretStr(through)})
        await asyncio.wait(slow.relaying, timeout=SECONDS)


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Python collects no garbage during the test."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
def test_a_cancelled_connection_is_closed_as_soon_as_the_server_answers(settings: DatabaseSettings) -> None:
    async def connect_and_leave() -> None:
        async with slow_server(settings) as (server, through):
            database = AsyncDatabase(through)

            async def use() -> None:
                async with database.transaction() as session:
                    await session.connection()

            using = asyncio.create_task(use())
            await asyncio.wait_for(server.answered.wait(), SECONDS)
            using.cancel()
            await asyncio.wait([using])
            assert using.cancelled()
            server.may_pass.set()
            await asyncio.wait_for(server.client_left.wait(), SECONDS)
            await database.dispose()

    asyncio.run(connect_and_leave())
