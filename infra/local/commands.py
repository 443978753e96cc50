"""`luminary up | down | status | logs`: the platform on this machine."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import click

from infra.local.logs import LogFollower, LogPrinter
from infra.local.options import found_folder, running
from infra.local.run_file import ProcessState, is_held
from infra.local.whereabouts import DATA_VARIABLE, DEFAULT_FOLDER

STOP_SECONDS = 60.0
POLL_SECONDS = 0.1

data_option = click.option(
    "--data",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_FOLDER,
    envvar=DATA_VARIABLE,
    show_default=True,
    help="Folder of all data, logs and passwords.",
)


@click.command()
@data_option
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Model folder with its image tokenizer inside. [default: WORKER_MODEL and TOKENIZER_MODEL]",
)
@click.option(
    "--frozen-seconds",
    type=click.FloatRange(min=1.0),
    default=30.0,
    envvar="LUMINARY_FROZEN_SECONDS",
    show_default=True,
    help="Restart a process that is stopped or does not answer for this long.",
)
def up(folder: Path, model: Path | None, frozen_seconds: float) -> None:
    """Start all servers and services and show the services' logs; Ctrl-C stops them.

    Each of DATABASE_URL, BROKER_URL, S3_ENDPOINT_URL and TOKENIZER_URL in the environment replaces one
    server by an external one, independently of the others.
    """
    from infra.local.preflight import check_environment, check_models
    from infra.local.secret_files import with_secrets
    from infra.local.settings_table import SECTIONS
    from infra.local.supervisor import Supervisor
    from shared.misspelt_variables import misspelt_variables

    if model is not None:
        os.environ["WORKER_MODEL"] = str(model)
        os.environ.pop("TOKENIZER_MODEL", None)
    for name, value in (given := with_secrets(os.environ)).items():
        os.environ[name] = value
    for name in os.environ.keys() - given.keys():
        del os.environ[name]
    check_environment(os.environ)
    check_models(os.environ)
    for sentence in misspelt_variables(os.environ, SECTIONS.values()):
        report(sentence)
    Supervisor(folder, report, frozen_seconds=frozen_seconds).run()


@click.command()
@found_folder
def down(folder: Path) -> None:
    """Stop everything that `up` started, and wait until all processes have ended."""
    run = running(folder)
    os.kill(run.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while is_held(folder):
        if time.monotonic() > deadline:
            raise click.ClickException(f"process {run.pid} did not stop within {STOP_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)
    click.echo("stopped")


@click.command()
@found_folder
def status(folder: Path) -> None:
    """Show the address and the state of every process; the exit status is 0 when all of them run."""
    run = running(folder)
    click.echo(f"{run.url}  ({folder.absolute()})")
    states = [(process, process.now()) for process in run.processes]
    for process, state in states:
        restarts = f"  restarted {process.restarts} times" if process.restarts else ""
        click.echo(f"  {process.name:<12} {state:<10} pid {process.pid}{restarts}")
    if not states or any(state is not ProcessState.RUNNING for _, state in states):
        sys.exit(1)


@click.command()
@found_folder
@click.option("--follow", "-f", is_flag=True, help="Keep showing new lines.")
@click.argument("names", nargs=-1)
def logs(folder: Path, *, follow: bool, names: tuple[str, ...]) -> None:
    """Show the logs of all processes, or only of the NAMES given."""
    known = sorted(file.stem for file in (folder / "logs").glob("*.log"))
    for name in names:
        if name not in known:
            raise click.UsageError(no_such_log(name, known))
    follower = LogFollower(folder / "logs", names=names, from_start=True)
    printer = LogPrinter()
    printer.show(follower.new_lines())
    while follow:
        time.sleep(POLL_SECONDS)
        printer.show(follower.new_lines())


def no_such_log(name: str, known: Sequence[str]) -> str:
    """The error message for an unknown log name, with the closest known name."""
    if not known:
        return "there are no logs: nothing has been started in this folder yet"
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"there is no log {name}; {hint}"


def report(message: str) -> None:
    """Print one message of the supervisor."""
    click.secho(f"luminary: {message}", bold=True)
