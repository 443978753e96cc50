"""The only statement that changes states of jobs; it also writes events and webhook deliveries.

Besides the caller's condition it checks that `shared.jobs.TRANSITIONS` allows the event in the job's state.
Events and deliveries are written in the same transaction, so neither exists without the other.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    SmallInteger,
    Text,
    Update,
    Uuid,
    and_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import InstrumentedAttribute, Session

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
from shared.tables import Delivery, Job, JobEventRow, WebhookEndpoint

RECEIVER_SEPARATOR = "/"
"""Stands in `Delivery.receiver` after the project's id."""
Column = ColumnElement[Any] | InstrumentedAttribute[Any]
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
    statement = (
        changing(event, condition, values)
        .returning(Job)
        .execution_options(synchronize_session=False, populate_existing=True, dml_strategy="orm")
    )
    jobs = session.scalars(statement).all()
    record_event(session, event, jobs, data or {})
    if jobs and target(event) in FINAL_STATES - {JobState.SUCCEEDED}:
        cancel_children(session, [job.id for job in jobs])
    return jobs


def changing(
    event: JobEvent, condition: ColumnElement[bool], values: Mapping[str, Any] | None = None
) -> Update:
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
    )


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
    values = {
        "job_ids": [job.id for job in jobs],
        "project_ids": [job.project_id for job in jobs],
        "sequences": [job.revision for job in jobs],
        "attempts": [job.attempt for job in jobs],
        "details": [json.dumps(detail) for detail in details],
    }
    session.execute(recording_of_many(event), values)
    for job in jobs:
        note_change(session, JobChange(job.id, job.project_id, event, job.task, job.error_code))


def note_change(session: Session, change: JobChange) -> None:
    """Have the change counted in the metrics after the commit."""
    session.info.setdefault(CHANGED_JOBS, []).append(change)


@cache
def recording_of_many(event: JobEvent) -> Select[Any]:
    """The statement that records the event of jobs which were changed before; it does not read their rows."""
    arrays = {"job_ids": Uuid, "project_ids": Uuid, "sequences": SmallInteger, "attempts": SmallInteger}
    changed = (
        func.unnest(
            *(bindparam(name, type_=ARRAY(kind)) for name, kind in arrays.items()),
            cast(bindparam("details", type_=ARRAY(Text)), ARRAY(JSONB)),
        )
        .table_valued("id", "project_id", "sequence", "attempt", "data")
        .render_derived()
    )
    return recording(select(changed).cte("changed"), event, [literal(1)])


def recording(changed: CTE, event: JobEvent, answer: Sequence[Column]) -> Select[Any]:
    """Select `answer`, and write the event of each changed job and its webhook deliveries.

    changed: rows with id, project_id, sequence, attempt and data. One statement, because claims are frequent.
    """
    event_type = f"job.{event.value}"
    row = changed.c
    events = insert(JobEventRow).from_select(
        ["job_id", "project_id", "sequence", "attempt", "kind", "data", "created_at"],
        select(
            row.id,
            row.project_id,
            row.sequence,
            row.attempt,
            literal(event.value),
            row.data,
            func.clock_timestamp(),
        ),
    )
    receiver = func.concat(
        WebhookEndpoint.project_id,
        literal(RECEIVER_SEPARATOR),
        func.coalesce(WebhookEndpoint.origin, cast(WebhookEndpoint.id, Text)),
    )
    deliveries = insert(Delivery).from_select(
        ["endpoint_id", "job_id", "sequence", "event_type", "receiver"],
        select(WebhookEndpoint.id, row.id, row.sequence, literal(event_type), receiver)
        .join_from(changed, WebhookEndpoint, WebhookEndpoint.project_id == row.project_id)
        .where(
            or_(WebhookEndpoint.job_id.is_(None), WebhookEndpoint.job_id == row.id),
            WebhookEndpoint.disabled_at.is_(None),
            WebhookEndpoint.event_types.overlap(patterns_of(event_type)),
        ),
    )
    return select(*answer).select_from(changed).add_cte(events.cte("events"), deliveries.cte("deliveries"))
