"""The head of a session follows the turn that a client asked for last."""

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time
from shared.tables import Candidate, SessionRow, Turn


def follow_turn(session: Session, job_id: UUID) -> None:
    """Move the head to the job's first picture, if the job is the turn that the head follows.

    Called in the transaction in which the job succeeds. A client that has moved the head since the turn was
    posted has ended the following, and the head stays where it is.
    """
    session.execute(
        update(SessionRow)
        .where(
            Turn.job_id == job_id,
            Turn.session_id == SessionRow.id,
            Turn.number == SessionRow.head_follows,
            Candidate.job_id == Turn.job_id,
            Candidate.position == 0,
        )
        .values(
            head_candidate_id=Candidate.id,
            head_version=SessionRow.head_version + 1,
            head_follows=None,
            undone=[],
            updated_at=database_time(),
        ),
        execution_options={"synchronize_session": False},
    )
