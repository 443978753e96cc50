"""Ids and cursors in requests about webhooks, and optional bodies."""

from collections.abc import Callable
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel

from services.api.dependencies import id_in_path
from services.api.http.json_bodies import read_json
from shared.ids import IdKind, id_pattern, parse_id

Model = TypeVar("Model", bound=BaseModel)


def get_endpoint_id(
    endpoint_id: Annotated[str, Path(description="The endpoint's id: `whe_` and 26 characters.")],
) -> UUID:
    """The endpoint that the path names."""
    return id_in_path(IdKind.WEBHOOK_ENDPOINT, endpoint_id)


def get_delivery_id(
    delivery_id: Annotated[str, Path(description="The delivery's id: `dlv_` and 26 characters.")],
) -> UUID:
    """The delivery that the path names."""
    return id_in_path(IdKind.DELIVERY, delivery_id)


EndpointId = Annotated[UUID, Depends(get_endpoint_id)]
DeliveryId = Annotated[UUID, Depends(get_delivery_id)]


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


EndpointCursor = Annotated[UUID | None, Depends(cursor_of(IdKind.WEBHOOK_ENDPOINT))]
DeliveryCursor = Annotated[UUID | None, Depends(cursor_of(IdKind.DELIVERY))]
Limit = Annotated[int, Query(ge=1, le=100)]


def get_job_filter(
    job_id: Annotated[
        str | None,
        Query(pattern=f"^{id_pattern(IdKind.JOB)}$", description="Only the endpoint of this job."),
    ] = None,
) -> UUID | None:
    """The job whose endpoint is listed instead of those of the project."""
    return None if job_id is None else parse_id(IdKind.JOB, job_id)


JobFilter = Annotated[UUID | None, Depends(get_job_filter)]


async def read_optional_json(request: Request, model: type[Model]) -> Model:
    """The body as the model, or the model's defaults if the request has no body. Raises Problem."""
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    return await read_json(request, model, ()) if has_body else model()
