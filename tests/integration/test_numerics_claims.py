"""A job that one worker has begun is continued by a worker with the same numerics identity."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update

from shared.database import Database
from shared.job_errors import JobErrorCode
from shared.job_store import (
    ClaimedJob,
    Progress,
    claim_next_job,
    expire_undrawable_jobs,
    expire_unservable_jobs,
    release_job,
    save_progress,
)
from shared.job_store.clock import database_time
from shared.job_store.numerics import PREFERENCE_SECONDS
from shared.jobs import JobEvent, JobState, Phase, Queue
from shared.tables import Job, JobEventRow, WorkerRow
from tests.support.factories import claim, queue_job, read_job

BF16, FP32, GONE = "bf16bf16bf16bf16", "fp32fp32fp32fp32", "00000000000000aa"
WAIT_SECONDS = 600
MINUTES_AGO = timedelta(seconds=WAIT_SECONDS - 60)
LONG_AGO = timedelta(seconds=WAIT_SECONDS + 60)


def register(database: Database, numerics: str, silent_for: timedelta = timedelta(0)) -> None:
    """Add a worker with this identity. silent_for: time since its last heartbeat."""
    with database.transaction() as session:
        session.merge(
            WorkerRow(
                id=f"worker-{numerics}",
                queues=[queue.value for queue in Queue],
                slots=1,
                model={"name": "tiny"},
                numerics=numerics,
                heartbeat_at=database_time() - silent_for,
            )
        )


def begin(database: Database, numerics: str, *, saves: bool) -> UUID:
    """Claim a job with this identity, save codes if `saves`, and hand it back."""
    claimed = claim(database, numerics=numerics)
    assert claimed is not None
    with database.transaction() as session:
        if saves:
            progress = Progress(Phase.GENERATING, tokens_done=3, tokens_total=9)
            save_progress(session, claimed.lease, progress, b"codes", numerics)
        release_job(session, claimed.lease, "drain")
    return claimed.lease.job_id


def started_with(database: Database, job_id: UUID) -> list[Mapping[str, Any]]:
    """The data of the job's `started` events, in order."""
    statement = (
        select(JobEventRow.data)
        .where(JobEventRow.job_id == job_id, JobEventRow.kind == JobEvent.STARTED.value)
        .order_by(JobEventRow.sequence)
    )
    with database.transaction() as session:
        return list(session.scalars(statement))


def id_of(claimed: ClaimedJob | None) -> UUID | None:
    return claimed and claimed.lease.job_id


def wait_since(database: Database, job_id: UUID, seconds: float) -> None:
    """Change the job so that it has waited for this time."""
    past = {"available_at": database_time() - timedelta(seconds=seconds)}
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(past))


def test_saved_codes_wait_for_a_worker_of_their_identity(database: Database, project_id: UUID) -> None:
    """Fixed bug: a worker with fp32 took a job begun with bf16 and silently discarded 400 saved codes."""
    queue_job(database, project_id)
    register(database, BF16, MINUTES_AGO)
    job_id = begin(database, BF16, saves=True)
    wait_since(database, job_id, WAIT_SECONDS / 2)

    assert claim(database, numerics=FP32) is None
    claimed = claim(database, numerics=BF16)

    assert claimed is not None
    assert (claimed.lease.job_id, claimed.checkpoint, claimed.checkpoint_numerics) == (job_id, b"codes", BF16)
    assert read_job(database, job_id).numerics_before is None
    assert [data.get("numerics_changed") for data in started_with(database, job_id)] == [None, None]


def test_when_their_identity_is_gone_another_worker_draws_from_the_start_and_the_job_shows_it(
    database: Database, project_id: UUID
) -> None:
    queue_job(database, project_id)
    register(database, BF16, LONG_AGO)
    job_id = begin(database, BF16, saves=True)

    claimed = claim(database, numerics=FP32)

    assert id_of(claimed) == job_id
    job = read_job(database, job_id)
    assert (job.numerics, job.numerics_before, job.checkpoint_numerics) == (FP32, BF16, BF16)
    assert [data.get("numerics_changed") for data in started_with(database, job_id)] == [
        None,
        {"from": BF16, "to": FP32},
    ]


def test_a_change_of_the_identity_is_reported_once_and_stays_visible(
    database: Database, project_id: UUID
) -> None:
    queue_job(database, project_id)
    begin(database, BF16, saves=True)
    job_id = begin(database, FP32, saves=True)
    register(database, FP32)

    assert claim(database, numerics=BF16) is None
    assert id_of(claim(database, numerics=FP32)) == job_id
    assert read_job(database, job_id).numerics_before == BF16
    assert [bool(data.get("numerics_changed")) for data in started_with(database, job_id)] == [
        False,
        True,
        False,
    ]


