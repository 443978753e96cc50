"""Limits of requests at the same time and per second, so that one receiver never delays another. Pure.

A receiver that hangs holds at most `per_receiver` requests, a project whose receivers all hang at most half
of all requests. Each io worker keeps its own counts.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from shared.job_store.transitions import RECEIVER_SEPARATOR


@dataclass(frozen=True)
class Limits:
    """Most requests at the same time, in all and to one receiver, and most tries of one receiver a second."""

    in_flight: int
    per_receiver: int
    per_second: float

    @property
    def per_project(self) -> int:
        """Most requests at the same time for one project."""
        return self.in_flight // 2

    @property
    def burst(self) -> float:
        """Tries that a receiver can get at once after a pause."""
        return max(1.0, self.per_second)


@dataclass(frozen=True)
class Room:
    """How many requests may be begun now."""

    free: int
    per_receiver: int
    """For a receiver that `receivers` does not have."""
    per_project: int
    """For a project that `projects` does not have."""
    receivers: Mapping[str, int]
    projects: Mapping[str, int]


class Bulkheads:
    """Counts requests. Times are seconds of a clock that never goes back."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._in_flight: Counter[str] = Counter()
        self._projects: Counter[str] = Counter()
        self._spent: dict[str, tuple[float, float]] = {}
        """Of each recent receiver: tries that were spent of its burst, and when that was computed."""

    @property
    def in_flight(self) -> int:
        """Requests that are being sent."""
        return self._in_flight.total()

    def room(self, now: float) -> Room:
        """How many requests may be begun now."""
        self._forget_rested(now)
        limits = self._limits
        receivers = {
            receiver: max(
                0,
                min(
                    limits.per_receiver - self._in_flight[receiver],
                    int(limits.burst - self._spent_of(receiver, now)),
                ),
            )
            for receiver in self._in_flight.keys() | self._spent.keys()
        }
        projects = {name: limits.per_project - count for name, count in self._projects.items()}
        return Room(
            limits.in_flight - self.in_flight, limits.per_receiver, limits.per_project, receivers, projects
        )

    def begin(self, receiver: str, now: float) -> None:
        """Count a request that is begun."""
        self._spent[receiver] = (self._spent_of(receiver, now) + 1, now)
        self._in_flight[receiver] += 1
        self._projects[project_of(receiver)] += 1

    def end(self, receiver: str) -> None:
        """Count the end of a request."""
        for counts, key in ((self._in_flight, receiver), (self._projects, project_of(receiver))):
            counts[key] -= 1
            if not counts[key]:
                del counts[key]

    def _spent_of(self, receiver: str, now: float) -> float:
        spent, at = self._spent.get(receiver, (0.0, now))
        return max(0.0, spent - (now - at) * self._limits.per_second)

    def _forget_rested(self, now: float) -> None:
        self._spent = {name: kept for name, kept in self._spent.items() if self._spent_of(name, now) > 0}


def project_of(receiver: str) -> str:
    """The project's part of `Delivery.receiver`."""
    return receiver.partition(RECEIVER_SEPARATOR)[0]
