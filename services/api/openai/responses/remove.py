"""Cancel and delete responses."""

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from services.api.jobs.cancel import cancel_job
from services.api.openai.responses.repository import find_row, read_response
from services.api.openai.responses.view import Answered
from services.api.sessions.delete import delete_turn, turns_below
from shared.tables import ResponseRow, Turn


def cancel_response(session: Session, project_id: UUID, response_id: UUID) -> Answered:
    """Cancel the response's job; one that has ended stays as it is. Raises Problem."""
    row = find_row(session, project_id, response_id)
    if row.text is None:
        cancel_job(session, project_id, row.id)
    return read_response(session, project_id, response_id)


def delete_response(session: Session, project_id: UUID, response_id: UUID) -> None:
    """Delete a response, with its turn and picture unless later turns start from them. Raises Problem."""
    row = find_row(session, project_id, response_id)
    turn = session.scalars(select(Turn).where(Turn.job_id == row.id)).first()
    if row.text is None and turn is not None and len(turns_below(session, turn)) == 1:
        delete_turn(session, project_id, turn.session_id, turn.id, confirm=1)
    session.execute(delete(ResponseRow).where(ResponseRow.id == row.id))
