"""Read a job once it has ended, or when the client's patience has."""

from uuid import UUID

from services.api.gateway import Gateway
from services.api.job_reading import is_final, read_job
from services.api.job_view import JobRows
from services.api.waiting import job_hints, wait_until


async def read_after_wait(gateway: Gateway, project_id: UUID, job_id: UUID, seconds: float) -> JobRows:
    """The job after at most so many seconds; no connection to the database is held in between."""

    async def has_ended() -> bool:
        async with gateway.database.transaction() as session:
            return await session.run_sync(is_final, job_id)

    await wait_until(has_ended, job_hints(gateway.subscriber, job_id), seconds)
    async with gateway.database.transaction() as session:
        return await session.run_sync(read_job, project_id, job_id)
