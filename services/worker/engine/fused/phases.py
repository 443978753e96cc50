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
NEXT, DONE = 0, LINE
PATIENCE: Final = 2000
"""How often a thread looks before it lets others run."""


def new_counters(phases: int) -> Longs:
    """Counters of a pass, to be zeroed before it."""
    return np.zeros((phases, 2 * LINE), np.int64)


@compiled
def address_of(counters: Longs, phase: int, which: int) -> int:
    return counters.ctypes.data + phase * counters.strides[0] + which * counters.strides[1]


@compiled
def take(counters: Longs, phase: int) -> int:
    """The next item of the phase; beyond the last one when there is none left."""
    return add_atomically(address_of(counters, phase, NEXT), 1)


@compiled
def finish(counters: Longs, phase: int) -> None:
    """Count an item as done."""
    add_atomically(address_of(counters, phase, DONE), 1)


@compiled
def wait(counters: Longs, phase: int, items: int) -> None:
    """Until all items of the phase are done."""
    looked = 0
    while read_atomically(address_of(counters, phase, DONE)) < items:
        looked += 1
        if looked > PATIENCE:
            let_others_run()
