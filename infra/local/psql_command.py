"""`luminary psql`: open the platform's database in psql."""

import os
import shutil
from pathlib import Path

import click

from infra.local.options import database_url_of, found_folder, running
from infra.local.process import ProcessError

VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
}


@click.command("psql", context_settings={"ignore_unknown_options": True})
@found_folder
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(folder: Path, arguments: tuple[str, ...]) -> None:
    """Open the platform's database in psql; all other arguments are passed to psql."""
    from psycopg.conninfo import conninfo_to_dict

    running(folder)
    address = conninfo_to_dict(database_url_of(folder, as_owner=True))
    # the password goes through the environment: every user can read the command line of a process
    own = {VARIABLES[name]: str(value) for name, value in address.items() if name in VARIABLES}
    program = program_of_psql()
    os.execve(program, [program, *arguments], {**os.environ, **own})  # noqa: S606  (psql replaces this process)


def program_of_psql() -> str:
    """The psql on PATH, otherwise the embedded PostgreSQL's. Raises ClickException when there is none."""
    from infra.local.postgres_programs import bundled_psql

    if found := shutil.which("psql"):
        return found
    try:
        return str(bundled_psql())
    except ProcessError as error:
        raise click.ClickException(f"there is no psql on PATH, and {error}") from error
