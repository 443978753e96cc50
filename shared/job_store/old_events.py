"""Delete the events of jobs that ended longer ago than their project keeps events.

Deliveries of these events go with them; events with a delivery that is still tried are kept.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, literal, select, tuple_
from sqlalchemy.orm import Session

from shared.job_store.retention import Kept, cutoff, seconds_of
from shared.jobs import FINAL_STATES
from shared.settings import RetentionSettings
from shared.tables import Delivery, DeliveryState, Job, JobEventRow, Project
from shared.tables.base import Xid8

ORDER = (JobEventRow.xid, JobEventRow.job_id, JobEventRow.sequence)
Place = tuple[int, UUID, int]
"""Transaction, job and sequence: an event's place in the order of its project's index."""


@dataclass(frozen=True)
class OldEvents:
    """A project whose events are not kept for ever, and the time before which they are too old."""

    project_id: UUID
    before: datetime


def projects_with_old_events(session: Session, retention: RetentionSettings) -> list[OldEvents]:
    """The projects that have a retention of events."""
    statement = select(Project.id, cutoff(Kept.EVENTS, retention)).where(
        seconds_of(Kept.EVENTS, retention) >= 0
    )
    return [OldEvents(*row) for row in session.execute(statement)]


def delete_old_events(session: Session, old: OldEvents, after: Place | None, most: int) -> Place | None:
    """Look at the next `most` events of a project, oldest first, and delete those that may go.

    Returns the place of the last one, to go on after it; None when all that follow are too new.
    """
    statement = select(*ORDER, JobEventRow.created_at).where(JobEventRow.project_id == old.project_id)
    if after is not None:
        place = (literal(after[0], Xid8()), literal(after[1]), literal(after[2]))
        statement = statement.where(tuple_(*ORDER) > tuple_(*place))
    seen = session.execute(statement.order_by(*ORDER).limit(most)).all()
    if not seen:
        return None
    ended = select(Job.id).where(
        Job.id.in_({row[1] for row in seen}),
        Job.state.in_(sorted(FINAL_STATES)),
        Job.finished_at <= old.before,
        ~exists().where(Delivery.job_id == Job.id, Delivery.state == DeliveryState.PENDING.value),
    )
    done = set(session.scalars(ended))
    gone = [(row[1], row[2]) for row in seen if row[1] in done]
    if gone:
        session.execute(
            delete(JobEventRow)
            .where(tuple_(JobEventRow.job_id, JobEventRow.sequence).in_(gone))
            .execution_options(synchronize_session=False)
        )
    xid, job_id, sequence, created_at = seen[-1]
    return (xid, job_id, sequence) if len(seen) == most and created_at <= old.before else None
