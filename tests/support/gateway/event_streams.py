"""Read an event stream in a thread, as a client does, and look at what has arrived."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.support.platforms.platform import eventually

SILENT_SECONDS = 60.0


@dataclass(frozen=True)
class Arrived:
    """One event as it arrived."""

    id: str | None
    type: str
    data: dict[str, Any]


@dataclass
class StreamReader:
    """What one client has received. The lists only grow."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    """The body of an answer that is not a stream."""
    events: list[Arrived] = field(default_factory=list[Arrived])
    comments: list[str] = field(default_factory=list[str])
    retries: list[int] = field(default_factory=list[int])
    last_id: str | None = None
    """What a browser would send as Last-Event-ID."""
    ended: threading.Event = field(default_factory=threading.Event)
    close: Callable[[], None] = lambda: None
    """Closes the connection at once, as a closed tab does."""

    @property
    def durable(self) -> list[Arrived]:
        """The events with an id."""
        return [event for event in self.events if event.id is not None]

    @property
    def types(self) -> list[str]:
        """The types of the durable events."""
        return [event.type for event in self.durable]

    def wait_for(self, count: int) -> list[Arrived]:
        """The first `count` durable events. Fails if they do not arrive."""
        eventually(lambda: len(self.durable) >= count, f"{count} events (there are {self.types})")
        return self.durable[:count]

    def wait_for_end(self) -> None:
        """Wait until the stream has ended."""
        eventually(self.ended.is_set, "the end of the stream")

    def read(self, answer: http.client.HTTPResponse) -> None:
        """Read lines until the stream ends, however it ends."""
        fields: dict[str, str] = {}
        with suppress(OSError, ValueError, http.client.HTTPException):
            while line := answer.readline().decode():
                name, colon, value = line.rstrip("\n").partition(":")
                if colon:
                    fields[name] = value.removeprefix(" ")
                else:
                    self._take(fields)
                    fields = {}
        self.ended.set()

    def _take(self, fields: dict[str, str]) -> None:
        self.last_id = fields.get("id", self.last_id)
        if "retry" in fields:
            self.retries.append(int(fields["retry"]))
        if "data" in fields:
            self.events.append(Arrived(fields.get("id"), fields["event"], json.loads(fields["data"])))
        if "" in fields:
            self.comments.append(fields[""])


@contextmanager
def reading(
    port: int, token: str, path: str, last_event_id: str | None = None, *, receive_buffer: int | None = None
) -> Generator[StreamReader]:
    """Open a stream and read it in a thread until the block ends. With a receive buffer, nothing is read."""
    with socket.socket() as plain:
        if receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(SILENT_SECONDS)
        plain.connect(("127.0.0.1", port))
        answer = ask(plain, port, token, path, last_event_id)
        told = {name.lower(): value for name, value in answer.getheaders()}
        reader = StreamReader(answer.status, told, close=lambda: hang_up(plain))
        thread = threading.Thread(target=reader.read, args=(answer,), daemon=True)
        with closing(answer):
            if not told.get("content-type", "").startswith("text/event-stream"):
                reader.body = answer.read()
                reader.ended.set()
            elif receive_buffer is None:
                thread.start()
            try:
                yield reader
            finally:
                hang_up(plain)
                if thread.ident is not None:
                    thread.join(SILENT_SECONDS)


def ask(
    plain: socket.socket, port: int, token: str, path: str, last_event_id: str | None
) -> http.client.HTTPResponse:
    """Send the request and read the headers of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.sock = plain
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def hang_up(plain: socket.socket) -> None:
    """End the connection in both directions; a reader in another thread sees its end."""
    with suppress(OSError):
        plain.shutdown(socket.SHUT_RDWR)
