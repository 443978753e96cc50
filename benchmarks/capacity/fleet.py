"""Simulate fleets: `python -m benchmarks.capacity.fleet --out docs/benchmarks/fleet.json` (minutes).

Three questions: how long do jobs wait in fleets of 10 to 10,000 workers at equal load; how many workers does
one demand need; and what does a fleet that scales to zero save and cost in waiting.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from benchmarks.capacity.roofline import BF16, GQA, H100, picture_seconds
from benchmarks.capacity.simulation import Fleet, Outcome, Scaling, Simulation
from benchmarks.capacity.traces import Trace, arrivals

SLOTS = 4
"""Jobs that a worker runs at the same time: the default of WORKER_SLOTS."""
SECONDS = 400.0
"""Time that is simulated of a fleet with a constant number of workers: a short day, or a burst of 40 s."""
SCALED_SECONDS = 3600.0
"""Time that is simulated of a fleet that scales: a day of an hour, or a burst of six minutes."""
FEWEST_JOBS = 5_000
"""Small fleets are simulated several times, so that the quantiles have enough jobs."""
SIZES = {512: 0.6, 768: 0.4}
"""Shares of the jobs by the side of their pictures."""
LOAD = 0.8
FLEETS = (10, 30, 100, 300, 1000, 3000, 10_000)
CLAIMS = (20.0, 180.0, 350.0)
"""Claims a second of the database. docs/capacity.md says where the figures are from."""
FAST_CLAIMS = 2000.0
"""A database that is no limit for any fleet here."""
DEMAND = 100
"""Workers that would be busy all the time."""
SIZED = (80, 90, 100, 105, 110, 120, 140, 170, 200, 300)
COLD_STARTS = (60.0, 180.0, 600.0)
DEMANDS = (1, 10, 100)
DOLLARS_AN_HOUR = 2.5
"""Price of a worker with its GPU; an assumption, costs are proportional to it."""


def job_seconds() -> dict[float, float]:
    """Shares of the jobs by the seconds that they need in a slot, when all slots of the worker are busy."""
    return {
        picture_seconds(GQA, BF16, H100, side, pictures=SLOTS) / BF16.reached: share
        for side, share in SIZES.items()
    }


def rate_for(workers: float) -> float:
    """Arrivals a second that keep so many workers busy."""
    mean = sum(seconds * share for seconds, share in job_seconds().items())
    return workers * SLOTS / mean


def simulate(fleet: Fleet, trace: Trace, per_second: float, total: float = SECONDS) -> dict[str, Any]:
    """Quantiles of the waits, and what the pictures cost."""
    repeats = max(1, math.ceil(FEWEST_JOBS / (per_second * total)))
    outcomes = [
        Simulation(fleet, arrivals(trace, total, per_second, job_seconds(), seed)).run()
        for seed in range(repeats)
    ]
    whole = Outcome(
        [wait for outcome in outcomes for wait in outcome.waits],
        sum(outcome.worker_seconds for outcome in outcomes),
        sum(outcome.busy_seconds for outcome in outcomes),
        max(outcome.most_workers for outcome in outcomes),
    )
    hours = whole.worker_seconds / 3600
    return {
        "trace": trace.value,
        "jobs": len(whole.waits),
        "p50": round(whole.quantile(0.5), 2),
        "p95": round(whole.quantile(0.95), 2),
        "p99": round(whole.quantile(0.99), 2),
        "use": round(whole.busy_seconds / (whole.worker_seconds * SLOTS), 3),
        "most_workers": whole.most_workers,
        "dollars_per_1000": round(1000 * hours * DOLLARS_AN_HOUR / len(whole.waits), 2),
    }


def equal_loads() -> Iterator[dict[str, Any]]:
    """Fleets of all sizes at one load."""
    for trace in Trace:
        for workers in FLEETS:
            fleet = Fleet(workers, SLOTS, FAST_CLAIMS)
            yield {"workers": workers, **simulate(fleet, trace, rate_for(LOAD * workers))}


def claim_limits() -> Iterator[dict[str, Any]]:
    """Fleets at one load with databases of several speeds."""
    for claims in CLAIMS:
        for workers in FLEETS:
            rate = rate_for(LOAD * workers)
            if rate <= claims:  # beyond it, waits grow without end
                fleet = Fleet(workers, SLOTS, claims)
                yield {"workers": workers, "claims": claims, **simulate(fleet, Trace.STEADY, rate)}


def sized_fleets() -> Iterator[dict[str, Any]]:
    """One demand, and more and more workers."""
    for trace in Trace:
        for workers in SIZED:
            fleet = Fleet(workers, SLOTS, FAST_CLAIMS)
            yield {"workers": workers, **simulate(fleet, trace, rate_for(DEMAND))}


def scaled_fleets() -> Iterator[dict[str, Any]]:
    """Fleets that scale to zero, with several times of a cold start."""
    for trace in (Trace.DIURNAL, Trace.BURST):
        for demand in DEMANDS:
            for cold in COLD_STARTS:
                fleet = Fleet(0, SLOTS, FAST_CLAIMS, Scaling(0, 8 * demand, cold))
                outcome = simulate(fleet, trace, rate_for(demand), SCALED_SECONDS)
                yield {"demand": demand, "cold_start_seconds": cold, **outcome}


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(out: Path) -> None:
    """Run all simulations and write their results."""
    results = {
        "seconds": SECONDS,
        "load": LOAD,
        "job_seconds": {f"{seconds:.1f}": share for seconds, share in job_seconds().items()},
        "equal_loads": list(equal_loads()),
        "claim_limits": list(claim_limits()),
        "sized_fleets": list(sized_fleets()),
        "scaled_fleets": list(scaled_fleets()),
    }
    out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
