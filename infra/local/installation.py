"""The supervisor's database access: schema migrations, API keys, and heartbeats of workers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import SecretStr
from sqlalchemy import and_, create_engine, exists, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from infra.local.process import ProcessError
from migrations import runner
from migrations.patience import change_schema, lost_a_lock
from services.api.audit.record import record
from services.api.auth.api_keys import FIRST_PROJECT, create_first_key, create_key
from services.api.auth.scopes import USUAL_SCOPES, Scope
from shared.database import Database, sqlalchemy_url
from shared.ids import IdKind, format_id
from shared.security import hash_api_key
from shared.settings import DatabaseSettings
from shared.tables import ApiKey, WorkerRow

Value = TypeVar("Value")

SILENT_SECONDS = 60.0
"""A worker whose last heartbeat is older than this counts as not answering; heartbeats are seconds apart."""


def migrate(database_url: str) -> None:
    """Migrate the database to the newest schema. Raises ProcessError when it does not answer or is in use."""
    try:
        engine = create_engine(
            sqlalchemy_url(DatabaseSettings(url=SecretStr(database_url))),
            poolclass=NullPool,
            hide_parameters=True,
        )
        change_schema(engine, runner.upgrade)
    except ArgumentError as error:
        raise ProcessError(
            "DATABASE_URL is not an address like postgresql://user:password@host/name."
        ) from error
    except OperationalError as error:
        if lost_a_lock(error):
            raise ProcessError("Other transactions do not release the tables of DATABASE_URL.") from error
        raise does_not_answer(database_url, error) from error


def does_not_answer(database_url: str, error: OperationalError) -> ProcessError:
    """A one-line error for an unreachable database, without its password."""
    reason = str(error.orig).strip().splitlines()[0]
    return ProcessError(
        f"The database at {make_url(database_url).host} (DATABASE_URL) does not answer: {reason}"
    )


def in_transaction(database_url: str, work: Callable[[Session], Value]) -> Value:
    """Run `work` in a transaction on a new connection, commit, and return its result."""
    database = Database(DatabaseSettings(url=SecretStr(database_url), pool_size=1))
    try:
        with database.transaction() as session:
            return work(session)
    finally:
        database.dispose()


@dataclass(frozen=True)
class ApiKeyOfFolder:
    """The API key stored in a data folder."""

    token: str
    is_new: bool


def keep_api_key(database_url: str, kept: str | None) -> ApiKeyOfFolder:
    """Return the key stored in the folder if it is still valid in the database; otherwise create a key.

    Raises ProcessError when the database does not answer.
    """

    def find_or_make(session: Session) -> ApiKeyOfFolder:
        if kept is not None and is_valid(session, kept):
            return ApiKeyOfFolder(kept, is_new=False)
        token = create_first_key(session) or make_key(session, FIRST_PROJECT, "kept in the data folder")
        return ApiKeyOfFolder(token, is_new=True)

    try:
        return in_transaction(database_url, find_or_make)
    except OperationalError as error:
        raise does_not_answer(database_url, error) from error


def keep_admin_key(database_url: str, kept: str | None) -> ApiKeyOfFolder:
    """Return the administrator's key stored in the folder if it is still valid; otherwise create one.

    Raises ProcessError when the database does not answer.
    """

    def find_or_make(session: Session) -> ApiKeyOfFolder:
        if kept is not None and is_valid(session, kept):
            return ApiKeyOfFolder(kept, is_new=False)
        name = "administrator's, kept in the data folder"
        return ApiKeyOfFolder(make_key(session, FIRST_PROJECT, name, [Scope.ADMIN]), is_new=True)

    try:
        return in_transaction(database_url, find_or_make)
    except OperationalError as error:
        raise does_not_answer(database_url, error) from error


def is_valid(session: Session, token: str) -> bool:
    """Return whether a key that is not revoked has this token."""
    mine = ApiKey.sha256 == hash_api_key(token)
    return bool(session.scalar(select(exists().where(mine, ApiKey.revoked_at.is_(None)))))


def make_key(session: Session, project: str, name: str, scopes: Sequence[Scope] = USUAL_SCOPES) -> str:
    """Create a key as an operator at the machine does; the audit log tells of it. Returns the token."""
    token = create_key(session, project, name, scopes)
    key = session.scalars(select(ApiKey).where(ApiKey.sha256 == hash_api_key(token))).one()
    details = {"name": name, "hint": key.hint, "scopes": key.scopes}
    record(session, "api_key.created", format_id(IdKind.API_KEY, key.id), key.project_id, details)
    return token


def another_api_key(
    database_url: str, project: str, name: str, scopes: Sequence[Scope] = USUAL_SCOPES
) -> str:
    """Create one more key for a project; the project is created if it does not exist."""
    return in_transaction(database_url, lambda session: make_key(session, project, name, scopes))


def has_registered(database_url: str, pid: int) -> bool:
    """Whether the worker with this process id is in the workers table, as it is once its model is loaded."""
    return bool(heartbeats(database_url, pid))


def is_beating(database_url: str, pid: int) -> bool:
    """Whether the worker with this process id has a recent heartbeat, or the database does not answer."""
    try:
        return any(seconds < SILENT_SECONDS for seconds in heartbeats(database_url, pid) or [0.0])
    except DBAPIError:
        return True


def heartbeats(database_url: str, pid: int) -> list[float]:
    """Age in seconds of the last heartbeat of the worker with this process id; empty if there is none."""

    def look(session: Session) -> list[float]:
        age = func.extract("epoch", func.clock_timestamp() - WorkerRow.heartbeat_at)
        mine = and_(WorkerRow.id.contains(f"-{pid}-", autoescape=True), WorkerRow.left_at.is_(None))
        return [float(seconds) for seconds in session.scalars(select(age).where(mine))]

    return in_transaction(database_url, look)
