"""Arrivals of jobs: steady, by day and night, and in bursts; sizes, projects and priorities of the jobs."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

PROJECTS = 200
LOW_SHARE = 0.1
"""Share of jobs with low priority."""
BURST_FACTOR, BURST_FROM, BURST_UNTIL = 5.0, 0.4, 0.5
"""Between these places of the whole time, there are so many times the arrivals of the rest."""
DAY_SWING = 0.8
"""Arrivals at noon and at night differ from the mean by this share."""
DAYS = 1


class Trace(StrEnum):
    """A pattern of arrivals; all have the same mean."""

    STEADY = "steady"
    DIURNAL = "diurnal"
    BURST = "burst"


@dataclass(frozen=True)
class Arrival:
    """One job: when it comes, whose it is, and the seconds that it needs in a slot."""

    at: float
    project: int
    priority: int
    seconds: float


def intensity(trace: Trace, place: float) -> float:
    """Arrivals relative to the mean, at a place of the whole time from 0 to 1."""
    match trace:
        case Trace.STEADY:
            return 1.0
        case Trace.DIURNAL:
            return 1 - DAY_SWING * math.cos(2 * math.pi * DAYS * place)
        case Trace.BURST:
            length = BURST_UNTIL - BURST_FROM
            quiet = 1 / (1 - length + BURST_FACTOR * length)
            return quiet * (BURST_FACTOR if BURST_FROM <= place < BURST_UNTIL else 1.0)


def arrivals(
    trace: Trace, total: float, per_second: float, mix: dict[float, float], seed: int
) -> Iterator[Arrival]:
    """Arrivals in `total` seconds with this mean rate: a Poisson process that is thinned by the intensity.

    mix: share of the jobs by the seconds that they need. The projects' shares follow Zipf's law.
    """
    dice = random.Random(seed)  # noqa: S311  (a simulation)
    peak = max(intensity(trace, place / 1000) for place in range(1000))
    projects = random_projects(dice)
    seconds, shares = list(mix), list(mix.values())
    at = 0.0
    while True:
        at += dice.expovariate(per_second * peak)
        if at > total:
            return
        if dice.random() * peak <= intensity(trace, at / total):
            priority = 1 if dice.random() < LOW_SHARE else 0
            yield Arrival(at, next(projects), priority, dice.choices(seconds, shares)[0])


def random_projects(dice: random.Random) -> Iterator[int]:
    """Projects without end."""
    shares = [1 / rank for rank in range(1, PROJECTS + 1)]
    while True:
        yield from dice.choices(range(PROJECTS), shares, k=1000)
