"""Send the events of a response, from any number on, while its job is followed."""

from collections.abc import AsyncGenerator
from uuid import UUID

from fastapi.sse import format_sse_event
from starlette.responses import Response, StreamingResponse

from services.api.openai.pictures.answers import picture_texts
from services.api.openai.responses.events import events_of
from services.api.openai.responses.view import Answered, view_response
from services.api.openai.turns.follow import follow
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.job_view.view import JobRows

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
PING = format_sse_event(comment="ping")


def stream_of(gateway: Gateway, project_id: UUID, answered: Answered, after: int) -> Response:
    """The stream of a response's events with numbers above `after`."""
    lines = event_lines(gateway, project_id, answered, after)
    return StreamingResponse(lines, media_type="text/event-stream", headers=HEADERS)


async def event_lines(
    gateway: Gateway, project_id: UUID, answered: Answered, after: int
) -> AsyncGenerator[bytes]:
    """The lines of a stream until the response has ended."""
    if answered.rows is None:
        for event in events_of(answered):
            if event.number > after:
                yield event.line
        return
    async for rows in follow(gateway, project_id, answered.rows.job.id):
        answered = with_job(answered, rows)
        result = await result_of(gateway, answered)
        new = [event for event in events_of(answered, result) if event.number > after]
        for event in new:
            yield event.line
            after = event.number
        if not new:
            yield PING


def with_job(answered: Answered, rows: JobRows) -> Answered:
    """The response with its job as it is now."""
    return Answered(answered.id, answered.shown, answered.session_id, rows.job.created_at, rows=rows)


async def result_of(gateway: Gateway, answered: Answered) -> str | None:
    """The picture in base64; None while it is not drawn, or after its file has expired."""
    rows = answered.rows
    if rows is None or not answered.has_ended or rows.job.error_code is not None or not rows.outputs:
        return None
    if rows.outputs[0].candidate.partial:
        return None  # of a canceled response
    try:
        [picture] = await picture_texts(gateway, rows, rows.outputs[:1], "b64_json")
    except Problem as problem:
        if problem.code != ProblemCode.IMAGE_EXPIRED:
            raise
        return None
    return picture["b64_json"]


async def whole_response(gateway: Gateway, answered: Answered) -> Response:
    """The response as it is now, in JSON."""
    view = view_response(answered, await result_of(gateway, answered))
    return Response(view.model_dump_json(), media_type="application/json")
