"""Post a turn: queue its job, and give it its place in the tree in the same transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.jobs.idempotency import RecordedAnswer, request_fingerprint
from services.api.jobs.once import FirstAnswer
from services.api.jobs.submit import ACCEPTED, POLL_AFTER_SECONDS, Order, submit
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from services.api.sessions.parents import Parent, find_parent, find_session
from services.api.sessions.problems import head_moved, not_in_session
from services.api.sessions.repository import read_turn
from services.api.sessions.requests import TurnRequest
from services.api.sessions.view import view_turn
from shared.ids import IdKind, format_id
from shared.job_store import first_candidate
from shared.links import turn_url
from shared.schemas.jobs import JobRequest
from shared.tables import Job, SessionRow, Turn


@dataclass(frozen=True)
class TurnTexts:
    """What a client writes on a turn."""

    name: str | None = None
    note: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class TurnPlace:
    """The session of a new turn. if_head: version that its head must have; None for any."""

    session_id: UUID
    if_head: int | None = None


TurnAnswer = Callable[[Session, Turn], RecordedAnswer]
"""Writes what belongs to a new turn into its transaction, and returns the answer to the client."""


async def post_turn(
    gateway: Gateway,
    caller: Caller,
    session_id: UUID,
    asked: TurnRequest,
    *,
    if_head: int | None,
    key: str | None,
) -> FirstAnswer:
    """Queue the turn. Raises Problem.

    if_head: version that the head must have; None for any.
    """
    public_url = gateway.settings.gateway.public_url

    def fingerprint() -> bytes:
        path = f"/v1/sessions/{format_id(IdKind.SESSION, session_id)}/turns"
        return request_fingerprint("POST", path, asked.model_dump(mode="json"))

    def answer(session: Session, turn: Turn) -> RecordedAnswer:
        return answer_with_turn(session, turn, public_url)

    place = TurnPlace(session_id, if_head)
    order = await order_turn(gateway, caller, place, asked, fingerprint=fingerprint, answer=answer)
    return await submit(gateway, caller, order, key)


async def order_turn(
    gateway: Gateway,
    caller: Caller,
    place: TurnPlace,
    asked: TurnRequest,
    *,
    fingerprint: Callable[[], bytes],
    answer: TurnAnswer,
) -> Order:
    """The order of a turn; nothing is written before it is submitted. Raises Problem."""
    async with gateway.database.transaction() as session:
        row = await session.run_sync(find_session, caller.project_id, place.session_id)
        parent = await session.run_sync(find_parent, row, asked.origin)
    request = asked.job(parent.image)
    check_parent(asked, request, parent)
    below = parent if request.task.takes_image else Parent()
    texts = TurnTexts(asked.name, asked.note, asked.metadata)

    def receipt(session: Session, job: Job) -> RecordedAnswer:
        row = find_session(session, caller.project_id, place.session_id, lock=True)
        if place.if_head is not None and row.head_version != place.if_head:
            raise head_moved(row.head_version)
        check_undeleted(session, place.session_id, parent)
        return answer(session, add_turn(session, row, job, below, texts))

    return Order(request, fingerprint, receipt)


def answer_with_turn(session: Session, turn: Turn, public_url: str) -> RecordedAnswer:
    """The answer 202 with the turn."""
    body = view_turn(read_turn(session, turn), public_url).model_dump(mode="json")
    headers = {
        "Location": turn_url(public_url, turn.session_id, turn.id),
        "Retry-After": POLL_AFTER_SECONDS,
    }
    return RecordedAnswer(ACCEPTED, headers, body, turn.job_id)


def check_parent(asked: TurnRequest, request: JobRequest, parent: Parent) -> None:
    """Raise Problem for a parent that the task cannot start from."""
    if asked.origin is not None and not request.task.takes_image:
        detail = f"from: The task `{request.task}` starts from no picture."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, "from")
    if asked.image is not None and parent.is_pending:
        detail = "image: A turn with a picture of its own cannot wait for its parent; post it afterwards."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, "image")


def check_undeleted(session: Session, session_id: UUID, parent: Parent) -> None:
    """Raise Problem if the parent's turn was deleted in the meantime; the session is locked."""
    if parent.job_id is None:
        return
    alive = (Turn.session_id == session_id, Turn.job_id == parent.job_id, Turn.deleted_at.is_(None))
    if session.scalar(select(Turn.id).where(*alive)) is None:
        raise not_in_session("from", "turn")


def add_turn(session: Session, row: SessionRow, job: Job, parent: Parent, texts: TurnTexts) -> Turn:
    """Insert the turn of a job; the head will follow it. The session must be locked."""
    row.last_number += 1
    row.head_follows = row.last_number
    row.updated_at = func.clock_timestamp()
    candidate_id = parent.candidate_id
    if candidate_id is None and parent.job_id is not None and job.blocked_by is None:
        # the parent's job ended while this turn was checked
        drawn = first_candidate(session, parent.job_id)
        candidate_id = None if drawn is None else drawn.id
    statement = (
        insert(Turn)
        .values(
            session_id=row.id,
            number=row.last_number,
            job_id=job.id,
            parent_candidate_id=candidate_id,
            parent_job_id=parent.job_id,
            source_image_id=parent.source_image_id,
            name=texts.name,
            note=texts.note,
            details=dict(texts.metadata),
        )
        .returning(Turn)
    )
    return session.scalars(statement).one()
