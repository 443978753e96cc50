"""OpenAPI descriptions of the bodies that `json_bodies` reads instead of FastAPI."""

from services.api.http.json_bodies import described_body as body
from services.api.webhooks.delivery_schemas import Redelivery
from services.api.webhooks.schemas import SecretRotation, WebhookEndpointChange, WebhookEndpointCreate

CREATE_BODY = body(
    WebhookEndpointCreate, {"url": "https://example.org/hook", "event_types": ["job.*"], "payload": "full"}
)
CHANGE_BODY = body(WebhookEndpointChange, {"event_types": ["job.succeeded", "job.failed"]})
ROTATION_BODY = body(SecretRotation, {"overlap_seconds": 3600}, required=False)
REDELIVERY_BODY = body(Redelivery, {"since": "2026-01-01T12:00:00Z"})
