"""Create a session: empty, from a picture, or with its first turn."""

from collections.abc import Callable, Mapping
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.images.provisional import keep_images, provisionally_stored
from services.api.images.sources import about_field, is_future, look_at_source
from services.api.jobs.given_image import resolve_source
from services.api.jobs.idempotency import Claim, RecordedAnswer, record_answer, request_fingerprint
from services.api.jobs.once import FirstAnswer, do_once
from services.api.jobs.submit import ACCEPTED, Order, submit
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from services.api.sessions.parents import Parent
from services.api.sessions.repository import read_tree
from services.api.sessions.requests import SessionRequest
from services.api.sessions.turns import TurnAnswer, TurnTexts, add_turn
from services.api.sessions.view import view_tree
from shared.ids import IdKind, parse_id
from shared.links import session_url
from shared.tables import Job, JobRequestRow, SessionRow, Turn

CREATED = 201


async def create_session(
    gateway: Gateway, caller: Caller, asked: SessionRequest, key: str | None
) -> FirstAnswer:
    """Create the session, and queue its first turn if there is one. Raises Problem."""

    def fingerprint() -> bytes:
        return request_fingerprint("POST", "/v1/sessions", asked.model_dump(mode="json"))

    async with gateway.database.transaction() as session:
        image = await session.run_sync(resolve_picture, caller.project_id, asked.image)
    resolved = asked.model_copy(update={"image": image})
    if not asked.asks_for_a_turn:

        async def create(claim: Claim | None) -> RecordedAnswer:
            return await create_without_turn(gateway, caller, resolved, claim)

        return await do_once(gateway, caller, key, fingerprint, create)
    public_url = gateway.settings.gateway.public_url

    def answer(session: Session, turn: Turn) -> RecordedAnswer:
        row = session.get_one(SessionRow, turn.session_id)
        return answer_with_session(session, row, public_url, ACCEPTED, turn.job_id)

    order = order_session(caller, resolved, fingerprint=fingerprint, answer=answer)
    return await submit(gateway, caller, order, key)


def order_session(
    caller: Caller, asked: SessionRequest, *, fingerprint: Callable[[], bytes], answer: TurnAnswer
) -> Order:
    """The order of a new session with its first turn. Raises Problem.

    asked: its image must be a picture, and not a candidate or a job.
    """

    def receipt(session: Session, job: Job) -> RecordedAnswer:
        given = session.get_one(JobRequestRow, job.id).request.get("image")
        root = None if given is None else parse_id(IdKind.IMAGE, given)
        row = insert_session(session, caller.project_id, asked, root)
        return answer(session, add_turn(session, row, job, Parent(source_image_id=root), TurnTexts()))

    return Order(asked.job(), fingerprint, receipt)


def resolve_picture(session: Session, project_id: UUID, given: str | None) -> str | None:
    """The image source with an image id in place of a candidate or a job. Raises Problem."""
    if given is None:
        return None
    found = resolve_source(session, project_id, given, "image")
    if is_future(found):
        raise Problem(
            ProblemCode.INVALID_REQUEST,
            "image: This job has not ended; a session starts from a finished picture.",
            param="image",
        )
    return found


async def create_without_turn(
    gateway: Gateway, caller: Caller, asked: SessionRequest, claim: Claim | None
) -> RecordedAnswer:
    """Store the picture if there is one, and insert the session. Raises Problem."""
    try:
        picture = None if asked.image is None else await look_at_source(gateway, caller, asked.image)
    except Problem as problem:
        raise about_field("image", problem) from problem
    given = None if picture is not None or asked.image is None else parse_id(IdKind.IMAGE, asked.image)
    public_url = gateway.settings.gateway.public_url

    def write(session: Session, ids: Mapping[str, UUID]) -> RecordedAnswer:
        keep_images(session, list(ids.values()))
        row = insert_session(session, caller.project_id, asked, ids.get("image", given))
        answer = answer_with_session(session, row, public_url, CREATED, None)
        if claim is not None:
            record_answer(session, claim, answer)
        return answer

    pictures = {} if picture is None else {"image": picture}
    async with (
        provisionally_stored(gateway, caller.project_id, pictures) as ids,
        gateway.database.transaction() as session,
    ):
        return await session.run_sync(write, ids)


def insert_session(
    session: Session, project_id: UUID, asked: SessionRequest, root: UUID | None
) -> SessionRow:
    """Insert the row of a session. root: the picture that it is created from."""
    statement = (
        insert(SessionRow)
        .values(
            project_id=project_id,
            title=asked.title,
            note=asked.note,
            details=asked.metadata,
            root_image_id=root,
        )
        .returning(SessionRow)
    )
    return session.scalars(statement).one()


def answer_with_session(
    session: Session, row: SessionRow, public_url: str, status: int, job_id: UUID | None
) -> RecordedAnswer:
    """The answer with the session and its tree."""
    session.flush()
    tree = view_tree(read_tree(session, row.project_id, row.id), public_url)
    headers = {"Location": session_url(public_url, row.id)}
    return RecordedAnswer(status, headers, tree.model_dump(mode="json"), job_id)
