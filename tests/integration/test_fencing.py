"""The writes of an attempt, and that they are refused once its lease has ended."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.database import Database
from shared.job_errors import JobError, JobErrorCode
from shared.job_store import (
    Lease,
    LeaseLostError,
    Progress,
    confirm_cancel,
    expire_overdue_jobs,
    expire_unservable_jobs,
    extend_leases,
    fail_job,
    reap_expired_leases,
    release_job,
    request_cancel,
    save_progress,
    succeed_job,
)
from shared.job_store.clock import database_time
from shared.jobs import JobEvent, JobState, Phase, Queue
from shared.tables import (
    Base,
    Candidate,
    Checkpoint,
    Delivery,
    ImageTokens,
    Job,
    JobEventRow,
    UsageRecord,
    WebhookEndpoint,
    WorkerRow,
)
from tests.support.factories import (
    claim,
    let_lease_run_out,
    must_claim,
    one_picture,
    queue_job,
    read_job,
)

HALFWAY = Progress(Phase.GENERATING, 50, 100, 12.5)
LOST_WORKER_LIMIT = 5

WRITES: dict[str, Callable[[Session, Lease], object]] = {
    "succeed": lambda session, lease: succeed_job(session, lease, one_picture()),
    "fail": lambda session, lease: fail_job(session, lease, JobError(JobErrorCode.OUT_OF_MEMORY, "no room")),
    "progress": lambda session, lease: save_progress(session, lease, HALFWAY, b"tokens"),
    "release": lambda session, lease: release_job(session, lease, "drain"),
    "cancel": lambda session, lease: confirm_cancel(session, lease, one_picture()),
}


def reap(database: Database) -> list[UUID]:
    """Reap expired leases once; return the ids of the jobs."""
    with database.transaction() as session:
        return [job.id for job in reap_expired_leases(session, LOST_WORKER_LIMIT)]


def events(database: Database, job_id: UUID) -> list[str]:
    """The job's events, in order."""
    with database.transaction() as session:
        statement = (
            select(JobEventRow.kind).where(JobEventRow.job_id == job_id).order_by(JobEventRow.sequence)
        )
        return list(session.scalars(statement))


def everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """All rows by table."""
    with database.transaction() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }


@pytest.mark.parametrize("write", WRITES)
def test_a_stale_attempt_writes_nothing_while_its_successor_runs(
    database: Database, project_id: UUID, write: str
) -> None:
    queue_job(database, project_id)
    stale = must_claim(database).lease
    let_lease_run_out(database, stale)
    reap(database)
    must_claim(database, "worker-2")
    before = everything(database)

    with pytest.raises(LeaseLostError), database.transaction() as session:
        WRITES[write](session, stale)

    assert everything(database) == before


@pytest.mark.parametrize("write", WRITES)
def test_a_lease_that_ran_out_is_over_even_before_it_is_reaped(
    database: Database, project_id: UUID, write: str
) -> None:
    queue_job(database, project_id)
    lease = must_claim(database).lease
    let_lease_run_out(database, lease)
    before = everything(database)

    with pytest.raises(LeaseLostError), database.transaction() as session:
        WRITES[write](session, lease)
    with database.transaction() as session:
        assert extend_leases(session, [lease], 60.0).is_lost(lease)

    assert everything(database) == before


def test_success_writes_picture_tokens_candidate_usage_and_event_together(
    database: Database, project_id: UUID
) -> None:
    job_id = queue_job(database, project_id)
    lease = must_claim(database).lease
    answer = one_picture()

    with database.transaction() as session:
        save_progress(session, lease, HALFWAY, b"tokens")
        succeed_job(session, lease, answer)

    with database.transaction() as session:
        candidate = session.scalars(select(Candidate)).one()
        tokens = session.scalars(select(ImageTokens)).one()
        assert (candidate.job_id, candidate.position, candidate.score) == (job_id, 0, 1.5)
        assert tokens.grid == answer.outputs[0].grid.to_bytes()
        assert session.get_one(UsageRecord, job_id).tokens_done == 4
        assert session.scalar(select(func.count()).select_from(Checkpoint)) == 0
    assert read_job(database, job_id).state == JobState.SUCCEEDED
    assert events(database, job_id) == ["queued", "started", "succeeded"]


def test_a_job_ends_only_once(database: Database, project_id: UUID) -> None:
    queue_job(database, project_id)
    lease = must_claim(database).lease
    with database.transaction() as session:
        succeed_job(session, lease, one_picture())

    with pytest.raises(LeaseLostError), database.transaction() as session:
        succeed_job(session, lease, one_picture())


