"""uvicorn's server, which tells the application before it closes connections that it stops."""

import socket
from collections.abc import Callable

import uvicorn


class GatewayServer(uvicorn.Server):
    """Calls `on_leave` when it begins to stop, so that responses without an end can end."""

    def __init__(self, config: uvicorn.Config, on_leave: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_leave = on_leave

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, and wait for open requests for the configured time."""
        self._on_leave()
        await super().shutdown(sockets)
