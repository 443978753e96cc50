"""Create an API key."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from services.api.audit.record import record
from services.api.problems.codes import Problem, ProblemCode
from services.api.projects.key_schemas import ApiKeyCreate, ApiKeyWithSecret
from services.api.projects.repository import find_project, time_of
from services.api.projects.view import view_with_secret
from shared.ids import IdKind, format_id, parse_id
from shared.problem_documents import FieldError
from shared.security import generate_api_key
from shared.tables import ApiKey


def create_key(session: Session, own_project: UUID, wanted: ApiKeyCreate) -> ApiKeyWithSecret:
    """Create the key; the response is the only one with its secret. Raises Problem."""
    now = time_of(session)
    project_id = own_project if wanted.project_id is None else parse_id(IdKind.PROJECT, wanted.project_id)
    find_project(session, project_id)
    refuse_past(wanted.expires_at, now)
    generated = generate_api_key()
    key = ApiKey(
        project_id=project_id,
        name=wanted.name,
        hint=generated.hint,
        sha256=generated.sha256,
        scopes=sorted({scope.value for scope in wanted.scopes}),
        allowed_networks=wanted.allowed_networks,
        expires_at=wanted.expires_at,
    )
    session.add(key)
    session.flush()
    session.refresh(key)
    note(session, key, "api_key.created")
    return view_with_secret(key, now, generated.token)


def refuse_past(expires_at: datetime | None, now: datetime) -> None:
    """Raise Problem for an end in the past."""
    if expires_at is not None and expires_at <= now:
        detail = (
            f"expires_at: This time is in the past; it is now {now.isoformat(timespec='seconds')}."
            " To end a key now, revoke it."
        )
        error = FieldError(param="expires_at", code="in_the_past", message=detail)
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param="expires_at", errors=[error])


def note(session: Session, key: ApiKey, action: str, **details: object) -> None:
    """Record a change of the key."""
    facts = {"name": key.name, "hint": key.hint, "scopes": key.scopes, **details}
    record(session, action, format_id(IdKind.API_KEY, key.id), key.project_id, facts)
