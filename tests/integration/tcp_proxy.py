"""A TCP proxy before a broker that can leave consumers deaf, or refuse whoever comes."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from urllib.parse import urlsplit, urlunsplit

from infra.local.ports import HOST

CONSUMES = (b"BRPOP", b"\x00\x3c\x00\x14")
"""How a client of Redis, and of AMQP (class 60, method 20: basic.consume), asks for messages."""
LONGEST = max(map(len, CONSUMES))
CHUNK = 65_536


class Proxy:
    """Passes bytes on in threads of its own."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._server = socket.create_server((HOST, 0))
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._threads = [Thread(target=self._accept)]
        self._deaf, self._refusing = Event(), Event()
        self._threads[0].start()

    @property
    def port(self) -> int:
        """Where clients connect."""
        return int(self._server.getsockname()[1])

    def deafen(self) -> None:
        """From now on nothing reaches those who consume, now or later; their connections stand."""
        self._deaf.set()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """New connections are closed at once inside the block; those that stand are left alone."""
        self._refusing.set()
        try:
            yield
        finally:
            self._refusing.clear()

    def close(self) -> None:
        """End every connection and thread."""
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
                client.close()
                continue
            broker = socket.create_connection(self._upstream)
            consumes = Event()
            with self._lock:
                self._sockets += [client, broker]
                self._threads += [
                    Thread(target=self._listen_in, args=(client, broker, consumes)),
                    Thread(target=self._answer, args=(broker, client, consumes)),
                ]
                for thread in self._threads[-2:]:
                    thread.start()

    def _listen_in(self, client: socket.socket, broker: socket.socket, consumes: Event) -> None:
        seen = b""
        for data in chunks(client):
            seen = seen[-LONGEST:] + data
            if any(words in seen for words in CONSUMES):
                consumes.set()
            send(broker, data)
        hang_up(broker)

    def _answer(self, broker: socket.socket, client: socket.socket, consumes: Event) -> None:
        for data in chunks(broker):
            if not (self._deaf.is_set() and consumes.is_set()):
                send(client, data)
        hang_up(client)


def chunks(connection: socket.socket) -> Iterator[bytes]:
    """What arrives until the other end is gone."""
    try:
        while data := connection.recv(CHUNK):
            yield data
    except OSError:
        return


def send(connection: socket.socket, data: bytes) -> None:
    """Pass bytes on to an end that may be gone."""
    try:
        connection.sendall(data)
    except OSError:
        hang_up(connection)


def hang_up(connection: socket.socket) -> None:
    """End a connection in both directions, if it stands."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@contextmanager
def proxied(url: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy before the server of an address, and the address through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = Proxy((parts.hostname, parts.port))
    login = parts.netloc.rpartition("@")[0]
    try:
        yield proxy, urlunsplit(parts._replace(netloc=f"{login}@{HOST}:{proxy.port}"))
    finally:
        proxy.close()
