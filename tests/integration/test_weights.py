"""Weights and limits of running jobs: how claims share the slots between projects."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import insert, select

from shared.database import Database
from shared.job_store import Answer, ClaimedJob, UsageAmounts, claim_next_job, succeed_job
from shared.jobs import JobState, Priority, Queue
from shared.tables import Job, JobRequestRow, Project
from tests.support.factories import LEASE_SECONDS, claim, make_project, queue_job

STARTS = 400
QUEUED = 320
NO_PICTURE = Answer((), UsageAmounts(images=0, prompt_tokens=5, tokens_done=4, compute_seconds=0.5))


def set_share(database: Database, project_id: UUID, weight: int = 1, most: int | None = None) -> None:
    """Set a project's weight, and how many of its jobs may run."""
    with database.transaction() as session:
        project = session.get_one(Project, project_id)
        project.weight, project.max_running_jobs = weight, most


def queue_many(database: Database, project_id: UUID, count: int) -> None:
    """Queue jobs in two statements."""
    row = {"project_id": project_id, "state": "queued", "queue": "generate", "task": "text_to_image"}
    with database.transaction() as session:
        rows = [{**row, "priority": 0, "max_failures": 3}] * count
        jobs = session.scalars(insert(Job).returning(Job.id), rows).all()
        session.execute(insert(JobRequestRow), [{"job_id": job_id, "request": {}} for job_id in jobs])


class FewSlots:
    """Slots that are always busy; the one that is free next is chosen at random."""

    def __init__(self, database: Database, count: int) -> None:
        self._database = database
        self._random = random.Random(count)  # noqa: S311  (equal every time)
        self._slots: list[tuple[ClaimedJob | None, int]] = [(None, 0)] * count

    def start(self) -> UUID:
        """End the job of a slot, and start another; returns the project that it belongs to."""
        number = self._random.randrange(len(self._slots))
        ended, in_a_row = self._slots[number]
        with self._database.transaction() as session:
            if ended is not None:
                succeed_job(session, ended.lease, NO_PICTURE)
            served = ended and ended.project_id
            claimed = claim_next_job(
                session, (Queue.GENERATE,), "w", LEASE_SECONDS, served, in_a_row=in_a_row
            )
        assert claimed is not None
        self._slots[number] = claimed, in_a_row + 1 if claimed.project_id == served else 1
        return claimed.project_id


@pytest.mark.parametrize("slots", [1, 8])
def test_a_project_with_weight_three_gets_three_quarters_of_the_starts(
    database: Database, project_id: UUID, slots: int
) -> None:
    heavy = make_project(database, "heavy")
    set_share(database, heavy, weight=3)
    for project in (project_id, heavy):
        queue_many(database, project, QUEUED)
    fleet = FewSlots(database, slots)

    starts = [fleet.start() for _ in range(STARTS if slots > 1 else STARTS // 4)]

    share = Counter(starts)[heavy] / len(starts)
    assert 0.75 * 0.95 <= share <= 0.75 * 1.05


def test_a_projects_only_job_passes_the_queue_of_a_heavy_one(database: Database, project_id: UUID) -> None:
    weight = 5
    set_share(database, project_id, weight=weight)
    queue_many(database, project_id, 60)
    for slots in (1, 4):
        fleet = FewSlots(database, slots)
        while fleet.start() != project_id or None in [job for job, _ in fleet._slots]:
            pass
        small = make_project(database, f"small beside {slots}")
        queue_job(database, small)
        before = 0
        while fleet.start() != small:
            before += 1
        assert before <= slots + weight - 1


def running(database: Database, project_id: UUID) -> int:
    """Number of the project's running jobs."""
    wanted = select(Job).where(Job.project_id == project_id, Job.state == JobState.RUNNING.value)
    with database.transaction() as session:
        return len(session.scalars(wanted).all())


def test_parallel_claims_start_as_many_jobs_of_a_project_as_it_may_run(
    database: Database, project_id: UUID
) -> None:
    set_share(database, project_id, most=3)
    for number in range(24):
        queue = list(Queue)[number % 3]
        queue_job(database, project_id, queue=queue, priority=list(Priority)[number % 2])

    with ThreadPoolExecutor(8) as threads:
        for _ in range(3):
            list(threads.map(lambda number: claim(database, f"worker-{number}"), range(8)))
            assert running(database, project_id) <= 3

    while claimed := claim(database):
        assert claimed.project_id == project_id
    assert running(database, project_id) == 3
    with database.transaction() as session:
        held = session.scalars(select(Job).where(Job.state == JobState.RUNNING.value)).first()
        assert held is not None
        session.delete(held)
    assert claim(database) is not None
    assert claim(database) is None


def test_a_project_at_its_limit_leaves_the_slots_to_others(database: Database, project_id: UUID) -> None:
    set_share(database, project_id, weight=100, most=1)
    other = make_project(database, "other")
    for project in (project_id, project_id, other):
        queue_job(database, project)
    claimed = [claim(database) for _ in range(3)]
    assert [job and job.project_id for job in claimed] == [project_id, other, None]
