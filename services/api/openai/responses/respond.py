"""Answer a request for a response: at once, as a stream, or when it is drawn."""

from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from services.api.jobs.repository import read_job
from services.api.openai.responses.create import Accepted
from services.api.openai.responses.events import BEFORE_ALL
from services.api.openai.responses.stream import stream_of, whole_response
from services.api.openai.responses.view import Answered
from services.api.openai.wire.waiting import drawn_job
from services.api.process.gateway import Gateway


async def response_answer(
    request: Request, gateway: Gateway, project_id: UUID, accepted: Accepted
) -> Response:
    """The answer to an accepted request. Raises Problem, StorageError or ClientDisconnect."""
    answered = accepted.text
    if answered is None and accepted.job_id is not None:
        answered = await drawn_response(request, gateway, project_id, accepted.job_id, accepted)
    if answered is None:
        raise RuntimeError("a response has a job or a text")
    if accepted.stream:
        return stream_of(gateway, request.app.state.feed, project_id, answered, BEFORE_ALL)
    return await whole_response(gateway, answered)


async def drawn_response(
    request: Request, gateway: Gateway, project_id: UUID, job_id: UUID, accepted: Accepted
) -> Answered:
    """The response with its job: when it has ended, or at once for a stream and in the background."""
    if accepted.stream or accepted.shown["background"]:
        async with gateway.database.transaction() as session:
            rows = await session.run_sync(read_job, project_id, job_id)
    else:
        rows = await drawn_job(request, gateway, project_id, job_id)
    return Answered(job_id, accepted.shown, accepted.session_id, rows.job.created_at, rows=rows)
