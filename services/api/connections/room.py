"""The limit of open connections: above it, the connection that has been idle the longest is closed."""

from collections.abc import Callable, Hashable


class ConnectionRoom:
    """The open connections, and those of them that have no request in progress, longest idle first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[Hashable, Callable[[], None]] = {}
        self._idle: dict[Hashable, None] = {}

    def enter(self, connection: Hashable, close: Callable[[], None]) -> bool:
        """Count a new connection. When the limit is reached, close an idle one; False when none is idle.

        The new connection is counted even then, so the caller must call `leave` in any case.
        """
        has_place = len(self._open) < self._most or self._close_one()
        self._open[connection] = close
        if has_place:
            self._idle[connection] = None
        return has_place

    def _close_one(self) -> bool:
        for connection in self._idle:
            close = self._open[connection]
            self.leave(connection)
            close()
            return True
        return False

    def is_busy(self, connection: Hashable) -> None:
        """Note that a request has begun."""
        self._idle.pop(connection, None)

    def is_idle(self, connection: Hashable) -> None:
        """Note that the request is answered."""
        if connection in self._open:
            self._idle[connection] = None

    def leave(self, connection: Hashable) -> None:
        """Note that the connection is closed."""
        self._open.pop(connection, None)
        self._idle.pop(connection, None)
