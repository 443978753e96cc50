"""Take an undecoded picture of a canceled job, and add it to the job's answer after it is decoded.

A taken row is hidden from other workers for a while, and gets a new token each time it is taken. A worker
that finishes late finds another token and writes nothing.
"""

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time, time_after
from shared.job_store.finish import store_output
from shared.job_store.records import Output, UndecodedOutput
from shared.tables import Job, UndecodedPicture, UsageRecord
from shared.token_grid import TokenGrid


@dataclass(frozen=True)
class TakenPicture:
    """A picture to decode, and the token that allows adding it."""

    job_id: UUID
    project_id: UUID
    token: UUID
    tries: int
    """How often the picture was taken, including this time."""
    undecoded: UndecodedOutput
    traceparent: str | None = None
    """See `ClaimedJob.traceparent`."""


def take_undecoded(session: Session, seconds: float) -> TakenPicture | None:
    """Take the picture that has waited longest, and hide it for `seconds`; None if there is none."""
    due = (
        select(UndecodedPicture)
        .where(UndecodedPicture.available_at <= database_time())
        .order_by(UndecodedPicture.available_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = session.scalars(due).first()
    if row is None:
        return None
    project_id, traceparent = session.execute(
        select(Job.project_id, Job.traceparent).where(Job.id == row.job_id)
    ).one()
    token = uuid4()
    mine = and_(UndecodedPicture.job_id == row.job_id, UndecodedPicture.position == row.position)
    session.execute(
        update(UndecodedPicture)
        .where(mine)
        .values(taken_by=token, tries=UndecodedPicture.tries + 1, available_at=time_after(seconds))
        .execution_options(synchronize_session=False)
    )
    grid = TokenGrid.from_bytes(row.grid)
    undecoded = UndecodedOutput(row.position, grid, row.png_text, row.score, row.partial)
    return TakenPicture(row.job_id, project_id, token, row.tries + 1, undecoded, traceparent)


def put_off_undecoded(session: Session, taken: TakenPicture, seconds: float) -> None:
    """Let the picture be taken again after `seconds`; nothing changes if another worker has taken it."""
    session.execute(
        update(UndecodedPicture)
        .where(held_by(taken))
        .values(available_at=time_after(seconds))
        .execution_options(synchronize_session=False)
    )


def drop_undecoded(session: Session, taken: TakenPicture) -> bool:
    """Remove the picture's row; False if another worker has taken it."""
    statement = delete(UndecodedPicture).where(held_by(taken)).returning(UndecodedPicture.job_id)
    return session.execute(statement).first() is not None


def add_decoded(session: Session, taken: TakenPicture, output: Output) -> bool:
    """Add the decoded picture to its job's answer and usage.

    Returns False and writes nothing if another worker has taken the picture.
    """
    if not drop_undecoded(session, taken):
        return False
    store_output(session, taken.project_id, taken.job_id, taken.undecoded.position, output)
    session.execute(
        update(UsageRecord)
        .where(UsageRecord.job_id == taken.job_id)
        .values(images=UsageRecord.images + 1)
        .execution_options(synchronize_session=False)
    )
    return True


def held_by(taken: TakenPicture) -> ColumnElement[bool]:
    """The fence: no other worker has taken the picture since."""
    return and_(
        UndecodedPicture.job_id == taken.job_id,
        UndecodedPicture.position == taken.undecoded.position,
        UndecodedPicture.taken_by == taken.token,
    )
