"""FastAPI dependencies of all routes: the gateway, ids from the path, and parsed headers."""

import re
from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Path, Query, Request

from services.api.http.prefer_wait import preferred_wait
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.ids import IdKind, MalformedIdError, id_pattern, parse_id


def get_gateway(request: Request) -> Gateway:
    """The one gateway of this process."""
    return request.app.state.gateway


GatewayDep = Annotated[Gateway, Depends(get_gateway)]


def id_in_path(kind: IdKind, text: str) -> UUID:
    """The database id of an id in the path. Raises Problem (404) for a malformed id."""
    noun = kind.name.lower()
    try:
        return parse_id(kind, text)
    except MalformedIdError as error:
        raise Problem(ProblemCode.NOT_FOUND, f"There is no {noun} of this id.", param=f"{noun}_id") from error


def get_job_id(job_id: Annotated[str, Path(description="The job's id: `job_` and 26 characters.")]) -> UUID:
    """The job that the path names."""
    return id_in_path(IdKind.JOB, job_id)


def get_image_id(
    image_id: Annotated[str, Path(description="The image's id: `img_` and 26 characters.")],
) -> UUID:
    """The image that the path names."""
    return id_in_path(IdKind.IMAGE, image_id)


def get_session_id(
    session_id: Annotated[str, Path(description="The session's id: `ses_` and 26 characters.")],
) -> UUID:
    """The session that the path names."""
    return id_in_path(IdKind.SESSION, session_id)


def get_turn_id(
    turn_id: Annotated[str, Path(description="The turn's id: `turn_` and 26 characters.")],
) -> UUID:
    """The turn that the path names."""
    return id_in_path(IdKind.TURN, turn_id)


def get_candidate_id(
    candidate_id: Annotated[str, Path(description="The candidate's id: `cnd_` and 26 characters.")],
) -> UUID:
    """The candidate that the path names."""
    return id_in_path(IdKind.CANDIDATE, candidate_id)


JobId = Annotated[UUID, Depends(get_job_id)]
ImageId = Annotated[UUID, Depends(get_image_id)]
SessionId = Annotated[UUID, Depends(get_session_id)]
TurnId = Annotated[UUID, Depends(get_turn_id)]
CandidateId = Annotated[UUID, Depends(get_candidate_id)]


def get_cursor(
    after: Annotated[
        str | None,
        Query(pattern=f"^{id_pattern(IdKind.JOB)}$", description="`next_cursor` of the previous page."),
    ] = None,
) -> UUID | None:
    """The last job of the previous page; this page starts with the next older one."""
    return None if after is None else parse_id(IdKind.JOB, after)


Cursor = Annotated[UUID | None, Depends(get_cursor)]


def get_session_cursor(
    after: Annotated[
        str | None,
        Query(pattern=f"^{id_pattern(IdKind.SESSION)}$", description="`next_cursor` of the previous page."),
    ] = None,
) -> UUID | None:
    """The last session of the previous page; this page starts with the next older one."""
    return None if after is None else parse_id(IdKind.SESSION, after)


SessionCursor = Annotated[UUID | None, Depends(get_session_cursor)]


def cursor_of(kind: IdKind) -> Callable[[str | None], UUID | None]:
    """A dependency: the last item of the previous page; this page starts with the next older one."""

    def get_cursor(
        after: Annotated[
            str | None,
            Query(pattern=f"^{id_pattern(kind)}$", description="`next_cursor` of the previous page."),
        ] = None,
    ) -> UUID | None:
        return None if after is None else parse_id(kind, after)

    return get_cursor


def id_filter(name: str, kind: IdKind) -> Callable[[str | None], UUID | None]:
    """A dependency: the id in the query parameter of this name; None without it."""

    def get_filter(
        given: Annotated[str | None, Query(alias=name, pattern=f"^{id_pattern(kind)}$")] = None,
    ) -> UUID | None:
        return None if given is None else parse_id(kind, given)

    return get_filter


Limit = Annotated[int, Query(ge=1, le=100)]

NO_HEAD = 0
"""A version that no head has."""


def get_head_version(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            max_length=8192,
            description="The ETag of the head, which is its version in quotes: if the head has another one, "
            "the request is refused with 412.",
        ),
    ] = None,
) -> int | None:
    """The version that the session's head must have; None for any, NO_HEAD for a text that is no version."""
    if if_match is None or if_match.strip() == "*":
        return None
    version = re.fullmatch(r'\s*"([0-9]{1,18})"\s*', if_match)
    return NO_HEAD if version is None else int(version[1])


HeadVersion = Annotated[int | None, Depends(get_head_version)]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="A unique text chosen by the client. A repeated request with the same key queues no "
        "second job and gets the first response again.",
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        max_length=8192,
        description="The `ETag` of an earlier response: the answer is 304 if nothing has changed.",
    ),
]


def get_preferred_wait(
    prefer: Annotated[
        str | None,
        Header(
            alias="Prefer",
            max_length=1024,
            description="`wait=N`: wait for the job's end before answering, at most N seconds.",
        ),
    ] = None,
) -> float | None:
    """Seconds that the client wants to wait for the end of its job."""
    return preferred_wait(prefer)


PreferredWait = Annotated[float | None, Depends(get_preferred_wait)]

ANSWER_HEADERS: dict[str, dict[str, Any]] = {
    "Location": {"description": "Address of the job.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait before the next poll.", "schema": {"type": "integer"}},
}
