"""A receiver of webhooks that notes what arrives when, for benchmarks.webhooks."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Arrivals:
    """The id and the Unix time of each request, in order."""

    delay_seconds: float = 0.0
    """Time until the receiver answers."""
    ids: list[str] = field(default_factory=list[str])
    times: list[float] = field(default_factory=list[float])
    bodies: dict[str, bytes] = field(default_factory=dict[str, bytes])
    changed: list[str] = field(default_factory=list[str])
    """Ids that came with another body than before."""
    changes: threading.Condition = field(default_factory=threading.Condition)

    def add(self, message_id: str, body: bytes) -> None:
        """Note a request."""
        with self.changes:
            self.ids.append(message_id)
            self.times.append(time.time())
            if self.bodies.setdefault(message_id, body) != body:
                self.changed.append(message_id)
            self.changes.notify_all()

    def wait_for(self, count: int, seconds: float) -> bool:
        """Wait until so many different messages have arrived. False if they have not in time."""
        with self.changes:
            return self.changes.wait_for(lambda: len(self.bodies) >= count, seconds)


class Handler(BaseHTTPRequestHandler):
    """Notes the request and answers 204."""

    def do_POST(self) -> None:
        """Called for each request."""
        server = self.server
        assert isinstance(server, Server)
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # the sender was killed while it sent
            self.close_connection = True
            return
        server.arrivals.add(self.headers["webhook-id"], body)
        if server.arrivals.delay_seconds:
            time.sleep(server.arrivals.delay_seconds)
        try:
            self.send_response(204)
            self.end_headers()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        """Log nothing."""


class Server(ThreadingHTTPServer):
    """Serves many connections at once."""

    request_queue_size = 256

    def __init__(self, arrivals: Arrivals) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.arrivals = arrivals


@contextmanager
def receiving(arrivals: Arrivals) -> Generator[str]:
    """Run the receiver and yield its URL."""
    with Server(arrivals) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook"
        finally:
            server.shutdown()
            thread.join()
