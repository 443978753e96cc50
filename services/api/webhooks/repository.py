"""Read webhook endpoints, secrets and deliveries of a project."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from services.api.webhooks.delivery_schemas import DeliveryDetails, DeliveryList
from services.api.webhooks.schemas import WebhookEndpointList, WebhookEndpointResponse, WebhookSecret
from services.api.webhooks.view import view_delivery, view_details, view_endpoint
from shared.ids import IdKind, format_id
from shared.job_store.clock import database_time
from shared.tables import Delivery, DeliveryState, DeliveryTry, Project, WebhookEndpoint
from shared.webhooks.signatures import shown_secret

MOST_TRIES = 100
"""Tries that a response shows."""


def time_of(session: Session) -> datetime:
    """The time by the database's clock."""
    return session.scalars(select(database_time())).one()


def find_endpoint(
    session: Session, project_id: UUID, endpoint_id: UUID, *, lock: bool = False
) -> WebhookEndpoint:
    """The endpoint's row; locked against other changes if `lock` is set.

    Raises Problem (not_found), also for an endpoint of another project.
    """
    wanted = select(WebhookEndpoint).where(
        WebhookEndpoint.id == endpoint_id, WebhookEndpoint.project_id == project_id
    )
    if lock:
        wanted = wanted.with_for_update(key_share=True)
    endpoint = session.scalars(wanted).first()
    if endpoint is None:
        detail = "There is no webhook endpoint with this id."
        raise Problem(ProblemCode.NOT_FOUND, detail, param="endpoint_id")
    return endpoint


def read_endpoint(session: Session, project_id: UUID, endpoint_id: UUID) -> WebhookEndpointResponse:
    """One endpoint. Raises Problem."""
    return view_endpoint(find_endpoint(session, project_id, endpoint_id), time_of(session))


def list_endpoints(
    session: Session, project_id: UUID, job_id: UUID | None, older_than: UUID | None, limit: int
) -> WebhookEndpointList:
    """A page of the project's endpoints, newest first; with a job, the endpoint that its request names."""
    wanted = (
        select(WebhookEndpoint)
        .where(WebhookEndpoint.project_id == project_id, WebhookEndpoint.job_id.is_not_distinct_from(job_id))
        .order_by(WebhookEndpoint.id.desc())
        .limit(limit + 1)
    )
    if older_than is not None:
        wanted = wanted.where(WebhookEndpoint.id < older_than)
    rows = session.scalars(wanted).all()
    now = time_of(session)
    data = [view_endpoint(row, now) for row in rows[:limit]]
    more = len(rows) > limit
    return WebhookEndpointList(data=data, has_more=more, next_cursor=data[-1].id if more else None)


def read_default_secret(session: Session, project_id: UUID) -> WebhookSecret:
    """The project's secret."""
    project = session.get_one(Project, project_id)
    expires_at = project.previous_webhook_secret_expires_at
    overlaps = expires_at is not None and expires_at > time_of(session)
    return WebhookSecret(
        secret=shown_secret(project.webhook_secret),
        previous_secret_expires_at=expires_at if overlaps else None,
    )


def find_delivery(session: Session, endpoint: WebhookEndpoint, delivery_id: UUID) -> Delivery:
    """The delivery's row. Raises Problem (not_found), also for a delivery of another endpoint."""
    wanted = select(Delivery).where(Delivery.id == delivery_id, Delivery.endpoint_id == endpoint.id)
    delivery = session.scalars(wanted.execution_options(populate_existing=True)).first()
    if delivery is None:
        detail = "The endpoint has no delivery with this id."
        raise Problem(ProblemCode.NOT_FOUND, detail, param="delivery_id")
    return delivery


def list_deliveries(
    session: Session,
    endpoint: WebhookEndpoint,
    states: Sequence[DeliveryState],
    older_than: UUID | None,
    limit: int,
) -> DeliveryList:
    """A page of the endpoint's deliveries, newest first."""
    wanted = select(Delivery).where(Delivery.endpoint_id == endpoint.id)
    if older_than is not None:
        wanted = wanted.where(Delivery.id < older_than)
    if states:
        wanted = wanted.where(Delivery.state.in_([state.value for state in states]))
    rows = session.scalars(wanted.order_by(Delivery.id.desc()).limit(limit + 1)).all()
    more = len(rows) > limit
    cursor = format_id(IdKind.DELIVERY, rows[limit - 1].id) if more else None
    return DeliveryList(data=[view_delivery(row) for row in rows[:limit]], has_more=more, next_cursor=cursor)


def read_details(session: Session, endpoint: WebhookEndpoint, delivery_id: UUID) -> DeliveryDetails:
    """One delivery with its message and its last tries. Raises Problem."""
    delivery = find_delivery(session, endpoint, delivery_id)
    last = (
        select(DeliveryTry)
        .where(DeliveryTry.delivery_id == delivery_id)
        .order_by(DeliveryTry.number.desc())
        .limit(MOST_TRIES)
    )
    return view_details(delivery, session.scalars(last).all()[::-1])
