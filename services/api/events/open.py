"""Open an event stream: find its subject, and the place where it begins."""

from dataclasses import dataclass
from typing import Final, Literal, Self

from sqlalchemy.orm import Session
from starlette.responses import Response

from services.api.events.event_stream import EventStream
from services.api.events.feed import Feed
from services.api.events.position import (
    BEGINNING,
    MalformedEventIdError,
    NamedPosition,
    Position,
    before,
    parse_event_id,
)
from services.api.events.repository import (
    Marks,
    find_state,
    has_more,
    has_session,
    is_renumbered,
    read_marks,
)
from services.api.events.subject import Subject
from services.api.events.subscription import Subscription
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.jobs import FINAL_STATES

NOW: Final = "now"
FIRST: Final = "beginning"
HEADER, PARAM = "Last-Event-ID", "after"


@dataclass(frozen=True)
class Start:
    """Where the client wants to begin: after an event id, at `now` or at the `beginning`."""

    place: NamedPosition | Literal["now", "beginning"]
    param: str
    """The header or the query parameter that says so."""

    @classmethod
    def read(cls, text: str, param: str) -> Self:
        """Read what the client has sent. Raises Problem."""
        match text:
            case "now" | "beginning":
                return cls(text, param)
            case _:
                pass
        try:
            return cls(parse_event_id(text), param)
        except MalformedEventIdError as error:
            raise Problem(ProblemCode.INVALID_REQUEST, str(error), param=param) from error


async def open_stream(gateway: Gateway, feed: Feed, subscription: Subscription, start: Start) -> Response:
    """The stream; 204 if its only job has ended and nothing is left to send. Raises Problem."""
    async with gateway.database.transaction() as session:
        opened = await session.run_sync(find_start, subscription.subject, start)
    if opened is None:
        return Response(status_code=204)
    marks, position = opened
    longest = gateway.settings.gateway.stream_seconds
    return EventStream(feed, subscription, marks.history, position, longest)


def find_start(session: Session, subject: Subject, start: Start) -> tuple[Marks, Position] | None:
    """Where the database stands and where the stream begins; None if nothing is left. Raises Problem."""
    ended = check_subject(session, subject)
    marks = read_marks(session)
    if not is_renumbered(session, subject.project_id):
        raise Problem(
            ProblemCode.EVENTS_UNAVAILABLE,
            "The database was restored from a dump, and its events have the numbers of another database.",
            headers={"Retry-After": "60"},
        )
    position = position_of(start, marks)
    if ended and not has_more(session, subject.condition(), position):
        return None
    return marks, position


def check_subject(session: Session, subject: Subject) -> bool:
    """Whether the subject is one job that has ended. Raises Problem if the project has no such subject."""
    if subject.session_id is not None and not has_session(session, subject.project_id, subject.session_id):
        raise Problem(ProblemCode.NOT_FOUND, "There is no session with this id.", param="session_id")
    if subject.job_id is None:
        return False
    state = find_state(session, subject.project_id, subject.job_id)
    if state is None:
        raise Problem(ProblemCode.NOT_FOUND, "There is no job with this id.", param="job_id")
    return state in FINAL_STATES


def position_of(start: Start, marks: Marks) -> Position:
    """The place where a stream begins. Raises Problem for an event id that this database has not had."""
    if start.place == FIRST:
        return BEGINNING
    if start.place == NOW:
        return before(marks.settled)
    history, position = start.place
    if history != marks.history or position.transaction > marks.unused:
        raise Problem(
            ProblemCode.EVENT_ID_UNKNOWN,
            "This database has not had this event id: it was restored, or replaced by another one.",
            param=start.param,
        )
    return position
