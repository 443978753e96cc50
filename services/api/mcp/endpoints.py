"""The route of the Model Context Protocol. It is not in the OpenAPI document: its messages are JSON-RPC."""

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from shared.links import MCP_PATH

if TYPE_CHECKING:
    from services.api.mcp.door import McpDoor


class Endpoint:
    """An ASGI application, because the SDK answers with responses of its own."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one message. Streams that a client opens with GET are refused, so nothing is kept open."""
        scope["route"] = route  # metrics know a request by it; FastAPI notes its own routes only
        door: McpDoor = Request(scope).app.state.mcp
        await door.answer(scope, receive, send)


route = Route(MCP_PATH, Endpoint(), methods=["POST"], name="mcp")
router = APIRouter()
router.routes.append(route)
