"""Run migrations from Python on the caller's connection."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

RESTORED = """
UPDATE job_events SET xid = '0' WHERE EXISTS (
    SELECT FROM job_events WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())
)
"""
CONFIG_FILE = Path(__file__).with_name("alembic.ini")


def configuration(connection: Connection) -> Config:
    """Alembic's configuration with this connection."""
    config = Config(str(CONFIG_FILE))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Upgrade the schema to the revision; the caller commits."""
    command.upgrade(configuration(connection), revision)
    if revision == "head":
        forget_foreign_numbers(connection)


def forget_foreign_numbers(connection: Connection) -> None:
    """Give all events the transaction number 0 if some have the numbers of another database server.

    A restored dump contains transaction numbers of the old server. The new one has not used them yet, so its
    event streams would not show these events. With 0 they are the past, ordered by job.
    """
    connection.execute(text(RESTORED))


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Downgrade the schema to the revision; the caller commits. The revision `base` drops all tables."""
    command.downgrade(configuration(connection), revision)


def write_revision(connection: Connection, words: str) -> Path:
    """Write the next migration from the difference between the database, at head, and shared.tables."""
    config = configuration(connection)
    last = ScriptDirectory.from_config(config).get_current_head() or "0"
    written = command.revision(config, words, autogenerate=True, rev_id=f"{int(last) + 1:04}")
    if written is None or isinstance(written, list):
        raise RuntimeError("Alembic did not write exactly one file")
    return Path(written.path)
