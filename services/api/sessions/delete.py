"""Delete a turn with the branch that starts from it, or a whole session.

Turns are marked as deleted, so that numbers and usage stay. Their jobs are canceled, and their pictures
expire at once: the sweeper of expired pictures deletes the files.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, aliased

from services.api.problems.codes import Problem, ProblemCode
from services.api.sessions.move_head import move
from services.api.sessions.parents import find_session
from services.api.sessions.repository import find_turn
from shared.job_store import request_cancel
from shared.job_store.clock import database_time
from shared.jobs import FINAL_STATES
from shared.tables import Candidate, Image, Job, SessionRow, Turn, UndecodedPicture

SILENT = {"synchronize_session": False}


def delete_turn(
    session: Session, project_id: UUID, session_id: UUID, turn_id: UUID, confirm: int | None
) -> None:
    """Delete a turn and all turns below it. Raises Problem.

    confirm: number of turns that the client expects to delete, including this one.
    """
    turn = find_turn(session, project_id, session_id, turn_id)
    branch = turns_below(session, turn)
    check_count(len(branch), confirm)
    discard(session, project_id, branch)
    row = find_session(session, project_id, session_id, lock=True)
    leave(session, row, turn, branch)


def delete_session(session: Session, project_id: UUID, session_id: UUID, confirm: int | None) -> None:
    """Delete a session with all its turns. Raises Problem. confirm: number of its turns."""
    find_session(session, project_id, session_id)
    alive = select(Turn).where(Turn.session_id == session_id, Turn.deleted_at.is_(None))
    turns = session.scalars(alive).all()
    check_count(len(turns), confirm)
    discard(session, project_id, turns)
    row = find_session(session, project_id, session_id, lock=True)
    row.deleted_at = func.clock_timestamp()
    session.flush()


def check_count(count: int, confirm: int | None) -> None:
    """Raise Problem unless the client has confirmed the number of turns."""
    if confirm != count:
        raise Problem(
            ProblemCode.CONFIRMATION_NEEDED,
            f"This deletes {count} {'turn' if count == 1 else 'turns'} with their pictures; repeat the "
            f"request with ?confirm={count}.",
            param="confirm",
        )


def turns_below(session: Session, turn: Turn) -> Sequence[Turn]:
    """The turn and all turns of its branch that were not deleted."""
    below = select(Turn.id, Turn.job_id).where(Turn.id == turn.id).cte("below", recursive=True)
    child = aliased(Turn)
    below = below.union(select(child.id, child.job_id).join(below, child.parent_job_id == below.c.job_id))
    found = select(Turn).where(Turn.id.in_(select(below.c.id)), Turn.deleted_at.is_(None))
    return session.scalars(found).all()


def discard(session: Session, project_id: UUID, turns: Sequence[Turn]) -> None:
    """Cancel the turns' jobs, let their pictures expire, and mark the turns as deleted.

    Jobs are locked before the session, in the order in which a worker that ends a job locks them.
    """
    job_ids = [turn.job_id for turn in turns]
    running = select(Job.id).where(Job.id.in_(job_ids), Job.state.not_in(sorted(FINAL_STATES)))
    for job_id in session.scalars(running.order_by(Job.id)).all():
        request_cancel(session, project_id, job_id)
    pictures = select(Candidate.image_id).where(Candidate.job_id.in_(job_ids))
    session.execute(delete(UndecodedPicture).where(UndecodedPicture.job_id.in_(job_ids)))
    session.execute(
        update(Image).where(Image.id.in_(pictures)).values(expires_at=database_time()),
        execution_options=SILENT,
    )
    ids = [turn.id for turn in turns]
    session.execute(
        update(Turn).where(Turn.id.in_(ids)).values(deleted_at=database_time()), execution_options=SILENT
    )


def leave(session: Session, row: SessionRow, turn: Turn, branch: Sequence[Turn]) -> None:
    """Move the head out of a deleted branch, to the picture that the branch started from."""
    gone = set(
        session.scalars(select(Candidate.id).where(Candidate.job_id.in_([one.job_id for one in branch])))
    )
    row.undone = [candidate for candidate in row.undone if candidate not in gone]
    if row.head_candidate_id in gone:
        move(row, turn.parent_candidate_id)
    if row.head_follows in {one.number for one in branch}:
        row.head_follows = None
    row.updated_at = func.clock_timestamp()
    session.flush()
