"""Answer a chat completion: when its job has ended, or as a stream of chunks while it is drawn."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from fastapi import Request
from fastapi.sse import format_sse_event
from sqlalchemy import func, select
from starlette.responses import Response, StreamingResponse

from services.api.http.error_handlers import problem_of
from services.api.jobs.responses import JSON, json_bytes
from services.api.openai.chat.answers import (
    ChatChunk,
    ChatCompletion,
    ChatMessage,
    ChatUsage,
    Choice,
    ChunkChoice,
    DrawnBy,
)
from services.api.openai.chat.complete import Accepted
from services.api.openai.chat.pictures import drawn_messages, text_message
from services.api.openai.turns.follow import follow, has_ended
from services.api.openai.wire.waiting import drawn_job, succeeded
from services.api.problems.codes import Problem
from services.api.problems.documents import describe
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id
from shared.job_store.clock import database_time
from shared.job_view.view import JobRows
from shared.request_ids import request_id_of
from shared.storage import StorageError

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""No cache keeps a stream, and nginx passes each chunk on at once."""
PING = format_sse_event(comment="ping")
DONE = format_sse_event(data_str="[DONE]")


@dataclass(frozen=True)
class Head:
    """What an answer and all of its chunks say."""

    id: str
    created: int
    model: str
    luminary: DrawnBy | None = None


async def completion_answer(
    request: Request, gateway: Gateway, project_id: UUID, accepted: Accepted
) -> Response:
    """The response to an accepted request. Raises Problem, StorageError or ClientDisconnect."""
    if accepted.job_id is None:
        head = await head_of_text(gateway, accepted)
        messages = [text_message(accepted, f"call_{uuid4().hex[:24]}")]
        if accepted.stream:
            return stream_of(text_lines(head, messages, accepted))
        return whole_answer(head, messages, ChatUsage())
    if accepted.stream:
        return stream_of(drawn_lines(request, gateway, project_id, accepted))
    rows = await drawn_job(request, gateway, project_id, accepted.job_id)
    messages = await drawn_messages(gateway, rows, accepted)
    return whole_answer(head_of_job(rows, accepted), messages, ChatUsage.of(rows.usage))


def whole_answer(head: Head, messages: Sequence[ChatMessage], usage: ChatUsage) -> Response:
    """The completion in one response."""
    choices = [Choice(index=index, message=message) for index, message in enumerate(messages)]
    return Response(json_bytes(ChatCompletion(**vars(head), choices=choices, usage=usage)), media_type=JSON)


def stream_of(lines: AsyncGenerator[bytes]) -> Response:
    """The stream of the chunks."""
    return StreamingResponse(lines, media_type="text/event-stream", headers=HEADERS)


async def text_lines(
    head: Head, messages: Sequence[ChatMessage], accepted: Accepted
) -> AsyncGenerator[bytes]:
    """The chunks of a short text."""
    for line in message_lines(head, messages, ChatUsage() if accepted.include_usage else None):
        yield line


async def drawn_lines(
    request: Request, gateway: Gateway, project_id: UUID, accepted: Accepted
) -> AsyncGenerator[bytes]:
    """The chunks of a drawing: the opening at once, comments while it is drawn, then the pictures."""
    if accepted.job_id is None:
        raise RuntimeError("a stream of a drawing needs a job")
    try:
        rows, is_open = None, False
        async for rows in follow(gateway, project_id, accepted.job_id):
            if not is_open:
                yield opening(head_of_job(rows, accepted))
                is_open = True
            elif not has_ended(rows):
                yield PING
        drawn = succeeded(rows) if rows is not None else None
        if drawn is None:
            return
        messages = await drawn_messages(gateway, drawn, accepted)
    except (Problem, StorageError) as error:
        yield error_line(error, gateway, request)
        return
    usage = ChatUsage.of(drawn.usage) if accepted.include_usage else None
    for line in message_lines(head_of_job(drawn, accepted), messages, usage):
        yield line


def opening(head: Head) -> bytes:
    """The first chunk of a drawing: the answer has begun."""
    return chunk(head, [ChunkChoice(index=0, delta=delta_of(ChatMessage(content="")))])


def message_lines(head: Head, messages: Sequence[ChatMessage], usage: ChatUsage | None) -> Iterator[bytes]:
    """A chunk with each message, the ends of all, the usage if it is wanted, and the end of the stream."""
    for index, message in enumerate(messages):
        yield chunk(head, [ChunkChoice(index=index, delta=delta_of(message))])
    for index in range(len(messages)):
        yield chunk(head, [ChunkChoice(index=index, delta={}, finish_reason="stop")])
    if usage is not None:
        yield chunk(head, [], usage)
    yield DONE


def delta_of(message: ChatMessage) -> dict[str, Any]:
    """The fields of a message that have a value."""
    return message.model_dump(exclude_none=True)


def chunk(head: Head, choices: list[ChunkChoice], usage: ChatUsage | None = None) -> bytes:
    """One event without a name, as all clients of this route expect."""
    body = ChatChunk(**vars(head), choices=choices, usage=usage)
    return format_sse_event(data_str=body.model_dump_json())


def error_line(error: Exception, gateway: Gateway, request: Request) -> bytes:
    """The event after which a client reports a failure."""
    problem = problem_of(error)
    gateway.metrics.problems.labels(problem.code).inc()
    document = describe(problem, gateway.settings.gateway.public_url, request_id_of(request.scope))
    return format_sse_event(data_str=f'{{"error":{document.error.model_dump_json()}}}')


async def head_of_text(gateway: Gateway, accepted: Accepted) -> Head:
    """The head of an answer without a job."""
    async with gateway.database.transaction() as session:
        now: Any = (await session.execute(select(func.extract("epoch", database_time())))).scalar_one()
    return Head(f"chatcmpl-{uuid4().hex}", int(now), accepted.model)


def head_of_job(rows: JobRows, accepted: Accepted) -> Head:
    """The head of the answer with a job's pictures."""
    job = format_id(IdKind.JOB, rows.job.id)
    if accepted.session_id is None:
        raise RuntimeError("a drawing of a conversation belongs to a session")
    by = DrawnBy(job_id=job, session_id=format_id(IdKind.SESSION, accepted.session_id))
    created = int(rows.job.created_at.timestamp())
    return Head(f"chatcmpl-{job.partition('_')[2]}", created, accepted.model, by)
