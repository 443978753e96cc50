"""Load a model four times, each time with other random clocks, and print its numerics identity each time.

    python -m tests.support.random_clocks FOLDER

A process of its own: a thread of another test that waits for a time would wait for ever.
"""

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from services.worker.engine.loading.auto_precision import choose_precision
from services.worker.engine.loading.load import LoadedModel, load_model
from services.worker.engine.model.config import ModelConfig

CLOCKS = [
    f"{clock}{unit}"
    for clock in ("time", "perf_counter", "monotonic", "process_time", "thread_time")
    for unit in ("", "_ns")
]
ROUNDS = 4


def load_as_asked(folder: Path) -> LoadedModel:
    """Load a folder as worker and command line do without a requested precision."""
    return load_model(folder, choose_precision(ModelConfig.from_folder(folder)))


def random_clock(chance: random.Random, name: str) -> Callable[[], float]:
    """A clock that returns random times: whole nanoseconds, or seconds."""
    return (lambda: chance.randrange(1 << 40)) if name.endswith("_ns") else chance.random


if __name__ == "__main__":
    for seed in range(ROUNDS):
        chance = random.Random(seed)  # noqa: S311
        for name in CLOCKS:
            setattr(time, name, random_clock(chance, name))
        sys.stdout.write(f"{load_as_asked(Path(sys.argv[1])).numerics}\n")
