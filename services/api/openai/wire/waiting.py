"""Wait for the end of a job as long as its client stays connected, and turn its failure into an answer."""

import asyncio
from uuid import UUID

from fastapi import Request
from starlette.requests import ClientDisconnect

from services.api.http.body_limits import body_of
from services.api.jobs.cancel import cancel_job
from services.api.jobs.finished import succeeded
from services.api.jobs.wait import read_after_wait
from services.api.process.background_tasks import end_tasks
from services.api.process.gateway import Gateway
from shared.job_view.view import JobRows

CANCEL_ON_DISCONNECT = "x-luminary-cancel-on-disconnect"
"""Header of a client that wants no picture any more when its connection ends. Without it the job goes on,
because proxies cut long requests, and the client sends the same request again."""


async def drawn_job(request: Request, gateway: Gateway, project_id: UUID, job_id: UUID) -> JobRows:
    """The job after it has succeeded.

    Raises Problem for a job that ends in another way or takes longer than GATEWAY_OPENAI_WAIT_SECONDS, and
    ClientDisconnect. The request's body must be read.
    """
    await body_of(request.scope).release()  # the body is no longer in memory while the job runs
    seconds = gateway.settings.gateway.openai_wait_seconds
    reading = asyncio.ensure_future(read_after_wait(gateway, project_id, job_id, seconds))
    leaving = asyncio.ensure_future(disconnected(request))
    try:
        await asyncio.wait((reading, leaving), return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            return succeeded(reading.result())
    finally:
        await end_tasks((reading, leaving))
    if request.headers.get(CANCEL_ON_DISCONNECT, "").lower() == "true":
        async with gateway.database.transaction() as session:
            await session.run_sync(cancel_job, project_id, job_id)
    raise ClientDisconnect


async def disconnected(request: Request) -> None:
    """Return when the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
