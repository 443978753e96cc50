"""Score past estimates of jobs against what came true; for a nightly check.

    DATABASE_URL=postgresql://... python -m benchmarks.eta --hours 24

For the jobs that succeeded in these hours, by their state at the first estimate:

coverage   share of the jobs that were done within the estimate: near 0.5 for p50, near 0.9 for p90
pinball    mean pinball loss in seconds (Koenker and Bassett, Econometrica 1978); smaller is better
           beside it the loss of the best constant, which knows all times but tells no job from another
error      median of |real - p50|, in seconds and as a share of the real time

The exit status is 1 if there are enough jobs and a coverage is outside its bounds.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.database import Database
from shared.job_store.clock import time_after
from shared.jobs import JobState
from shared.settings import DatabaseSettings
from shared.tables import Job, JobEstimate

ENOUGH = 30
"""With fewer jobs, the coverage says too little to fail."""
BOUNDS = {50: (0.30, 0.70), 90: (0.75, 0.99)}
"""Coverage in which an estimate of this quantile passes."""


@dataclass(frozen=True)
class Past:
    """A first estimate, and the seconds from then to the end of the job."""

    p50: float
    p90: float
    real: float


@dataclass(frozen=True)
class Score:
    """The accuracy of one estimated quantile."""

    percent: int
    coverage: float
    pinball: float
    best_constant: float
    """Pinball loss of the same quantile of the real times."""

    @property
    def passes(self) -> bool:
        """True if the coverage is within its bounds."""
        low, high = BOUNDS[self.percent]
        return low <= self.coverage <= high


def pinball(percent: int, estimate: float, real: float) -> float:
    """The pinball loss of one estimate of a quantile: seconds too few cost p, seconds too many 1 - p."""
    share = percent / 100
    return share * (real - estimate) if real >= estimate else (1 - share) * (estimate - real)


def score(percent: int, past: Sequence[Past]) -> Score:
    """The score of one quantile. past: at least two."""
    pairs = [(one.p50 if percent == 50 else one.p90, one.real) for one in past]
    constant = quantiles([real for _, real in pairs], n=100, method="inclusive")[percent - 1]
    return Score(
        percent,
        fmean(real <= estimate for estimate, real in pairs),
        fmean(pinball(percent, estimate, real) for estimate, real in pairs),
        fmean(pinball(percent, constant, real) for _, real in pairs),
    )


def read_past(session: Session, state: JobState, hours: float) -> list[Past]:
    """The first estimates of jobs in this state that have succeeded in these hours since."""
    names = ("created_at", "waiting") if state is JobState.QUEUED else ("running_at", "running")
    since: Any = getattr(JobEstimate, names[0])
    p50, p90 = (getattr(JobEstimate, f"{names[1]}_{quantile}") for quantile in ("p50", "p90"))
    statement = (
        select(p50, p90, func.extract("epoch", Job.finished_at - since))
        .join_from(JobEstimate, Job, Job.id == JobEstimate.job_id)
        .where(
            Job.state == JobState.SUCCEEDED.value,
            Job.finished_at >= time_after(-3600.0 * hours),
            p50.is_not(None),
            Job.finished_at >= since,
        )
    )
    return [Past(float(low), float(high), float(real)) for low, high, real in session.execute(statement)]


def report(state: JobState, past: Sequence[Past]) -> tuple[str, bool]:
    """The lines about one state, and whether its coverage passes; too few jobs pass."""
    if len(past) < 2:
        return f"{state.value:<8} {len(past)} jobs: nothing to score", True
    scores = [score(percent, past) for percent in BOUNDS]
    errors = [abs(one.real - one.p50) for one in past]
    shares = [error / max(one.real, 0.1) for error, one in zip(errors, past, strict=True)]
    time = median(one.real for one in past)
    lines = [
        f"{state.value:<8} {len(past)} jobs, median time {time:.1f} s",
        f"  median error {median(errors):.1f} s ({100 * median(shares):.0f} %)",
    ]
    lines += [
        f"  p{one.percent}: coverage {one.coverage:.2f}, pinball {one.pinball:.2f} s "
        f"(best constant {one.best_constant:.2f} s)"
        for one in scores
    ]
    passes = len(past) < ENOUGH or all(one.passes for one in scores)
    return "\n".join(lines), passes


def main() -> None:
    """Print the scores; exit with status 1 if a coverage is outside its bounds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=24.0, help="jobs that ended in the last hours")
    options = parser.parse_args()
    if not os.environ.get("DATABASE_URL"):
        sys.exit("eta: set DATABASE_URL to the database of the platform")
    database = Database(DatabaseSettings.model_validate({"url": os.environ["DATABASE_URL"]}))
    passed = True
    with database.transaction() as session:
        for state in (JobState.QUEUED, JobState.RUNNING):
            lines, passes = report(state, read_past(session, state, options.hours))
            sys.stdout.write(f"{lines}\n")
            passed = passed and passes
    database.dispose()
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
