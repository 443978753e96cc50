"""Pass messages between an agent (standard input and output) and the platform (`/mcp` over HTTP).

The platform has the tools. The bridge adds the key and the headers, uploads pictures that the agent names by
their path, and goes on after the platform was restarted. It imports the protocol's SDK, which the extra `mcp`
installs, only in functions, so that the bare package can import this module.
"""

import json
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from luminary.remote.local_pictures import Upload, local_files
from luminary.remote.platform import problem

if TYPE_CHECKING:
    import httpx2
    from mcp.shared.message import SessionMessage
    from mcp_types import JSONRPCMessage, JSONRPCRequest

MCP_PATH = "/mcp"
READ_SECONDS = 90.0
"""Longest silence of the platform; it sends a sign of life every 15 seconds while a tool runs."""
UNREACHABLE = 503


@dataclass
class Bridge:
    """One agent and one platform."""

    url: str
    client: "httpx2.AsyncClient"
    version: str | None = None
    """Version of the protocol that was agreed on; None before, and with clients that send it each time."""
    greetings: set[str | int] = field(default_factory=set[str | int])
    """Ids of requests whose answer has the version."""

    async def run(self) -> None:
        """Pass messages on until the agent closes standard input."""
        import anyio
        from mcp.client.streamable_http import streamable_http_client
        from mcp.server.stdio import stdio_server

        async with AsyncExitStack() as stack:
            upward = streamable_http_client(
                self.url + MCP_PATH, http_client=self.client, max_sse_event_size=None
            )
            from_platform, to_platform = await stack.enter_async_context(upward)
            from_agent, to_agent = await stack.enter_async_context(stdio_server())
            tasks = await stack.enter_async_context(anyio.create_task_group())

            async def ask(request: "SessionMessage") -> None:
                """Upload the pictures of a request, then pass it on; a fault answers the request."""
                answer = await self.with_uploads(request)
                await (to_platform if answer is request else to_agent).send(answer)

            async def pass_down() -> None:
                async for item in from_platform:
                    if isinstance(item, Exception):
                        note(str(item))
                        continue
                    self.remember_version(item.message)
                    await to_agent.send(item)

            tasks.start_soon(pass_down)
            async for item in from_agent:
                if isinstance(item, Exception):
                    note("a line on standard input is no message of the protocol")
                elif local_files(item.message):
                    tasks.start_soon(ask, self.addressed(item))
                else:
                    await to_platform.send(self.addressed(item))
            tasks.cancel_scope.cancel()

    def addressed(self, item: "SessionMessage") -> "SessionMessage":
        """The message with the headers that it needs over HTTP."""
        from mcp.shared.message import ClientMessageMetadata, SessionMessage

        message = item.message
        if getattr(message, "method", None) == "initialize":
            self.greetings.add(getattr(message, "id", ""))
        headers = headers_of(message, self.version)
        return SessionMessage(message, ClientMessageMetadata(headers=headers))

    def remember_version(self, message: "JSONRPCMessage") -> None:
        """Note the version in the answer to `initialize`."""
        result = getattr(message, "result", None)
        if getattr(message, "id", None) in self.greetings and isinstance(result, Mapping):
            self.version = str(result.get("protocolVersion"))

    async def with_uploads(self, item: "SessionMessage") -> "SessionMessage":
        """The same request with ids in place of paths; or the answer to it if a file cannot be used."""
        from mcp.shared.message import SessionMessage

        request = item.message
        upload = Upload(self.client, self.url)
        try:
            for name, file in local_files(request).items():
                arguments(request)[name] = await upload.send(file)
        except OSError as error:
            return SessionMessage(refusal(request, str(error)))
        return item


def headers_of(message: "JSONRPCMessage", version: str | None) -> dict[str, str]:
    """The headers of a message: version, method and name, as the version of the protocol demands."""
    from mcp.shared.inbound import (
        MCP_METHOD_HEADER,
        MCP_NAME_HEADER,
        MCP_PROTOCOL_VERSION_HEADER,
        NAME_BEARING_METHODS,
        encode_header_value,
    )
    from mcp_types import PROTOCOL_VERSION_META_KEY

    method: str = getattr(message, "method", "")
    params: Mapping[str, Any] = getattr(message, "params", None) or {}
    own = (params.get("_meta") or {}).get(PROTOCOL_VERSION_META_KEY)
    if own is None:
        return {} if version is None or method == "initialize" else {MCP_PROTOCOL_VERSION_HEADER: version}
    headers = {MCP_PROTOCOL_VERSION_HEADER: str(own), MCP_METHOD_HEADER: method}
    name = params.get(NAME_BEARING_METHODS.get(method, "taskId"))
    return headers if name is None else {**headers, MCP_NAME_HEADER: encode_header_value(str(name))}


def arguments(request: "JSONRPCMessage") -> dict[str, Any]:
    """The arguments of a tool call."""
    return (getattr(request, "params", None) or {})["arguments"]


def refusal(request: "JSONRPCRequest | JSONRPCMessage", words: str) -> "JSONRPCMessage":
    """The result of a tool call that was not passed on."""
    from mcp_types import JSONRPCResponse

    result = {"content": [{"type": "text", "text": words}], "isError": True, "resultType": "complete"}
    return JSONRPCResponse(jsonrpc="2.0", id=getattr(request, "id", 0), result=result)


def note(words: str) -> None:
    """Tell the user of the agent; standard output belongs to the protocol."""
    sys.stderr.write(f"luminary mcp: {words}\n")


async def serve(url: str, key: str) -> None:
    """Run the bridge until the agent closes standard input."""
    import httpx2

    client = httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {key}"},
        timeout=httpx2.Timeout(30.0, read=READ_SECONDS),
        transport=as_json_rpc(httpx2.AsyncHTTPTransport()),
    )
    async with client:
        await Bridge(url, client).run()


def as_json_rpc(inner: "httpx2.AsyncHTTPTransport") -> "httpx2.AsyncBaseTransport":
    """A transport whose problems are errors of JSON-RPC, which the SDK passes on with their words."""
    import httpx2

    class Reachable(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            try:
                response = await inner.handle_async_request(request)
            except httpx2.TransportError as error:
                return fault(UNREACHABLE, f"The platform does not answer: {error}")
            if not response.headers.get("content-type", "").startswith("application/problem+json"):
                return response
            return fault(response.status_code, problem(response.status_code, await response.aread()))

        async def aclose(self) -> None:
            await inner.aclose()

    def fault(status: int, words: str) -> httpx2.Response:
        note(words)
        body = {"jsonrpc": "2.0", "id": None, "error": {"code": -32603, "message": words}}
        return httpx2.Response(status, headers={"Content-Type": "application/json"}, content=json.dumps(body))

    return Reachable()
