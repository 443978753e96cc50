"""A receiver of webhooks: it records every request, and answers as the test says."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        return json.loads(self.body)


class Handler(BaseHTTPRequestHandler):
    """Reads the request and hands it to the receiver."""

    def do_POST(self) -> None:
        assert isinstance(self.server, Server)
        length = int(self.headers["Content-Length"])
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.path, headers, self.rfile.read(length))
        if len(received.body) < length:  # the sender was killed while it sent
            self.close_connection = True
            return
        receiver = self.server.receiver
        with receiver.lock:
            receiver.requests.append(received)
        try:
            receiver.answer(self, received)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        """Log nothing."""


Reply = Callable[[Handler, Received], None]


class Server(ThreadingHTTPServer):
    """Many connections at once, also while some of them hang."""

    request_queue_size = 128

    def __init__(self, receiver: "Receiver") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.receiver = receiver


def accept(handler: Handler, _: Received) -> None:
    """Answer 204."""
    handler.reply(204)


@dataclass
class Receiver:
    """What arrived, and how to answer."""

    answer: Reply = accept
    requests: list[Received] = field(default_factory=list[Received])
    lock: Lock = field(default_factory=Lock)
    ending: Event = field(default_factory=Event)
    """Set when the test ends; a handler that hangs waits for it."""
    url: str = ""

    def hang(self, _handler: Handler, _received: Received) -> None:
        """Send no answer until the test ends."""
        self.ending.wait()

    def arrived(self) -> list[Received]:
        """The requests so far."""
        with self.lock:
            return list(self.requests)


@contextmanager
def receiving(answer: Reply = accept) -> Iterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver(answer)
    with Server(receiver) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.ending.set()
            server.shutdown()
            thread.join()
