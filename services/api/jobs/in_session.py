"""Refuse changes of jobs that belong to sessions: the session's routes keep its tree complete."""

from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from shared.ids import IdKind, format_id
from shared.tables import Candidate, SessionRow, Turn


def refuse_session_job(session: Session, job_id: UUID) -> None:
    """Raise Problem if the job is a turn, or a turn or a session starts from one of its pictures."""
    pictures = select(Candidate.image_id).where(Candidate.job_id == job_id)
    statement = select(Turn.session_id).where(
        or_(Turn.job_id == job_id, Turn.parent_job_id == job_id, Turn.source_image_id.in_(pictures))
    )
    begun = select(SessionRow.id).where(SessionRow.root_image_id.in_(pictures))
    found = session.scalars(statement.union(begun).limit(1)).first()
    if found is not None:
        name = format_id(IdKind.SESSION, found)
        raise Problem(
            ProblemCode.JOB_IN_SESSION,
            f"The job belongs to the session {name}: use the routes below /v1/sessions/{name}.",
            param="job_id",
        )
