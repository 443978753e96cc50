"""The Tasks extension: a job is a task, so a client that declares it gets the job's id at once and polls.

Source: modelcontextprotocol/ext-tasks, specification/draft/tasks.md (SEP-2663).
"""

from typing import Any
from uuid import UUID

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types.jsonrpc import INVALID_PARAMS, MISSING_REQUIRED_CLIENT_CAPABILITY
from pydantic import Field

from services.api.jobs.repository import read_job
from services.api.mcp.follow import words
from services.api.mcp.tools import Toolbox
from services.api.problems.codes import Problem
from shared.ids import IdKind, MalformedIdError, format_id, parse_id
from shared.job_view.view import JobRows
from shared.jobs import FINAL_STATES, JobState

EXTENSION = "io.modelcontextprotocol/tasks"
POLL_MILLISECONDS = 1000
DECLARATION = {"extensions": {EXTENSION: {}}}


class TaskParams(types.RequestParams):
    """The parameters of tasks/get, tasks/update and tasks/cancel."""

    task_id: str = Field(alias="taskId", max_length=64)


def is_declared(capabilities: types.ClientCapabilities | None) -> bool:
    """Whether the client of this request has declared the extension."""
    return capabilities is not None and EXTENSION in (capabilities.extensions or {})


def require_declaration(capabilities: types.ClientCapabilities | None) -> None:
    """Raise MCPError if the client has not declared the extension."""
    if not is_declared(capabilities):
        data = {"requiredCapabilities": DECLARATION}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "Missing required client capability", data)


async def created_task(toolbox: Toolbox, job_id: UUID) -> dict[str, Any]:
    """The answer to a tool call whose job was queued: the task in place of a result."""
    return {**task_of(await read(toolbox, job_id)), "resultType": "task"}


async def get_task(toolbox: Toolbox, params: TaskParams) -> dict[str, Any]:
    """The task, with the result of the tool call when the job has ended. Raises MCPError."""
    rows = await read(toolbox, task_id(params))
    task = task_of(rows)
    if task["status"] == "completed":
        result = await toolbox.job(rows.job.id)
        task["result"] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return task


async def cancel_task(toolbox: Toolbox, params: TaskParams) -> dict[str, Any]:
    """Cancel the job. The empty answer comes before the job has ended. Raises MCPError."""
    job_id = task_id(params)
    await read(toolbox, job_id)
    await toolbox.cancel(job_id)
    return {}


async def update_task(toolbox: Toolbox, params: TaskParams) -> dict[str, Any]:
    """Acknowledge answers of the client; jobs ask for none. Raises MCPError."""
    await read(toolbox, task_id(params))
    return {}


def task_id(params: TaskParams) -> UUID:
    """The job behind a task. Raises MCPError."""
    try:
        return parse_id(IdKind.JOB, params.task_id)
    except MalformedIdError as error:
        raise MCPError(INVALID_PARAMS, "There is no task with this id.") from error


async def read(toolbox: Toolbox, job_id: UUID) -> JobRows:
    """The job of a task. Raises MCPError if the project has no such job."""
    try:
        async with toolbox.gateway.database.transaction() as session:
            return await session.run_sync(read_job, toolbox.caller.project_id, job_id)
    except Problem as problem:
        raise MCPError(INVALID_PARAMS, "There is no task with this id.") from problem


def task_of(rows: JobRows) -> dict[str, Any]:
    """The job as a task. A failed job is a completed task: its result says what went wrong."""
    job = rows.job
    updated = job.finished_at or job.progress_at or job.started_at or job.created_at
    return {
        "taskId": format_id(IdKind.JOB, job.id),
        "status": status_of(JobState(job.state)),
        "statusMessage": job.error_message or words(job),
        "createdAt": job.created_at.isoformat(),
        "lastUpdatedAt": updated.isoformat(),
        "ttlMs": None,
        "pollIntervalMs": POLL_MILLISECONDS,
    }


def status_of(state: JobState) -> str:
    """The status of a task whose job is in this state."""
    if state not in FINAL_STATES:
        return "working"
    return "cancelled" if state is JobState.CANCELED else "completed"
