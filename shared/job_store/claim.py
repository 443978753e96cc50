"""Claim a waiting job for a worker, fairly between projects."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Interval, String, bindparam, func, text
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time
from shared.job_store.numerics import PREFERENCE_SECONDS, changes_of_claim, event_data
from shared.job_store.records import ClaimedJob, Lease
from shared.job_store.spans import Wait, note_wait
from shared.job_store.transitions import changing, note_change, recording
from shared.jobs import JobChange, JobEvent, Queue
from shared.tables import Checkpoint, Job, JobRequestRow

LOCK_FAIREST_JOB = text(
    "SELECT lock_fairest_job(CAST(:queues AS text[]), CAST(:model AS text), CAST(:numerics AS text),"
    " CAST(:just_served AS uuid), :in_a_row, :preference_seconds, :wait_seconds)"
)
STARTED = (
    changing(
        JobEvent.STARTED,
        Job.id == bindparam("claimed"),
        {
            "attempt": Job.attempt + 1,
            "started_at": func.coalesce(Job.started_at, database_time()),
            "lease_owner": bindparam("worker", type_=String),
            "lease_expires_at": database_time() + bindparam("lease", type_=Interval),
            "heartbeat_at": database_time(),
            **changes_of_claim(bindparam("identity", type_=String)),
        },
    )
    .returning(
        Job.id,
        Job.project_id,
        Job.queue,
        Job.task,
        Job.attempt,
        Job.revision.label("sequence"),
        Job.available_at,
        Job.heartbeat_at,
        Job.finish_by,
        Job.checkpoint_numerics,
        Job.traceparent,
        event_data(bindparam("worker", type_=String)).label("data"),
    )
    .cte("changed")
)
START = (
    recording(STARTED, JobEvent.STARTED, [*STARTED.c, JobRequestRow.request, Checkpoint.state])
    .join(JobRequestRow, JobRequestRow.job_id == STARTED.c.id)
    .outerjoin(Checkpoint, Checkpoint.job_id == STARTED.c.id)
)
"""Starts the job, records it, and reads what the worker needs. Built once, because claims are frequent."""


def claim_next_job(
    session: Session,
    queues: Sequence[Queue],
    worker_id: str,
    lease_seconds: float,
    just_served: UUID | None = None,
    *,
    in_a_row: int = 1,
    model: str | None = None,
    numerics: str | None = None,
    numerics_wait_seconds: float = 600.0,
) -> ClaimedJob | None:
    """Start the next job of these queues for the worker, or return None if there is none.

    model: the worker's model; jobs that request another one are skipped. numerics: the worker's numerics
    identity; jobs that another identity began are skipped while a worker of that identity is running, or ran
    within `numerics_wait_seconds` (see the module `numerics`).

    just_served: the project that the slot served before, with its last `in_a_row` jobs.

    Order: higher priority, then the project with the fewest running jobs for its weight, then jobs that are
    new or were begun by this identity, then age. Projects take turns even at a single slot: a project with
    weight 3 has three jobs in a row; after them it goes last among the projects with as many running jobs.
    Projects that run `max_running_jobs` are passed over.
    Guarantee: while the only job of a project waits, another project of weight w starts at most as many jobs
    as there are slots and w - 1 more, however many it has queued.

    The database's function `lock_fairest_job` (migrations) looks at the first job of each of a few lines, and
    so does not become slower when more jobs wait. Rows that another claim has locked are skipped, so two
    claims never wait for each other and never take the same job.
    """
    job_id: UUID | None = session.scalar(
        LOCK_FAIREST_JOB,
        {
            "queues": [queue.value for queue in queues],
            "model": model,
            "numerics": numerics,
            "just_served": just_served,
            "in_a_row": in_a_row,
            "preference_seconds": PREFERENCE_SECONDS,
            "wait_seconds": numerics_wait_seconds,
        },
    )
    if job_id is None:
        return None
    # a statement of its own: that of the function began before the job was locked
    job = session.execute(
        START,
        {
            "claimed": job_id,
            "worker": worker_id,
            "lease": timedelta(seconds=lease_seconds),
            "identity": numerics,
        },
    ).one()
    note_change(session, JobChange(job.id, job.project_id, JobEvent.STARTED, job.task, None))
    wait = Wait(job.id, job.attempt, job.queue, job.traceparent, job.available_at, job.heartbeat_at)
    note_wait(session, wait)
    return ClaimedJob(
        lease=Lease(job.id, job.attempt),
        project_id=job.project_id,
        queue=Queue(job.queue),
        task=job.task,
        request=job.request,
        checkpoint=job.state,
        finish_by=job.finish_by,
        checkpoint_numerics=job.checkpoint_numerics,
        traceparent=job.traceparent,
        waited_seconds=max(0.0, (job.heartbeat_at - job.available_at).total_seconds()),
    )
