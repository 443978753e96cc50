"""A TCP proxy for a broker that can withhold messages from consumers, or refuse new connections."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from urllib.parse import urlsplit

from infra.local.ports import HOST
from tests.support.servers.addresses import at_place

CONSUMES = (b"BRPOP", b"\x00\x3c\x00\x14")
"""Bytes with which a client of Redis, and of AMQP (class 60, method 20: basic.consume), asks for messages."""
LONGEST = max(map(len, CONSUMES))
CHUNK = 65_536


class Proxy:
    """Forwards bytes in its own threads."""

    def __init__(self, upstream: tuple[str, int], host: str = HOST) -> None:
        """host: the address that clients connect to."""
        self._upstream = upstream
        self._server = socket.create_server((host, 0))
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._threads = [Thread(target=self._accept)]
        self.refused = 0
        """Number of connections that were refused."""
        self._withholding, self._refusing = Event(), Event()
        self._threads[0].start()

    @property
    def port(self) -> int:
        """Port for clients."""
        return int(self._server.getsockname()[1])

    def withhold_messages(self) -> None:
        """From now on, forward nothing to consumers, present and future; their connections stay open."""
        self._withholding.set()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Close new connections at once until the block ends; open ones are not touched."""
        self._refusing.set()
        try:
            yield
        finally:
            self._refusing.clear()

    def hang_up(self) -> None:
        """Close the connections that are open now."""
        with self._lock:
            for one in self._sockets:
                hang_up(one)

    def close(self) -> None:
        """Close every connection and end every thread."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._threads[0].join()
        for one in self._sockets:
            with one:
                hang_up(one)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self._refusing.is_set():
                self.refused += 1
                client.close()
                continue
            broker = socket.create_connection(self._upstream)
            consumes = Event()
            with self._lock:
                self._sockets += [client, broker]
                self._threads += [
                    Thread(target=self._forward_to_broker, args=(client, broker, consumes)),
                    Thread(target=self._forward_to_client, args=(broker, client, consumes)),
                ]
                for thread in self._threads[-2:]:
                    thread.start()

    def _forward_to_broker(self, client: socket.socket, broker: socket.socket, consumes: Event) -> None:
        seen = b""
        for data in chunks(client):
            seen = seen[-LONGEST:] + data
            if any(words in seen for words in CONSUMES):
                consumes.set()
            send(broker, data)
        hang_up(broker)

    def _forward_to_client(self, broker: socket.socket, client: socket.socket, consumes: Event) -> None:
        for data in chunks(broker):
            if not (self._withholding.is_set() and consumes.is_set()):
                send(client, data)
        hang_up(client)


def chunks(connection: socket.socket) -> Iterator[bytes]:
    """The data that arrives, until the other side closes the connection."""
    try:
        while data := connection.recv(CHUNK):
            yield data
    except OSError:
        return


def send(connection: socket.socket, data: bytes) -> None:
    """Send bytes; if the other side has closed the connection, close it here, too."""
    try:
        connection.sendall(data)
    except OSError:
        hang_up(connection)


def hang_up(connection: socket.socket) -> None:
    """Shut a connection down in both directions, if it is open."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@contextmanager
def proxied(url: str, host: str = HOST) -> Iterator[tuple[Proxy, str]]:
    """Run a proxy for the server at `url`; yields the proxy and the URL through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = Proxy((parts.hostname, parts.port), host)
    try:
        yield proxy, at_place(url, host, proxy.port)
    finally:
        proxy.close()
