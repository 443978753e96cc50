"""Run a worker: `python -m services.worker` is a GPU worker, with `--queues io` it is an io worker."""

import os
import shutil
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click

JOB_QUEUES = "generate,edit,dense"
QUIET_CELERY = ("--without-gossip", "--without-mingle", "--without-heartbeat")
"""Turns off Celery's messages between workers, which doorbells do not need."""
ROOT_WARNING = "You're running the worker with superuser"
"""Celery's warning about root, which is hidden: our messages are not pickled and run no code."""


@click.command()
@click.option("--queues", default=JOB_QUEUES, show_default=True, help="Queues separated by commas; or io.")
@click.option("--name", default="worker", show_default=True, help="Name in Celery's log, before the host's.")
@click.option(
    "--concurrency", type=click.IntRange(1), default=2, show_default=True, help="Threads for doorbells."
)
@click.option(
    "--loglevel",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    default="INFO",
    show_default=True,
    help="Least level of log lines; DEBUG has a line for each step of the model.",
)
def main(queues: str, name: str, concurrency: int, loglevel: str) -> None:
    """Run until SIGTERM; the settings are environment variables. Exits with the status of Celery's command.

    Celery uses threads, because CUDA does not work after a fork.
    """
    warnings.filterwarnings("ignore", ROOT_WARNING)
    copy_compiled_code(os.environ)
    # imported here, so that --help stays quick
    from celery.bin.celery import celery

    pool = ("--pool", "threads", "--concurrency", str(concurrency))
    place = ("--queues", queues, "--hostname", f"{name}@%h", "--loglevel", loglevel)
    celery.main(["--quiet", "--app", "services.worker.app", "worker", *pool, *place, *QUIET_CELERY])


def copy_compiled_code(given: Mapping[str, str]) -> None:
    """Copy the compiled code that an image brings to the folder that numba uses, which must be writable.

    given: the environment. Without LUMINARY_COMPILED and NUMBA_CACHE_DIR nothing is copied; a folder that
    cannot be written only costs the time to compile.
    """
    source, target = given.get("LUMINARY_COMPILED"), given.get("NUMBA_CACHE_DIR")
    if not source or not target:
        return
    for file in Path(source).rglob("*.nb?"):
        place = Path(target, file.relative_to(source))
        if place.exists():
            continue
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            # renamed, because other workers may use the same folder
            fresh = place.with_name(f"{place.name}.{os.getpid()}.new")
            shutil.copyfile(file, fresh)
            fresh.replace(place)


if __name__ == "__main__":
    main()
