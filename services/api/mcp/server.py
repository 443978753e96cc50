"""The server of the official SDK, with our tools, resources and tasks. Importing it takes a second."""

import base64
import logging
from collections.abc import Sequence
from typing import Any, cast

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError
from mcp_types.jsonrpc import INVALID_PARAMS, INVALID_REQUEST
from starlette.requests import Request

from services.api.auth.middleware import caller_of
from services.api.auth.scopes import Scope, require_scope
from services.api.http.error_handlers import problem_of
from services.api.images.repository import find_image
from services.api.mcp import tasks
from services.api.mcp.arguments import Drawing
from services.api.mcp.catalogue import INSTRUCTIONS, TOOLS, ToolKind, input_schema
from services.api.mcp.pictures import MESSAGE_BYTES, SCHEME, shown
from services.api.mcp.tools import Toolbox, read_arguments
from services.api.problems.codes import Problem, ProblemCode
from services.api.problems.documents import describe
from services.api.process.gateway import Gateway
from shared.ids import IdKind, MalformedIdError, parse_id
from shared.request_ids import request_id_of

logger = logging.getLogger(__name__)
logging.getLogger("mcp").setLevel(logging.WARNING)  # the SDK notes every request, as the gateway does

Context = ServerRequestContext[Any, Request]
RESOURCE_NOT_FOUND = -32002
READING, WRITING = (Scope.READ,), (Scope.WRITE,)
KINDS = {kind.name: kind for kind in TOOLS}


def make_server(gateway: Gateway) -> Server[Any]:
    """The server, which keeps nothing between requests."""
    handlers = Handlers(gateway)
    server: Server[Any] = Server(
        "luminary",
        title="Luminary",
        version="1",
        instructions=INSTRUCTIONS,
        on_list_tools=handlers.list_tools,
        on_call_tool=cast("Any", handlers.call_tool),  # the SDK has no type for a task
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource,
    )
    server.middleware.clear()  # the SDK's own spans: the gateway traces the request, the job its steps
    server.extensions = {tasks.EXTENSION: {}}
    server.add_request_handler("tasks/get", tasks.TaskParams, handlers.get_task)
    server.add_request_handler("tasks/update", tasks.TaskParams, handlers.update_task)
    server.add_request_handler("tasks/cancel", tasks.TaskParams, handlers.cancel_task)
    return server


class Handlers:
    """The requests of the protocol."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._tools = [described(kind) for kind in TOOLS]

    async def list_tools(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """All tools; they are the same for every key."""
        del ctx, params
        return types.ListToolsResult(tools=self._tools)

    async def call_tool(
        self, ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | dict[str, Any]:
        """The result of a tool, a task in its place, or the problem that it has met."""
        kind = KINDS.get(params.name)
        if kind is None:
            raise MCPError(INVALID_PARAMS, f"There is no tool {params.name[:40]!r}.")
        toolbox = self._toolbox(ctx)
        try:
            require_scope(toolbox.caller.scopes, READING if kind.reads else WRITING)
            asked = read_arguments(kind.arguments, params.arguments)
            del params
            if isinstance(asked, Drawing) and tasks.is_declared(ctx.session.client_capabilities):
                return await tasks.created_task(toolbox, await toolbox.draw(asked))
            return await toolbox.call(asked, ctx.session.report_progress)
        except Exception as error:  # noqa: BLE001  (the SDK would answer without a reason)
            return self._refusal(ctx, error)

    async def list_resources(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """No list: results link to their pictures."""
        del ctx, params
        return types.ListResourcesResult(resources=[])

    async def list_templates(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """The addresses of pictures."""
        del ctx, params
        template = types.ResourceTemplate(
            name="picture", uri_template=f"{SCHEME}{{image_id}}", description="A picture of the project."
        )
        return types.ListResourceTemplatesResult(resource_templates=[template])

    async def read_resource(
        self, ctx: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """A picture. Raises MCPError."""
        uri = str(params.uri)
        try:
            toolbox = self._toolbox(ctx, READING)
            image_id = parse_id(IdKind.IMAGE, uri.removeprefix(SCHEME))
            async with self._gateway.database.transaction() as session:
                image = await session.run_sync(find_image, toolbox.caller.project_id, image_id)
            picture = await shown(self._gateway, image, MESSAGE_BYTES)
        except MalformedIdError as error:
            raise MCPError(RESOURCE_NOT_FOUND, "There is no resource with this address.") from error
        except Problem as problem:
            raise MCPError(RESOURCE_NOT_FOUND, problem.detail, self._document(ctx, problem)) from problem
        blob = base64.b64encode(picture.data).decode()
        content = types.BlobResourceContents(uri=uri, mime_type=picture.media_type, blob=blob)
        return types.ReadResourceResult(contents=[content])

    async def get_task(self, ctx: Context, params: tasks.TaskParams) -> dict[str, Any]:
        """A task. Raises MCPError."""
        tasks.require_declaration(ctx.session.client_capabilities)
        return await tasks.get_task(self._toolbox(ctx, READING), params)

    async def update_task(self, ctx: Context, params: tasks.TaskParams) -> dict[str, Any]:
        """Nothing to update. Raises MCPError."""
        tasks.require_declaration(ctx.session.client_capabilities)
        return await tasks.update_task(self._toolbox(ctx, WRITING), params)

    async def cancel_task(self, ctx: Context, params: tasks.TaskParams) -> dict[str, Any]:
        """Cancel a task. Raises MCPError."""
        tasks.require_declaration(ctx.session.client_capabilities)
        return await tasks.cancel_task(self._toolbox(ctx, WRITING), params)

    def _toolbox(self, ctx: Context, allowing: Sequence[Scope] = ()) -> Toolbox:
        """The tools for the caller. allowing: scopes of which the key needs one. Raises MCPError."""
        request = ctx.request
        caller = None if request is None else caller_of(request.scope)
        if caller is None:
            raise RuntimeError("a request of the protocol without a caller")
        if allowing:
            try:
                require_scope(caller.scopes, allowing)
            except Problem as problem:
                raise MCPError(INVALID_REQUEST, problem.detail, self._document(ctx, problem)) from problem
        return Toolbox(self._gateway, caller, ctx.protocol_version)

    def _refusal(self, ctx: Context, error: Exception) -> types.CallToolResult:
        """The problem as the result of a tool: language models read it, and programs its document."""
        problem = problem_of(error)
        self._gateway.metrics.problems.labels(problem.code).inc()
        if problem.code is ProblemCode.INTERNAL_ERROR:
            logger.error("a tool failed", exc_info=error)
        return types.CallToolResult(
            content=[types.TextContent(text=f"{problem.detail} {problem.hint}")],
            structured_content=self._document(ctx, problem),
            is_error=True,
        )

    def _document(self, ctx: Context, problem: Problem) -> dict[str, Any]:
        if ctx.request is None:
            raise RuntimeError("a request of the protocol without HTTP")
        url = self._gateway.settings.gateway.public_url
        return describe(problem, url, request_id_of(ctx.request.scope)).model_dump(mode="json")


def described(kind: ToolKind) -> types.Tool:
    """The tool as the protocol lists it."""
    return types.Tool(
        name=kind.name,
        title=kind.title,
        description=kind.arguments.__doc__,
        input_schema=input_schema(kind),
        annotations=types.ToolAnnotations(
            read_only_hint=kind.reads, destructive_hint=kind.destroys, open_world_hint=False
        ),
    )
