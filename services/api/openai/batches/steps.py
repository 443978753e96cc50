"""Take a batch for one step, and put it back. What a step writes is fenced by its token."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, null, select, update
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time, time_after
from shared.tables import BatchState, OpenAIBatch

LEASE_SECONDS = 60.0
"""Time after which another gateway takes over a batch whose step does not go on."""


class BatchLostError(Exception):
    """Another gateway has taken the batch over, or it has ended. Nothing was written."""


@dataclass(frozen=True)
class TakenBatch:
    """A batch, as it was when the step began, and the right to write to it."""

    row: OpenAIBatch
    token: UUID

    @property
    def state(self) -> BatchState:
        """Its state."""
        return BatchState(self.row.state)


def take_batch(session: Session) -> TakenBatch | None:
    """The batch that has waited longest for its next step; None if none is due."""
    due = (
        select(OpenAIBatch.id)
        .where(OpenAIBatch.ended_at.is_(None), OpenAIBatch.due_at <= database_time())
        .order_by(OpenAIBatch.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    token = uuid4()
    statement = (
        update(OpenAIBatch)
        .where(OpenAIBatch.id == due.c.id)
        .values(taken_by=token, due_at=time_after(LEASE_SECONDS))
        .returning(OpenAIBatch)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    row = session.scalars(statement).first()
    return None if row is None else TakenBatch(row, token)


def held(batch: TakenBatch) -> ColumnElement[bool]:
    """The fence: the batch still belongs to this step."""
    return and_(
        OpenAIBatch.id == batch.row.id,
        OpenAIBatch.project_id == batch.row.project_id,
        OpenAIBatch.taken_by == batch.token,
        OpenAIBatch.ended_at.is_(None),
    )


def write(session: Session, batch: TakenBatch, **values: Any) -> OpenAIBatch:
    """Change the batch, and extend the step. The row is locked afterwards. Raises BatchLostError."""
    statement = (
        update(OpenAIBatch)
        .where(held(batch))
        .values(due_at=time_after(LEASE_SECONDS), **values)
        .returning(OpenAIBatch)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    row = session.scalars(statement).first()
    if row is None:
        raise BatchLostError
    return row


def put_back(session: Session, batch: TakenBatch, seconds: float) -> None:
    """End the step; the next one begins after so many seconds, or at once if the batch was cancelled."""
    session.execute(
        update(OpenAIBatch)
        .where(held(batch))
        .values(due_at=time_after(seconds), taken_by=null())
        .execution_options(synchronize_session=False)
    )
