"""Find batches of a project."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from shared.ids import IdKind, MalformedIdError, parse_id
from shared.tables import OpenAIBatch


def parse_batch_id(text: str, param: str = "batch_id") -> UUID:
    """The database id of a batch's id. Raises Problem (404)."""
    try:
        return parse_id(IdKind.BATCH, text)
    except MalformedIdError as error:
        raise no_such_batch(param) from error


def no_such_batch(param: str = "batch_id") -> Problem:
    """Problem of an unknown batch; the same for a batch of another project."""
    return Problem(ProblemCode.NOT_FOUND, "There is no batch with this id.", param=param)


def find_batch(session: Session, project_id: UUID, batch_id: UUID, *, lock: bool = False) -> OpenAIBatch:
    """The row of a batch. Raises Problem (404)."""
    statement = select(OpenAIBatch).where(OpenAIBatch.id == batch_id, OpenAIBatch.project_id == project_id)
    found = session.scalars(statement.with_for_update() if lock else statement).first()
    if found is None:
        raise no_such_batch()
    return found


def list_batches(
    session: Session, project_id: UUID, after: UUID | None, limit: int
) -> tuple[list[OpenAIBatch], bool]:
    """A page of batches, newest first, and whether older ones follow."""
    statement = (
        select(OpenAIBatch)
        .where(OpenAIBatch.project_id == project_id)
        .order_by(OpenAIBatch.id.desc())
        .limit(limit + 1)
    )
    if after is not None:
        statement = statement.where(OpenAIBatch.id < after)
    rows = session.scalars(statement).all()
    return list(rows[:limit]), len(rows) > limit
