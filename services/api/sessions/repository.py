"""Read sessions and turns, with a fixed number of SQL statements."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from services.api.sessions.parents import find_session
from services.api.sessions.problems import no_such_turn
from services.api.sessions.view import HeadRows, SessionRows, TreeRows, TurnRows
from shared.job_view.read import collect, queue_positions
from shared.tables import Candidate, Job, SessionRow, Turn

MOST_TURNS = 200
"""Turns on one page of a tree."""


def read_session(session: Session, project_id: UUID, session_id: UUID) -> SessionRows:
    """A session without its turns. Raises Problem."""
    return describe_sessions(session, [find_session(session, project_id, session_id)])[0]


def describe_sessions(session: Session, rows: Sequence[SessionRow]) -> list[SessionRows]:
    """The sessions in the same order, each with its head and its number of turns."""
    ids = [row.id for row in rows]
    counted = (
        select(Turn.session_id, func.count().label("turns"))
        .where(Turn.session_id.in_(ids), Turn.deleted_at.is_(None))
        .group_by(Turn.session_id)
    )
    count_of = {row.session_id: row.turns for row in session.execute(counted)}
    heads = (
        select(Candidate.id, Candidate.image_id, Turn.id)
        .join(Turn, Turn.job_id == Candidate.job_id)
        .where(Candidate.id.in_([row.head_candidate_id for row in rows]))
    )
    head_of = {found: HeadRows(turn, image) for found, image, turn in session.execute(heads)}
    return [
        SessionRows(
            row,
            HeadRows(image_id=row.root_image_id)
            if row.head_candidate_id is None
            else head_of[row.head_candidate_id],
            count_of.get(row.id, 0),
        )
        for row in rows
    ]


def read_tree(
    session: Session, project_id: UUID, session_id: UUID, after: int = 0, limit: int = MOST_TURNS
) -> TreeRows:
    """A session with the turns whose numbers are above `after`, oldest first. Raises Problem."""
    row = find_session(session, project_id, session_id)
    page = (
        select(Turn)
        .where(Turn.session_id == session_id, Turn.number > after, Turn.deleted_at.is_(None))
        .order_by(Turn.number)
        .limit(limit + 1)
    )
    turns = session.scalars(page).all()
    described = describe_turns(session, turns[:limit])
    return TreeRows(describe_sessions(session, [row])[0], described, len(turns) > limit)


def find_turn(session: Session, project_id: UUID, session_id: UUID, turn_id: UUID) -> Turn:
    """A turn of the project's session that was not deleted. Raises Problem."""
    find_session(session, project_id, session_id)
    found = select(Turn).where(Turn.id == turn_id, Turn.session_id == session_id, Turn.deleted_at.is_(None))
    turn = session.scalars(found).first()
    if turn is None:
        raise no_such_turn()
    return turn


def read_turn_by_id(session: Session, project_id: UUID, session_id: UUID, turn_id: UUID) -> TurnRows:
    """A turn of the project's session. Raises Problem."""
    return read_turn(session, find_turn(session, project_id, session_id, turn_id))


def read_turn(session: Session, turn: Turn) -> TurnRows:
    """A turn with everything that a response shows."""
    return describe_turns(session, [turn])[0]


def describe_turns(session: Session, turns: Sequence[Turn]) -> list[TurnRows]:
    """The turns in the same order, each with its job and its parent."""
    job_ids = [turn.job_id for turn in turns]
    jobs = list(session.scalars(select(Job).where(Job.id.in_(job_ids))))
    rows_of = {rows.job.id: rows for rows in collect(session, jobs, queue_positions(session, jobs))}
    parent = aliased(Turn)
    parents = (
        select(Turn.id, parent.id, Candidate.image_id)
        .select_from(Turn)
        .join(parent, (parent.job_id == Turn.parent_job_id))
        .outerjoin(Candidate, Candidate.id == Turn.parent_candidate_id)
        .where(Turn.id.in_([turn.id for turn in turns]))
    )
    parent_of = {turn: (above, image) for turn, above, image in session.execute(parents)}
    return [
        TurnRows(turn, rows_of[turn.job_id], *parent_of.get(turn.id, (None, turn.source_image_id)))
        for turn in turns
    ]