def test_a_released_job_goes_on_from_its_checkpoint_and_has_not_failed(
    database: Database, project_id: UUID
) -> None:
    job_id = queue_job(database, project_id, max_failures=1)
    for attempt in range(1, 5):
        lease = must_claim(database).lease
        with database.transaction() as session:
            save_progress(session, lease, HALFWAY, f"tokens of {attempt}".encode())
            release_job(session, lease, "drain")

    claimed = must_claim(database)

    job = read_job(database, job_id)
    assert claimed.checkpoint == b"tokens of 4"
    assert (job.attempt, job.failures, job.interruptions) == (5, 0, 4)


def test_two_reapers_at_once_interrupt_a_job_once(database: Database, project_id: UUID) -> None:
    job_id = queue_job(database, project_id)
    let_lease_run_out(database, must_claim(database).lease)

    with database.transaction() as first:
        taken = [job.id for job in reap_expired_leases(first, LOST_WORKER_LIMIT)]
        meanwhile = reap(database)
    afterwards = reap(database)

    job = read_job(database, job_id)
    assert (taken, meanwhile, afterwards) == ([job_id], [], [])
    assert (job.state, job.interruptions, job.failures) == (JobState.QUEUED, 1, 0)
    assert events(database, job_id) == ["queued", "started", "interrupted"]


def test_a_job_fails_after_the_limit_of_lost_workers(database: Database, project_id: UUID) -> None:
    job_id = queue_job(database, project_id)
    for _ in range(LOST_WORKER_LIMIT):
        let_lease_run_out(database, must_claim(database).lease)
        reap(database)

    job = read_job(database, job_id)
    assert (job.state, job.error_code, job.failures) == (JobState.FAILED, JobErrorCode.WORKER_LOST, 0)


def test_a_job_whose_codes_are_all_drawn_survives_any_number_of_lost_workers(
    database: Database, project_id: UUID
) -> None:
    """Fixed bug: a job whose drawing was complete could fail in its last step after hours."""
    job_id = queue_job(database, project_id)
    for _ in range(2 * LOST_WORKER_LIMIT):
        lease = must_claim(database).lease
        with database.transaction() as session:
            save_progress(session, lease, Progress(Phase.DECODING, 64, 64), b"all codes")
        let_lease_run_out(database, lease)
        reap(database)

    assert read_job(database, job_id).state == JobState.QUEUED


def test_a_retryable_failure_waits_and_the_last_one_ends_the_job(
    database: Database, project_id: UUID
) -> None:
    job_id = queue_job(database, project_id, max_failures=2)
    error = JobError(JobErrorCode.OUT_OF_MEMORY, "no room")
    with database.transaction() as session:
        first = fail_job(session, must_claim(database).lease, error)
    assert first.state == JobState.QUEUED
    assert claim(database) is None
    with database.transaction() as session:
        session.execute(update(Job).values(available_at=database_time()))

    with database.transaction() as session:
        fail_job(session, must_claim(database).lease, error)

    job = read_job(database, job_id)
    assert (job.state, job.error_code, job.error_message) == (JobState.FAILED, "out_of_memory", "no room")
    assert events(database, job_id) == ["queued", "started", "retrying", "started", "failed"]


def test_a_failure_that_no_retry_can_fix_ends_the_job_at_once(database: Database, project_id: UUID) -> None:
    queue_job(database, project_id)
    with database.transaction() as session:
        error = JobError(JobErrorCode.IMAGE_UNREADABLE, "not a picture")
        job = fail_job(session, must_claim(database).lease, error)
    assert job.state == JobState.FAILED


def test_cancelling_a_waiting_job_is_immediate_and_asking_again_changes_nothing(
    database: Database, project_id: UUID
) -> None:
    job_id = queue_job(database, project_id)
    with database.transaction() as session:
        request_cancel(session, project_id, job_id)
        request_cancel(session, project_id, job_id)

    assert read_job(database, job_id).state == JobState.CANCELED
    assert events(database, job_id) == ["queued", "canceled"]


