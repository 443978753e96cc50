"""Create rows and values for tests. They are valid by default."""

from typing import Any
from uuid import UUID

from sqlalchemy import update

from shared.database import Database
from shared.job_store import (
    Answer,
    ClaimedJob,
    Lease,
    NewJob,
    Output,
    StoredImage,
    UsageAmounts,
    claim_next_job,
    submit_job,
)
from shared.job_store.clock import time_after
from shared.jobs import Priority, Queue
from shared.security import generate_webhook_secret
from shared.tables import Job, Project
from shared.token_grid import TokenGrid

LEASE_SECONDS = 60.0


def make_project(database: Database, name: str) -> UUID:
    """Create a project without limits."""
    with database.transaction() as session:
        project = Project(name=name, webhook_secret=generate_webhook_secret())
        session.add(project)
        session.flush()
        return project.id


def queue_job(
    database: Database,
    project_id: UUID,
    *,
    queue: Queue = Queue.GENERATE,
    priority: Priority = Priority.NORMAL,
    max_failures: int = 3,
    **more: Any,
) -> UUID:
    """Queue a job and return its id."""
    new = NewJob(
        project_id=project_id,
        queue=queue,
        task="text_to_image",
        request={"task": "text_to_image", "prompt": "a red circle"},
        max_failures=max_failures,
        priority=priority,
        **more,
    )
    with database.transaction() as session:
        return submit_job(session, new).id


def claim(
    database: Database,
    worker: str = "worker-1",
    *queues: Queue,
    model: str = "tiny",
    numerics: str | None = None,
) -> ClaimedJob | None:
    """Claim a job as a free slot of the worker does."""
    with database.transaction() as session:
        return claim_next_job(
            session, queues or tuple(Queue), worker, LEASE_SECONDS, model=model, numerics=numerics
        )


def must_claim(database: Database, worker: str = "worker-1") -> ClaimedJob:
    """Claim a job; fails if none is waiting."""
    claimed = claim(database, worker)
    assert claimed is not None
    return claimed


def let_lease_run_out(database: Database, lease: Lease) -> None:
    """Set the end of the lease to a second ago, by the database's clock."""
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == lease.job_id).values(lease_expires_at=time_after(-1)))


def read_job(database: Database, job_id: UUID) -> Job:
    """Read the job's row."""
    with database.transaction() as session:
        return session.get_one(Job, job_id)


def one_picture(*, partial: bool = False) -> Answer:
    """An answer with one small picture."""
    image = StoredImage("prj/aa/aa.png", bytes(32), "image/png", 100, 16, 16)
    output = Output(image, TokenGrid(2, 2, (1, 2, 3, 4)), "tiny", score=1.5, partial=partial)
    return Answer((output,), UsageAmounts(images=1, prompt_tokens=5, tokens_done=4, compute_seconds=0.5))
