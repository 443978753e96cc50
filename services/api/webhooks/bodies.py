"""OpenAPI descriptions of the bodies that `json_bodies` reads instead of FastAPI."""

from typing import Any

from pydantic import BaseModel

from services.api.webhooks.delivery_schemas import Redelivery
from services.api.webhooks.schemas import SecretRotation, WebhookEndpointChange, WebhookEndpointCreate


def body(model: type[BaseModel], example: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """The description of one body, with an example."""
    content = {"schema": model.model_json_schema(), "examples": {"usual": {"value": example}}}
    return {"requestBody": {"required": required, "content": {"application/json": content}}}


CREATE_BODY = body(
    WebhookEndpointCreate, {"url": "https://example.org/hook", "event_types": ["job.*"], "payload": "full"}
)
CHANGE_BODY = body(WebhookEndpointChange, {"event_types": ["job.succeeded", "job.failed"]})
ROTATION_BODY = body(SecretRotation, {"overlap_seconds": 3600}, required=False)
REDELIVERY_BODY = body(Redelivery, {"since": "2026-01-01T12:00:00Z"})
