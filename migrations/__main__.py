"""Bring the database at DATABASE_URL to the newest schema: `python -m migrations`."""

import sys

from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from migrations import runner
from migrations.patience import change_schema, lost_a_lock
from shared.database import sqlalchemy_url
from shared.settings import DatabaseSettings, SettingsError, load_part


def main() -> None:
    """Run all migrations that the database lacks; a fault is one line and exit status 1."""
    try:
        url = sqlalchemy_url(load_part(DatabaseSettings))
        change_schema(create_engine(url, poolclass=NullPool, hide_parameters=True), runner.upgrade)
    except SettingsError as error:
        sys.exit(f"migrations: {error}")
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        if lost_a_lock(error):
            sys.exit(f"migrations: other transactions do not release the tables: {reason}")
        sys.exit(f"migrations: the database at DATABASE_URL does not answer: {reason}")


if __name__ == "__main__":
    main()
