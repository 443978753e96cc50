"""Claims that look at heads of lines choose the job that a sort over all waiting jobs would choose."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from shared.database import Database
from shared.job_store import (
    Lease,
    LeaseLostError,
    NewJob,
    Progress,
    claim_next_job,
    reap_expired_leases,
    release_job,
    request_cancel,
    save_progress,
    submit_job,
    succeed_job,
)
from shared.job_store.clock import database_time, time_after
from shared.jobs import JobState, Phase, Priority, Queue
from shared.tables import Job, Project, WaitingLine, WorkerRow
from tests.support.factories import (
    LEASE_SECONDS,
    claim,
    make_project,
    must_claim,
    one_picture,
    queue_job,
    read_job,
)
from tests.support.fair_choice import Asker, assert_every_job_is_in_line, fairest_by_sorting
from tests.support.platforms.platform import eventually

WAIT_SECONDS = 600.0
MODELS = ("tiny", "lumina-7b")
IDENTITIES = ("bf16", "fp32", None)
STEPS = 150


class RandomFleet:
    """Projects and workers that do one random thing at each step; every claim is checked."""

    def __init__(self, database: Database, seed: int) -> None:
        self._database = database
        self._random = random.Random(seed)  # noqa: S311  (equal every time)
        self._projects = [make_project(database, f"project {number}") for number in range(5)]
        with database.transaction() as session:
            for project_id, weight, most in zip(
                self._projects, (1, 2, 3, 1, 1), (None,) * 4 + (2,), strict=True
            ):
                project = session.get_one(Project, project_id)
                project.weight, project.max_running_jobs = weight, most
        self._jobs: list[UUID] = []
        self._held: list[tuple[Lease, UUID, str | None]] = []
        self.claims = 0
        self.empty_claims = 0

    def step(self) -> None:
        """Do one thing: usually queue or claim a job."""
        actions: list[tuple[Callable[[], None], int]] = [
            (self._queue, 40),
            (self._claim, 50),
            (self._end, 25),
            (self._release, 10),
            (self._cancel, 6),
            (self._let_time_pass, 6),
            (self._reap, 3),
            (self._beat, 3),
        ]
        do, weights = zip(*actions, strict=True)
        self._random.choices(do, weights)[0]()

    def _one_in(self, number: int) -> bool:
        return self._random.randrange(number) == 0

    def _queue(self) -> None:
        # a skewed choice: one project has most of the jobs
        project = self._projects[min(self._random.randrange(5), self._random.randrange(5))]
        self._jobs.append(
            queue_job(
                self._database,
                project,
                queue=self._random.choice(list(Queue)),
                priority=Priority.LOW if self._one_in(4) else Priority.NORMAL,
                model=self._random.choice(MODELS) if self._one_in(3) else None,
                numerics=self._random.choice(IDENTITIES) if self._one_in(6) else None,
                start_by=self._deadline(),
                finish_by=self._deadline(),
                parent=self._held[0][0].job_id
                if self._held and self._held[0][1] == project and self._one_in(3)
                else None,
            )
        )

    def _deadline(self) -> datetime | None:
        """Usually none, else one that has passed or is far away."""
        if not self._one_in(6):
            return None
        return datetime.now(UTC) + timedelta(seconds=self._random.choice((-1, 3600)))

    def _claim(self) -> None:
        queues = self._random.sample(list(Queue), self._random.randint(1, 3))
        just_served = self._random.choice(self._projects) if self._one_in(2) else None
        in_a_row = self._random.randint(1, 3)
        model, numerics = self._random.choice(MODELS), self._random.choice(IDENTITIES)
        with self._database.transaction() as session:
            asker = Asker(queues, just_served, model, numerics, in_a_row)
            wanted = fairest_by_sorting(session, asker, WAIT_SECONDS)
            claimed = claim_next_job(
                session,
                queues,
                "worker-1",
                LEASE_SECONDS,
                just_served,
                in_a_row=in_a_row,
                model=model,
                numerics=numerics,
                numerics_wait_seconds=WAIT_SECONDS,
            )
            assert (claimed and claimed.lease.job_id) == wanted
        if claimed is None:
            self.empty_claims += 1
            return
        self.claims += 1
        self._held.append((claimed.lease, claimed.project_id, numerics))

    def _take(self) -> tuple[Lease, str | None] | None:
        if not self._held:
            return None
        lease, _, numerics = self._held.pop(self._random.randrange(len(self._held)))
        return lease, numerics

    def _end(self) -> None:
        if taken := self._take():
            with self._database.transaction() as session:
                succeed_job(session, taken[0], one_picture())

    def _release(self) -> None:
        if taken := self._take():
            lease, numerics = taken
            with self._database.transaction() as session:
                if self._one_in(2):
                    progress = Progress(Phase.GENERATING, tokens_done=3, tokens_total=9)
                    save_progress(session, lease, progress, b"codes", numerics)
                release_job(session, lease, "drain", self._random.choice((0.0, 60.0)))

    def _cancel(self) -> None:
        if self._jobs:
            job_id = self._random.choice(self._jobs)
            held = {lease.job_id for lease, _, _ in self._held}
            if job_id not in held:
                project = read_job(self._database, job_id).project_id
                with self._database.transaction() as session:
                    request_cancel(session, project, job_id)

    def _let_time_pass(self) -> None:
        """Jobs that wait for the end of a pause may go on, and workers have been silent for longer."""
        earlier = timedelta(seconds=self._random.choice((10, 400)))
        with self._database.transaction() as session:
            session.execute(update(Job).values(available_at=Job.available_at - earlier))
            session.execute(update(WorkerRow).values(heartbeat_at=WorkerRow.heartbeat_at - earlier))

    def _reap(self) -> None:
        if taken := self._take():
            with self._database.transaction() as session:
                lost = update(Job).where(Job.id == taken[0].job_id)
                session.execute(lost.values(lease_expires_at=time_after(-1)))
                reap_expired_leases(session, 100)

    def _beat(self) -> None:
        queues = [queue.value for queue in self._random.sample(list(Queue), 2)]
        identity = self._random.choice(IDENTITIES)
        with self._database.transaction() as session:
            session.merge(
                WorkerRow(
                    id=f"worker {identity}",
                    queues=queues,
                    slots=1,
                    model={"name": "tiny"},
                    numerics=identity,
                    heartbeat_at=database_time(),
                )
            )


@pytest.mark.parametrize("seed", range(2))
def test_every_claim_takes_the_job_that_sorting_all_jobs_would_choose(database: Database, seed: int) -> None:
    fleet = RandomFleet(database, seed)
    for _ in range(STEPS):
        fleet.step()
        assert_every_job_is_in_line(database)
    assert fleet.claims > STEPS / 8
    assert fleet.empty_claims


def lines(database: Database) -> list[UUID]:
    """The heads of all lines."""
    with database.transaction() as session:
        return list(session.scalars(select(WaitingLine.head)))


def test_a_line_goes_with_its_last_job(database: Database, project_id: UUID) -> None:
    first, second = queue_job(database, project_id), queue_job(database, project_id)
    heads = [lines(database)]
    for _ in range(2):
        must_claim(database)
        heads.append(lines(database))
    assert heads == [[first], [second], []]


def cancel(database: Database, job_id: UUID) -> None:
    """Cancel the job as its project does."""
    with database.transaction() as session:
        request_cancel(session, read_job(database, job_id).project_id, job_id)


def test_heads_of_canceled_jobs_are_put_right(database: Database, project_id: UUID) -> None:
    canceled = [queue_job(database, project_id) for _ in range(3)]
    canceled += [queue_job(database, make_project(database, f"empty {number}")) for number in range(6)]
    waiting = queue_job(database, project_id)
    for job_id in canceled:
        cancel(database, job_id)

    assert must_claim(database).lease.job_id == waiting
    assert claim(database) is None
    assert lines(database) == []


def test_an_older_job_behind_many_outdated_heads_goes_first(database: Database, project_id: UUID) -> None:
    projects = [make_project(database, f"project {number}") for number in range(6)]
    canceled = [queue_job(database, project) for project in projects]
    oldest = queue_job(database, project_id)
    young = [queue_job(database, project) for project in projects]
    for job_id in canceled:
        cancel(database, job_id)

    assert [must_claim(database).lease.job_id for _ in range(7)] == [oldest, *young]


def submit(session: Session, project_id: UUID) -> UUID:
    """Queue a job in the caller's transaction."""
    request = {"task": "text_to_image", "prompt": "a red circle"}
    return submit_job(
        session, NewJob(project_id, Queue.GENERATE, "text_to_image", request, max_failures=3)
    ).id


