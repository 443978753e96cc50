"""Alembic's entry point: uses the caller's connection, or connects with DATABASE_URL."""

from alembic import context
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from shared.database import sqlalchemy_url
from shared.settings import DatabaseSettings
from shared.tables import Base


def migrate(connection: Connection) -> None:
    """Run the migrations in one transaction."""
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()


def migrate_from_settings() -> None:
    """Connect with DATABASE_URL and migrate, without the services' time limits: a migration may take long."""
    engine = create_engine(
        sqlalchemy_url(DatabaseSettings.model_validate({})), poolclass=NullPool, hide_parameters=True
    )
    with engine.begin() as connection:
        migrate(connection)


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    migrate_from_settings()
