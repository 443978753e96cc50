"""The official client of the Model Context Protocol, over HTTP and over standard input and output."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx2
from mcp.client.client import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ImageContent, Request, RequestParams, Result, TextContent
from pydantic import ConfigDict, Field

from tests.support.source_tree import ROOT

LEGACY, MODERN = "legacy", "2026-07-28"
TASKS = "io.modelcontextprotocol/tasks"
READ_SECONDS = 60.0

Value = TypeVar("Value")


@asynccontextmanager
async def over_http(
    url: str, key: str, mode: str = MODERN, extensions: Sequence[ClientExtension] = ()
) -> AsyncGenerator[Client]:
    """A client of `/mcp`. mode: how it agrees on a version of the protocol."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=READ_SECONDS) as http,
        Client(
            streamable_http_client(f"{url}/mcp", http_client=http),
            mode=mode,
            extensions=extensions,
            read_timeout_seconds=READ_SECONDS,
        ) as client,
    ):
        yield client


@asynccontextmanager
async def over_stdio(url: str, key: str, folder: Path, mode: str = "auto") -> AsyncGenerator[Client]:
    """A client that starts `luminary mcp` as a desktop agent does."""
    parameters = StdioServerParameters(
        command=str(Path(sys.executable).with_name("luminary")),
        args=["mcp", "--data", str(folder)],
        env={"LUMINARY_URL": url, "LUMINARY_API_KEY": key, "PYTHONPATH": str(ROOT)},
        cwd=folder,
    )
    with (folder / "stderr.txt").open("w") as errors:
        async with Client(
            stdio_client(parameters, errlog=errors), mode=mode, read_timeout_seconds=READ_SECONDS
        ) as client:
            yield client


def run(story: Callable[[], Awaitable[Value]], seconds: float = READ_SECONDS) -> Value:
    """Run an asynchronous part of a test, at most so long."""

    async def in_time() -> Value:
        async with asyncio.timeout(seconds):
            return await story()

    return asyncio.run(in_time())


def facts(result: CallToolResult) -> dict[str, Any]:
    """The structured content of a result that is no error."""
    assert not result.is_error, result.content
    return result.structured_content


def pictures(result: CallToolResult) -> list[ImageContent]:
    """The pictures in a result."""
    return [part for part in result.content if isinstance(part, ImageContent)]


def text(result: CallToolResult) -> str:
    """The words of a result."""
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


class TaskParams(RequestParams):
    """Parameters of tasks/get, tasks/update and tasks/cancel."""

    task_id: str = Field(alias="taskId", serialization_alias="taskId")


class GetTask(Request[TaskParams, Literal["tasks/get"]]):
    """Ask for a task."""

    method: Literal["tasks/get"] = "tasks/get"
    name_param = "taskId"


class CancelTask(Request[TaskParams, Literal["tasks/cancel"]]):
    """Cancel a task."""

    method: Literal["tasks/cancel"] = "tasks/cancel"
    name_param = "taskId"


class UpdateTask(Request[TaskParams, Literal["tasks/update"]]):
    """Answer what a task asks for."""

    method: Literal["tasks/update"] = "tasks/update"
    name_param = "taskId"


class AnyResult(Result):
    """A result with all its fields."""

    model_config = ConfigDict(extra="allow")


class TaskHandle(Result):
    """A task in place of a result."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    result_type: Literal["task"] = Field(default="task", alias="resultType")
    task_id: str = Field(alias="taskId")
    status: str


class Tasks(ClientExtension):
    """The client's part of the Tasks extension: poll, without a pause, until the task has ended."""

    identifier = TASKS

    def __init__(self) -> None:
        self.seen: list[Mapping[str, Any]] = []
        """The tasks as they were polled."""

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=TaskHandle, resolve=self.resolve)]

    async def resolve(self, handle: TaskHandle, context: ClaimContext) -> CallToolResult:
        while True:
            task = await get_task(context.session, handle.task_id)
            self.seen.append(task)
            if task["status"] != "working":
                return CallToolResult.model_validate(task["result"])


async def get_task(session: Any, task_id: str) -> dict[str, Any]:
    """The task as the server shows it. Raises MCPError."""
    answer = await session.send_request(GetTask(params=TaskParams(taskId=task_id)), AnyResult)
    return answer.model_dump(by_alias=True)


async def cancel_task(session: Any, task_id: str) -> None:
    """Cancel the task. Raises MCPError."""
    await session.send_request(CancelTask(params=TaskParams(taskId=task_id)), AnyResult)


async def update_task(session: Any, task_id: str) -> None:
    """Answer what the task asks for, which is nothing. Raises MCPError."""
    await session.send_request(UpdateTask(params=TaskParams(taskId=task_id)), AnyResult)
