"""Disable webhook endpoints, as gateway and io worker both do. Functions never commit."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time
from shared.tables import Delivery, DeliveryState, DisabledReason, WebhookEndpoint
from shared.webhooks.outbox import announce_disabled


def disable_endpoint(session: Session, endpoint: WebhookEndpoint, reason: DisabledReason) -> None:
    """Send the endpoint nothing more, and give up its waiting deliveries.

    The project's other endpoints are told, unless a client asked for it. A try that is running now is not
    interrupted. No effect on an endpoint that is disabled already.
    """
    if endpoint.disabled_at is not None:
        return
    session.execute(
        update(WebhookEndpoint)
        .where(WebhookEndpoint.id == endpoint.id)
        .values(disabled_at=database_time(), disabled_reason=reason.value)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Delivery)
        .where(
            Delivery.endpoint_id == endpoint.id,
            Delivery.state == DeliveryState.PENDING.value,
            Delivery.lease_owner.is_(None),
        )
        .values(state=DeliveryState.ABANDONED.value, finished_at=database_time())
        .execution_options(synchronize_session=False)
    )
    session.refresh(endpoint)
    if reason is not DisabledReason.REQUESTED and endpoint.job_id is None:
        announce_disabled(session, endpoint)
