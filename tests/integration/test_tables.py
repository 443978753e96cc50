"""The database refuses impossible states by constraints, independently of the code."""

from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shared.database import Database
from shared.job_store import succeed_job
from shared.tables import Candidate, SessionRow, Turn
from tests.support.factories import must_claim, one_picture, queue_job

IMPOSSIBLE_JOBS = {
    "finished_when_final": "UPDATE jobs SET finished_at = now()",
    "leased_when_active": "UPDATE jobs SET lease_owner = 'worker'",
    "error_when_failed": "UPDATE jobs SET error_code = 'out_of_memory', error_message = 'no room'",
    "started_with_first_attempt": "UPDATE jobs SET attempt = 1",
    "attempted_before_work": "UPDATE jobs SET state = 'succeeded', finished_at = now()",
    "attempts_add_up": "UPDATE jobs SET interruptions = 1",
    "progress_within_total": "UPDATE jobs SET tokens_done = 1",
    "state_known": "UPDATE jobs SET state = 'lost', attempt = 1, started_at = now()",
    "queue_known": "UPDATE jobs SET queue = 'other'",
}


@pytest.mark.parametrize("rule", IMPOSSIBLE_JOBS)
def test_a_job_row_cannot_contradict_itself(database: Database, project_id: UUID, rule: str) -> None:
    queue_job(database, project_id)
    with pytest.raises(IntegrityError, match=rule), database.transaction() as session:
        session.execute(text(IMPOSSIBLE_JOBS[rule]))


def new_session(session: Session, project_id: UUID) -> UUID:
    """Create an empty session and return its id."""
    row = SessionRow(project_id=project_id)
    session.add(row)
    session.flush()
    return row.id


def finished_candidate(database: Database, project_id: UUID) -> Candidate:
    """Queue and finish a job; return its candidate."""
    job_id = queue_job(database, project_id)
    with database.transaction() as session:
        succeed_job(session, must_claim(database).lease, one_picture())
        return session.scalars(select(Candidate).where(Candidate.job_id == job_id)).one()


def test_two_edits_may_start_at_the_same_candidate(database: Database, project_id: UUID) -> None:
    parent = finished_candidate(database, project_id)
    edits = [queue_job(database, project_id) for _ in range(2)]
    with database.transaction() as session:
        session_id = new_session(session, project_id)
        session.add(Turn(session_id=session_id, number=1, job_id=parent.job_id))
        session.flush()
        for number, job_id in enumerate(edits, start=2):
            session.add(
                Turn(
                    session_id=session_id,
                    number=number,
                    job_id=job_id,
                    parent_candidate_id=parent.id,
                    parent_job_id=parent.job_id,
                )
            )


def test_a_turn_cannot_start_at_a_candidate_of_another_session(database: Database, project_id: UUID) -> None:
    parent = finished_candidate(database, project_id)
    edit = queue_job(database, project_id)
    with database.transaction() as session:
        session.add(Turn(session_id=new_session(session, project_id), number=1, job_id=parent.job_id))
        other = new_session(session, project_id)

    with (
        pytest.raises(IntegrityError, match="fk_turns_session_id_parent_job_id"),
        database.transaction() as session,
    ):
        session.add(
            Turn(
                session_id=other,
                number=1,
                job_id=edit,
                parent_candidate_id=parent.id,
                parent_job_id=parent.job_id,
            )
        )
