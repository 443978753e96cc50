"""Plan and cause faults: which process is killed or frozen at which time. Only the seed decides the plan."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.pausing import pause

SERVERS = ("postgres", "valkey", "seaweedfs")
SERVICES = ("gateway", "tokenizer", "worker", "io-worker")
TARGETS = (*SERVERS, *SERVICES)

PAIRS = 0.25
"""Share of faults in two processes at the same moment."""
FREEZES = 0.35
"""Share of faults that freeze a process instead of killing it."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 6.0
"""Seconds between the recovery from one fault and the next fault."""
SHORTEST_FREEZE, LONGEST_FREEZE = 0.3, 9.0
"""Seconds; the longest freezes outlast a lease, so that the jobs start a new attempt."""
COME_BACK_SECONDS = 120.0
"""Time limit for the restart of a killed process."""
LOOK_SECONDS = 0.1


class Kind(StrEnum):
    """Kind of a fault."""

    KILL = "kill"
    FREEZE = "freeze"


@dataclass(frozen=True)
class Hit:
    """A fault in one process. seconds: duration of a freeze."""

    target: str
    kind: Kind
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind} {self.target}" + (f" for {self.seconds:.1f} s" if self.seconds else "")


@dataclass(frozen=True)
class Fault:
    """Hits at the same moment, `pause` seconds after the recovery from the previous fault."""

    pause: float
    hits: tuple[Hit, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.hits))


class LostProcessError(Exception):
    """A killed process was not restarted."""


def plan_faults(seed: int, count: int) -> tuple[Fault, ...]:
    """Plan `count` faults; each process is hit once before any of them is hit again."""
    dice = random.Random(seed)  # noqa: S311  (the same faults every time)
    targets = _every_target_in_turn(dice)
    return tuple(
        Fault(
            dice.uniform(SHORTEST_PAUSE, LONGEST_PAUSE),
            tuple(_hit(dice, target) for target in _some(targets, 2 if dice.random() < PAIRS else 1)),
        )
        for _ in range(count)
    )


def _every_target_in_turn(dice: random.Random) -> Iterator[str]:
    while True:
        yield from dice.sample(TARGETS, len(TARGETS))


def _some(targets: Iterator[str], count: int) -> Sequence[str]:
    """The next `count` different targets."""
    chosen: list[str] = []
    while len(chosen) < count:
        target = next(targets)
        if target not in chosen:
            chosen.append(target)
    return chosen


def _hit(dice: random.Random, target: str) -> Hit:
    if dice.random() < FREEZES:
        return Hit(target, Kind.FREEZE, dice.uniform(SHORTEST_FREEZE, LONGEST_FREEZE))
    return Hit(target, Kind.KILL)


def inflict(fault: Fault, pid_of: Callable[[str], int | None]) -> None:
    """Hit all targets, end the freezes, and return when every target runs again. Raises LostProcessError.

    pid_of: returns a target's current process id, or None while it does not run.
    """
    pause(fault.pause)
    pids = {hit.target: _await_process(hit.target, pid_of) for hit in fault.hits}
    for hit in fault.hits:
        os.kill(pids[hit.target], signal.SIGKILL if hit.kind is Kind.KILL else signal.SIGSTOP)
    thaw_at = time.monotonic()
    for hit in sorted(fault.hits, key=lambda hit: hit.seconds):
        if hit.kind is Kind.FREEZE:
            pause(max(0.0, thaw_at + hit.seconds - time.monotonic()))
            _signal_if_alive(pids[hit.target], signal.SIGCONT)
    for hit in fault.hits:
        gone = pids[hit.target] if hit.kind is Kind.KILL else None
        _await_process(hit.target, pid_of, other_than=gone)


def _await_process(target: str, pid_of: Callable[[str], int | None], other_than: int | None = None) -> int:
    deadline = time.monotonic() + COME_BACK_SECONDS
    while time.monotonic() < deadline:
        pid = pid_of(target)
        if pid is not None and pid != other_than:
            return pid
        pause(LOOK_SECONDS)
    raise LostProcessError(f"{target} does not run {COME_BACK_SECONDS:.0f} s after the fault")


def _signal_if_alive(pid: int, number: signal.Signals) -> None:
    """Send the signal, unless the supervisor has killed the process in the meantime."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
