"""The only statement that changes states of jobs; it also writes events and webhook deliveries.

Besides the caller's condition it checks that `shared.jobs.TRANSITIONS` allows the event in the job's state.
Events and deliveries are written in the same transaction, so neither exists without the other.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, text, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from shared.event_types import patterns_of
from shared.job_errors import JobErrorCode
from shared.job_store.clock import database_time
from shared.job_store.records import Lease, LeaseLostError
from shared.job_store.spans import note_spans
from shared.jobs import (
    ACTIVE_STATES,
    CHANGED_JOBS,
    FINAL_STATES,
    JobChange,
    JobEvent,
    JobState,
    sources,
    target,
)
from shared.tables import Job

RECEIVER_SEPARATOR = "/"
"""Stands in `Delivery.receiver` after the project's id."""
RECORD = text("""
WITH changed AS MATERIALIZED (
    SELECT * FROM unnest(
        CAST(:job_ids AS uuid[]), CAST(:project_ids AS uuid[]), CAST(:sequences AS smallint[]),
        CAST(:attempts AS smallint[]), CAST(:data AS jsonb[])
    ) AS job(id, project_id, sequence, attempt, data)
),
events AS (
    INSERT INTO job_events (job_id, project_id, sequence, attempt, kind, data, created_at)
    SELECT id, project_id, sequence, attempt, CAST(:kind AS text), data, clock_timestamp() FROM changed
)
INSERT INTO deliveries (endpoint_id, job_id, sequence, event_type, receiver)
SELECT endpoint.id, changed.id, changed.sequence, CAST(:event_type AS text),
    concat(
        endpoint.project_id, CAST(:separator AS text),
        coalesce(endpoint.origin, CAST(endpoint.id AS text))
    )
FROM changed
JOIN webhook_endpoints endpoint ON endpoint.project_id = changed.project_id
    AND (endpoint.job_id IS NULL OR endpoint.job_id = changed.id)
WHERE endpoint.disabled_at IS NULL AND endpoint.event_types && CAST(:patterns AS text[])
""")
"""One statement, because claims are frequent. The jobs' rows are not read again."""
EventData = Mapping[str, Any] | Callable[[Job], Mapping[str, Any]]


def held_by(lease: Lease) -> ColumnElement[bool]:
    """The fence: the job is still in this attempt, and its lease has not expired by the database's clock."""
    return and_(Job.id == lease.job_id, Job.attempt == lease.attempt, Job.lease_expires_at > database_time())


def transition(
    session: Session,
    event: JobEvent,
    condition: ColumnElement[bool],
    values: Mapping[str, Any] | None = None,
    data: EventData | None = None,
) -> Sequence[Job]:
    """Apply the event to every job that meets the condition and whose state allows it; return those jobs.

    values: further columns to set. data: stored with the event; the same for all jobs, or a function of the
    job.
    """
    return apply(session, event, change(event, condition, values), data)


def change(
    event: JobEvent, condition: ColumnElement[bool], values: Mapping[str, Any] | None = None
) -> ReturningUpdate[Job]:
    """The statement of the event for all jobs that meet the condition and whose state allows it."""
    after = target(event)
    changes: dict[str, Any] = {"state": after.value, "revision": Job.revision + 1}
    if after not in ACTIVE_STATES:
        changes |= {"lease_owner": None, "lease_expires_at": None, "heartbeat_at": None}
        changes |= {"phase": None, "eta_seconds": None}
    if after in FINAL_STATES:
        changes |= {"finished_at": database_time(), "blocked_by": None}
    return (
        update(Job)
        .where(Job.state.in_(sorted(sources(event))), condition)
        .values(changes | dict(values or {}))
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True, dml_strategy="orm")
    )


def apply(
    session: Session,
    event: JobEvent,
    statement: ReturningUpdate[Job],
    data: EventData | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Sequence[Job]:
    """Execute a statement of `change`, and record the event of each changed job; return these jobs."""
    jobs = session.scalars(statement, parameters).all()
    record_event(session, event, jobs, data or {})
    if jobs and target(event) in FINAL_STATES - {JobState.SUCCEEDED}:
        cancel_children(session, [job.id for job in jobs])
    return jobs


def cancel_children(session: Session, parents: Sequence[UUID]) -> None:
    """Cancel the jobs that wait for a picture of these jobs, which have ended without one."""
    error = {
        "error_code": JobErrorCode.PARENT_WITHOUT_PICTURE.value,
        "error_message": "The job whose picture this one waits for ended without a picture.",
    }
    waiting = Job.blocked_by.in_(parents)
    transition(session, JobEvent.CANCELED, waiting, error, {"code": error["error_code"]})


def transition_held(
    session: Session,
    event: JobEvent,
    lease: Lease,
    values: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> Job:
    """Apply the event to the job of this lease. Raises LeaseLostError if the lease is lost."""
    jobs = transition(session, event, held_by(lease), values, data)
    if not jobs:
        raise LeaseLostError(f"attempt {lease.attempt} does not hold job {lease.job_id}")
    return jobs[0]


def record_event(session: Session, event: JobEvent, jobs: Sequence[Job], data: EventData) -> None:
    """Write the event of each job with the job's revision as its number, and queue webhook deliveries.

    There is one delivery for each endpoint that is subscribed to this type of event.
    """
    if not jobs:
        return
    details = [dict(data(job) if callable(data) else data) for job in jobs]
    note_spans(session, event, jobs, details)
    event_type = f"job.{event.value}"
    values = {
        "job_ids": [job.id for job in jobs],
        "project_ids": [job.project_id for job in jobs],
        "sequences": [job.revision for job in jobs],
        "attempts": [job.attempt for job in jobs],
        "data": [json.dumps(detail) for detail in details],
        "kind": event.value,
        "event_type": event_type,
        "patterns": patterns_of(event_type),
        "separator": RECEIVER_SEPARATOR,
    }
    session.execute(RECORD, values)
    changes = [JobChange(job.id, job.project_id, event, job.task, job.error_code) for job in jobs]
    session.info.setdefault(CHANGED_JOBS, []).extend(changes)
