"""List and search the sessions of a project."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from services.api.sessions.repository import describe_sessions
from services.api.sessions.view import SessionRows
from shared.tables import Candidate, JobRequestRow, SessionRow, Turn


@dataclass(frozen=True)
class SessionFilter:
    """Filter of a list of sessions; None means no filter."""

    text: str | None = None
    """Part of the title, or of a turn's prompt, in any case."""
    updated_after: datetime | None = None
    starred: bool | None = None
    """Whether a candidate of the session has a star."""


def list_sessions(
    session: Session, project_id: UUID, wanted: SessionFilter, older_than: UUID | None, limit: int
) -> tuple[list[SessionRows], bool]:
    """A page of sessions, newest first, and whether older ones follow."""
    statement = (
        select(SessionRow)
        .where(SessionRow.project_id == project_id, SessionRow.deleted_at.is_(None))
        .order_by(SessionRow.id.desc())
        .limit(limit + 1)
    )
    if older_than is not None:
        statement = statement.where(SessionRow.id < older_than)
    if wanted.updated_after is not None:
        statement = statement.where(SessionRow.updated_at > wanted.updated_after)
    turn_of = (Turn.session_id == SessionRow.id, Turn.deleted_at.is_(None))
    if wanted.text is not None:
        in_prompt = exists().where(
            *turn_of,
            JobRequestRow.job_id == Turn.job_id,
            JobRequestRow.request["prompt"].astext.icontains(wanted.text, autoescape=True),
        )
        in_title = SessionRow.title.icontains(wanted.text, autoescape=True)
        statement = statement.where(or_(in_title, in_prompt))
    if wanted.starred is not None:
        has_star = exists().where(
            *turn_of, Candidate.job_id == Turn.job_id, Candidate.starred_at.is_not(None)
        )
        statement = statement.where(has_star if wanted.starred else ~has_star)
    rows = session.scalars(statement).all()
    return describe_sessions(session, rows[:limit]), len(rows) > limit
