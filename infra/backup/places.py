"""The database and the bucket that a command works on: those of the environment, or of a data folder."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection
from pydantic import SecretStr
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from infra.backup.errors import BackupError, RestoreRefusedError
from infra.local.run_file import read_run
from infra.local.secret_files import with_secrets
from infra.local.stack import EmbeddedStack, embedded_postgres, s3_environment
from infra.local.state import read_state
from shared.database import sqlalchemy_url
from shared.settings import DatabaseSettings, StorageSettings
from shared.storage import ObjectStorage

NO_BROKER = "redis://127.0.0.1:1/0"
"""Keeps the embedded stack from starting Valkey, which holds nothing to back up."""


@dataclass(frozen=True)
class Installation:
    """Addresses of the database, with a role that may change the schema, and of the bucket."""

    database_url: str
    storage: StorageSettings

    @contextmanager
    def transaction(self) -> Generator[SqlConnection]:
        """One transaction without time limits. Raises BackupError when the database does not answer."""
        url = sqlalchemy_url(DatabaseSettings(url=SecretStr(self.database_url)))
        engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
        try:
            connection = engine.connect()
        except OperationalError as error:
            reason = str(error.orig).strip().splitlines()[0]
            raise BackupError(f"the database at {url.host} does not answer: {reason}") from error
        with connection, connection.begin():
            yield connection

    def objects(self) -> ObjectStorage:
        """A client of the bucket. Raises BackupError when it cannot be accessed."""
        storage = ObjectStorage(self.storage)
        if not storage.is_reachable():
            raise BackupError(f"the bucket {self.storage.bucket} cannot be accessed: check the S3_* settings")
        return storage


def driver_connection(connection: SqlConnection) -> Connection[Any]:
    """The psycopg connection below."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, Connection)  # noqa: S101  (sqlalchemy_url names the driver)
    return driver


@contextmanager
def installation_of(folder: Path, *, at_rest: bool) -> Generator[Installation]:
    """The installation that DATABASE_URL and S3_* name; what they do not name is that of the data folder.

    at_rest: no service may run on the folder. Its servers are started if they do not run.
    Raises BackupError or ProcessError.
    """
    given = with_secrets(os.environ)
    if given.get("DATABASE_URL") and given.get("S3_BUCKET"):
        yield named(given, given["DATABASE_URL"])
    elif read_run(folder) is not None:
        if at_rest:
            raise RestoreRefusedError(f"Luminary runs on {folder.absolute()}: run `luminary down` first")
        state = read_state(folder)
        if state is None:
            raise BackupError(f"{folder.absolute()} has no ports and passwords of its servers")
        url = given.get("DATABASE_URL") or embedded_postgres(folder, state).owner_url()
        yield named({**s3_environment(folder, state), **given}, url)
    else:
        if not at_rest and not (folder / "stack.json").exists():
            raise BackupError(f"{folder.absolute()} has no platform: name its data folder with --data")
        with EmbeddedStack(folder, environment={**given, "BROKER_URL": NO_BROKER}) as stack:
            url = stack.postgres.owner_url() if stack.postgres else given["DATABASE_URL"]
            yield named({**given, **stack.environment}, url)


def named(environment: Mapping[str, str], database_url: str) -> Installation:
    """The installation with this database and the bucket of the environment."""
    values = {
        name: environment[variable]
        for name in ("bucket", "endpoint_url", "access_key_id", "secret_access_key")
        if (variable := f"S3_{name.upper()}") in environment
    }
    return Installation(database_url, StorageSettings.model_validate(values))
