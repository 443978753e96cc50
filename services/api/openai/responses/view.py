"""A response as OpenAI's clients read it, from its row and its job; pure functions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.api.openai.responses.objects import (
    ConversationId,
    DrawnBy,
    Fault,
    ResponseObject,
    ResponseUsage,
    Status,
)
from services.api.openai.responses.requests import CALL, TOOL
from shared.ids import IdKind, format_id
from shared.job_view.view import JobRows
from shared.jobs import FINAL_STATES, JobState
from shared.tasks import Task

STATUSES: dict[JobState, Status] = {
    JobState.QUEUED: "in_progress",
    JobState.RUNNING: "in_progress",
    JobState.CANCELING: "in_progress",
    JobState.SUCCEEDED: "completed",
    JobState.FAILED: "failed",
    JobState.EXPIRED: "failed",
    JobState.CANCELED: "cancelled",
}
CALL_STATUSES = {"in_progress": "generating", "completed": "completed"}
"""Status of the call of the tool by that of the response; `failed` for others."""


@dataclass(frozen=True)
class Answered:
    """A response: `rows` is the job of a drawn one, `text` the answer of another.

    shown: the fields of the request that a response shows.
    """

    id: UUID
    shown: Mapping[str, Any]
    session_id: UUID | None
    created_at: datetime
    rows: JobRows | None = None
    text: str | None = None

    def with_job(self, rows: JobRows) -> "Answered":
        """The response with its job as it is now."""
        return replace(self, rows=rows)

    @property
    def has_started(self) -> bool:
        """Whether a worker has begun; it stays true from then on."""
        return self.rows is None or self.rows.job.attempt > 0

    @property
    def has_ended(self) -> bool:
        """Whether the response is final."""
        return self.rows is None or JobState(self.rows.job.state) in FINAL_STATES


def sibling_id(prefix: str, response_id: UUID) -> str:
    """The id of a part of a response."""
    return f"{prefix}_{format_id(IdKind.RESPONSE, response_id).partition('_')[2]}"


def status_of(answered: Answered) -> Status:
    """The status of the response."""
    if answered.rows is None:
        return "completed"
    job = answered.rows.job
    if job.error_code is not None:
        return "failed"  # also of a job that the platform has canceled
    if job.state == JobState.QUEUED and job.attempt == 0 and answered.shown.get("background"):
        return "queued"
    return STATUSES[JobState(job.state)]


def view_response(answered: Answered, result: str | None = None) -> ResponseObject:
    """The response as it is now. result: its picture in base64, if it is drawn."""
    status = status_of(answered)
    view = begun(answered, status)
    if answered.rows is None:
        return view.model_copy(update={"output": [message_item(answered)], "usage": ResponseUsage()})
    rows = answered.rows
    usage = None
    if rows.usage is not None:
        words, cells = rows.usage.prompt_tokens, rows.usage.tokens_done
        usage = ResponseUsage(input_tokens=words, output_tokens=cells, total_tokens=words + cells)
    finished = rows.job.finished_at
    more = {
        "output": [call_item(answered, CALL_STATUSES.get(status, "failed"), result)]
        if answered.has_started
        else [],
        "error": fault_of(rows, status),
        "luminary": drawn_by(answered, with_picture=True),
        "usage": usage,
        "completed_at": int(finished.timestamp()) if finished and status == "completed" else None,
    }
    return view.model_copy(update=more)


def begun(answered: Answered, status: Status) -> ResponseObject:
    """The response without what the drawing adds to it."""
    session = answered.session_id
    return ResponseObject(
        id=format_id(IdKind.RESPONSE, answered.id),
        created_at=int(answered.created_at.timestamp()),
        completed_at=int(answered.created_at.timestamp()) if answered.rows is None else None,
        status=status,
        conversation=None if session is None else ConversationId(id=format_id(IdKind.CONVERSATION, session)),
        luminary=drawn_by(answered, with_picture=False),
        **answered.shown,
    )


def drawn_by(answered: Answered, *, with_picture: bool) -> DrawnBy | None:
    """What is behind a drawn response. with_picture: whether its picture is named, if it is drawn."""
    rows, session = answered.rows, answered.session_id
    if rows is None or session is None:
        return None
    return DrawnBy(
        job_id=format_id(IdKind.JOB, rows.job.id),
        session_id=format_id(IdKind.SESSION, session),
        image_id=format_id(IdKind.IMAGE, rows.outputs[0].image.id) if with_picture and rows.outputs else None,
        seed=rows.request.get("seed"),
    )


def fault_of(rows: JobRows, status: Status) -> Fault | None:
    """Why the response has no picture."""
    if status == "cancelled":
        return Fault(code="response_cancelled", message="The response was canceled.")
    if status != "failed":
        return None
    return Fault(code=rows.job.error_code or "server_error", message=rows.job.error_message or "It failed.")


def call_item(answered: Answered, status: str, result: str | None) -> dict[str, Any]:
    """The call of the tool, with the picture if it is drawn. A call in progress shows nothing of it."""
    rows = answered.rows
    tool = tool_of(answered)
    image = rows.outputs[0].image if rows and rows.outputs and status != "in_progress" else None
    edits = rows is not None and Task(rows.job.task).takes_image
    return {
        "id": sibling_id("ig", answered.id),
        "type": CALL,
        "status": status,
        "result": result,
        "action": "edit" if edits else "generate",
        "background": "opaque",
        "output_format": (rows.request.get("output_format") if rows else None) or "png",
        "quality": tool.get("quality") or "auto",
        "revised_prompt": None,
        "size": None if image is None else f"{image.width}x{image.height}",
    }


def tool_of(answered: Answered) -> dict[str, Any]:
    """The options of the tool, as the client sent them."""
    return next((tool for tool in answered.shown.get("tools", ()) if tool.get("type") == TOOL), {})


def message_item(answered: Answered) -> dict[str, Any]:
    """The message of a response in text."""
    return {
        "id": sibling_id("msg", answered.id),
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [text_part(answered.text or "")],
    }


def text_part(text: str) -> dict[str, Any]:
    """The only part of such a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
