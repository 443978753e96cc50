"""Read a job until it ends, for streams, which stay open while the database does not answer."""

import asyncio
import time
from collections.abc import AsyncGenerator
from uuid import UUID

from services.api.jobs.repository import read_job
from services.api.jobs.wait import read_after_wait
from services.api.process.gateway import Gateway
from shared.async_database import DATABASE_FAULTS
from shared.job_view.view import JobRows
from shared.jobs import FINAL_STATES, JobState

PING_SECONDS = 10.0
"""Longest silence on a stream; proxies close connections that are silent for longer."""
AGAIN_SECONDS = 1.0


def has_ended(rows: JobRows) -> bool:
    """Whether the job has ended."""
    return JobState(rows.job.state) in FINAL_STATES


async def follow(gateway: Gateway, project_id: UUID, job_id: UUID) -> AsyncGenerator[JobRows]:
    """Yield the job at once, every PING_SECONDS, and when it has ended; the last one may not have ended.

    That is so after GATEWAY_OPENAI_WAIT_SECONDS. Raises Problem if the job is deleted.
    """
    deadline = time.monotonic() + gateway.settings.gateway.openai_wait_seconds
    async with gateway.database.transaction() as session:
        rows = await session.run_sync(read_job, project_id, job_id)
    yield rows
    while not has_ended(rows) and (left := deadline - time.monotonic()) > 0:
        try:
            rows = await read_after_wait(gateway, project_id, job_id, min(left, PING_SECONDS))
        except DATABASE_FAULTS:
            await asyncio.sleep(AGAIN_SECONDS)
        yield rows
