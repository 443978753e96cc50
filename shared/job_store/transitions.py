"""The one statement that moves jobs from state to state, with its event and its webhook deliveries.

Whatever the caller's conditions, the state must be one from which `shared.jobs.TRANSITIONS` allows the event.
Event rows and outbox rows are written in the same transaction, so neither exists without the other.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time
from shared.job_store.records import Lease, LeaseLostError
from shared.jobs import ACTIVE_STATES, FINAL_STATES, JobEvent, sources, target
from shared.tables import Delivery, Job, JobEventRow, WebhookEndpoint


def held_by(lease: Lease) -> ColumnElement[bool]:
    """The fence: this attempt, and by the database's clock its lease still runs."""
    return and_(Job.id == lease.job_id, Job.attempt == lease.attempt, Job.lease_expires_at > database_time())


def transition(
    session: Session,
    event: JobEvent,
    condition: ColumnElement[bool],
    values: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> Sequence[Job]:
    """Let the event happen to every job that meets the condition and may have it; return those jobs.

    `values` are further columns to set, `data` is stored with the event.
    """
    after = target(event)
    changes: dict[str, Any] = {"state": after.value, "revision": Job.revision + 1}
    if after not in ACTIVE_STATES:
        changes |= {"lease_owner": None, "lease_expires_at": None, "heartbeat_at": None, "phase": None}
    if after in FINAL_STATES:
        changes["finished_at"] = database_time()
    statement = (
        update(Job)
        .where(Job.state.in_(sorted(sources(event))), condition)
        .values(changes | dict(values or {}))
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    jobs = session.scalars(statement).all()
    record_event(session, event, jobs, data or {})
    return jobs


def transition_held(
    session: Session,
    event: JobEvent,
    lease: Lease,
    values: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> Job:
    """Let the event happen to the job of this lease. Raises LeaseLostError when the fence refuses."""
    jobs = transition(session, event, held_by(lease), values, data)
    if not jobs:
        raise LeaseLostError(f"attempt {lease.attempt} does not hold job {lease.job_id}")
    return jobs[0]


def record_event(session: Session, event: JobEvent, jobs: Sequence[Job], data: Mapping[str, Any]) -> None:
    """Write the event of each job, numbered by the job's revision, and queue its webhooks."""
    if not jobs:
        return
    rows = [
        {
            "job_id": job.id,
            "sequence": job.revision,
            "attempt": job.attempt,
            "kind": event.value,
            "data": dict(data),
            "created_at": database_time(),
        }
        for job in jobs
    ]
    session.execute(insert(JobEventRow).values(rows))
    queue_deliveries(session, event, [job.id for job in jobs])


def queue_deliveries(session: Session, event: JobEvent, job_ids: Sequence[UUID]) -> None:
    """Add one delivery for every endpoint that wants this type of event."""
    event_type = f"job.{event.value}"
    wanted = (
        select(WebhookEndpoint.id, Job.id, Job.revision, literal(event_type))
        .join(
            Job,
            and_(
                Job.project_id == WebhookEndpoint.project_id,
                or_(WebhookEndpoint.job_id.is_(None), WebhookEndpoint.job_id == Job.id),
            ),
        )
        .where(
            Job.id.in_(job_ids),
            WebhookEndpoint.disabled_at.is_(None),
            WebhookEndpoint.event_types.contains([event_type]),
        )
    )
    columns = ["endpoint_id", "job_id", "sequence", "event_type"]
    session.execute(insert(Delivery).from_select(columns, wanted))
