"""Run migrations from Python, on a connection of the caller."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

CONFIG_FILE = Path(__file__).parent.parent / "alembic.ini"


def configuration(connection: Connection) -> Config:
    """Alembic's configuration, bound to the connection."""
    config = Config(str(CONFIG_FILE))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the schema forward; the caller commits."""
    command.upgrade(configuration(connection), revision)


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Bring the schema back; the caller commits. Going back to the base drops every table with its data."""
    command.downgrade(configuration(connection), revision)
