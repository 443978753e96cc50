"""Which worker gets which job, and in which order."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from shared.database import Database
from shared.job_store import claim_next_job, extend_leases, succeed_job, waiting_queues
from shared.jobs import JobState, Priority, Queue
from tests.support.factories import (
    LEASE_SECONDS,
    claim,
    make_project,
    must_claim,
    one_picture,
    queue_job,
    read_job,
)

PAST = datetime(2020, 1, 1, tzinfo=UTC)


def test_a_claim_starts_the_job_and_brings_its_request(database: Database, project_id: UUID) -> None:
    job_id = queue_job(database, project_id)

    claimed = must_claim(database, "worker-7")

    job = read_job(database, job_id)
    assert (claimed.lease.job_id, claimed.lease.attempt) == (job_id, 1)
    assert claimed.request["prompt"] == "a red circle"
    assert claimed.checkpoint is None
    assert (job.state, job.lease_owner, job.revision) == (JobState.RUNNING, "worker-7", 2)
    assert job.started_at is not None


def test_an_empty_queue_gives_nothing(database: Database, project_id: UUID) -> None:
    queue_job(database, project_id, queue=Queue.EDIT)

    assert claim(database, "worker-1", Queue.GENERATE, Queue.DENSE) is None


def test_many_claimers_at_once_never_get_the_same_job(database: Database, project_id: UUID) -> None:
    jobs = {queue_job(database, project_id) for _ in range(40)}

    def claim_all(worker: int) -> list[UUID]:
        mine: list[UUID] = []
        while claimed := claim(database, f"worker-{worker}"):
            mine.append(claimed.lease.job_id)
        return mine

    with ThreadPoolExecutor(8) as pool:
        taken = [job_id for share in pool.map(claim_all, range(8)) for job_id in share]

    assert len(taken) == len(jobs)
    assert set(taken) == jobs


def test_a_claim_passes_over_a_job_that_another_claim_holds_open(
    database: Database, project_id: UUID
) -> None:
    first, second = queue_job(database, project_id), queue_job(database, project_id)

    with database.transaction() as open_claim:
        held = claim_next_job(open_claim, [Queue.GENERATE], "slow", 60.0)
        other = must_claim(database, "quick")

    assert held is not None
    assert (held.lease.job_id, other.lease.job_id) == (first, second)


def test_the_oldest_job_goes_first_within_a_project(database: Database, project_id: UUID) -> None:
    jobs = [queue_job(database, project_id) for _ in range(3)]

    assert [must_claim(database).lease.job_id for _ in jobs] == jobs


def test_normal_jobs_go_before_low_ones_of_any_age(database: Database, project_id: UUID) -> None:
    low = queue_job(database, project_id, priority=Priority.LOW)
    normal = queue_job(database, project_id)

    assert [must_claim(database).lease.job_id for _ in range(2)] == [normal, low]


def test_a_project_with_one_job_does_not_wait_behind_one_with_many(
    database: Database, project_id: UUID
) -> None:
    many = [queue_job(database, project_id) for _ in range(5)]
    single = queue_job(database, make_project(database, "small"))

    order = [must_claim(database).lease.job_id for _ in range(6)]

    assert order == [many[0], single, *many[1:]]


def test_claims_alternate_between_projects_with_long_queues(database: Database, project_id: UUID) -> None:
    other = make_project(database, "other")
    for project in (project_id, other):
        for _ in range(4):
            queue_job(database, project)

    order = [must_claim(database).project_id for _ in range(8)]

    assert all(order[start : start + 2].count(other) == 1 for start in range(0, 8, 2))


def test_projects_take_turns_at_a_single_slot(database: Database, project_id: UUID) -> None:
    for _ in range(3):
        queue_job(database, project_id)
    other = make_project(database, "other")
    queue_job(database, other)

    order: list[UUID | None] = [None]
    for _ in range(4):
        with database.transaction() as session:
            claimed = claim_next_job(session, tuple(Queue), "worker-1", LEASE_SECONDS, order[-1])
            assert claimed is not None
            succeed_job(session, claimed.lease, one_picture())
        order.append(claimed.project_id)

    assert order[1:] == [project_id, other, project_id, project_id]


def test_a_job_is_not_started_after_its_deadline(database: Database, project_id: UUID) -> None:
    queue_job(database, project_id, start_by=PAST)
    queue_job(database, project_id, finish_by=PAST)

    assert claim(database) is None


def test_a_heartbeat_extends_every_lease_of_a_worker_and_stays_in_its_page(
    database: Database, project_id: UUID
) -> None:
    leases = []
    for _ in range(3):
        queue_job(database, project_id)
        leases.append(must_claim(database).lease)
    before = [read_job(database, lease.job_id).lease_expires_at for lease in leases]

    with database.transaction() as session:
        report = extend_leases(session, leases, 3600.0)
        hot_updates = session.scalar(text("SELECT pg_stat_get_xact_tuples_hot_updated('jobs'::regclass)"))

    after = [read_job(database, lease.job_id).lease_expires_at for lease in leases]
    assert report.held == dict.fromkeys(leases, JobState.RUNNING)
    assert all(
        late - early > timedelta(minutes=30)
        for early, late in zip(before, after, strict=True)
        if early and late
    )
    assert hot_updates == len(leases)


def test_the_sweeper_sees_which_doorbells_to_ring(database: Database, project_id: UUID) -> None:
    queue_job(database, project_id, queue=Queue.EDIT)
    queue_job(database, project_id, queue=Queue.GENERATE)
    must_claim(database)

    with database.transaction() as session:
        assert waiting_queues(session) == {Queue.GENERATE: 1}


def test_a_job_goes_only_to_workers_with_the_model_that_it_names(
    database: Database, project_id: UUID
) -> None:
    named = queue_job(database, project_id, model="lumina-7b")
    unnamed = queue_job(database, project_id)

    claimed = [
        claim(database, model="tiny"),
        claim(database, model="tiny"),
        claim(database, model="lumina-7b"),
    ]

    assert [job and job.lease.job_id for job in claimed] == [unnamed, None, named]
