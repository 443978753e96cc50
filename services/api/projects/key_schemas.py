"""Request and response bodies of /v1/api_keys."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from services.api.auth.scopes import USUAL_SCOPES, Scope
from services.api.projects.schemas import PROJECT_ID, Name
from shared.ids import IdKind, id_pattern
from shared.schemas.fields import Time, WholeNumber

DAY_SECONDS = 86_400
LONGEST_OVERLAP = timedelta(days=90)
KEY_EXAMPLE: dict[str, Any] = {
    "id": "key_00t8bh6ef7f1pv3n8q0sxghg3w",
    "object": "api_key",
    "project_id": PROJECT_ID,
    "name": "production",
    "hint": "lum_AbCd",
    "scopes": ["read", "write"],
    "allowed_networks": ["192.0.2.0/24"],
    "status": "active",
    "created_at": "2026-01-01T12:00:00Z",
    "last_used_at": None,
    "expires_at": "2027-01-01T12:00:00Z",
    "revoked_at": None,
    "replaces": None,
}


def check_network(text: str) -> str:
    """Return a network in its usual form. Raises PydanticCustomError."""
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise PydanticCustomError(
            "network_invalid",
            "Input should be an address or a network such as 192.0.2.0/24, without bits behind the prefix",
        ) from error


Network = Annotated[
    str,
    Field(min_length=2, max_length=50, json_schema_extra={"pattern": "^[0-9a-fA-F:.]+(/[0-9]{1,3})?$"}),
    AfterValidator(check_network),
]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
AllowedNetworks = Annotated[list[Network], Field(max_length=100)]
ProjectId = Annotated[str, Field(pattern=f"^{id_pattern(IdKind.PROJECT)}$")]


class ApiKeyCreate(BaseModel):
    """A new key."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Name
    """What the key is for."""
    project_id: ProjectId | None = None
    """Its project; by default that of the key that makes the request."""
    scopes: Scopes = list(USUAL_SCOPES)
    """What it may do."""
    allowed_networks: AllowedNetworks = []
    """Networks from which it may be used; empty for any."""
    expires_at: Time | None = None
    """When it ends; null: never."""


class ApiKeyChange(BaseModel):
    """The fields to change; what is missing stays as it is."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Name | None = None
    """A new name; null leaves the name as it is."""
    scopes: Scopes | None = None
    """New scopes; null leaves the scopes as they are."""
    allowed_networks: AllowedNetworks | None = None
    """New networks; null leaves the networks as they are."""
    expires_at: Time | None = None
    """When the key ends; null: never."""


class KeyRotation(BaseModel):
    """How to replace a key."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    overlap_seconds: WholeNumber = Field(default=DAY_SECONDS, ge=0, le=int(LONGEST_OVERLAP.total_seconds()))
    """How long the old key can still be used."""
    expires_at: Time | None = None
    """When the new key ends; null: never."""


class ApiKeyResponse(BaseModel):
    """A key."""

    model_config = ConfigDict(json_schema_extra={"examples": [KEY_EXAMPLE]}, use_attribute_docstrings=True)

    id: str
    object: Literal["api_key"] = "api_key"
    project_id: str
    name: str
    hint: str
    """The first characters of the key."""
    scopes: list[str]
    allowed_networks: list[str]
    status: Literal["active", "expired", "revoked"]
    created_at: Time
    last_used_at: Time | None
    """Time of a use, at most some minutes before the last one."""
    expires_at: Time | None
    revoked_at: Time | None
    replaces: str | None
    """The key that a rotation replaced with this one."""


class ApiKeyWithSecret(ApiKeyResponse):
    """A new key, with the secret that no later response shows."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [KEY_EXAMPLE | {"key": "lum_AbCd..."}]},
        use_attribute_docstrings=True,
    )

    key: str
    """Send it as `Authorization: Bearer lum_...`. Luminary keeps only its hash."""


class ApiKeyList(BaseModel):
    """One page of keys, newest first."""

    object: Literal["list"] = "list"
    data: list[ApiKeyResponse]
    has_more: bool
    next_cursor: str | None
