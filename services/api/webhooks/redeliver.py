"""Send deliveries again, and send tests."""

from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from services.api.webhooks.delivery_schemas import DeliveryResponse, Redelivery, RedeliveryResponse
from services.api.webhooks.repository import find_delivery, find_endpoint
from services.api.webhooks.view import view_delivery
from shared.job_store.clock import database_time
from shared.tables import Delivery, DeliveryState, WebhookEndpoint
from shared.webhooks.outbox import queue_test

MOST_REDELIVERIES = 10_000
"""Deliveries that one request sends again."""
DUE = {"state": DeliveryState.PENDING.value, "failures": 0, "finished_at": None}


def send_test(session: Session, project_id: UUID, endpoint_id: UUID) -> DeliveryResponse:
    """Queue a test. Raises Problem if the endpoint is disabled."""
    return view_delivery(queue_test(session, find_enabled(session, project_id, endpoint_id)))


def redeliver_one(
    session: Session, project_id: UUID, endpoint_id: UUID, delivery_id: UUID
) -> DeliveryResponse:
    """Send a delivery now, with all its tries anew; one that is being sent stays as it is. Raises Problem."""
    endpoint = find_enabled(session, project_id, endpoint_id)
    idle = or_(Delivery.state != DeliveryState.PENDING.value, Delivery.lease_owner.is_(None))
    session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.endpoint_id == endpoint.id, idle)
        .values(next_try_at=database_time(), **DUE)
        .execution_options(synchronize_session=False)
    )
    return view_delivery(find_delivery(session, endpoint, delivery_id))


def redeliver_since(
    session: Session, project_id: UUID, endpoint_id: UUID, wanted: Redelivery
) -> RedeliveryResponse:
    """Send ended deliveries of a time again, oldest first. Raises Problem."""
    endpoint = find_enabled(session, project_id, endpoint_id)
    ended = (
        select(Delivery.id, Delivery.created_at)
        .where(
            Delivery.endpoint_id == endpoint.id,
            Delivery.created_at >= wanted.since,
            Delivery.state.in_(wanted.states),
        )
        .order_by(Delivery.created_at, Delivery.id)
        .limit(MOST_REDELIVERIES + 1)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(ended).all()
    chosen, rest = rows[:MOST_REDELIVERIES], rows[MOST_REDELIVERIES:]
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_([row.id for row in chosen]))
        .values(next_try_at=database_time(), **DUE)
        .execution_options(synchronize_session=False)
    )
    return RedeliveryResponse(
        count=len(chosen), has_more=bool(rest), next_since=rest[0].created_at if rest else None
    )


def find_enabled(session: Session, project_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    """The endpoint, locked. Raises Problem if it is disabled, because nothing would be sent."""
    endpoint = find_endpoint(session, project_id, endpoint_id, lock=True)
    if endpoint.disabled_at is not None:
        raise Problem(ProblemCode.WEBHOOK_ENDPOINT_DISABLED, "The webhook endpoint is disabled.")
    return endpoint
