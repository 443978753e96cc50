"""The fair order of `shared.job_store.claim`, in logarithmic time, for simulations of many workers.

Higher priority first, then the project with the fewest running jobs, then age. The project that a slot has
just served goes after others with as many. All weights are equal. A test compares this class with the
database's own choices.
"""

import heapq
from collections import defaultdict, deque
from dataclasses import dataclass


@dataclass(frozen=True)
class WaitingJob:
    """A job in the line. number: its age; priority: smaller ones go first."""

    number: int
    project: int
    priority: int = 0


class FairLine:
    """Waiting jobs, and the running jobs of each project.

    Each priority has a heap of (running jobs, oldest job, project). Entries are not corrected when a
    project's count changes; a new one is added, and outdated ones are dropped when they come to the top.
    """

    def __init__(self) -> None:
        self._waiting: defaultdict[int, defaultdict[int, deque[WaitingJob]]]
        self._waiting = defaultdict(lambda: defaultdict(deque))
        self._heaps: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        self._running: defaultdict[int, int] = defaultdict(int)
        self.waiting = 0
        self.busy = 0

    def add(self, job: WaitingJob) -> None:
        """Put a new job, younger than all others, at the end of its project's line."""
        jobs = self._waiting[job.priority][job.project]
        jobs.append(job)
        self.waiting += 1
        if len(jobs) == 1:
            self._offer(job.priority, job.project)

    def finish(self, project: int) -> None:
        """One of the project's running jobs has ended."""
        self._running[project] -= 1
        self.busy -= 1
        self._offer_all(project)

    def claim(self, just_served: int | None = None) -> WaitingJob | None:
        """Start the fairest job; None if none waits."""
        for priority in sorted(self._waiting):
            project = self._fairest(priority, just_served)
            if project is not None:
                job = self._waiting[priority][project].popleft()
                self._running[project] += 1
                self.waiting -= 1
                self.busy += 1
                self._offer_all(project)
                return job
        return None

    def _fairest(self, priority: int, just_served: int | None) -> int | None:
        first = self._top(priority)
        if first is None or first[2] != just_served:
            return None if first is None else first[2]
        # its project goes last among those with as many running jobs
        second: tuple[int, int, int] | None = first
        while second is not None and second[2] == just_served:
            heapq.heappop(self._heaps[priority])
            second = self._top(priority)
        heapq.heappush(self._heaps[priority], first)
        if second is None or first[0] < second[0]:
            return first[2]
        return second[2]

    def _top(self, priority: int) -> tuple[int, int, int] | None:
        """The first entry that is up to date."""
        heap = self._heaps[priority]
        while heap:
            count, oldest, project = heap[0]
            jobs = self._waiting[priority][project]
            if jobs and jobs[0].number == oldest and self._running[project] == count:
                return heap[0]
            heapq.heappop(heap)
        return None

    def _offer(self, priority: int, project: int) -> None:
        jobs = self._waiting[priority][project]
        if jobs:
            heapq.heappush(self._heaps[priority], (self._running[project], jobs[0].number, project))

    def _offer_all(self, project: int) -> None:
        for priority in self._waiting:
            self._offer(priority, project)
