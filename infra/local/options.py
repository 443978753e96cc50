"""Shared by the platform's commands: the --data option, and access to the platform that runs there."""

import os
import sys
from pathlib import Path

import click

from infra.local.run_file import Run, read_run
from infra.local.whereabouts import find_folder

found_folder = click.option(
    "--data",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    callback=lambda _context, _option, given: find_folder(given),
    help="Data folder of the platform. "
    "[default: LUMINARY_DATA, .luminary here or in a folder above, the folder started last]",
)


def running(folder: Path) -> Run:
    """The platform that runs on this folder; without one, print an error and exit with status 1."""
    run = read_run(folder)
    if run is None:
        click.echo(f"Luminary does not run on {folder.absolute()}.", err=True)
        sys.exit(1)
    return run


def platform_database(folder: Path) -> str:
    """The database's address from the environment, or that of the platform that runs on this folder.

    Without either, print an error and exit with status 1.
    """
    if url := given_database_url():
        return url
    running(folder)
    return database_url_of(folder)


def given_database_url() -> str | None:
    """The address from DATABASE_URL or DATABASE_URL_FILE, if one of them is set. Raises SettingsError."""
    from shared.settings import FILE_SUFFIX, DatabaseSettings, load_part

    variable = "DATABASE_URL"
    if not (os.environ.get(variable) or os.environ.get(variable + FILE_SUFFIX)):
        return None
    return load_part(DatabaseSettings).url.get_secret_value()


def database_url_of(folder: Path, *, as_owner: bool = False) -> str:
    """The address of the platform's database, with the services' login or with the schema owner's."""
    from infra.local.stack import embedded_postgres
    from infra.local.state import read_state

    if given := given_database_url():
        return given
    state = read_state(folder)
    if state is None:
        raise click.ClickException(f"{folder} has no database; set DATABASE_URL as for `luminary up`")
    server = embedded_postgres(folder, state)
    return server.owner_url() if as_owner else server.url()
