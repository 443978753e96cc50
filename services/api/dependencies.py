"""What routes ask for by type: the gateway, ids from the path, and headers that are checked once."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Path, Query, Request

from services.api.gateway import Gateway
from services.api.problems import Problem, ProblemCode
from services.api.waiting import preferred_wait
from shared.ids import IdKind, MalformedIdError, parse_id


def get_gateway(request: Request) -> Gateway:
    """The one gateway of this process."""
    return request.app.state.gateway


GatewayDep = Annotated[Gateway, Depends(get_gateway)]


def id_in_path(kind: IdKind, text: str) -> UUID:
    """The row's id. Raises Problem: what cannot be an id names nothing."""
    try:
        return parse_id(kind, text)
    except MalformedIdError as error:
        raise Problem(ProblemCode.NOT_FOUND, f"There is no {kind.name.lower()} of this id.") from error


def get_job_id(job_id: Annotated[str, Path(description="`job_` and 26 characters.")]) -> UUID:
    """The job that the path names."""
    return id_in_path(IdKind.JOB, job_id)


def get_image_id(image_id: Annotated[str, Path(description="`img_` and 26 characters.")]) -> UUID:
    """The image that the path names."""
    return id_in_path(IdKind.IMAGE, image_id)


JobId = Annotated[UUID, Depends(get_job_id)]
ImageId = Annotated[UUID, Depends(get_image_id)]


def get_cursor(
    after: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> UUID | None:
    """Where the page begins: behind this job. Raises Problem."""
    try:
        return None if after is None else parse_id(IdKind.JOB, after)
    except MalformedIdError as error:
        detail = "after: no cursor of this list."
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param="after") from error


Cursor = Annotated[UUID | None, Depends(get_cursor)]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="Any unique text of the client's: the same request with the same key has one effect.",
    ),
]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="An earlier `ETag`: 304 when nothing has changed.")
]


def get_preferred_wait(
    prefer: Annotated[
        str | None,
        Header(
            alias="Prefer", description="`wait=N`: answer when the job has ended, at most N seconds later."
        ),
    ] = None,
) -> float | None:
    """Seconds that the client wants to wait for the end of its job."""
    return preferred_wait(prefer)


PreferredWait = Annotated[float | None, Depends(get_preferred_wait)]

ANSWER_HEADERS: dict[str, dict[str, Any]] = {
    "Location": {"description": "Address of the job.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds until it is worth asking again.", "schema": {"type": "integer"}},
}
