"""The parent of a turn: the picture that it starts from, and its place in the tree."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from services.api.sessions.problems import no_such_session, not_in_session
from services.api.sessions.requests import ROOT
from shared.ids import IdKind, format_id, parse_id
from shared.job_store import first_candidate
from shared.jobs import FINAL_STATES, JobState
from shared.tables import Candidate, Job, SessionRow, Turn


@dataclass(frozen=True)
class Parent:
    """A place in the tree below which a turn begins.

    image: the picture as the source of a job's image; a job id while it is not drawn; None in a session
    without a picture. All three ids are None there, and `source_image_id` alone is set for the root.
    """

    image: str | None = None
    candidate_id: UUID | None = None
    job_id: UUID | None = None
    source_image_id: UUID | None = None

    @property
    def is_pending(self) -> bool:
        """Whether the picture is not drawn yet."""
        return self.job_id is not None and self.candidate_id is None


def find_session(session: Session, project_id: UUID, session_id: UUID, *, lock: bool = False) -> SessionRow:
    """The project's session. Raises Problem (not_found). lock: until the transaction ends."""
    statement = (
        select(SessionRow)
        .where(
            SessionRow.id == session_id, SessionRow.project_id == project_id, SessionRow.deleted_at.is_(None)
        )
        .execution_options(populate_existing=True)
    )
    row = session.scalars(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise no_such_session()
    return row


def find_parent(session: Session, row: SessionRow, origin: str | None) -> Parent:
    """The parent that `from` names; the head if it is None. Raises Problem."""
    if origin is None:
        return head_of(session, row)
    if origin == ROOT:
        root = root_of(row)
        if root is None:
            raise Problem(
                ProblemCode.INVALID_REQUEST,
                "from: The session was not created from a picture, so it has no `root`.",
                param="from",
            )
        return root
    if origin.startswith(f"{IdKind.TURN.value}_"):
        return picture_of_turn(session, row, parse_id(IdKind.TURN, origin))
    candidate = find_candidate(session, row.id, parse_id(IdKind.CANDIDATE, origin))
    if candidate is None:
        raise not_in_session("from", "candidate")
    return parent_of(candidate)


def head_of(session: Session, row: SessionRow) -> Parent:
    """The session's head."""
    if row.head_candidate_id is not None:
        return parent_of(session.get_one(Candidate, row.head_candidate_id))
    return root_of(row) or Parent()


def root_of(row: SessionRow) -> Parent | None:
    """The picture that the session was created from; None if it was not created from one."""
    if row.root_image_id is None:
        return None
    return Parent(format_id(IdKind.IMAGE, row.root_image_id), source_image_id=row.root_image_id)


def parent_of(candidate: Candidate) -> Parent:
    """The candidate as a parent."""
    return Parent(format_id(IdKind.IMAGE, candidate.image_id), candidate.id, candidate.job_id)


def find_candidate(session: Session, session_id: UUID, candidate_id: UUID) -> Candidate | None:
    """A candidate of one of the session's turns; None if there is no such one."""
    statement = (
        select(Candidate)
        .join(Turn, Turn.job_id == Candidate.job_id)
        .where(Candidate.id == candidate_id, Turn.session_id == session_id, Turn.deleted_at.is_(None))
    )
    return session.scalars(statement).first()


def picture_of_turn(session: Session, row: SessionRow, turn_id: UUID) -> Parent:
    """The first picture of a turn, which may still be awaited. Raises Problem that names `from`."""
    statement = (
        select(Turn.job_id, Job.state)
        .join(Job, Job.id == Turn.job_id)
        .where(Turn.id == turn_id, Turn.session_id == row.id, Turn.deleted_at.is_(None))
    )
    found = session.execute(statement).first()
    if found is None:
        raise not_in_session("from", "turn")
    job_id, state = found
    if JobState(state) not in FINAL_STATES:
        return Parent(format_id(IdKind.JOB, job_id), job_id=job_id)
    candidate = first_candidate(session, job_id)
    if candidate is None:
        raise Problem(ProblemCode.INVALID_REQUEST, "from: This turn has ended without a picture.", "from")
    return parent_of(candidate)
