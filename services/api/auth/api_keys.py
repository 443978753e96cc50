"""API keys in the database: find the project of a token, and create keys."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from shared.job_store.clock import database_time, time_after
from shared.security import generate_api_key, generate_webhook_secret, hash_api_key
from shared.tables import ApiKey, Project

FIRST_PROJECT = "default"
FIRST_KEY = "first key"
USE_RECORDED_SECONDS = 60.0
"""`last_used_at` is written at most once in this time, however busy the key is."""
BOOTSTRAP_LOCK = 0x6C756D01
"""Number of the advisory lock that lets one process at a time look for the first key."""


@dataclass(frozen=True)
class Caller:
    """The project that a request belongs to, and the key it was made with."""

    project_id: UUID
    max_queued_jobs: int | None
    """The project's own limit; None means GATEWAY_MAX_QUEUED_JOBS."""


def find_caller(session: Session, token: str) -> Caller:
    """Find the caller that the token belongs to.

    Raises Problem when the token is unknown, revoked or expired, or its project is disabled. The token's hash
    is looked up in an index, so response times reveal nothing about valid tokens.
    """
    statement = (
        select(ApiKey, Project)
        .join(Project, Project.id == ApiKey.project_id)
        .where(
            ApiKey.sha256 == hash_api_key(token),
            ApiKey.revoked_at.is_(None),
            or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > database_time()),
        )
    )
    row = session.execute(statement).first()
    if row is None:
        raise unauthenticated("The API key is unknown, revoked or expired.")
    key, project = row
    if project.disabled_at is not None:
        raise Problem(
            ProblemCode.PROJECT_DISABLED, "The project of this API key is disabled.", "Authorization"
        )
    record_use(session, key.id)
    return Caller(project.id, project.max_queued_jobs)


def unauthenticated(detail: str, challenge: str = "Bearer") -> Problem:
    """Problem of a request without a valid key. challenge: the way of authentication that the path takes."""
    return Problem(
        ProblemCode.UNAUTHENTICATED,
        detail,
        param="Authorization",
        headers={"WWW-Authenticate": challenge},
    )


def record_use(session: Session, key_id: UUID) -> None:
    """Write `last_used_at`, unless it was written within the last USE_RECORDED_SECONDS."""
    stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < time_after(-USE_RECORDED_SECONDS))
    session.execute(
        update(ApiKey)
        .where(ApiKey.id == key_id, stale)
        .values(last_used_at=database_time())
        .execution_options(synchronize_session=False)
    )


def create_first_key(session: Session) -> str | None:
    """Create the first project and key of an empty installation.

    Returns the token, or None when a key exists already; the token is not stored and cannot be read later.
    Two processes that start at the same time create one key.
    """
    session.execute(select(func.pg_advisory_xact_lock(BOOTSTRAP_LOCK)))
    if session.scalar(select(exists().where(ApiKey.id.is_not(None)))):
        return None
    return create_key(session, FIRST_PROJECT, FIRST_KEY)


def create_key(session: Session, project_name: str, key_name: str) -> str:
    """Create a key, and its project if none has this name. Returns the token."""
    project = session.scalars(select(Project).where(Project.name == project_name)).first()
    if project is None:
        project = Project(name=project_name, webhook_secret=generate_webhook_secret())
        session.add(project)
        session.flush()
    key = generate_api_key()
    session.add(ApiKey(project_id=project.id, name=key_name, hint=key.hint, sha256=key.sha256))
    session.flush()
    return key.token
