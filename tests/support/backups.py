"""Backups of a test's installation, and restores of them into a second one, with the command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from click.testing import CliRunner, Result
from psycopg import sql

from infra.backup.commands import backup, restore
from shared.database import Database
from shared.settings import DatabaseSettings, StorageSettings
from tests.support.killed_scripts import io_environment


@dataclass(frozen=True)
class Drill:
    """An installation with content, an empty second one, and a file between them."""

    database: Database
    settings: DatabaseSettings
    storage: StorageSettings
    new_settings: DatabaseSettings
    new_storage: StorageSettings
    file: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of commands for the first installation."""
        return io_environment(self.database, self.storage)

    def backup(self, *arguments: object) -> Result:
        """`luminary backup` of the first installation."""
        words = [str(argument) for argument in (self.file, *arguments)]
        return CliRunner().invoke(backup, words, env=self.environment)

    def restore(self, *arguments: object, into: DatabaseSettings | None = None) -> Result:
        """`luminary restore` into the second installation, or into another database."""
        words = [str(argument) for argument in (self.file, *arguments)]
        storage = io_environment(self.database, self.new_storage)
        return CliRunner().invoke(
            restore, words, env=storage | {"DATABASE_URL": address(into or self.new_settings)}
        )

    def rows(self) -> dict[str, list[Any]]:
        """Every row of the first installation."""
        return all_rows(address(self.settings))

    def new_rows(self) -> dict[str, list[Any]]:
        """Every row of the second installation."""
        return all_rows(address(self.new_settings))


def address(settings: DatabaseSettings) -> str:
    """The database's URL."""
    return settings.url.get_secret_value()


def all_rows(url: str) -> dict[str, list[Any]]:
    """Every row of every table as text, sorted; empty without tables."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        question = sql.SQL("SELECT row::text FROM {} AS row ORDER BY 1")
        return {
            name: connection.execute(question.format(sql.Identifier(name))).fetchall() for (name,) in tables
        }
