"""The place in a tree that a request names: below an earlier response, or at the end of a conversation."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.openai.responses.repository import find_row
from services.api.openai.responses.requests import ResponseRequest
from services.api.problems.codes import Problem, ProblemCode
from services.api.sessions.parents import find_session, head_of
from shared.ids import IdKind, MalformedIdError, format_id, parse_id
from shared.jobs import FINAL_STATES
from shared.tables import Job, SessionRow, Turn

PREVIOUS, CONVERSATION = "previous_response_id", "conversation"


@dataclass(frozen=True)
class Context:
    """Where a response goes on. session_id: None outside of any conversation.

    origin: what the turn names in `from`; None for the head. picture: source of the picture there, the id of
    a job while it is drawn; None if there is none.
    """

    session_id: UUID | None = None
    origin: str | None = None
    picture: str | None = None
    job_id: UUID | None = None
    previous_id: UUID | None = None


def find_context(session: Session, project_id: UUID, asked: ResponseRequest) -> Context:
    """The place that the request names. Raises Problem that names the field."""
    previous, conversation = asked.previous_response_id, asked.conversation_id
    if previous is not None and conversation is not None:
        detail = f"{CONVERSATION}: Send either {PREVIOUS} or {CONVERSATION}, not both."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param=CONVERSATION)
    if previous is not None:
        return after_response(session, project_id, previous)
    return Context() if conversation is None else at_end(session, project_id, conversation)


def after_response(session: Session, project_id: UUID, previous: str) -> Context:
    """The place below a response. Raises Problem."""
    try:
        row = find_row(session, project_id, parse_id(IdKind.RESPONSE, previous))
    except (MalformedIdError, Problem) as error:
        detail = f"{PREVIOUS}: There is no response with this id; one with `store: false` is not kept."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param=PREVIOUS) from error
    if row.job_id is None:
        return Context(row.session_id, previous_id=row.id)
    turn = session.scalars(select(Turn).where(Turn.job_id == row.job_id)).one()
    origin, job = format_id(IdKind.TURN, turn.id), format_id(IdKind.JOB, row.job_id)
    return Context(turn.session_id, origin, job, row.job_id, row.id)


def at_end(session: Session, project_id: UUID, conversation: str) -> Context:
    """The end of a conversation: its newest turn while that is drawn, otherwise its head. Raises Problem."""
    row = find_conversation(session, project_id, conversation)
    waiting = (
        select(Turn)
        .join(Job, Job.id == Turn.job_id)
        .where(
            Turn.session_id == row.id,
            Turn.number == row.head_follows,
            Turn.deleted_at.is_(None),
            Job.state.not_in(sorted(FINAL_STATES)),
        )
    )
    turn = session.scalars(waiting).first()
    if turn is not None:
        job = format_id(IdKind.JOB, turn.job_id)
        return Context(row.id, format_id(IdKind.TURN, turn.id), job, turn.job_id)
    head = head_of(session, row)
    return Context(row.id, None, head.image, head.job_id)


def find_conversation(session: Session, project_id: UUID, text: str) -> SessionRow:
    """The session of a conversation's id; its own id counts as well. Raises Problem."""
    kind = IdKind.SESSION if text.startswith(f"{IdKind.SESSION.value}_") else IdKind.CONVERSATION
    try:
        return find_session(session, project_id, parse_id(kind, text))
    except (MalformedIdError, Problem) as error:
        detail = f"{CONVERSATION}: There is no conversation with this id."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param=CONVERSATION) from error
