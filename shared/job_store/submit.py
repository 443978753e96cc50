"""Queue a job."""

from sqlalchemy import insert
from sqlalchemy.orm import Session

from shared.job_store.records import NewJob
from shared.job_store.transitions import record_event
from shared.jobs import PRIORITY_RANK, JobEvent, target
from shared.tables import Job, JobRequestRow, WebhookEndpoint


def submit_job(session: Session, new: NewJob, webhook: WebhookEndpoint | None = None) -> Job:
    """Insert the job, its request, its own webhook endpoint and its first event.

    The caller rings the doorbell after the commit. `webhook` is filled in except for the job it belongs to.
    """
    statement = (
        insert(Job)
        .values(
            project_id=new.project_id,
            state=target(JobEvent.QUEUED).value,
            queue=new.queue.value,
            task=new.task,
            priority=PRIORITY_RANK[new.priority],
            candidates=new.candidates,
            max_failures=new.max_failures,
            start_by=new.start_by,
            finish_by=new.finish_by,
            model=new.model,
        )
        .returning(Job)
    )
    job = session.scalars(statement).one()
    session.add(JobRequestRow(job_id=job.id, request=dict(new.request)))
    if webhook is not None:
        webhook.job_id = job.id
        session.add(webhook)
    session.flush()
    record_event(session, JobEvent.QUEUED, [job], {})
    return job
