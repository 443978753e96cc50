"""Move the head of a session: to a candidate, back (undo) and forth again (redo).

Every move ends the following of a turn that still runs, so a picture that is done later does not take the
head away from where the client has put it.
"""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from services.api.sessions.parents import find_candidate, find_session
from services.api.sessions.problems import head_moved, not_in_session
from services.api.sessions.requests import ROOT
from shared.ids import IdKind, parse_id
from shared.tables import Candidate, SessionRow, Turn

MOST_UNDONE = 200
"""Heads that redo remembers."""


def put_head(
    session: Session, project_id: UUID, session_id: UUID, wanted: str, if_version: int | None
) -> None:
    """Make a candidate the head, or the root. Raises Problem.

    if_version: version that the head must have; None for any.
    """
    row = lock(session, project_id, session_id, if_version)
    if wanted == ROOT:
        if row.root_image_id is None:
            raise not_in_session("candidate", "root")
        move(row, None)
    else:
        candidate = find_candidate(session, row.id, parse_id(IdKind.CANDIDATE, wanted))
        if candidate is None:
            raise not_in_session("candidate", "candidate")
        move(row, candidate.id)
    row.undone = []
    session.flush()


def undo(session: Session, project_id: UUID, session_id: UUID, if_version: int | None) -> None:
    """Move the head to the picture that its turn started from. Raises Problem."""
    row = lock(session, project_id, session_id, if_version)
    if row.head_candidate_id is None:
        raise Problem(ProblemCode.NOTHING_TO_UNDO, "The head is at the beginning of the session.")
    left = row.head_candidate_id
    parent = (
        select(Turn.parent_candidate_id)
        .join(Candidate, Candidate.job_id == Turn.job_id)
        .where(Candidate.id == left)
    )
    move(row, session.scalars(parent).one())
    row.undone = [*row.undone, left][-MOST_UNDONE:]
    session.flush()


def redo(session: Session, project_id: UUID, session_id: UUID, if_version: int | None) -> None:
    """Move the head to where the last undo has moved it from. Raises Problem."""
    row = lock(session, project_id, session_id, if_version)
    if not row.undone:
        raise Problem(ProblemCode.NOTHING_TO_REDO, "No move of the head was undone since its last change.")
    move(row, row.undone[-1])
    row.undone = row.undone[:-1]
    session.flush()


def lock(session: Session, project_id: UUID, session_id: UUID, if_version: int | None) -> SessionRow:
    """The session, locked. Raises Problem if its head has another version."""
    row = find_session(session, project_id, session_id, lock=True)
    if if_version is not None and row.head_version != if_version:
        raise head_moved(row.head_version)
    return row


def move(row: SessionRow, candidate_id: UUID | None) -> None:
    """Set the head; None is the root, or no picture in a session without a root."""
    row.head_candidate_id = candidate_id
    row.head_version += 1
    row.head_follows = None
    row.updated_at = func.clock_timestamp()
