"""Change, disable, enable and delete webhook endpoints."""

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from services.api.webhooks.repository import find_endpoint, time_of
from services.api.webhooks.schemas import WebhookEndpointChange, WebhookEndpointResponse
from services.api.webhooks.view import view_endpoint
from shared.tables import DisabledReason, WebhookEndpoint
from shared.webhooks.endpoints import disable_endpoint


def change_endpoint(
    session: Session, project_id: UUID, endpoint_id: UUID, change: WebhookEndpointChange
) -> WebhookEndpointResponse:
    """Change the fields that the request names; a name of null removes the name. Raises Problem."""
    endpoint = find_endpoint(session, project_id, endpoint_id, lock=True)
    if "name" in change.model_fields_set:
        endpoint.name = change.name
    if change.url is not None:
        endpoint.url = str(change.url)
    if change.event_types is not None:
        endpoint.event_types = list(change.event_types)
    if change.payload is not None:
        endpoint.payload = change.payload
    return view_endpoint(endpoint, time_of(session))


def disable(session: Session, project_id: UUID, endpoint_id: UUID) -> WebhookEndpointResponse:
    """Send nothing more, and give up what waits. No effect on a disabled endpoint. Raises Problem."""
    endpoint = find_endpoint(session, project_id, endpoint_id, lock=True)
    disable_endpoint(session, endpoint, DisabledReason.REQUESTED)
    return view_endpoint(endpoint, time_of(session))


def enable(session: Session, project_id: UUID, endpoint_id: UUID) -> WebhookEndpointResponse:
    """Send further events. Those of the time in between are not sent. Raises Problem."""
    endpoint = find_endpoint(session, project_id, endpoint_id, lock=True)
    endpoint.disabled_at, endpoint.disabled_reason, endpoint.failing_since = None, None, None
    return view_endpoint(endpoint, time_of(session))


def delete_endpoint(session: Session, project_id: UUID, endpoint_id: UUID) -> None:
    """Delete the endpoint and its delivery log. Raises Problem."""
    endpoint = find_endpoint(session, project_id, endpoint_id)
    session.execute(delete(WebhookEndpoint).where(WebhookEndpoint.id == endpoint.id))
