"""Claim deliveries, and record each try behind its fence. Functions take a session and never commit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, insert, select, update
from sqlalchemy.orm import Session

from services.worker.maintenance.webhook_delivery.bulkheads import Room
from services.worker.maintenance.webhook_delivery.claim_statement import CLAIM
from services.worker.maintenance.webhook_delivery.outcomes import (
    Answer,
    Delivered,
    GiveUp,
    Outcome,
    StopEndpoint,
    TryAgain,
)
from shared.event_types import ENDPOINT_TEST
from shared.job_store.clock import database_time, time_after
from shared.job_store.transitions import RECEIVER_SEPARATOR
from shared.job_view.read import read_details
from shared.job_view.view import view_job
from shared.tables import (
    Delivery,
    DeliveryState,
    DeliveryTry,
    DisabledReason,
    Job,
    JobEventRow,
    WebhookEndpoint,
)
from shared.webhooks.endpoints import disable_endpoint
from shared.webhooks.messages import job_message, thin_job_message
from shared.webhooks.signatures import Scheme

THIN = "thin"


@dataclass(frozen=True)
class ClaimedDelivery:
    """The right to send a delivery once, until its lease ends."""

    id: UUID
    endpoint_id: UUID
    job_id: UUID | None
    sequence: int | None
    event_type: str
    number: int
    """Number of the try; the fencing token."""
    failures: int
    receiver: str
    body: str | None
    created_at: datetime
    claimed_at: datetime
    url: str
    payload: str
    scheme: Scheme
    secrets: tuple[bytes, ...]
    """Secrets that sign the message, the newest first."""
    traceparent: str | None
    """See `ClaimedJob.traceparent`."""


@dataclass(frozen=True)
class SentTry:
    """One try: the header `webhook-signature`, and the answer."""

    signature: str
    answer: Answer


def claim_deliveries(
    session: Session, owner: str, lease_seconds: float, room: Room
) -> Sequence[ClaimedDelivery]:
    """Claim deliveries that are due, as many as there is room for.

    Deliveries to endpoints that are disabled meanwhile are abandoned. Rows that another io worker claims at
    the same time are skipped.
    """
    parameters = {
        "separator": RECEIVER_SEPARATOR,
        "free": room.free,
        "per_receiver": room.per_receiver,
        "per_project": room.per_project,
        "receivers": list(room.receivers),
        "receiver_rooms": list(room.receivers.values()),
        "projects": list(room.projects),
        "project_rooms": list(room.projects.values()),
        "owner": owner,
        "lease_seconds": lease_seconds,
    }
    rows = session.execute(CLAIM, parameters).all()
    wanted = WebhookEndpoint.id.in_({row.endpoint_id for row in rows})
    endpoints = {endpoint.id: endpoint for endpoint in session.scalars(select(WebhookEndpoint).where(wanted))}
    claimed: list[ClaimedDelivery] = []
    for row in rows:
        endpoint = endpoints[row.endpoint_id]
        if endpoint.disabled_at is not None:
            finish(session, Delivery.id == row.id, DeliveryState.ABANDONED)
            continue
        claimed.append(
            ClaimedDelivery(
                row.id,
                row.endpoint_id,
                row.job_id,
                row.sequence,
                row.event_type,
                row.tries,
                row.failures,
                row.receiver,
                row.body,
                row.created_at,
                row.claimed_at,
                endpoint.url,
                endpoint.payload,
                Scheme(endpoint.scheme),
                secrets_of(endpoint, row.claimed_at),
                row.traceparent,
            )
        )
    return claimed


def secrets_of(endpoint: WebhookEndpoint, now: datetime) -> tuple[bytes, ...]:
    """The endpoint's secret, and the previous one until it expires."""
    previous, expires_at = endpoint.previous_secret, endpoint.previous_secret_expires_at
    if previous is None or expires_at is None or expires_at <= now:
        return (endpoint.secret,)
    return (endpoint.secret, previous)


def held(claimed: ClaimedDelivery) -> ColumnElement[bool]:
    """The fence: this try is the delivery's last one, and the delivery is not done."""
    return and_(
        Delivery.id == claimed.id,
        Delivery.tries == claimed.number,
        Delivery.state == DeliveryState.PENDING.value,
    )


