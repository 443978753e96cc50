"""Measure time and memory of loading a model: `python -m benchmarks.loading --model DIR`.

Each precision is loaded in a new process. Linux counts mapped pages of a file as resident memory, so the peak
of a loader that maps its files includes the largest part that was mapped at once.
"""

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click

PRECISIONS = ("fp32", "bf16", "bf16+int8", "bf16+nf4")
MIB = 1 << 20


@dataclass(frozen=True)
class LoadingCost:
    """Seconds and bytes of one load.

    before: resident memory after importing the libraries, before loading.
    after: resident memory with the model, after freed memory was returned to the system.
    kept: freed memory that the allocator still held at the end of the load.
    peak: largest resident memory during the load.
    weights: size of the model's weights in this precision.
    """

    precision: str
    seconds: float
    before: int
    after: int
    kept: int
    peak: int
    weights: int

    @property
    def surplus(self) -> int:
        """Bytes needed during the load in addition to `after`."""
        return self.peak - self.after


def loading_cost(folder: Path, precision: str) -> LoadingCost:
    """Load the decoder once in a new process."""
    command = [sys.executable, "-m", "benchmarks.loading", "--model", str(folder), "--one", precision]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return LoadingCost(**json.loads(answer.stdout.splitlines()[-1]))


def measure(folder: Path, precision: str) -> LoadingCost:
    """Load the decoder in this process, which must not have loaded one before: the peak never decreases."""
    from services.worker.engine.kernels.precision import Precision
    from services.worker.engine.loading.freed_memory import give_back_freed_memory
    from services.worker.engine.loading.load import load_model

    before, started = status_bytes("VmRSS"), time.perf_counter()
    loaded = load_model(folder, Precision.from_name(precision))
    seconds, resident = time.perf_counter() - started, status_bytes("VmRSS")
    give_back_freed_memory()
    after = status_bytes("VmRSS")
    return LoadingCost(
        precision=precision,
        seconds=seconds,
        before=before,
        after=after,
        kept=resident - after,
        peak=status_bytes("VmHWM"),
        weights=sum(loaded.capabilities.weight_bytes.values()),
    )


def status_bytes(name: str) -> int:
    """The memory value of this name in /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    line = next(line for line in lines if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


@click.command()
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--one", metavar="PRECISION", help="Load once in this process and print the result as JSON.")
def main(*, model: Path, one: str | None) -> None:
    """Print a table of the time and memory that loading takes."""
    if one is not None:
        click.echo(json.dumps(asdict(measure(model, one))))
        return
    click.echo("precision    seconds  weights  resident     kept     peak  (MiB)")
    for precision in PRECISIONS:
        cost = loading_cost(model, precision)
        sizes = "".join(f"{size // MIB:9}" for size in (cost.weights, cost.after, cost.kept, cost.peak))
        click.echo(f"{precision:<12} {cost.seconds:7.1f}{sizes}")


if __name__ == "__main__":
    main()
