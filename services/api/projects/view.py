"""Rows of projects and keys become responses. Pure."""

from datetime import datetime
from typing import Any, Literal

from services.api.projects.key_schemas import ApiKeyResponse, ApiKeyWithSecret
from services.api.projects.schemas import ProjectLimits, ProjectResponse
from shared.ids import IdKind, format_id
from shared.tables import ApiKey, Project


def view_project(project: Project) -> ProjectResponse:
    """The project without its webhook secret."""
    limits = {name: getattr(project, name) for name in ProjectLimits.model_fields}
    return ProjectResponse(
        id=format_id(IdKind.PROJECT, project.id),
        name=project.name,
        status="enabled" if project.disabled_at is None else "disabled",
        disabled_at=project.disabled_at,
        created_at=project.created_at,
        weight=project.weight,
        fingerprints=project.fingerprints,
        content_credentials=project.content_credentials,
        **limits,
    )


def view_key(key: ApiKey, now: datetime) -> ApiKeyResponse:
    """The key without its secret. now: time by the database's clock."""
    return ApiKeyResponse.model_validate(key_fields(key, now))


def view_with_secret(key: ApiKey, now: datetime, token: str) -> ApiKeyWithSecret:
    """The new key with its secret."""
    return ApiKeyWithSecret.model_validate(key_fields(key, now) | {"key": token})


def key_fields(key: ApiKey, now: datetime) -> dict[str, Any]:
    """The fields of both responses."""
    return {
        "id": format_id(IdKind.API_KEY, key.id),
        "project_id": format_id(IdKind.PROJECT, key.project_id),
        "name": key.name,
        "hint": key.hint,
        "scopes": key.scopes,
        "allowed_networks": key.allowed_networks,
        "status": status_of(key, now),
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "replaces": key.replaces and format_id(IdKind.API_KEY, key.replaces),
    }


def status_of(key: ApiKey, now: datetime) -> Literal["active", "expired", "revoked"]:
    """Whether the key can be used."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"
