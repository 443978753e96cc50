"""Response bodies of /v1/audit_log."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shared.schemas.fields import Time

ENTRY_EXAMPLE: dict[str, Any] = {
    "id": "adt_00t8bh6ef7f1pv3n8q0sxghg3w",
    "object": "audit_log_entry",
    "created_at": "2026-01-01T12:00:00Z",
    "action": "api_key.revoked",
    "target": "key_00t8bh6ef7f1pv3n8q0sxghg3w",
    "project_id": "prj_00t8bh6ef7f1pv3n8q0sxghg3w",
    "actor": {
        "type": "api_key",
        "api_key_id": "key_01t8bh6ef7f1pv3n8q0sxghg3w",
        "api_key_name": "operations",
        "address": "192.0.2.7",
    },
    "request_id": "0f9d1c2b4e6a4f0e8d7c6b5a49382716",
    "details": {},
}


class AuditActor(BaseModel):
    """Who made a change, and from where."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: Literal["api_key", "operator"]
    """`operator`: a command on the machine itself."""
    api_key_id: str | None
    api_key_name: str | None
    """The key's name at that time."""
    address: str | None
    """Address of the client."""


class AuditLogEntry(BaseModel):
    """One change."""

    model_config = ConfigDict(json_schema_extra={"examples": [ENTRY_EXAMPLE]}, use_attribute_docstrings=True)

    id: str
    object: Literal["audit_log_entry"] = "audit_log_entry"
    created_at: Time
    action: str
    """What was done, such as `api_key.revoked`."""
    target: str
    """Id of what was changed."""
    project_id: str | None
    """The project of the target."""
    actor: AuditActor
    request_id: str | None
    details: dict[str, Any]
    """What has changed, without secrets."""


class AuditLog(BaseModel):
    """One page of the audit log, newest first."""

    object: Literal["list"] = "list"
    data: list[AuditLogEntry]
    has_more: bool
    next_cursor: str | None
