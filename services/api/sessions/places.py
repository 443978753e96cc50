"""Where a picture stands in the project's trees, so that a conversation goes on from there."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.sessions.requests import ROOT
from shared.ids import IdKind, format_id
from shared.tables import Candidate, SessionRow, Turn


@dataclass(frozen=True)
class Place:
    """A picture in a session. origin: what a turn that starts from it names in `from`."""

    session_id: UUID
    origin: str


def find_place(session: Session, project_id: UUID, image_id: UUID) -> Place | None:
    """The turn that drew the picture, or the newest session created from it; None if no session has it."""
    alive = (SessionRow.project_id == project_id, SessionRow.deleted_at.is_(None))
    drawn = (
        select(SessionRow.id, Candidate.id)
        .join(Turn, Turn.session_id == SessionRow.id)
        .join(Candidate, Candidate.job_id == Turn.job_id)
        .where(*alive, Turn.deleted_at.is_(None), Candidate.image_id == image_id)
    )
    found = session.execute(drawn).first()
    if found is not None:
        return Place(found[0], format_id(IdKind.CANDIDATE, found[1]))
    begun = select(SessionRow.id).where(*alive, SessionRow.root_image_id == image_id)
    session_id = session.scalars(begun.order_by(SessionRow.id.desc()).limit(1)).first()
    return None if session_id is None else Place(session_id, ROOT)
