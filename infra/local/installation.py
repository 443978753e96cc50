"""The supervisor's database access: schema migrations, API keys, and heartbeats of workers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import SecretStr
from sqlalchemy import and_, create_engine, exists, func, or_, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from infra.local.process import ProcessError
from migrations import runner
from services.api.auth.api_keys import FIRST_PROJECT, create_first_key, create_key
from shared.database import Database, sqlalchemy_url
from shared.errors import LuminaryError
from shared.security import HINT_LENGTH, hash_api_key
from shared.settings import DatabaseSettings
from shared.tables import ApiKey, Project, WorkerRow

Value = TypeVar("Value")

SILENT_SECONDS = 60.0
"""A worker whose last heartbeat is older than this counts as not answering; heartbeats are seconds apart."""


def migrate(database_url: str) -> None:
    """Migrate the database to the newest schema. Raises ProcessError when it does not answer."""
    try:
        engine = create_engine(
            sqlalchemy_url(DatabaseSettings(url=SecretStr(database_url))),
            poolclass=NullPool,
            hide_parameters=True,
        )
        with engine.begin() as connection:
            runner.upgrade(connection)
    except ArgumentError as error:
        raise ProcessError(
            "DATABASE_URL is not an address like postgresql://user:password@host/name."
        ) from error
    except OperationalError as error:
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
        if kept is not None:
            mine = ApiKey.sha256 == hash_api_key(kept)
            if session.scalar(select(exists().where(mine, ApiKey.revoked_at.is_(None)))):
                return ApiKeyOfFolder(kept, is_new=False)
        token = create_first_key(session) or create_key(session, FIRST_PROJECT, "kept in the data folder")
        return ApiKeyOfFolder(token, is_new=True)

    try:
        return in_transaction(database_url, find_or_make)
    except OperationalError as error:
        raise does_not_answer(database_url, error) from error


def another_api_key(database_url: str, project: str, name: str) -> str:
    """Create one more key for a project; the project is created if it does not exist."""
    return in_transaction(database_url, lambda session: create_key(session, project, name))


@dataclass(frozen=True)
class ListedKey:
    """A key as `luminary keys list` shows it; times are in UTC, to the minute."""

    hint: str
    project: str
    name: str
    created: str
    last_used: str
    state: str


class KeyNotFoundError(LuminaryError, LookupError):
    """No key, or more than one, begins with the given characters."""

    code = "key_not_found"
    hint = "Copy the first characters of a key from `luminary keys list`."


def api_keys(database_url: str) -> list[ListedKey]:
    """Every key, oldest first."""

    def look(session: Session) -> list[ListedKey]:
        statement = select(ApiKey, Project.name).join(Project, Project.id == ApiKey.project_id)
        expired = select(ApiKey.id).where(ApiKey.expires_at <= func.clock_timestamp())
        old = frozenset(session.scalars(expired))
        return [
            ListedKey(
                key.hint,
                project,
                key.name,
                shown(key.created_at),
                shown(key.last_used_at),
                "revoked" if key.revoked_at else "expired" if key.id in old else "active",
            )
            for key, project in session.execute(statement.order_by(ApiKey.created_at, ApiKey.id))
        ]

    return in_transaction(database_url, look)


def shown(moment: datetime | None) -> str:
    """The time as `2026-01-01 12:00`, or `never`."""
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def revoke_api_key(database_url: str, key: str) -> str:
    """Revoke a key, given in full or by its first characters; return these. Raises KeyNotFoundError."""

    def revoke(session: Session) -> str:
        mine = or_(ApiKey.sha256 == hash_api_key(key), ApiKey.hint == key)
        found = session.scalars(select(ApiKey).where(mine, ApiKey.revoked_at.is_(None))).all()
        if len(found) != 1:
            raise KeyNotFoundError(
                f"{len(found)} active keys begin with {key[:HINT_LENGTH]}; "
                + ("give the full key" if found else "`luminary keys list` shows all keys")
            )
        found[0].revoked_at = session.scalars(select(func.clock_timestamp())).one()
        return found[0].hint

    return in_transaction(database_url, revoke)


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
