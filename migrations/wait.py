"""Wait until the database has at least this version's schema: `python -m migrations.wait [SECONDS]`.

A container platform starts services and the migration at the same time; services begin after this command.
A newer schema is accepted, because old and new code run side by side during an upgrade.
"""

import sys
import time

from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from migrations import runner
from shared.database import sqlalchemy_url
from shared.settings import DatabaseSettings, SettingsError, load_part

LIMIT_SECONDS = 600.0
PAUSE_SECONDS = 1.0


def what_is_missing(engine: Engine) -> str | None:
    """Why services cannot start yet, in one line; None when they can."""
    try:
        with engine.connect() as connection:
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
            script = ScriptDirectory.from_config(runner.configuration(connection))
    except OperationalError as error:
        return f"the database at DATABASE_URL does not answer: {str(error.orig).strip().splitlines()[0]}"
    except ProgrammingError:
        return "the database has no schema yet"
    known = {each.revision for each in script.walk_revisions()}
    head = script.get_current_head()
    if revision == head or (revision is not None and revision not in known):
        return None
    return f"the database has the schema {revision}, this version needs {head}"


def main(seconds: float) -> None:
    """Return when the schema is there. Exits with status 1 and one line after `seconds`."""
    try:
        url = sqlalchemy_url(load_part(DatabaseSettings))
    except SettingsError as error:
        sys.exit(f"migrations: {error}")
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True)
    end, said = time.monotonic() + seconds, None
    while (missing := what_is_missing(engine)) is not None:
        if time.monotonic() > end:
            sys.exit(f"migrations: waited for {seconds:.0f} s: {missing}")
        if missing != said:
            print(f"migrations: waiting: {missing}", file=sys.stderr, flush=True)  # noqa: T201
            said = missing
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else LIMIT_SECONDS)
