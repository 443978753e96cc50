"""Run a gateway on its own port, and send it bytes that no HTTP client would send."""

import json
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvicorn

from services.api.app import create_app, end_streams
from services.api.connections.connection import server_options
from services.api.connections.server import GatewayServer
from services.api.problems.codes import PROBLEMS, ProblemCode
from services.api.settings import GatewayProcessSettings
from shared.problem_documents import MEDIA_TYPE

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class RawAnswer:
    """One answer of a server."""

    status: int
    headers: dict[str, str]
    body: bytes

    def assert_problem(self, code: ProblemCode) -> dict[str, Any]:
        """Check that the answer is a complete problem document with this code, and return it."""
        assert (self.status, self.headers["content-type"]) == (PROBLEMS[code].status, MEDIA_TYPE), self
        document = json.loads(self.body)
        assert document["error"]["code"] == code
        assert document["request_id"] == self.headers["x-request-id"]
        return document


@dataclass
class Served:
    """A running gateway and the connections to it."""

    port: int
    opened: list[socket.socket] = field(default_factory=list[socket.socket])

    def connect(self) -> socket.socket:
        """Open a connection, which is closed with the gateway."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
        self.opened.append(connection)
        return connection

    def exchange(self, sent: bytes) -> RawAnswer:
        """Send bytes on a new connection and read the answer."""
        connection = self.connect()
        connection.sendall(sent)
        return read_answer(connection)


def read_answer(connection: socket.socket) -> RawAnswer:
    """Read one answer. The body is empty with HEAD or 304."""
    reader = connection.makefile("rb")
    status = int(reader.readline().split()[1])
    headers: dict[str, str] = {}
    while line := reader.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return RawAnswer(status, headers, reader.read(int(headers.get("content-length", "0"))))


def request(method: str, path: str, *headers: str, body: bytes = b"") -> bytes:
    """The bytes of an HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: testserver", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextmanager
def served(settings: GatewayProcessSettings, **gateway: Any) -> Generator[Served]:
    """Run a gateway as `python -m services.api` does. gateway: settings that differ."""
    changed = settings.model_copy(update={"gateway": settings.gateway.model_copy(update=gateway)})
    app = create_app(changed)
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="on", **server_options(changed.gateway))
    server = GatewayServer(config, partial(end_streams, app))
    # asyncio sends without delay only if the protocol is named; otherwise every response takes 40 ms longer
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    place = Served(listening.getsockname()[1])
    try:
        yield place
    finally:
        for connection in place.opened:
            connection.close()
        server.should_exit = True
        thread.join()
        listening.close()
