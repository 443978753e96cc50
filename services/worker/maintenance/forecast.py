"""Forecast when jobs are done: play the fair order of claims forward, slot by slot. Pure; reads no clock.

The order is that of `shared.job_store.claim`: priority, then the project with the fewest running jobs for its
weight, then age. Jobs that will be submitted later are unknown, so jobs of low priority may wait longer.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from shared.job_store.records import Share

MOST_STARTS = 2000
"""Starts of jobs that are played; later jobs get no forecast."""


@dataclass(frozen=True)
class LiveWorker:
    """A worker, and the seconds that it takes for a code of each task, with its slots as busy as usual."""

    id: str
    queues: frozenset[str]
    slots: int
    model: str | None
    seconds_per_token: float
    by_task: Mapping[str, float] = field(default_factory=dict[str, float])

    def seconds(self, task: str, tokens: int) -> float:
        """Seconds from the start to the end of such a job."""
        return tokens * self.by_task.get(task, self.seconds_per_token)


@dataclass(frozen=True)
class OpenJob:
    """A job that waits or runs. tokens: codes that are still to be drawn."""

    id: UUID
    project_id: UUID
    queue: str
    task: str
    priority: int
    model: str | None
    tokens: int
    worker: str | None = None
    """The worker that runs it; None while it waits."""
    seconds_left: float | None = None
    """The worker's own estimate."""
    blocked_by: UUID | None = None
    """Job whose picture this one waits for."""


EQUAL = Share()


@dataclass(order=True)
class Slot:
    """A slot, and when it is free; the number makes the order of equal times definite."""

    free_at: float
    number: int
    worker: LiveWorker = field(compare=False)
    serves: UUID | None = field(default=None, compare=False)
    """The project of its current job."""
    in_a_row: int = field(default=0, compare=False)
    """Jobs of this project that it has run without another project's in between."""


def forecast(
    workers: Sequence[LiveWorker], jobs: Sequence[OpenJob], shares: Mapping[UUID, Share] | None = None
) -> dict[UUID, float]:
    """Seconds until each job is done. Jobs that no worker can run are left out.

    jobs: waiting ones in the order of their ids. shares: of the projects that have no equal one.
    """
    done: dict[UUID, float] = {}
    slots = occupied_slots(workers, jobs, done)
    line = Line((job for job in jobs if job.id not in done and job.blocked_by is None), shares or {})
    children: defaultdict[UUID, list[OpenJob]] = defaultdict(list)
    for job in jobs:
        if job.blocked_by is not None:
            children[job.blocked_by].append(job)
    running: defaultdict[UUID, int] = defaultdict(int)
    for slot in slots:
        if slot.serves is not None:
            running[slot.serves] += 1
    heapq.heapify(slots)
    for _ in range(MOST_STARTS):
        if not slots or not line:
            break
        slot = heapq.heappop(slots)
        served = slot.serves
        if served is not None:
            running[served] -= 1
        job = line.pop_fairest(slot, running)
        if job is None:
            continue  # nothing that it may run waits: the slot takes no further part
        slot.free_at += slot.worker.seconds(job.task, job.tokens)
        slot.in_a_row = slot.in_a_row + 1 if job.project_id == served else 1
        slot.serves = job.project_id
        running[job.project_id] += 1
        done[job.id] = slot.free_at
        heapq.heappush(slots, slot)
    add_children(children, done, workers)
    return done


def occupied_slots(
    workers: Sequence[LiveWorker], jobs: Sequence[OpenJob], done: dict[UUID, float]
) -> list[Slot]:
    """All slots with the jobs that they run; the ends of these are written to `done`."""
    slots: list[Slot] = []
    for worker in workers:
        mine = [job for job in jobs if job.worker == worker.id]
        for place in range(max(worker.slots, len(mine))):
            slot = Slot(0.0, len(slots), worker)
            if place < len(mine):
                job = mine[place]
                left = job.seconds_left
                slot.free_at = worker.seconds(job.task, job.tokens) if left is None else left
                slot.serves, slot.in_a_row = job.project_id, 1
                done[job.id] = slot.free_at
            slots.append(slot)
    return slots


def add_children(
    children: Mapping[UUID, Sequence[OpenJob]], done: dict[UUID, float], workers: Sequence[LiveWorker]
) -> None:
    """Jobs that wait for another job's picture: they start when it ends, if a slot is free then."""
    ended = list(done)
    while ended:
        parent = ended.pop()
        for child in children.get(parent, ()):
            able = [worker for worker in workers if may_run(worker, child)]
            if able and child.id not in done:
                done[child.id] = done[parent] + min(
                    worker.seconds(child.task, child.tokens) for worker in able
                )
                ended.append(child.id)


def may_run(worker: LiveWorker, job: OpenJob) -> bool:
    """Whether the worker serves the job's queue and has its model."""
    return job.queue in worker.queues and job.model in {None, worker.model}


class Line:
    """The waiting jobs of each priority and project, oldest first."""

    def __init__(self, jobs: Iterable[OpenJob], shares: Mapping[UUID, Share]) -> None:
        self._shares = shares
        self._waiting: dict[int, dict[UUID, deque[OpenJob]]] = {}
        self._count = 0
        for job in jobs:
            self._waiting.setdefault(job.priority, {}).setdefault(job.project_id, deque()).append(job)
            self._count += 1

    def __len__(self) -> int:
        return self._count

    def pop_fairest(self, slot: Slot, running: Mapping[UUID, int]) -> OpenJob | None:
        """The job that the free slot claims next; None if it can run none. running: by project."""
        for priority in sorted(self._waiting):
            heads = [
                (*self._load(project, slot, running.get(project, 0)), job.id, job)
                for project, jobs in self._waiting[priority].items()
                if self._has_room(project, running.get(project, 0))
                and (job := next((one for one in jobs if may_run(slot.worker, one)), None)) is not None
            ]
            if heads:
                job = min(heads, key=lambda head: head[:3])[3]
                jobs = self._waiting[priority][job.project_id]
                jobs.remove(job)
                if not jobs:
                    del self._waiting[priority][job.project_id]
                self._count -= 1
                return job
        return None

    def _has_room(self, project: UUID, running: int) -> bool:
        """Whether the project may run another job."""
        most = self._shares.get(project, EQUAL).max_running_jobs
        return most is None or running < most

    def _load(self, project: UUID, slot: Slot, running: int) -> tuple[float, bool]:
        """Running jobs for the weight, -1 while the project's turn goes on; and whether the turn is over."""
        weight = self._shares.get(project, EQUAL).weight
        is_over = project == slot.serves and slot.in_a_row % weight == 0
        goes_on = project == slot.serves and not is_over and running == 0
        return -1 if goes_on else running / weight, is_over
