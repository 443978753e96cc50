"""Queue a job."""

from sqlalchemy import insert
from sqlalchemy.orm import Session

from shared.ids import IdKind, format_id
from shared.job_store.children import lock_parent
from shared.job_store.records import NewJob
from shared.job_store.transitions import record_event
from shared.jobs import PRIORITY_RANK, JobEvent, target
from shared.tables import Job, JobRequestRow, WebhookEndpoint
from shared.tracing.contexts import current_traceparent


def submit_job(session: Session, new: NewJob, webhook: WebhookEndpoint | None = None) -> Job:
    """Insert the job, its request, its webhook endpoint and its first event.

    webhook: an endpoint for this job only; its `job_id` is set here. The caller rings the doorbell after the
    commit. Raises NoPictureError if the new job's parent has no picture and will not get one.
    """
    request, blocked_by = dict(new.request), None
    if new.parent is not None:
        drawn = lock_parent(session, new.project_id, new.parent)
        if drawn is None:
            blocked_by = new.parent
        else:
            request["image"] = format_id(IdKind.IMAGE, drawn)
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
            wanted_numerics=new.numerics,
            blocked_by=blocked_by,
            traceparent=current_traceparent(),
        )
        .returning(Job)
    )
    job = session.scalars(statement).one()
    session.add(
        JobRequestRow(
            job_id=job.id,
            request=request,
            mask=new.mask and dict(new.mask),
            retry_of=new.retry_of,
            replay_of=new.replay_of,
            warnings=[dict(warning) for warning in new.warnings],
            api_key_id=new.api_key_id,
        )
    )
    if webhook is not None:
        webhook.job_id = job.id
        session.add(webhook)
    session.flush()
    record_event(session, JobEvent.QUEUED, [job], {"warnings": list(new.warnings)} if new.warnings else {})
    return job