def test_cancelling_a_running_job_waits_for_the_worker_and_keeps_the_drawn_rows(
    database: Database, project_id: UUID
) -> None:
    job_id = queue_job(database, project_id)
    lease = must_claim(database).lease
    with database.transaction() as session:
        request_cancel(session, project_id, job_id)
        assert extend_leases(session, [lease], 60.0).should_cancel(lease)

    with database.transaction() as session:
        confirm_cancel(session, lease, one_picture(partial=True))

    with database.transaction() as session:
        assert session.scalars(select(Candidate)).one().partial
    assert events(database, job_id) == ["queued", "started", "canceling", "canceled"]


@pytest.mark.parametrize("end", ["release", "fail", "reap"])
def test_a_job_whose_cancellation_was_requested_is_never_queued_again(
    database: Database, project_id: UUID, end: str
) -> None:
    job_id = queue_job(database, project_id)
    lease = must_claim(database).lease
    with database.transaction() as session:
        request_cancel(session, project_id, job_id)

    if end == "reap":
        let_lease_run_out(database, lease)
        reap(database)
    else:
        with database.transaction() as session:
            WRITES[end](session, lease)

    assert read_job(database, job_id).state == JobState.CANCELED


def test_another_project_cannot_cancel(database: Database, project_id: UUID) -> None:
    job_id = queue_job(database, project_id)
    with database.transaction() as session:
        assert request_cancel(session, job_id, job_id) is None
    assert read_job(database, job_id).state == JobState.QUEUED


def test_deadlines_expire_waiting_jobs_and_fail_running_jobs(database: Database, project_id: UUID) -> None:
    running = queue_job(database, project_id)
    must_claim(database)
    waiting, interrupted = queue_job(database, project_id), queue_job(database, project_id)
    with database.transaction() as session:
        past = {"finish_by": database_time() - timedelta(seconds=1)}
        session.execute(update(Job).where(Job.id == running).values(past))
        past = {"start_by": database_time() - timedelta(seconds=1)}
        session.execute(update(Job).where(Job.id == waiting).values(past))
        started = {"attempt": 1, "interruptions": 1, "started_at": database_time()}
        session.execute(update(Job).where(Job.id == interrupted).values(past | started))

    with database.transaction() as session:
        expire_overdue_jobs(session)

    states = [read_job(database, job_id).state for job_id in (running, waiting, interrupted)]
    assert states == [JobState.FAILED, JobState.EXPIRED, JobState.QUEUED]


def test_a_new_job_expires_when_the_workers_have_other_models_and_an_interrupted_one_waits(
    database: Database, project_id: UUID
) -> None:
    def expire() -> None:
        with database.transaction() as session:
            expire_unservable_jobs(session, wait_seconds=60)

    fresh, waiting, served, interrupted = (
        queue_job(database, project_id, model=model) for model in ("other", "other", "tiny", "other")
    )
    with database.transaction() as session:
        long_ago = {"created_at": database_time() - timedelta(seconds=61)}
        session.execute(update(Job).where(Job.id != fresh).values(long_ago))
        started = {"attempt": 1, "interruptions": 1, "started_at": database_time()}
        session.execute(update(Job).where(Job.id == interrupted).values(started))
    expire()
    assert read_job(database, waiting).state == JobState.QUEUED

    with database.transaction() as session:
        session.add(WorkerRow(id="worker-1", queues=[Queue.GENERATE], slots=1, model={"name": "tiny"}))
    expire()
    jobs = [read_job(database, job_id) for job_id in (fresh, waiting, served, interrupted)]
    assert [job.state for job in jobs] == [
        JobState.QUEUED,
        JobState.EXPIRED,
        JobState.QUEUED,
        JobState.QUEUED,
    ]
    assert jobs[1].error_code == JobErrorCode.MODEL_UNAVAILABLE


def test_each_event_is_queued_once_for_every_endpoint_that_wants_it(
    database: Database, project_id: UUID
) -> None:
    def endpoint(*event_types: str) -> WebhookEndpoint:
        return WebhookEndpoint(
            project_id=project_id, url="https://example.org", event_types=list(event_types), secret=bytes(32)
        )

    with database.transaction() as session:
        session.add_all([endpoint("job.succeeded", "job.started"), endpoint("job.failed")])
    job_id = queue_job(database, project_id)
    with database.transaction() as session:
        succeed_job(session, must_claim(database).lease, one_picture())

    with database.transaction() as session:
        rows = session.scalars(select(Delivery).order_by(Delivery.sequence)).all()
    assert [(row.job_id, row.event_type) for row in rows] == [
        (job_id, f"job.{JobEvent.STARTED}"),
        (job_id, f"job.{JobEvent.SUCCEEDED}"),
    ]