def test_a_job_of_an_open_transaction_keeps_its_line(database: Database, project_id: UUID) -> None:
    first = queue_job(database, project_id)
    with database.transaction() as submission:
        second = submit(submission, project_id)
        assert must_claim(database).lease.job_id == first
        assert claim(database) is None
    assert_every_job_is_in_line(database)
    assert must_claim(database).lease.job_id == second


def test_a_job_that_is_committed_after_younger_ones_is_still_the_oldest(
    database: Database, project_id: UUID
) -> None:
    first = queue_job(database, project_id)
    with database.transaction() as submission:
        slow = submit(submission, project_id)
        other = queue_job(database, make_project(database, "other"))
        young = queue_job(database, project_id)
        started = must_claim(database)
        assert started.lease.job_id == first
    assert_every_job_is_in_line(database)
    with database.transaction() as session:
        succeed_job(session, started.lease, one_picture())
    assert [must_claim(database).lease.job_id for _ in range(3)] == [slow, other, young]


def test_a_claim_that_is_rolled_back_leaves_the_line_as_it_was(database: Database, project_id: UUID) -> None:
    job_id = queue_job(database, project_id)
    with suppress(LeaseLostError), database.transaction() as session:
        assert claim_next_job(session, tuple(Queue), "worker-1", LEASE_SECONDS) is not None
        raise LeaseLostError
    assert lines(database) == [job_id]
    assert must_claim(database).lease.job_id == job_id