def test_a_job_does_not_wait_for_a_worker_of_another_queue(database: Database, project_id: UUID) -> None:
    queue_job(database, project_id, queue=Queue.EDIT)
    register(database, BF16)
    with database.transaction() as session:
        session.execute(update(WorkerRow).values(queues=[Queue.GENERATE.value]))
    job_id = begin(database, BF16, saves=True)

    assert id_of(claim(database, numerics=FP32)) == job_id


def test_a_job_without_saved_codes_is_kept_for_its_identity_only_for_seconds(
    database: Database, project_id: UUID
) -> None:
    queue_job(database, project_id)
    register(database, BF16)
    job_id = begin(database, BF16, saves=False)

    assert claim(database, numerics=FP32) is None
    wait_since(database, job_id, PREFERENCE_SECONDS + 1)
    assert id_of(claim(database, numerics=FP32)) == job_id
    assert read_job(database, job_id).numerics_before == BF16


def test_a_worker_prefers_new_jobs_to_jobs_that_another_identity_began(
    database: Database, project_id: UUID
) -> None:
    queue_job(database, project_id)
    register(database, BF16)
    begun = begin(database, BF16, saves=False)
    wait_since(database, begun, PREFERENCE_SECONDS + 1)
    fresh = queue_job(database, project_id)

    assert id_of(claim(database, numerics=FP32)) == fresh


def test_a_job_that_requests_an_identity_goes_to_no_other(database: Database, project_id: UUID) -> None:
    wanted = queue_job(database, project_id, numerics=BF16)
    other = queue_job(database, project_id)

    assert id_of(claim(database, numerics=FP32)) == other
    assert claim(database, numerics=FP32) is None
    assert claim(database) is None
    assert id_of(claim(database, numerics=BF16)) == wanted


def test_a_job_whose_identity_does_not_come_back_expires(database: Database, project_id: UUID) -> None:
    def expire() -> None:
        with database.transaction() as session:
            expire_undrawable_jobs(session, WAIT_SECONDS)

    fresh, waiting, served, interrupted = (
        queue_job(database, project_id, numerics=numerics) for numerics in (GONE, GONE, BF16, GONE)
    )
    for job_id in (waiting, served, interrupted):
        wait_since(database, job_id, WAIT_SECONDS + 1)
    with database.transaction() as session:
        started = {"attempt": 1, "interruptions": 1, "started_at": database_time()}
        session.execute(update(Job).where(Job.id == interrupted).values(started))
    expire()
    assert read_job(database, waiting).state == JobState.QUEUED, "no worker runs at all"

    register(database, BF16)
    register(database, GONE, MINUTES_AGO)
    expire()
    assert read_job(database, waiting).state == JobState.QUEUED, "its worker ran recently"

    register(database, GONE, LONG_AGO)
    expire()
    jobs = [read_job(database, job_id) for job_id in (fresh, waiting, served, interrupted)]
    assert [job.state for job in jobs] == [
        JobState.QUEUED,
        JobState.EXPIRED,
        JobState.QUEUED,
        JobState.EXPIRED,
    ]
    assert jobs[1].error_code == JobErrorCode.NUMERICS_UNAVAILABLE


def test_a_job_waits_for_a_model_whose_worker_has_just_left(database: Database, project_id: UUID) -> None:
    job_id = queue_job(database, project_id, model="tiny")
    register(database, BF16)
    with database.transaction() as session:
        session.execute(update(Job).values(created_at=database_time() - LONG_AGO))
        session.execute(update(WorkerRow).values(left_at=database_time()))
        other = WorkerRow(id="other", queues=["generate"], slots=1, model={"name": "other"})
        session.add(other)
        session.flush()
        expire_unservable_jobs(session, WAIT_SECONDS)
    assert read_job(database, job_id).state == JobState.QUEUED


def test_claimers_of_two_identities_at_once_never_get_the_same_job(
    database: Database, project_id: UUID
) -> None:
    jobs = {queue_job(database, project_id) for _ in range(30)}

    def claim_all(number: int) -> list[UUID]:
        mine: list[UUID] = []
        while claimed := claim(database, f"worker-{number}", numerics=(BF16, FP32)[number % 2]):
            mine.append(claimed.lease.job_id)
        return mine

    with ThreadPoolExecutor(6) as threads:
        claimed = [job_id for mine in threads.map(claim_all, range(6)) for job_id in mine]
    assert len(claimed) == len(jobs)
    assert set(claimed) == jobs


def test_a_claim_reads_the_workers_table_only_for_begun_jobs(database: Database, project_id: UUID) -> None:
    """Claims are frequent, so claiming a new job must not read the workers' table."""
    for _ in range(50):
        queue_job(database, project_id)
    register(database, BF16)
    with database.transaction() as session:
        before = session.scalar(text("SELECT pg_stat_get_xact_numscans('workers'::regclass)"))
        assert claim_next_job(session, tuple(Queue), "worker-1", 60.0, numerics=FP32) is not None
        assert session.scalar(text("SELECT pg_stat_get_xact_numscans('workers'::regclass)")) == before
