"""Transactions behind the wall between projects, which is PostgreSQL's row-level security.

A transaction of one project runs as the role `luminary_gateway`, to which the policies of
`shared.tables.walls` show the rows of this project alone. The statement that begins the transaction says so,
therefore the wall costs no round trip. Everything ends with the transaction, so a pooler may give each
transaction another connection.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import psycopg
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Session, SessionTransaction

from shared.tables.walls import GATEWAY_ROLE, SETTING

logger = logging.getLogger(__name__)

PROJECT: Final = "luminary_project"
"""Key in `Session.info` and `Connection.info`: the project of the transaction; None for the platform."""
WALLED: Final = "luminary_walled"
"""Key in `Connection.info`: whether the connection may act as the gateway's role, and the policies exist."""
LOOK = """
SELECT EXISTS (
    SELECT FROM pg_roles, pg_policy
    WHERE rolname = %s AND pg_has_role(pg_roles.oid, 'SET')
        AND polrelid = to_regclass('jobs') AND pg_roles.oid = ANY (polroles)
)
"""
MISSING = (
    f"row-level security is not in use: the role {GATEWAY_ROLE} or its policies are missing; "
    "run `python -m migrations.roles`"
)


@dataclass
class Wall:
    """The rules by which an engine begins its transactions.

    project_of: the project that the current task works for; None for the platform. It raises if the task
    works for neither. is_required: whether a database without policies is refused.
    """

    project_of: Callable[[], UUID | None]
    is_required: bool
    _has_warned: bool = False

    def facts(self) -> dict[str, Any]:
        """The entries of `WalledSession.info` for the current task's transaction."""
        return {PROJECT: self.project_of()}

    def stand_before(self, engine: AsyncEngine) -> None:
        """Look at the engine's connections. They must be in autocommit mode: sessions begin transactions."""
        event.listen(engine.sync_engine, "connect", self._look)

    def _look(self, connection: Any, record: Any) -> None:
        """Note whether the database has the wall. Raises psycopg.OperationalError if it must have it."""
        cursor = connection.cursor()
        cursor.execute(LOOK, [GATEWAY_ROLE])
        record.info[WALLED] = is_walled = cursor.fetchone()[0]
        cursor.close()
        if not is_walled and self.is_required:
            raise psycopg.OperationalError(MISSING)
        if not is_walled and not self._has_warned:
            self._has_warned = True
            logger.warning(MISSING)


class WalledSession(Session):
    """A session whose transactions belong to a project or to the platform."""


@event.listens_for(WalledSession, "after_begin")
def begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    """Begin a transaction of a project or of the platform. Raises KeyError if it is for neither."""
    if transaction.nested:
        return
    project_id: UUID | None = session.info[PROJECT]
    connection.info[PROJECT] = project_id
    statement = "BEGIN"
    if project_id is not None and connection.info[WALLED]:
        statement += f"; SET LOCAL ROLE {GATEWAY_ROLE}; SET LOCAL {SETTING} = '{project_id}'"
    driver: Any = connection.connection.dbapi_connection
    try:
        # by the driver's connection, because SQLAlchemy's way takes as long as a short query
        driver.run_async(lambda psycopg_connection: psycopg_connection.execute(statement, prepare=False))
    except psycopg.Error as error:
        raise refused(connection, error) from error


def refused(connection: Connection, error: psycopg.Error) -> BaseException:
    """The error as SQLAlchemy's. A lost connection is not used again."""
    is_lost = connection.dialect.is_disconnect(error, connection.connection, None)  # type: ignore[arg-type]
    if is_lost:
        connection.invalidate(error)
    return DBAPIError.instance(
        "BEGIN", None, error, psycopg.Error, connection_invalidated=is_lost, dialect=connection.dialect
    )
