"""The simulated scheduling policy makes the choices of the database."""

import random
from uuid import UUID

from benchmarks.capacity.policy import FairLine, WaitingJob
from shared.database import Database
from shared.job_store import ClaimedJob, claim_next_job, succeed_job
from shared.jobs import PRIORITY_RANK, Priority, Queue
from tests.support.factories import LEASE_SECONDS, make_project, one_picture, queue_job

JOBS = 60
SLOTS = 5


def claim(database: Database, served: UUID | None) -> ClaimedJob | None:
    with database.transaction() as session:
        return claim_next_job(session, (Queue.GENERATE,), "w", LEASE_SECONDS, served, model="tiny")


def test_the_simulation_claims_in_the_order_of_the_database(database: Database) -> None:
    dice = random.Random(5)  # noqa: S311  (a test)
    projects = [make_project(database, f"project {number}") for number in range(6)]
    line = FairLine()
    numbers: dict[UUID, int] = {}
    for number in range(JOBS):
        project = min(dice.randrange(6), dice.randrange(6))
        priority = dice.choice([Priority.NORMAL, Priority.NORMAL, Priority.LOW])
        numbers[queue_job(database, projects[project], priority=priority)] = number
        line.add(WaitingJob(number, project, PRIORITY_RANK[priority]))
    slots: list[ClaimedJob | None] = [None] * SLOTS
    served: list[UUID | None] = [None] * SLOTS
    for _ in range(JOBS):
        slot = dice.randrange(SLOTS)
        held = slots[slot]
        if held is not None:
            with database.transaction() as session:
                answer = one_picture()
                succeed_job(session, held.lease, answer)
            served[slot] = held.project_id
            line.finish(projects.index(held.project_id))
        claimed = claim(database, served[slot])
        last = served[slot]
        simulated = line.claim(None if last is None else projects.index(last))
        assert claimed is not None
        assert simulated is not None
        assert numbers[claimed.lease.job_id] == simulated.number
        slots[slot] = claimed