def change(session: Session, which: ColumnElement[bool], **values: Any) -> None:
    """Change deliveries."""
    statement = update(Delivery).where(which).values(values)
    session.execute(statement.execution_options(synchronize_session=False))


def finish(session: Session, which: ColumnElement[bool], state: DeliveryState, **values: Any) -> None:
    """Give a delivery its final state."""
    change(session, which, state=state.value, finished_at=database_time(), lease_owner=None, **values)


def compose_message(session: Session, claimed: ClaimedDelivery, public_url: str) -> str | None:
    """Make the message of a job's event and keep it for all tries; the job is shown as it is now.

    Returns None if the job was deleted, and its deliveries with it.
    """
    job = session.get(Job, claimed.job_id) if claimed.job_id is not None else None
    event = session.get(JobEventRow, (claimed.job_id, claimed.sequence))
    if job is None or event is None:
        return None
    shown = view_job(read_details(session, job), public_url)
    make = thin_job_message if claimed.payload == THIN else job_message
    body = make(claimed.event_type, event.created_at, event.sequence, shown)
    change(session, held(claimed), body=body)
    return body


def record_try(
    session: Session,
    claimed: ClaimedDelivery,
    sent: SentTry,
    outcome: Outcome,
    disable_after_seconds: float = math.inf,
) -> bool:
    """Record a try and what follows from it. Returns False if another io worker has taken the delivery over.

    disable_after_seconds: how long all tries to an endpoint may fail before it is disabled.
    The endpoint's row is locked first, so that tries of one endpoint cannot wait for each other in a circle.
    """
    wanted = select(WebhookEndpoint).where(WebhookEndpoint.id == claimed.endpoint_id)
    endpoint = session.scalars(wanted.with_for_update(key_share=True)).first()
    fenced = select(Delivery.id).where(held(claimed)).with_for_update()
    if endpoint is None or session.scalars(fenced).first() is None:
        return False
    session.execute(insert(DeliveryTry).values(try_values(claimed, sent)))
    failed = int(sent.answer.error is not None)
    seen = {
        "failures": Delivery.failures + failed,
        "last_status": sent.answer.status,
        "last_error": sent.answer.error and sent.answer.error.value,
    }
    mine = held(claimed)
    match outcome:
        case Delivered():
            finish(session, mine, DeliveryState.DELIVERED, **seen)
        case TryAgain(seconds) if endpoint.disabled_at is None:
            change(session, mine, lease_owner=None, next_try_at=time_after(seconds), **seen)
        case GiveUp():
            finish(session, mine, DeliveryState.EXHAUSTED, **seen)
        case TryAgain() | StopEndpoint():
            finish(session, mine, DeliveryState.ABANDONED, **seen)
    if isinstance(outcome, StopEndpoint):
        disable_endpoint(session, endpoint, DisabledReason.GONE)
    elif failed:
        note_failure(session, endpoint, claimed, disable_after_seconds)
    elif endpoint.failing_since is not None:
        endpoint.failing_since = None
    return True


def note_failure(
    session: Session, endpoint: WebhookEndpoint, claimed: ClaimedDelivery, disable_after_seconds: float
) -> None:
    """Disable the endpoint if nothing but failures has come for so long; tests do not count."""
    if claimed.event_type == ENDPOINT_TEST:
        return
    if endpoint.failing_since is None:
        endpoint.failing_since = claimed.claimed_at
    elif (claimed.claimed_at - endpoint.failing_since).total_seconds() >= disable_after_seconds:
        session.flush()
        disable_endpoint(session, endpoint, DisabledReason.FAILING)


def try_values(claimed: ClaimedDelivery, sent: SentTry) -> dict[str, Any]:
    """The row of a try."""
    answer = sent.answer
    return {
        "delivery_id": claimed.id,
        "number": claimed.number,
        "url": claimed.url,
        "signature": sent.signature,
        "sent_at": claimed.claimed_at,
        "seconds": answer.seconds,
        "status": answer.status,
        "error": answer.error and answer.error.value,
        "answer": answer.excerpt,
    }
