"""Fields of webhooks in requests: the URL, and the types of events to send."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, AnyHttpUrl, Field, UrlConstraints

from shared.event_types import EventPattern, JobEventPattern
from shared.schemas.fields import LARGEST_URL

Pattern = TypeVar("Pattern", bound=str)

MOST_PATTERNS = 16


def check_unique(patterns: list[Pattern]) -> list[Pattern]:
    """Return the patterns unchanged. Raises ValueError if one occurs twice."""
    if len(set(patterns)) < len(patterns):
        raise ValueError("each event may be listed only once")
    return patterns


WebhookUrl = Annotated[AnyHttpUrl, UrlConstraints(max_length=LARGEST_URL)]
JobEvents = Annotated[
    list[JobEventPattern],
    Field(min_length=1, max_length=MOST_PATTERNS, fail_fast=True, json_schema_extra={"uniqueItems": True}),
    AfterValidator(check_unique),
]
"""Events of one job."""
EndpointEvents = Annotated[
    list[EventPattern],
    Field(min_length=1, max_length=MOST_PATTERNS, fail_fast=True, json_schema_extra={"uniqueItems": True}),
    AfterValidator(check_unique),
]
"""Events of a project."""
Payload = Literal["full", "thin"]
"""`full`: the object of the event as the API shows it; `thin`: its id, state and URL."""
SignatureScheme = Literal["v1", "v1a"]
"""`v1`: HMAC-SHA256 with a shared secret; `v1a`: ed25519 with a public key."""
