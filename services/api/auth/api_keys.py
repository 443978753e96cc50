"""API keys in the database: find the caller that a token belongs to, and create keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from services.api.auth.scopes import USUAL_SCOPES, Scope
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.last_uses import is_stale
from shared.job_store.clock import database_time
from shared.security import generate_api_key, generate_webhook_secret, hash_api_key
from shared.tables import ApiKey, Project

FIRST_PROJECT = "default"
FIRST_KEY = "first key"
BOOTSTRAP_LOCK = 0x6C756D01
"""Number of the advisory lock that lets one process at a time look for the first key."""


@dataclass(frozen=True)
class Limits:
    """A project's own limits. None: that of the settings for waiting jobs, no limit for the others."""

    queued_jobs: int | None
    requests_per_minute: int | None
    storage_bytes: int | None
    pictures_per_day: int | None


@dataclass(frozen=True)
class Caller:
    """The project that a request belongs to, and the key it was made with."""

    project_id: UUID
    key_id: UUID
    key_name: str
    scopes: frozenset[Scope]
    networks: Sequence[str]
    limits: Limits
    use_is_due: bool
    """Whether the key's last use was written so long ago that it is to be written again."""

    @property
    def is_admin(self) -> bool:
        """Whether the key may read and change all projects."""
        return Scope.ADMIN in self.scopes


FIND = (
    select(
        ApiKey.project_id,
        ApiKey.id,
        ApiKey.name,
        ApiKey.scopes,
        ApiKey.allowed_networks,
        Project.max_queued_jobs,
        Project.requests_per_minute,
        Project.max_storage_bytes,
        Project.pictures_per_day,
        is_stale(ApiKey.last_used_at),
        Project.disabled_at,
    )
    .join(Project, Project.id == ApiKey.project_id)
    .where(
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > database_time()),
    )
)
"""Built once: it is the first statement of every request."""


def find_caller(session: Session, token: str) -> Caller:
    """Find the caller that the token belongs to.

    Raises Problem when the token is unknown, revoked or expired, or its project is disabled. The token's hash
    is looked up in an index, so response times reveal nothing about valid tokens.
    """
    row = session.execute(FIND.where(ApiKey.sha256 == hash_api_key(token))).first()
    if row is None:
        raise unauthenticated("The API key is unknown, revoked or expired.")
    project_id, key_id, name, scopes, networks, queued, requests, storage, pictures, is_due, disabled = row
    if disabled is not None:
        raise Problem(
            ProblemCode.PROJECT_DISABLED, "The project of this API key is disabled.", "Authorization"
        )
    known = frozenset(scope for scope in Scope if scope in scopes)
    limits = Limits(queued, requests, storage, pictures)
    return Caller(project_id, key_id, name, known, networks, limits, is_due)


def unauthenticated(detail: str, challenge: str = "Bearer") -> Problem:
    """Problem of a request without a valid key. challenge: the way of authentication that the path takes."""
    return Problem(
        ProblemCode.UNAUTHENTICATED,
        detail,
        param="Authorization",
        headers={"WWW-Authenticate": challenge},
    )


def create_first_key(session: Session) -> str | None:
    """Create the first project and key of an empty installation; it has the usual scopes.

    Returns the token, or None when a key exists already; the token is not stored and cannot be read later.
    Two processes that start at the same time create one key.
    """
    session.execute(select(func.pg_advisory_xact_lock(BOOTSTRAP_LOCK)))
    if session.scalar(select(exists().where(ApiKey.id.is_not(None)))):
        return None
    return create_key(session, FIRST_PROJECT, FIRST_KEY)


def create_key(
    session: Session, project_name: str, key_name: str, scopes: Sequence[Scope] = USUAL_SCOPES
) -> str:
    """Create a key, and its project if none has this name. Returns the token."""
    project = session.scalars(select(Project).where(Project.name == project_name)).first()
    if project is None:
        project = Project(name=project_name, webhook_secret=generate_webhook_secret())
        session.add(project)
        session.flush()
    key = generate_api_key()
    session.add(
        ApiKey(
            project_id=project.id,
            name=key_name,
            hint=key.hint,
            sha256=key.sha256,
            scopes=[scope.value for scope in scopes],
        )
    )
    session.flush()
    return key.token