def test_a_job_that_joins_while_its_line_is_being_deleted_gets_a_new_one(
    database: Database, project_id: UUID
) -> None:
    queue_job(database, project_id)
    with ThreadPoolExecutor(1) as other:
        with database.transaction() as session:
            assert claim_next_job(session, tuple(Queue), "worker-1", LEASE_SECONDS) is not None
            submission = other.submit(queue_job, database, project_id)
            eventually(lambda: waiting_for_locks(database) == 1, "the submission waits for the claim")
        late = submission.result(60)
    assert_every_job_is_in_line(database)
    assert must_claim(database).lease.job_id == late


def waiting_for_locks(database: Database) -> int:
    """Number of the database's connections that wait for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with database.transaction() as session:
        return session.execute(waiting).scalar_one()


def test_parallel_claims_cancels_and_submissions_lose_no_job_and_double_none(database: Database) -> None:
    """Threads queue, claim, hand back, end and cancel jobs of a few projects without a pause."""
    projects = [make_project(database, f"project {number}") for number in range(3)]

    def work(number: int) -> tuple[set[UUID], list[UUID]]:
        dice = random.Random(number)  # noqa: S311  (equal every time)
        queued: set[UUID] = set()
        ended: list[UUID] = []
        for _ in range(40):
            project = dice.choice(projects)
            if dice.random() < 0.5:
                priority = dice.choice(list(Priority))
                queued.add(queue_job(database, project, queue=dice.choice(list(Queue)), priority=priority))
            if dice.random() < 0.1 and queued:
                with database.transaction() as session:
                    request_cancel(session, project, dice.choice(sorted(queued)))
            if claimed := claim(database, f"worker-{number}", *dice.sample(list(Queue), 2)):
                with suppress(LeaseLostError), database.transaction() as session:
                    if dice.random() < 0.3:
                        release_job(session, claimed.lease, "drain")
                    else:
                        succeed_job(session, claimed.lease, one_picture())
                        ended.append(claimed.lease.job_id)
        return queued, ended

    with ThreadPoolExecutor(8) as threads:
        shares = list(threads.map(work, range(8)))
    assert_every_job_is_in_line(database)
    ended = [job_id for _, done in shares for job_id in done]
    while claimed := claim(database):
        ended.append(claimed.lease.job_id)
    assert len(ended) == len(set(ended))
    with database.transaction() as session:
        states = {job.id: job.state for job in session.scalars(select(Job))}
    assert set(states) == {job_id for queued, _ in shares for job_id in queued}
    assert {job_id for job_id, state in states.items() if state == JobState.QUEUED} == set()
    assert {job_id for job_id, state in states.items() if state != JobState.CANCELED} <= set(ended)
    assert lines(database) == []
