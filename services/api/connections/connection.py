"""One HTTP connection of the gateway, with limits that uvicorn does not have.

uvicorn waits for headers without end, answers a malformed request in plain text, and closes a connection with
an unread body in a way that can lose the response. Here clients have a deadline for sending headers and for
reading responses, every error response is a problem document, and when too many connections are open, the
one that has been idle for the longest time is closed.
"""

import asyncio
import logging
import secrets
import sys
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.api.connections.lingering import LingeringTransport
from services.api.connections.room import ConnectionRoom
from services.api.problems.codes import Problem, ProblemCode
from services.api.problems.documents import describe
from services.api.settings import GatewaySettings
from shared.request_ids import choose_request_id
from shared.security_headers import security_headers

logger = logging.getLogger(__name__)

RETRY_SECONDS = "1"


class GatewayConnection(H11Protocol):
    """uvicorn's protocol with deadlines; `guarded_by` makes the class for one server's settings."""

    settings: GatewaySettings
    room: ConnectionRoom

    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Count the connection, closing an idle one if too many are open; answer 503 if none is idle."""
        super().connection_made(
            LingeringTransport(transport, self._client_is_sending, self.settings.body_idle_seconds)
        )
        self._wait_for_headers()
        if not self.room.enter(self, self._close_idle):
            detail = f"The gateway has {self.settings.max_connections} connections in use."
            self._refuse(Problem(ProblemCode.GATEWAY_BUSY, detail, headers={"Retry-After": RETRY_SECONDS}))

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting the connection, cancel its timers, and drop what would keep its buffers in memory.

        Without this, timers and reference cycles would keep 80 KB of each closed connection until Python's
        next full garbage collection.
        """
        self.room.leave(self)
        self._stop_waiting()
        self._answer_is_read()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._transport.forget()
        self.cycle = None  # pyright: ignore[reportAttributeAccessIssue]

    def data_received(self, data: bytes) -> None:
        """Parse the bytes; drop them when the connection is only kept open for its last response."""
        if self._transport.is_lingering():
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self.room.is_busy(self)
            self._stop_waiting()
        elif self._deadline is None and not self.transport.is_closing():
            self._wait_for_headers()

    def eof_received(self) -> None:
        """Close a lingering connection: the client has stopped sending, so the response cannot be lost."""
        if self._transport.is_lingering():
            self._transport.abort()

    def on_response_complete(self) -> None:
        """Mark the connection as idle; close it when the client is still sending a body."""
        half_sent = self._client_is_sending()
        super().on_response_complete()
        if half_sent:
            self.transport.close()
        if half_sent or self.conn.their_state is h11.IDLE:
            self.room.is_idle(self)

    def send_400_response(self, msg: str) -> None:
        """Answer malformed HTTP with a problem document."""
        error = sys.exception()
        reason = str(error) if isinstance(error, h11.RemoteProtocolError) else msg
        reason = reason.partition(": bytearray")[0]  # h11 appends the client's bytes; leave them out
        self._refuse(
            Problem(ProblemCode.MALFORMED_REQUEST, f"This is no valid HTTP request: {reason[:200]}.")
        )

    def pause_writing(self) -> None:
        """Start the deadline for reading: the client takes the response too slowly for the buffer."""
        super().pause_writing()
        self._expect_progress()

    def resume_writing(self) -> None:
        """Cancel the deadline: the client has read enough."""
        self._answer_is_read()
        super().resume_writing()

    def _client_is_sending(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY

    @property
    def _transport(self) -> LingeringTransport:
        return cast("LingeringTransport", self.transport)

    def _wait_for_headers(self) -> None:
        self._stop_waiting()
        spread = 1 + secrets.randbelow(1000) / 10_000  # a thousand late clients are not answered at once
        self._deadline = self.loop.call_later(self.settings.header_seconds * spread, self._headers_are_late)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _headers_are_late(self) -> None:
        """Answer 408 if the client has begun a request; close the connection silently otherwise."""
        self._deadline = None
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            detail = f"The headers did not arrive within {self.settings.header_seconds:g} s."
            self._refuse(Problem(ProblemCode.REQUEST_TIMEOUT, detail))
        else:
            self.transport.close()

    def _expect_progress(self) -> None:
        size = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(self.settings.body_idle_seconds, self._check_progress, size)

    def _check_progress(self, size_before: int) -> None:
        if self.transport.get_write_buffer_size() < size_before:
            self._expect_progress()
        else:
            logger.info("client stopped reading", extra={"code": "client_disconnected"})
            self.transport.abort()

    def _answer_is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _close_idle(self) -> None:
        self.transport.abort()

    def _refuse(self, problem: Problem) -> None:
        """Send an error response without a request, and close."""
        request_id = choose_request_id(None)
        logger.info("connection refused", extra={"code": problem.code, "request_id": request_id})
        document = describe(problem, self.settings.public_url, request_id)
        body = document.model_dump_json().encode()
        more = {**problem.headers, "Content-Length": str(len(body)), "Connection": "close"}
        headers = document.headers(security_headers(self.settings.public_url) | more)
        response = h11.Response(
            status_code=problem.kind.status, headers=list(headers.items()), reason=problem.kind.title
        )
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._transport.linger()


def guarded_by(settings: GatewaySettings) -> type[GatewayConnection]:
    """The protocol class of one server; uvicorn creates one object for each connection."""
    return type(
        GatewayConnection.__name__,
        (GatewayConnection,),
        {"settings": settings, "room": ConnectionRoom(settings.max_connections)},
    )


def server_options(settings: GatewaySettings) -> dict[str, Any]:
    """Arguments for `uvicorn.run`."""
    return {"http": guarded_by(settings), "ws": "none", "server_header": False, "proxy_headers": False}
