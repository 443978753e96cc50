"""Rows of endpoints and deliveries become responses. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.api.webhooks.delivery_schemas import DeliveryDetails, DeliveryResponse, DeliveryTryResponse
from services.api.webhooks.schemas import WebhookEndpointResponse, WebhookEndpointWithSecret
from shared.ids import IdKind, format_id
from shared.tables import Delivery, DeliveryState, DeliveryTry, WebhookEndpoint
from shared.webhooks.signatures import Scheme, shown_public_key, shown_secret


def view_endpoint(endpoint: WebhookEndpoint, now: datetime) -> WebhookEndpointResponse:
    """The endpoint without its secret. now: time by the database's clock."""
    return WebhookEndpointResponse.model_validate(endpoint_fields(endpoint, now))


def view_with_secret(endpoint: WebhookEndpoint, now: datetime) -> WebhookEndpointWithSecret:
    """The endpoint with its secret; a private key is never shown."""
    secret = shown_secret(endpoint.secret) if endpoint.scheme == Scheme.HMAC else None
    return WebhookEndpointWithSecret.model_validate(endpoint_fields(endpoint, now) | {"secret": secret})


def endpoint_fields(endpoint: WebhookEndpoint, now: datetime) -> dict[str, Any]:
    """The fields of both responses."""
    expires_at = endpoint.previous_secret_expires_at
    overlaps = expires_at is not None and expires_at > now
    return {
        "id": format_id(IdKind.WEBHOOK_ENDPOINT, endpoint.id),
        "name": endpoint.name,
        "url": endpoint.url,
        "event_types": endpoint.event_types,
        "payload": endpoint.payload,
        "signature": endpoint.scheme,
        "public_key": public_key(endpoint, endpoint.secret),
        "previous_public_key": public_key(endpoint, endpoint.previous_secret) if overlaps else None,
        "previous_secret_expires_at": expires_at if overlaps else None,
        "status": "enabled" if endpoint.disabled_at is None else "disabled",
        "disabled_at": endpoint.disabled_at,
        "disabled_reason": endpoint.disabled_reason,
        "failing_since": endpoint.failing_since,
        "job_id": None if endpoint.job_id is None else format_id(IdKind.JOB, endpoint.job_id),
        "created_at": endpoint.created_at,
    }


def public_key(endpoint: WebhookEndpoint, secret: bytes | None) -> str | None:
    """The public key, if messages are signed with v1a."""
    if secret is None or endpoint.scheme != Scheme.ED25519:
        return None
    return shown_public_key(secret)


def view_delivery(delivery: Delivery) -> DeliveryResponse:
    """A delivery in a list."""
    return DeliveryResponse.model_validate(delivery_fields(delivery))


def view_details(delivery: Delivery, tries: Sequence[DeliveryTry]) -> DeliveryDetails:
    """A delivery with its message and tries."""
    shown = [view_try(delivery.id, one) for one in tries]
    return DeliveryDetails.model_validate(delivery_fields(delivery) | {"body": delivery.body, "tries": shown})


def delivery_fields(delivery: Delivery) -> dict[str, Any]:
    """The fields of both responses."""
    return {
        "id": format_id(IdKind.DELIVERY, delivery.id),
        "endpoint_id": format_id(IdKind.WEBHOOK_ENDPOINT, delivery.endpoint_id),
        "event_type": delivery.event_type,
        "job_id": None if delivery.job_id is None else format_id(IdKind.JOB, delivery.job_id),
        "seq": delivery.sequence,
        "state": delivery.state,
        "failures": delivery.failures,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "next_try_at": delivery.next_try_at if delivery.state == DeliveryState.PENDING else None,
        "created_at": delivery.created_at,
        "finished_at": delivery.finished_at,
    }


def view_try(delivery_id: UUID, one: DeliveryTry) -> DeliveryTryResponse:
    """One try."""
    headers = {
        "webhook-id": format_id(IdKind.DELIVERY, delivery_id),
        "webhook-timestamp": str(int(one.sent_at.timestamp())),
        "webhook-signature": one.signature,
    }
    return DeliveryTryResponse(
        number=one.number,
        url=one.url,
        headers=headers,
        sent_at=one.sent_at,
        seconds=one.seconds,
        status=one.status,
        error=one.error,
        answer=one.answer,
    )
