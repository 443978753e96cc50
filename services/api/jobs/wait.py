"""Read a job after it has ended, or after the time that the client wants to wait."""

from uuid import UUID

from services.api.http.prefer_wait import job_hints, wait_until
from services.api.jobs.repository import is_final, read_job
from services.api.process.gateway import Gateway
from shared.job_view.view import JobRows


async def read_after_wait(gateway: Gateway, project_id: UUID, job_id: UUID, seconds: float) -> JobRows:
    """The job when it has ended, or after `seconds`. No database connection is held while waiting."""

    async def has_ended() -> bool:
        async with gateway.database.transaction() as session:
            return await session.run_sync(is_final, project_id, job_id)

    await wait_until(has_ended, job_hints(gateway.subscriber, job_id), seconds)
    async with gateway.database.transaction() as session:
        return await session.run_sync(read_job, project_id, job_id)
