"""How threads share the work of a pass: item by item, phase after phase.

A thread that comes late, or loses its core, holds nobody up but for the item that it has in hand: a phase is
over when its items are done, whoever did them. The counters of a phase lie a cache line apart.
"""

from typing import Final

import numpy as np

from services.worker.engine.fused.arrays import Longs
from services.worker.engine.fused.atomics import add_atomically, let_others_run, read_atomically
from services.worker.engine.fused.compiling import compiled

LINE: Final = 8
NEXT, DONE, OVER = 0, LINE, 2 * LINE
PATIENCE: Final = 2000
"""How often a thread looks before it lets others run."""


def new_counters(phases: int) -> Longs:
    """Counters of a pass, to be zeroed before it."""
    return np.zeros((phases, 3 * LINE), np.int64)


@compiled
def address_of(counters: Longs, phase: int, which: int) -> int:
    return counters.ctypes.data + phase * counters.strides[0] + which * counters.strides[1]


@compiled
def take(counters: Longs, phase: int) -> int:
    """The next item of the phase; beyond the last one when there is none left."""
    return add_atomically(address_of(counters, phase, NEXT), 1)


@compiled
def finish(counters: Longs, phase: int, items: int) -> bool:
    """Count an item as done; whether it was the last, whose thread has to close the phase."""
    return add_atomically(address_of(counters, phase, DONE), 1) + 1 == items


@compiled
def close(counters: Longs, phase: int) -> None:
    """Let everybody go on to the next phase."""
    add_atomically(address_of(counters, phase, OVER), 1)


@compiled
def wait(counters: Longs, phase: int) -> None:
    """Until the phase is closed."""
    looked = 0
    while read_atomically(address_of(counters, phase, OVER)) == 0:
        looked += 1
        if looked > PATIENCE:
            let_others_run()
