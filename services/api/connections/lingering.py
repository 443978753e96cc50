"""Close a connection without losing the response, while the client is still sending its request.

Closing a socket that has unread bytes resets the connection, and a reset can destroy the response on its way.
So only the sending half is closed at first, and bytes that still arrive are dropped for up to LINGER_SECONDS.
Source: RFC 9112, section 9.6.
"""

import asyncio
from collections.abc import Callable
from typing import Any

LINGER_SECONDS = 10.0
"""Time that a client may go on sending after the response."""


class LingeringTransport(asyncio.Transport):
    """A transport whose `close` lingers."""

    def __init__(
        self, transport: asyncio.Transport, is_sending: Callable[[], bool], write_seconds: float
    ) -> None:
        """`is_sending` is true while the client has not sent its whole request. `write_seconds` is the time
        that a client has to read the last bytes of a response.
        """
        super().__init__()
        self._transport = transport
        self._is_sending = is_sending
        self._write_seconds = write_seconds
        self._lingering: asyncio.TimerHandle | None = None

    def is_lingering(self) -> bool:
        """Whether the sending half is closed and arriving bytes are dropped."""
        return self._lingering is not None

    def linger(self) -> None:
        """Send the buffered bytes, close the sending half, and close the connection after LINGER_SECONDS."""
        if self._lingering is None and not self._transport.is_closing():
            self._lingering = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._end)
            if self._transport.can_write_eof():
                self._transport.write_eof()
            self._transport.resume_reading()

    def _end(self) -> None:
        """Close; a response that the client is still reading gets `write_seconds` more."""
        self._transport.close()
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(self._write_seconds, self._transport.abort)

    def close(self) -> None:
        """Close after the buffered bytes are sent; linger if the client is still sending."""
        if self._is_sending():
            self.linger()
        else:
            self._stop()
            self._transport.close()

    def abort(self) -> None:
        """Close at once; buffered bytes are lost."""
        self._stop()
        self._transport.abort()

    def forget(self) -> None:
        """Cancel the timer, and drop the reference to the protocol: the connection is closed."""
        self._stop()
        self._is_sending = _never

    def _stop(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()

    def is_closing(self) -> bool:
        """Whether the connection is being closed and nothing more may be written."""
        return self._lingering is not None or self._transport.is_closing()

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send, unless the connection is being closed."""
        if not self.is_closing():
            self._transport.write(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Information about the socket, as asyncio names it."""
        return self._transport.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        """Bytes that are not sent yet because the client reads slowly."""
        return self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the buffer sizes at which writing is paused and resumed."""
        self._transport.set_write_buffer_limits(high, low)

    def pause_reading(self) -> None:
        """Read no more from the client for now, unless lingering."""
        if self._lingering is None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read from the client again."""
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Set the protocol that receives the bytes."""
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol that receives the bytes."""
        return self._transport.get_protocol()


def _never() -> bool:
    return False
