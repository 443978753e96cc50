"""One project's long queue and another project's only job."""

from sqlalchemy import func, select

from shared.job_store import request_cancel
from shared.jobs import JobEvent, JobState
from shared.tables import Job, JobEventRow
from tests.acceptance.installation import SLOTS, Installation
from tests.integration.worker.platform import PlatformUnderTest, eventually

LONG_QUEUE = 500


def starts(platform: PlatformUnderTest) -> int:
    """How many jobs of the project have started."""
    with platform.database.transaction() as session:
        started = select(func.count()).where(
            JobEventRow.job_id == Job.id,
            Job.project_id == platform.project_id,
            JobEventRow.kind == JobEvent.STARTED.value,
        )
        return session.scalars(started).one()


def starts_between(platform: PlatformUnderTest, other: PlatformUnderTest, job: Job) -> int:
    """How many jobs of the project started after the other's job was queued and before it was started."""
    with platform.database.transaction() as session:
        queued, started = session.scalars(
            select(JobEventRow.created_at)
            .where(JobEventRow.job_id == job.id, JobEventRow.kind.in_(["queued", "started"]))
            .order_by(JobEventRow.sequence)
        ).all()[:2]
        between = select(func.count()).where(
            JobEventRow.job_id == Job.id,
            Job.project_id == platform.project_id,
            JobEventRow.kind == JobEvent.STARTED.value,
            JobEventRow.created_at.between(queued, started),
        )
        return session.scalars(between).one()


def cancel_the_rest(platform: PlatformUnderTest) -> None:
    """Leave nothing to do for the tests that follow."""
    with platform.database.transaction() as session:
        queued = session.scalars(select(Job.id).where(Job.project_id == platform.project_id)).all()
        for job_id in queued:
            request_cancel(session, platform.project_id, job_id)


def test_five_hundred_jobs_of_another_project_delay_a_single_one_by_the_busy_slots_at_most(
    installation: Installation, platform: PlatformUnderTest
) -> None:
    with installation.worker.frozen():
        for seed in range(LONG_QUEUE):
            platform.ask(seed=seed)
    eventually(lambda: starts(platform) >= SLOTS, "busy slots")
    small = installation.world("small")
    job = small.finished(small.ask())

    assert job.state == JobState.SUCCEEDED
    assert starts_between(platform, small, job) <= SLOTS
    assert starts(platform) < LONG_QUEUE
    cancel_the_rest(platform)
