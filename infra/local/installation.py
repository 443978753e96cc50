"""What the supervisor does in the database: schema, API keys, and who has come up."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import SecretStr
from sqlalchemy import create_engine, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from infra.local.process import ProcessError
from migrations import runner
from services.api.api_keys import create_first_key, create_key
from shared.database import Database, sqlalchemy_url
from shared.settings import DatabaseSettings
from shared.tables import WorkerRow

Value = TypeVar("Value")


def migrate(database_url: str) -> None:
    """Bring the database to the newest schema. Raises ProcessError when it does not answer."""
    try:
        engine = create_engine(
            sqlalchemy_url(DatabaseSettings(url=SecretStr(database_url))), poolclass=NullPool
        )
        with engine.begin() as connection:
            runner.upgrade(connection)
    except ArgumentError as error:
        raise ProcessError("DATABASE_URL is no address like postgresql://user:password@host/name.") from error
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        host = make_url(database_url).host
        raise ProcessError(f"The database at {host} (DATABASE_URL) does not answer: {reason}") from error


def in_transaction(database_url: str, work: Callable[[Session], Value]) -> Value:
    """What `work` gives, committed, on a connection of its own."""
    database = Database(DatabaseSettings(url=SecretStr(database_url), pool_size=1))
    try:
        with database.transaction() as session:
            return work(session)
    finally:
        database.dispose()


def first_api_key(database_url: str) -> str | None:
    """The key of a new installation, or None when it has one already."""
    return in_transaction(database_url, create_first_key)


def another_api_key(database_url: str, project: str, name: str) -> str:
    """A further key of a project, which is made if need be."""
    return in_transaction(database_url, lambda session: create_key(session, project, name))


def has_registered(database_url: str, pid: int) -> bool:
    """Whether the worker with this process id stands in the table: its model is loaded."""

    def look(session: Session) -> bool:
        ids = session.scalars(select(WorkerRow.id))
        return any(f"-{pid}-" in worker_id for worker_id in ids)

    return in_transaction(database_url, look)
