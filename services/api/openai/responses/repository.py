"""Read responses, each with its job."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from services.api.jobs.repository import read_job
from services.api.openai.responses.view import Answered
from services.api.problems.codes import Problem, ProblemCode
from shared.tables import ResponseRow, SessionRow, Turn

MOST_LISTED = 1000


def alive(project_id: UUID) -> Select[ResponseRow]:
    """The responses of a project whose conversation and turn were not deleted."""
    return (
        select(ResponseRow)
        .outerjoin(SessionRow, SessionRow.id == ResponseRow.session_id)
        .outerjoin(Turn, Turn.job_id == ResponseRow.id)
        .where(
            ResponseRow.project_id == project_id,
            SessionRow.deleted_at.is_(None),
            or_(ResponseRow.text.is_not(None), Turn.deleted_at.is_(None)),
        )
    )


def find_row(session: Session, project_id: UUID, response_id: UUID) -> ResponseRow:
    """The row of a response. Raises Problem (not_found)."""
    found = session.scalars(alive(project_id).where(ResponseRow.id == response_id)).first()
    if found is None:
        detail = "There is no response with this id, or it was not stored."
        raise Problem(ProblemCode.NOT_FOUND, detail, param="response_id")
    return found


def read_response(session: Session, project_id: UUID, response_id: UUID) -> Answered:
    """A response with its job. Raises Problem (not_found)."""
    row = find_row(session, project_id, response_id)
    if row.text is not None:
        return Answered(row.id, row.request, row.session_id, row.created_at, text=row.text)
    rows = read_job(session, project_id, row.id)
    return Answered(row.id, row.request, row.session_id, rows.job.created_at, rows=rows)


def list_rows(session: Session, project_id: UUID, session_id: UUID) -> Sequence[ResponseRow]:
    """The responses of a conversation, oldest first."""
    statement = alive(project_id).where(ResponseRow.session_id == session_id)
    return session.scalars(statement.order_by(ResponseRow.id).limit(MOST_LISTED)).all()
