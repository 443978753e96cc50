"""Change what clients write on sessions and turns, and star candidates."""

from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from services.api.sessions.parents import find_candidate, find_session
from services.api.sessions.repository import find_turn
from services.api.sessions.requests import SessionChange, TurnChange
from shared.tables import Candidate


def change_session(session: Session, project_id: UUID, session_id: UUID, change: SessionChange) -> None:
    """Set the given fields of a session. Raises Problem."""
    row = find_session(session, project_id, session_id, lock=True)
    given = change.model_fields_set
    row.title = change.title if "title" in given else row.title
    row.note = change.note if "note" in given else row.note
    row.details = change.metadata or {} if "metadata" in given else row.details
    touch(session, project_id, session_id)


def change_turn(
    session: Session, project_id: UUID, session_id: UUID, turn_id: UUID, change: TurnChange
) -> None:
    """Set the given fields of a turn. Raises Problem."""
    turn = find_turn(session, project_id, session_id, turn_id)
    given = change.model_fields_set
    turn.name = change.name if "name" in given else turn.name
    turn.note = change.note if "note" in given else turn.note
    turn.details = change.metadata or {} if "metadata" in given else turn.details
    touch(session, project_id, session_id)


def add_star(session: Session, project_id: UUID, session_id: UUID, candidate_id: UUID) -> None:
    """Star a candidate. Raises Problem."""
    candidate = find_starrable(session, project_id, session_id, candidate_id)
    if candidate.starred_at is None:
        candidate.starred_at = func.clock_timestamp()
        touch(session, project_id, session_id)


def remove_star(session: Session, project_id: UUID, session_id: UUID, candidate_id: UUID) -> None:
    """Remove a candidate's star. Raises Problem."""
    candidate = find_starrable(session, project_id, session_id, candidate_id)
    if candidate.starred_at is not None:
        candidate.starred_at = None
        touch(session, project_id, session_id)


def find_starrable(session: Session, project_id: UUID, session_id: UUID, candidate_id: UUID) -> Candidate:
    """The candidate of the project's session. Raises Problem (not_found)."""
    find_session(session, project_id, session_id)
    candidate = find_candidate(session, session_id, candidate_id)
    if candidate is None:
        raise Problem(
            ProblemCode.NOT_FOUND, "The session has no candidate with this id.", param="candidate_id"
        )
    return candidate


def touch(session: Session, project_id: UUID, session_id: UUID) -> None:
    """Note the time of the change."""
    row = find_session(session, project_id, session_id, lock=True)
    row.updated_at = func.clock_timestamp()
    session.flush()
