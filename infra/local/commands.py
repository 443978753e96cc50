"""`luminary up | down | status | key | logs`: the platform on this machine."""

import os
import signal
import sys
import time
from pathlib import Path

import click

from infra.local.logs import LogFollower, LogPrinter
from infra.local.process import ProcessError
from infra.local.run_file import Run, is_held, read_run

DEFAULT_FOLDER = ".luminary"
STOP_SECONDS = 60.0
POLL_SECONDS = 0.1

data_option = click.option(
    "--data",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_FOLDER,
    envvar="LUMINARY_DATA",
    show_default=True,
    help="Folder of all data, logs and passwords.",
)


@click.command()
@data_option
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Folder of the model, with its image tokenizer inside; WORKER_MODEL and TOKENIZER_MODEL without it.",
)
def up(folder: Path, model: Path | None) -> None:
    """Start everything and show its logs; Ctrl-C stops it.

    DATABASE_URL, BROKER_URL, S3_ENDPOINT_URL or TOKENIZER_URL in the environment replace what would be
    started here, each alone.
    """
    from infra.local.preflight import check_environment
    from infra.local.supervisor import Supervisor

    if model is not None:
        os.environ["WORKER_MODEL"] = str(model)
        os.environ.pop("TOKENIZER_MODEL", None)
    try:
        check_environment(os.environ)
        Supervisor(folder, report).run()
    except ProcessError as error:
        raise click.ClickException(str(error)) from error


@click.command()
@data_option
def down(folder: Path) -> None:
    """Stop what `up` started, in order, and wait until it is gone."""
    run = running(folder)
    os.kill(run.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while is_held(folder):
        if time.monotonic() > deadline:
            raise click.ClickException(f"process {run.pid} did not stop within {STOP_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)
    click.echo("stopped")


@click.command()
@data_option
@click.option("--project", default="default", show_default=True, help="Whose key it is; made if need be.")
@click.option("--name", default="another key", show_default=True, help="What the key is for.")
def key(folder: Path, project: str, name: str) -> None:
    """Make a further API key and show it, once."""
    from infra.local.installation import another_api_key
    from infra.local.postgres import PostgresServer
    from infra.local.state import read_state

    running(folder)
    database_url = os.environ.get("DATABASE_URL")
    if not database_url:
        state = read_state(folder)
        if state is None:
            raise click.ClickException(f"{folder} has no database; set DATABASE_URL as for `luminary up`")
        ports, secrets = state.ports, state.secrets
        database_url = PostgresServer(folder / "postgres", ports.postgres, secrets.postgres_password).url()
    click.echo(another_api_key(database_url, project, name))


@click.command()
@data_option
def status(folder: Path) -> None:
    """Show the address and every process."""
    run = running(folder)
    click.echo(run.url)
    for process in run.processes:
        restarts = f"  restarted {process.restarts} times" if process.restarts else ""
        click.echo(f"  {process.name:<12} pid {process.pid}{restarts}")


@click.command()
@data_option
@click.option("--follow", "-f", is_flag=True, help="Go on showing new lines.")
@click.argument("names", nargs=-1)
def logs(folder: Path, *, follow: bool, names: tuple[str, ...]) -> None:
    """Show the logs of all processes, or of those named."""
    follower = LogFollower(folder / "logs", names=names, from_start=True)
    printer = LogPrinter()
    printer.show(follower.new_lines())
    while follow:
        time.sleep(POLL_SECONDS)
        printer.show(follower.new_lines())


def running(folder: Path) -> Run:
    """The run in this folder, or a clear end of the command."""
    run = read_run(folder)
    if run is None:
        click.echo(f"Luminary does not run on {folder}.", err=True)
        sys.exit(1)
    return run


def report(message: str) -> None:
    """One line of the supervisor's own."""
    click.secho(f"luminary: {message}", bold=True)


COMMANDS = (up, down, status, key, logs)
