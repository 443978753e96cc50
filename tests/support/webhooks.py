"""Endpoints, deliveries and sending threads for tests of webhooks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from services.worker.maintenance.webhook_delivery.thread import WebhookThread
from shared.database import Database
from shared.job_store.clock import time_after
from shared.security import generate_webhook_secret
from shared.settings import WebhookSettings
from shared.tables import Delivery, DeliveryState, DeliveryTry, WebhookEndpoint

PUBLIC_URL = "http://testserver"
AT_ONCE = [0.0] * 9
"""Pauses between tries for tests that do not wait for them."""


def webhook_settings(**own: Any) -> WebhookSettings:
    """Settings that allow this machine, with short pauses."""
    usual = {"allowed_networks": "127.0.0.0/8", "poll_seconds": 0.02, "retry_seconds": AT_ONCE}
    return WebhookSettings.model_validate(usual | own)


@contextmanager
def sending(database: Database, settings: WebhookSettings) -> Iterator[WebhookThread]:
    """Send webhooks until the block ends."""
    thread = WebhookThread(database, settings, PUBLIC_URL)
    thread.start()
    try:
        yield thread
    finally:
        thread.stop()


def add_endpoint(
    database: Database, project_id: UUID, url: str, *event_types: str, **more: Any
) -> WebhookEndpoint:
    """Create an endpoint of the project; by default for queued jobs."""
    with database.transaction() as session:
        endpoint = WebhookEndpoint(
            project_id=project_id,
            url=url,
            event_types=list(event_types) or ["job.queued"],
            secret=generate_webhook_secret(),
            **more,
        )
        session.add(endpoint)
        session.flush()
        session.refresh(endpoint)
        return endpoint


def read_deliveries(database: Database, endpoint: WebhookEndpoint) -> Sequence[Delivery]:
    """The endpoint's deliveries, oldest first."""
    with database.transaction() as session:
        wanted = select(Delivery).where(Delivery.endpoint_id == endpoint.id).order_by(Delivery.id)
        return session.scalars(wanted).all()


def read_tries(database: Database, delivery: Delivery) -> Sequence[DeliveryTry]:
    """The recorded tries of a delivery."""
    with database.transaction() as session:
        wanted = select(DeliveryTry).where(DeliveryTry.delivery_id == delivery.id)
        return session.scalars(wanted.order_by(DeliveryTry.number)).all()


def read_endpoint(database: Database, endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """The endpoint as it is now."""
    with database.transaction() as session:
        return session.get_one(WebhookEndpoint, endpoint.id)


def all_done(database: Database, endpoint: WebhookEndpoint) -> bool:
    """Whether no delivery of the endpoint waits any more."""
    return all(row.state != DeliveryState.PENDING for row in read_deliveries(database, endpoint))


def let_leases_end(database: Database) -> None:
    """Make every pending delivery due."""
    with database.transaction() as session:
        pending = Delivery.state == DeliveryState.PENDING.value
        session.execute(update(Delivery).where(pending).values(next_try_at=time_after(-1)))
