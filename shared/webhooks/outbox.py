"""Queue messages that are not about jobs, in the transaction of their event. Functions never commit."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.event_types import ENDPOINT_DISABLED, ENDPOINT_TEST, patterns_of
from shared.job_store.clock import database_time
from shared.job_store.transitions import RECEIVER_SEPARATOR
from shared.tables import Delivery, WebhookEndpoint
from shared.webhooks.messages import endpoint_message


def queue_message(session: Session, endpoint: WebhookEndpoint, event_type: str, body: str) -> Delivery:
    """Queue a message for one endpoint."""
    delivery = Delivery(
        endpoint_id=endpoint.id,
        event_type=event_type,
        body=body,
        receiver=f"{endpoint.project_id}{RECEIVER_SEPARATOR}{endpoint.origin or endpoint.id}",
    )
    session.add(delivery)
    session.flush()
    session.refresh(delivery)
    return delivery


def queue_test(session: Session, endpoint: WebhookEndpoint) -> Delivery:
    """Queue a test for an endpoint; it is tried once."""
    now = session.scalars(select(database_time())).one()
    return queue_message(session, endpoint, ENDPOINT_TEST, endpoint_message(ENDPOINT_TEST, now, endpoint))


def announce_disabled(session: Session, endpoint: WebhookEndpoint) -> None:
    """Tell the project's other endpoints that this one is disabled."""
    others = select(WebhookEndpoint).where(
        WebhookEndpoint.project_id == endpoint.project_id,
        WebhookEndpoint.id != endpoint.id,
        WebhookEndpoint.job_id.is_(None),
        WebhookEndpoint.disabled_at.is_(None),
        WebhookEndpoint.event_types.overlap(patterns_of(ENDPOINT_DISABLED)),
    )
    now = session.scalars(select(database_time())).one()
    body = endpoint_message(ENDPOINT_DISABLED, now, endpoint)
    for other in session.scalars(others).all():
        queue_message(session, other, ENDPOINT_DISABLED, body)
