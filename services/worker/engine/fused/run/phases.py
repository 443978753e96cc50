"""Work sharing among the threads of a pass: phases of items, which threads take one by one.

A phase ends when all its items are done, whichever threads did them: a thread that starts late or loses its
core delays the others only by the item that it is computing. The two counters of a phase lie in different
cache lines.
"""

from typing import Final

import numpy as np

from services.worker.engine.fused.codegen.arrays import Longs
from services.worker.engine.fused.codegen.atomics import add_atomically, let_others_run, read_atomically
from services.worker.engine.fused.codegen.compiling import compiled

LINE: Final = 8
"""int64 numbers in a cache line."""
NEXT, DONE = 0, LINE
"""Places of a phase's counters: the next item to take, and the number of finished items."""
PATIENCE: Final = 2000
"""Number of reads of the counter after which a waiting thread yields its core between reads."""


def new_counters(phases: int) -> Longs:
    """Counters of a pass, all zero; they must be zero again before the next pass."""
    return np.zeros((phases, 2 * LINE), np.int64)


@compiled
def address_of(counters: Longs, phase: int, which: int) -> int:
    return counters.ctypes.data + phase * counters.strides[0] + which * counters.strides[1]


@compiled
def take(counters: Longs, phase: int) -> int:
    """Take the next item of the phase; an index past the last item means that none is left."""
    return add_atomically(address_of(counters, phase, NEXT), 1)


@compiled
def finish(counters: Longs, phase: int) -> None:
    """Count one item as done."""
    add_atomically(address_of(counters, phase, DONE), 1)


@compiled
def wait(counters: Longs, phase: int, items: int) -> None:
    """Wait until all items of the phase are done."""
    looked = 0
    while read_atomically(address_of(counters, phase, DONE)) < items:
        looked += 1
        if looked > PATIENCE:
            let_others_run()
