"""Replace an API key by a new one; for a while both can be used, so that clients can switch."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from services.api.projects.change_key import find_active
from services.api.projects.create_key import note, refuse_past
from services.api.projects.key_schemas import ApiKeyWithSecret, KeyRotation
from services.api.projects.repository import time_of
from services.api.projects.view import view_with_secret
from shared.ids import IdKind, format_id
from shared.security import generate_api_key
from shared.tables import ApiKey


def rotate_key(session: Session, key_id: UUID, rotation: KeyRotation) -> ApiKeyWithSecret:
    """Create a key with the same name, scopes and networks, and let the old one end after the overlap.

    Raises Problem if the key has ended or was replaced before.
    """
    now = time_of(session)
    old = find_active(session, key_id, now)
    successor = session.scalars(select(ApiKey.id).where(ApiKey.replaces == key_id)).first()
    if successor is not None:
        other = format_id(IdKind.API_KEY, successor)
        raise Problem(
            ProblemCode.ROTATION_OVERLAPS,
            f"The API key was replaced by {other} and can be used until its end; rotate that one.",
            param="key_id",
        )
    refuse_past(rotation.expires_at, now)
    end = now + timedelta(seconds=rotation.overlap_seconds)
    old.expires_at = end if old.expires_at is None else min(end, old.expires_at)
    generated = generate_api_key()
    key = ApiKey(
        project_id=old.project_id,
        name=old.name,
        hint=generated.hint,
        sha256=generated.sha256,
        scopes=old.scopes,
        allowed_networks=old.allowed_networks,
        expires_at=rotation.expires_at,
        replaces=old.id,
    )
    session.add(key)
    session.flush()
    session.refresh(key)
    note(session, key, "api_key.rotated", replaces=format_id(IdKind.API_KEY, old.id))
    return view_with_secret(key, now, generated.token)
