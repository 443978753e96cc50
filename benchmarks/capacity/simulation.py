"""A fleet of workers in simulated time (simpy): claims one after the other, fair order, cold starts, scaling.

A slot that is free claims; a claim takes its turn at the database, which is where a large fleet waits. A slot
without a job sleeps until a job arrives. The scaler works as KEDA and the HPA do with the manifests of this
project: it asks every half minute for the work per slot, doubles at most, and shrinks to the largest need of
the last five minutes.
"""

import math
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

import simpy

from benchmarks.capacity.policy import FairLine, WaitingJob
from benchmarks.capacity.traces import Arrival

Steps = Generator[simpy.Event, Any, None]
FIRST_WORKERS = 4
"""Workers that the scaler may add at once, however few there are."""


@dataclass(frozen=True)
class Scaling:
    """How the number of workers follows the work."""

    fewest: int
    most: int
    cold_start_seconds: float
    interval_seconds: float = 30.0
    stable_seconds: float = 300.0


@dataclass(frozen=True)
class Fleet:
    """The workers, and what the database can do."""

    workers: int
    slots: int
    claims_per_second: float
    scaling: Scaling | None = None


@dataclass
class Outcome:
    """What came of a simulation."""

    waits: list[float] = field(default_factory=list[float])
    """Seconds from the arrival of each job to its start, in the order of arrival."""
    worker_seconds: float = 0.0
    """Seconds that workers were paid for until the last arrival, cold starts included."""
    busy_seconds: float = 0.0
    """Seconds that slots had a job."""
    most_workers: int = 0

    def quantile(self, share: float) -> float:
        """A quantile of the waits after the first tenth of the jobs, which found an empty fleet."""
        waits = sorted(self.waits[len(self.waits) // 10 :])
        return waits[min(len(waits) - 1, int(share * len(waits)))]


class Simulation:
    """One fleet and one sequence of arrivals."""

    def __init__(self, fleet: Fleet, jobs: Iterable[Arrival]) -> None:
        self._environment = simpy.Environment()
        self._fleet = fleet
        self._jobs = list(jobs)
        self._line = FairLine()
        self._database_free_at = 0.0
        self._idle = 0
        """Slots that wait for a job."""
        self._surplus = 0
        """Slots that end as soon as they are free."""
        self._workers = 0
        """Workers that are ready or starting."""
        self._counted_at = 0.0
        self._open = True
        self.outcome = Outcome([0.0] * len(self._jobs))

    def run(self) -> Outcome:
        """Run until the last job has ended."""
        scaling = self._fleet.scaling
        self._add_workers(self._fleet.workers if scaling is None else scaling.fewest, cold_seconds=0.0)
        if scaling is not None:
            self._environment.process(self._scale(scaling))
        self._environment.process(self._arrive())
        self._environment.run()
        return self.outcome

    def _arrive(self) -> Steps:
        for number, job in enumerate(self._jobs):
            yield self._environment.timeout(job.at - self._environment.now)
            self._line.add(WaitingJob(number, job.project, job.priority))
            if self._idle:
                self._idle -= 1
                self._environment.process(self._slot())
        self._count_workers(0)
        self._open = False

    def _slot(self) -> Steps:
        """A slot that claims and runs jobs until none waits."""
        served: int | None = None
        while not self._surplus:
            yield self._environment.timeout(self._turn_at_the_database())
            waiting = self._line.claim(served)
            if waiting is None:
                self._idle += 1
                return
            job = self._jobs[waiting.number]
            self.outcome.waits[waiting.number] = self._environment.now - job.at
            yield self._environment.timeout(job.seconds)
            self.outcome.busy_seconds += job.seconds
            served = waiting.project
            self._line.finish(served)
        self._surplus -= 1

    def _turn_at_the_database(self) -> float:
        """Seconds until a claim that begins now is done: claims run one after the other, in their order."""
        begins = max(self._environment.now, self._database_free_at)
        self._database_free_at = begins + 1 / self._fleet.claims_per_second
        return self._database_free_at - self._environment.now

    def _add_workers(self, number: int, cold_seconds: float) -> None:
        self._count_workers(number)
        self._environment.process(self._start(number, cold_seconds))

    def _start(self, number: int, cold_seconds: float) -> Steps:
        yield self._environment.timeout(cold_seconds)
        for _ in range(number * self._fleet.slots):
            self._environment.process(self._slot())

    def _remove_workers(self, number: int) -> None:
        """Idle slots end at once, others after their job."""
        self._count_workers(-number)
        slots = number * self._fleet.slots
        from_idle = min(slots, self._idle)
        self._idle -= from_idle
        self._surplus += slots - from_idle

    def _count_workers(self, change: int) -> None:
        """Pay for the time since the last change."""
        now = self._environment.now
        if self._open:
            self.outcome.worker_seconds += self._workers * (now - self._counted_at)
        self._counted_at = now
        self._workers += change
        self.outcome.most_workers = max(self.outcome.most_workers, self._workers)

    def _scale(self, scaling: Scaling) -> Steps:
        wishes: deque[int] = deque(maxlen=math.ceil(scaling.stable_seconds / scaling.interval_seconds))
        while self._open or self._line.waiting or self._line.busy:
            work = self._line.waiting + self._line.busy
            wish = min(max(math.ceil(work / self._fleet.slots), scaling.fewest), scaling.most)
            wishes.append(wish)
            if wish > self._workers:
                limit = max(2 * self._workers, self._workers + FIRST_WORKERS)
                self._add_workers(min(wish, limit) - self._workers, scaling.cold_start_seconds)
            elif max(wishes) < self._workers:
                self._remove_workers(self._workers - max(wishes))
            yield self._environment.timeout(scaling.interval_seconds)
