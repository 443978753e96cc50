"""`python -m tests.chaos --seed S --faults N`: kill and freeze every process while jobs run, then check them.

The program starts `luminary up` on a temporary folder with the bundled model and the default precision, and
another process that keeps one CPU core busy. At random moments it kills or freezes services and servers, some
of them in pairs, while jobs of all tasks run. At the end it compares each picture's token hash with that of a
run without faults. For each broken guarantee it prints one line; the exit status is then 1.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import click

from tests.chaos.run import chaos

ROOT = Path(__file__).parents[2]


@click.command()
@click.option("--seed", type=int, required=True, help="Seed of the faults and of the order of the jobs.")
@click.option("--faults", type=click.IntRange(1, 10_000), required=True, help="Number of faults.")
@click.option(
    "--rounds", type=click.IntRange(1, 100), default=3, help="Number of seeds for each kind of job."
)
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=ROOT / "models" / "tiny",
    help="Model folder. [default: the bundled model]",
)
@click.option("--busy/--quiet", default=True, help="Whether another process keeps one CPU core busy.")
def main(seed: int, faults: int, rounds: int, model: Path, *, busy: bool) -> None:
    """Cause N faults in a running platform and check its guarantees."""
    folder = Path(tempfile.mkdtemp(prefix="luminary-chaos-"))
    report = chaos(folder, model, seed=seed, faults=faults, rounds=rounds, busy=busy, report=click.echo)
    click.echo(report)
    if report.misses:
        click.echo(f"data and logs are in {folder}")
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
