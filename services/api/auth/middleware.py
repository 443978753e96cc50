"""Authentication from the headers alone, before the body is read and before anything is stored."""

from typing import TYPE_CHECKING
from uuid import UUID

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.auth.actor import acting
from services.api.auth.api_keys import Caller, find_caller
from services.api.auth.credentials import credentials
from services.api.auth.networks import check_network
from services.api.auth.scopes import check_scopes, is_below
from services.api.process.acting import Purpose, as_platform
from shared.ids import IdKind, format_id
from shared.links import LINKED_PICTURES, MCP_PATH, OPENAI_PATH
from shared.telemetry import log_context

if TYPE_CHECKING:
    from services.api.process.gateway import Gateway

A1111_PREFIX = "/sdapi/v1"
"""Paths whose clients send the key as the password of Basic authentication."""
CLOSED_PREFIXES = ("/v1", OPENAI_PATH, A1111_PREFIX, MCP_PATH)
"""Every path below them needs an API key; the other paths show nothing of any project."""
SIGNED = b"signature="
"""Parameter of a picture's address that makes a key unnecessary: `services.api.openai.pictures.links`."""
CHECK_PATH = "/v1/provenance/check"
"""The path that needs no key if GATEWAY_PUBLIC_CHECKS is set; a key that is sent must be valid there, too."""
CALLER = "luminary.caller"
USER = "luminary.user"


class Authentication:
    """ASGI middleware: finds the caller of every request below CLOSED_PREFIXES, or refuses the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the caller. Raises Problem before any of the body has been received."""
        if scope["type"] != "http" or not is_closed(scope["path"]) or is_signed(scope):
            await self._app(scope, receive, send)
            return
        gateway: Gateway = scope["app"].state.gateway
        authorization = Headers(scope=scope).get("authorization")
        if authorization is None and scope["path"] == CHECK_PATH and gateway.settings.gateway.public_checks:
            await self._app(scope, receive, send)
            return
        sent = credentials(authorization, basic=is_below(scope["path"], A1111_PREFIX))
        async with as_platform(Purpose.AUTHENTICATION), gateway.database.transaction() as session:
            caller = await session.run_sync(find_caller, sent.token)
        check_network(caller.networks, scope)
        check_scopes(caller.scopes, scope["method"], scope["path"])
        if caller.use_is_due:
            gateway.last_uses.note(caller.key_id)
        scope[CALLER], scope[USER] = caller, sent.user
        with log_context(project_id=format_id(IdKind.PROJECT, caller.project_id)), acting(caller, scope):
            await self._app(scope, receive, send)


class PrivateAnswers:
    """ASGI middleware: caches do not store responses with a key, unless the route says otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add `Cache-Control: no-store` where the route has set no Cache-Control."""

        async def send_privately(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Cache-Control", "no-store")
            await send(message)

        private = scope["type"] == "http" and is_closed(scope["path"])
        await self._app(scope, receive, send_privately if private else send)


def is_closed(path: str) -> bool:
    """Whether the path needs a key."""
    return any(is_below(path, prefix) for prefix in CLOSED_PREFIXES)


def is_signed(scope: Scope) -> bool:
    """Whether the route itself checks a signature in the address of a picture."""
    return scope["path"].startswith(f"{LINKED_PICTURES}/") and SIGNED in scope["query_string"]


def caller_of(scope: Scope) -> Caller | None:
    """The authenticated caller; None on a path that needs no key."""
    return scope.get(CALLER)


def project_of(scope: Scope) -> UUID | None:
    """The project that the request belongs to; None on a path that needs no key."""
    caller = caller_of(scope)
    return caller.project_id if caller else None


def user_of(scope: Scope) -> str:
    """The user name that the client sent with Basic authentication; empty without one. It proves nothing."""
    return scope.get(USER, "")
