"""Change and revoke API keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from services.api.projects.create_key import note, refuse_past
from services.api.projects.key_schemas import ApiKeyChange, ApiKeyResponse
from services.api.projects.repository import find_key, time_of
from services.api.projects.view import status_of, view_key
from shared.tables import ApiKey


def find_active(session: Session, key_id: UUID, now: datetime) -> ApiKey:
    """The key, locked. Raises Problem if there is none, or if it has ended."""
    key = find_key(session, key_id, lock=True)
    status = status_of(key, now)
    if status != "active":
        raise Problem(ProblemCode.API_KEY_ENDED, f"The API key is {status}.", param="key_id")
    return key


def change_key(session: Session, key_id: UUID, change: ApiKeyChange) -> ApiKeyResponse:
    """Change the fields that the request names. Raises Problem."""
    now = time_of(session)
    key = find_active(session, key_id, now)
    before = {
        "name": key.name,
        "scopes": key.scopes,
        "allowed_networks": key.allowed_networks,
        "expires_at": key.expires_at and key.expires_at.isoformat(),
    }
    if "expires_at" in change.model_fields_set:
        refuse_past(change.expires_at, now)
        key.expires_at = change.expires_at
    if change.name is not None:
        key.name = change.name
    if change.scopes is not None:
        key.scopes = sorted({scope.value for scope in change.scopes})
    if change.allowed_networks is not None:
        key.allowed_networks = change.allowed_networks
    note(session, key, "api_key.changed", before=before)
    return view_key(key, now)


def revoke_key(session: Session, key_id: UUID) -> ApiKeyResponse:
    """Refuse the key from now on. No effect on a revoked one. Raises Problem."""
    now = time_of(session)
    key = find_key(session, key_id, lock=True)
    if key.revoked_at is None:
        key.revoked_at = now
        note(session, key, "api_key.revoked")
    return view_key(key, now)
