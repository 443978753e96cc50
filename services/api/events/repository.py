"""Read events in their order, and only those that no later commit can precede.

Transactions do not commit in the order of their numbers. All those below `pg_snapshot_xmin` have ended, so no
event can still appear between theirs; later events wait until this watermark has passed them. A transaction
that writes and stays open for long therefore delays events. Source: PostgreSQL 18 manual, section 9.27.7.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    SmallInteger,
    Text,
    cast,
    exists,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import Session, aliased

from services.api.events.position import HISTORY_LENGTH, Position
from shared.job_store.clock import database_time
from shared.job_view.read import collect
from shared.job_view.view import JobRows
from shared.jobs import ACTIVE_STATES, FINAL_STATES, JobEvent, target
from shared.tables import Job, JobEstimate, JobEventRow, SessionRow, Turn
from shared.tables.base import Xid8


@dataclass(frozen=True)
class Marks:
    """Where the database stands."""

    history: str
    """Short name of these transaction numbers; a database that is restored from a dump has another."""
    settled: int
    """The watermark: all transactions with smaller numbers have ended."""
    unused: int
    """No transaction with this number or a larger one has ended."""


@dataclass(frozen=True)
class EventRecord:
    """One event of one job; `job` is everything of a job that this event has ended, else None."""

    position: Position
    project_id: UUID
    session_id: UUID | None
    kind: JobEvent
    attempt: int
    data: Mapping[str, Any]
    created_at: datetime
    job: JobRows | None = None

    @property
    def is_final(self) -> bool:
        """Whether the event has ended its job."""
        return target(self.kind) in FINAL_STATES


@dataclass(frozen=True)
class ActiveJob:
    """A running job with its progress, and its session if it has one."""

    job: Job
    session_id: UUID | None
    now: datetime
    estimate: JobEstimate | None = None


@dataclass(frozen=True)
class Batch:
    """Some events in order, and where the database stood when they were read."""

    marks: Marks
    records: Sequence[EventRecord]
    """Events below the watermark."""
    is_full: bool
    """Whether there may be more of them."""
    has_unsettled: bool
    """Whether events wait for an earlier transaction to end."""


def marks_columns() -> tuple[ColumnElement[Any], ...]:
    """Watermark, next number and system of the statement's own snapshot."""
    snapshot = func.pg_current_snapshot()
    return (
        cast(func.pg_snapshot_xmin(snapshot), Text).label("settled"),
        cast(func.pg_snapshot_xmax(snapshot), Text).label("unused"),
        literal_column("(SELECT system_identifier FROM pg_control_system())").label("system"),
    )


def marks_of(settled: str, unused: str, system: int) -> Marks:
    """The marks that a statement has returned."""
    history = hashlib.sha256(str(system).encode()).hexdigest()[:HISTORY_LENGTH]
    return Marks(history, int(settled), int(unused))


def read_marks(session: Session) -> Marks:
    """Where the database stands now."""
    return marks_of(*session.execute(select(*marks_columns())).one())


def read_batch(session: Session, wanted: ColumnElement[bool], after: Position, limit: int) -> Batch:
    """At most `limit` events after a position, with the watermark, in one statement and thus one snapshot."""
    order = (JobEventRow.xid, JobEventRow.job_id, JobEventRow.sequence)
    place = tuple_(
        literal(after.transaction, Xid8()),
        literal(after.job_id),
        literal(after.sequence, SmallInteger),
    )
    found = (
        select(JobEventRow, Turn.session_id.label("session_id"))
        .outerjoin(Turn, Turn.job_id == JobEventRow.job_id)
        .where(wanted, tuple_(*order) > place)
        .order_by(*order)
        .limit(limit)
        .subquery("found")
    )
    marks = select(*marks_columns()).subquery("marks")
    event = aliased(JobEventRow, found)
    statement = (
        select(marks, event, found.c.session_id)
        .select_from(marks.outerjoin(found, true()))
        .order_by(found.c.xid, found.c.job_id, found.c.sequence)
    )
    rows: Sequence[Any] = session.execute(statement).all()
    settled, unused, system, *_ = rows[0]
    stand = marks_of(settled, unused, system)
    events: list[tuple[JobEventRow, UUID | None]] = [
        (row, session_id) for *_, row, session_id in rows if row is not None
    ]
    below = [(row, session_id) for row, session_id in events if row.xid < stand.settled]
    has_unsettled = len(below) < len(events)
    return Batch(stand, records_of(session, below), len(below) == limit, has_unsettled)


def records_of(session: Session, rows: Sequence[tuple[JobEventRow, UUID | None]]) -> list[EventRecord]:
    """The events with what they have ended."""
    ended = {row.job_id for row, _ in rows if target(JobEvent(row.kind)) in FINAL_STATES}
    rows_of = read_ended_jobs(session, ended)
    return [
        EventRecord(
            Position(row.xid, row.job_id, row.sequence),
            row.project_id,
            session_id,
            JobEvent(row.kind),
            row.attempt,
            row.data,
            row.created_at,
            rows_of.get(row.job_id) if target(JobEvent(row.kind)) in FINAL_STATES else None,
        )
        for row, session_id in rows
    ]


def has_more(session: Session, wanted: ColumnElement[bool], after: Position) -> bool:
    """Whether there is an event after a position, also above the watermark."""
    batch = read_batch(session, wanted, after, 1)
    return bool(batch.records) or batch.has_unsettled


def read_ended_jobs(session: Session, ids: Collection[UUID]) -> dict[UUID, JobRows]:
    """Everything of these jobs."""
    if not ids:
        return {}
    jobs = session.scalars(select(Job).where(Job.id.in_(ids))).all()
    return {rows.job.id: rows for rows in collect(session, jobs, {})}


def is_renumbered(session: Session, project_id: UUID) -> bool:
    """Whether the events have this database's numbers: not after a restore, before `python -m migrations`."""
    # of this statement's own snapshot: rows that were committed since an earlier one have larger numbers
    unused = func.pg_snapshot_xmax(func.pg_current_snapshot())
    foreign = exists().where(JobEventRow.project_id == project_id, JobEventRow.xid >= unused)
    return not session.scalar(select(foreign))


def read_active_jobs(session: Session, project_ids: Collection[UUID]) -> Sequence[ActiveJob]:
    """The running jobs of these projects."""
    statement = (
        select(Job, Turn.session_id, database_time(), JobEstimate)
        .outerjoin(Turn, Turn.job_id == Job.id)
        .outerjoin(JobEstimate, JobEstimate.job_id == Job.id)
        .where(Job.project_id.in_(project_ids), Job.state.in_(sorted(ACTIVE_STATES)))
    )
    return [ActiveJob(*row) for row in session.execute(statement)]


def find_state(session: Session, project_id: UUID, job_id: UUID) -> str | None:
    """The state of a job; None if the project has no such job."""
    return session.scalar(select(Job.state).where(Job.id == job_id, Job.project_id == project_id))


def has_session(session: Session, project_id: UUID, session_id: UUID) -> bool:
    """Whether the project has this session."""
    return bool(
        session.scalar(
            select(
                exists().where(
                    SessionRow.id == session_id,
                    SessionRow.project_id == project_id,
                    SessionRow.deleted_at.is_(None),
                )
            )
        )
    )
