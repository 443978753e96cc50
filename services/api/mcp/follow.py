"""Wait for the end of a job, and report its progress meanwhile."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.http.prefer_wait import job_hints, wait_until
from services.api.process.gateway import Gateway
from shared.jobs import FINAL_STATES, JobState
from shared.tables import Job

Report = Callable[[float, float | None, str], Awaitable[None]]
"""Takes the codes that are drawn, those of the whole job if they are known, and what the job is doing."""


class Reporter:
    """Passes progress on if it has grown: the protocol allows no other."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._last = -1.0

    async def tell(self, job: Job) -> None:
        """Report the job's progress."""
        if job.tokens_done <= self._last:
            return
        self._last = job.tokens_done
        await self._report(job.tokens_done, job.tokens_total or None, words(job))


def words(job: Job) -> str:
    """What the job is doing, in a few words."""
    if job.state != JobState.RUNNING or not job.tokens_total:
        return job.state
    return f"{job.phase or job.state}: {job.tokens_done} of {job.tokens_total} codes"


async def follow(gateway: Gateway, job_id: UUID, seconds: float, report: Report) -> None:
    """Return when the job has ended or was deleted, or after `seconds`."""
    reporter = Reporter(report)

    async def has_ended() -> bool:
        async with gateway.database.transaction() as session:
            job = await session.run_sync(find_job, job_id)
        if job is None or JobState(job.state) in FINAL_STATES:
            return True
        await reporter.tell(job)
        return False

    await wait_until(has_ended, job_hints(gateway.subscriber, job_id), seconds)


def find_job(session: Session, job_id: UUID) -> Job | None:
    """The row of a job whose project was checked before."""
    return session.scalars(select(Job).where(Job.id == job_id)).first()
