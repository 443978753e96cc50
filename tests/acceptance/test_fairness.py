"""Fairness: the long queue of one project does not delay the only job of another project."""

from sqlalchemy import func, select

from shared.job_store import request_cancel
from shared.jobs import JobEvent, JobState
from shared.tables import Job, JobEventRow
from tests.support.platforms.installation import SLOTS, Installation
from tests.support.platforms.platform import PlatformUnderTest, eventually

LONG_QUEUE = 500


def starts(platform: PlatformUnderTest) -> int:
    """Number of started jobs of the project."""
    with platform.database.transaction() as session:
        started = select(func.count()).where(
            JobEventRow.job_id == Job.id,
            Job.project_id == platform.project_id,
            JobEventRow.kind == JobEvent.STARTED.value,
        )
        return session.scalars(started).one()


def starts_between(platform: PlatformUnderTest, other: PlatformUnderTest, job: Job) -> int:
    """Number of the project's jobs that started while the other project's job was waiting."""
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
    """Cancel all jobs of the project, so that they do not delay the next tests."""
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
