"""Request and response bodies of /v1/webhook_endpoints."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.event_types import EventPattern
from shared.schemas.fields import Text, Time, WholeNumber
from shared.schemas.webhooks import EndpointEvents, Payload, SignatureScheme, WebhookUrl

Name = Annotated[Text, Field(max_length=200)]
DAY_SECONDS = 86_400
LONGEST_OVERLAP = timedelta(days=7)
ENDPOINT_ID = "whe_00t8bh6ef7f1pv3n8q0sxghg3w"
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # noqa: S105  (an example)
ENDPOINT_EXAMPLE: dict[str, Any] = {
    "id": ENDPOINT_ID,
    "object": "webhook_endpoint",
    "name": "production",
    "url": "https://example.org/hook",
    "event_types": ["job.*"],
    "payload": "full",
    "signature": "v1",
    "public_key": None,
    "previous_public_key": None,
    "previous_secret_expires_at": None,
    "status": "enabled",
    "disabled_at": None,
    "disabled_reason": None,
    "failing_since": None,
    "job_id": None,
    "created_at": "2026-01-01T12:00:00Z",
}


class WebhookEndpointCreate(BaseModel):
    """A new endpoint."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    url: WebhookUrl
    event_types: EndpointEvents = ["*"]
    """Types of events, such as `job.succeeded`, or patterns, such as `job.*`."""
    name: Name | None = None
    payload: Payload = "full"
    """`full`: the job as the API shows it; `thin`: its id, state and URL."""
    signature: SignatureScheme = "v1"
    """`v1`: HMAC-SHA256 with a shared secret; `v1a`: ed25519 with a public key."""


class WebhookEndpointChange(BaseModel):
    """The fields to change. What is missing or null stays as it is; a `name` of null removes the name."""

    model_config = ConfigDict(extra="forbid")

    url: WebhookUrl | None = None
    event_types: EndpointEvents | None = None
    name: Name | None = None
    payload: Payload | None = None


class SecretRotation(BaseModel):
    """How to replace a secret."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    overlap_seconds: WholeNumber = Field(default=DAY_SECONDS, ge=0, le=7 * DAY_SECONDS)
    """How long the old secret signs as well."""
    force: bool = False
    """Also replace a secret during the overlap of the last rotation; the oldest secret then signs no more."""


class WebhookEndpointResponse(BaseModel):
    """An endpoint."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [ENDPOINT_EXAMPLE]}, use_attribute_docstrings=True
    )

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    name: str | None
    url: str
    event_types: list[EventPattern]
    payload: Payload
    signature: SignatureScheme
    public_key: str | None
    """`whpk_` and base64; null unless `signature` is `v1a`."""
    previous_public_key: str | None
    """The key of before the last rotation, until it expires."""
    previous_secret_expires_at: Time | None
    """End of the overlap of the last rotation."""
    status: Literal["enabled", "disabled"]
    disabled_at: Time | None
    disabled_reason: str | None
    """`gone`: the receiver answered 410; `failing`: all tries of five days failed; `requested`."""
    failing_since: Time | None
    """Time of the first failed try after the last success."""
    job_id: str | None
    """The job whose request names this endpoint; null for an endpoint of the project."""
    created_at: Time


class WebhookEndpointWithSecret(WebhookEndpointResponse):
    """An endpoint with its new secret, which no later response shows."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [ENDPOINT_EXAMPLE | {"secret": SECRET}]}, use_attribute_docstrings=True
    )

    secret: str | None
    """`whsec_` and base64, as libraries for Standard Webhooks expect it; null if `signature` is `v1a`."""


class WebhookEndpointList(BaseModel):
    """One page of endpoints, newest first."""

    object: Literal["list"] = "list"
    data: list[WebhookEndpointResponse]
    has_more: bool
    next_cursor: str | None


class WebhookSecret(BaseModel):
    """The project's secret, which signs messages to webhooks of jobs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"object": "webhook_secret", "secret": SECRET, "previous_secret_expires_at": None},
            ]
        },
        use_attribute_docstrings=True,
    )

    object: Literal["webhook_secret"] = "webhook_secret"
    secret: str
    """`whsec_` and base64, as libraries for Standard Webhooks expect it."""
    previous_secret_expires_at: Time | None
    """End of the overlap of the last rotation."""
