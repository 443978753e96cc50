"""Routes of event streams: of one job, of one session, of the project."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import WithJsonSchema
from starlette.responses import Response

from services.api.auth.bearer import CallerDep
from services.api.dependencies import GatewayDep, JobId, SessionId
from services.api.events.event_types import PATTERNS, TYPES, parse_types
from services.api.events.feed import Feed
from services.api.events.open import FIRST, HEADER, NOW, PARAM, Start, open_stream
from services.api.events.position import ID
from services.api.events.subject import Subject
from services.api.events.subscription import Subscription
from services.api.http.query_rules import refuse_unknown_query
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from services.api.process.gateway import Gateway
from shared.partial_pictures import Partials

SENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string"},
        "data": {"type": "string"},
        "id": {"type": "string"},
        "retry": {"type": "integer"},
    },
}
"""Fields of one event, as the format has them; `data` is JSON."""
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-Sent Events. The `data` of an event with an `id` is an `EventBody`, that of "
        "`job.progress` a `ProgressBody`, that of `job.partial` a `PartialBody`.",
        "content": {"text/event-stream": {"schema": SENT}},
    }
}
NOTHING_LEFT: dict[int | str, dict[str, Any]] = {
    204: {"description": "The job has ended, and the client has all of its events."}
}
NOT_FOUND = problem_responses(ProblemCode.NOT_FOUND)

router = APIRouter(
    prefix="/v1",
    tags=["events"],
    dependencies=[Depends(refuse_unknown_query)],
    responses={
        **problem_responses(
            ProblemCode.UNAUTHENTICATED,
            ProblemCode.PROJECT_DISABLED,
            ProblemCode.EVENT_ID_UNKNOWN,
            ProblemCode.INVALID_REQUEST,
            ProblemCode.TOO_MANY_STREAMS,
            ProblemCode.GATEWAY_BUSY,
            ProblemCode.EVENTS_UNAVAILABLE,
            ProblemCode.DATABASE_UNAVAILABLE,
        ),
        **STREAM,
    },
)


NAMES = "|".join(name.replace(".", r"\.").replace("*", r"\*") for name in (*TYPES, *PATTERNS))
TypeNames = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^({NAMES})(,({NAMES}))*$"})]


def get_types(
    types: Annotated[
        list[TypeNames] | None,
        Query(
            description="Only events of these types: names such as `job.failed`, separated by commas, or "
            "`job.*`; repeatable. Default: all.",
            max_length=32,
        ),
    ] = None,
) -> frozenset[str]:
    """The types of events that the client wants."""
    return parse_types(types)


PLACE = {"type": "string", "pattern": f"^({FIRST}|{NOW}|{ID})$"}


def get_start(
    last_event_id: Annotated[
        Annotated[str, WithJsonSchema(PLACE)] | None,
        Header(
            alias=HEADER,
            description="The `id` of the last event that arrived: the stream begins after it.",
        ),
    ] = None,
    after: Annotated[
        Annotated[str, WithJsonSchema(PLACE)] | None,
        Query(
            description="The same for clients that cannot set headers; or `beginning`, or `now`. The header "
            "counts if both are sent, because a browser repeats the address when it reconnects.",
        ),
    ] = None,
) -> Start | None:
    """Where the client wants the stream to begin; None if it does not say. Raises Problem."""
    by_header = None if last_event_id is None else Start.read(last_event_id, HEADER)
    by_query = None if after is None else Start.read(after, PARAM)
    return by_header or by_query


def get_partials(
    partials: Annotated[
        Literal["none", "few", "all"],
        Query(description="How many partial pictures of each candidate are sent while it is drawn."),
    ] = "none",
) -> Partials | None:
    """How many partial pictures the client wants."""
    return None if partials == "none" else Partials(partials)


@dataclass(frozen=True)
class Wanted:
    """Which events the client wants, and from where on."""

    types: Annotated[frozenset[str], Depends(get_types)]
    partials: Annotated[Partials | None, Depends(get_partials)]
    start: Annotated[Start | None, Depends(get_start)]


@dataclass(frozen=True)
class Asked:
    """What the client asks for, whatever the stream is about."""

    gateway: Gateway
    feed: Feed
    project_id: UUID
    wanted: Wanted

    async def stream(self, subject: Subject, default_start: str) -> Response:
        """The stream of a subject. Raises Problem."""
        start = self.wanted.start or Start.read(default_start, PARAM)
        subscription = Subscription(subject, self.wanted.types, self.wanted.partials)
        return await open_stream(self.gateway, self.feed, subscription, start)


async def get_asked(
    request: Request, caller: CallerDep, gateway: GatewayDep, wanted: Annotated[Wanted, Depends()]
) -> Asked:
    """The parts of the request that all event streams have."""
    return Asked(gateway, request.app.state.feed, caller.project_id, wanted)


AskedDep = Annotated[Asked, Depends(get_asked)]


@router.get("/jobs/{job_id}/events", response_class=Response, responses={**NOT_FOUND, **NOTHING_LEFT})
async def get_job_events(job_id: JobId, asked: AskedDep) -> Response:
    """Follow a job from its first event on, with progress. The stream ends when the job has ended."""
    return await asked.stream(Subject(asked.project_id, job_id=job_id), FIRST)


@router.get("/sessions/{session_id}/events", response_class=Response, responses=NOT_FOUND)
async def get_session_events(session_id: SessionId, asked: AskedDep) -> Response:
    """Follow the jobs of a session's turns, from the first event on."""
    return await asked.stream(Subject(asked.project_id, session_id=session_id), FIRST)


@router.get("/events", response_class=Response)
async def get_events(asked: AskedDep) -> Response:
    """Follow all jobs of the project, from now on."""
    return await asked.stream(Subject(asked.project_id), NOW)
