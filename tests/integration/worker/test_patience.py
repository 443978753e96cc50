"""Database errors that count as transient."""

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from services.worker.patience import DATABASE_FAULTS, Patience
from shared.database import Database
from shared.settings import DatabaseSettings
from tests.support.platforms.platform import eventually


def backend_of(database: Database, pid: int) -> bool:
    """Whether the server process of this connection still runs."""
    with database.transaction() as session:
        found = session.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid"), {"pid": pid})
        return bool(found)


def test_a_transaction_that_was_ended_while_its_process_was_frozen_is_tried_again(
    settings: DatabaseSettings, database: Database
) -> None:
    hasty = Database(settings.model_copy(update={"idle_in_transaction_timeout_seconds": 0.05}))
    tries = 0

    def work() -> int:
        nonlocal tries
        tries += 1
        with hasty.transaction() as session:
            pid = session.scalars(text("SELECT pg_backend_pid()")).one()
            if tries == 1:
                eventually(lambda: not backend_of(database, pid), "the end of the idle transaction")
            return int(session.scalars(text("SELECT 7")).one())

    assert Patience(lambda _: None, 10.0).insist(work) == 7
    assert tries == 2
    hasty.dispose()


def test_a_server_that_does_not_answer_is_a_transient_fault() -> None:
    away = Database(DatabaseSettings(url=SecretStr("postgresql://nobody@127.0.0.1:1/nothing")))
    with pytest.raises(DATABASE_FAULTS), away.transaction() as session:
        session.execute(text("SELECT 1"))
