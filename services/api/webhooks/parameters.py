"""Ids and cursors in requests about webhooks."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query

from services.api.dependencies import cursor_of, id_in_path
from shared.ids import IdKind, id_pattern, parse_id


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


EndpointCursor = Annotated[UUID | None, Depends(cursor_of(IdKind.WEBHOOK_ENDPOINT))]
DeliveryCursor = Annotated[UUID | None, Depends(cursor_of(IdKind.DELIVERY))]


def get_job_filter(
    job_id: Annotated[
        str | None,
        Query(pattern=f"^{id_pattern(IdKind.JOB)}$", description="Only the endpoint of this job."),
    ] = None,
) -> UUID | None:
    """The job whose endpoint is listed instead of those of the project."""
    return None if job_id is None else parse_id(IdKind.JOB, job_id)


JobFilter = Annotated[UUID | None, Depends(get_job_filter)]
