"""Write a new migration: `python -m infra.local.new_migration "jobs have a colour"`.

Alembic compares shared.tables with an embedded PostgreSQL that has all earlier migrations.
"""

import tempfile
from pathlib import Path

import click
from sqlalchemy import create_engine

from infra.local.stack import EmbeddedStack
from migrations import runner
from shared.database import sqlalchemy_url
from shared.settings import DatabaseSettings


@click.command(help=__doc__)
@click.argument("words")
def main(words: str) -> None:
    """Start the servers in a temporary folder, apply all migrations, and write the next one."""
    with (
        tempfile.TemporaryDirectory(prefix="luminary-migration-") as folder,
        EmbeddedStack(Path(folder), environment={}, durable=False) as stack,
    ):
        url = stack.environment["DATABASE_URL"] if stack.postgres is None else stack.postgres.owner_url()
        engine = create_engine(sqlalchemy_url(DatabaseSettings.model_validate({"url": url})))
        with engine.begin() as connection:
            runner.upgrade(connection)
            file = runner.write_revision(connection, words)
        engine.dispose()
    click.echo(f"wrote {file}: review it, and add what Alembic does not detect (data, check constraints)")


if __name__ == "__main__":
    main()
