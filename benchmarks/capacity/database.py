"""What a fleet asks of the database in a second, from the settings' defaults: the limit beyond the GPUs."""

from dataclasses import dataclass

from benchmarks.capacity.fleet import LOAD, SLOTS, job_seconds
from shared.settings import JobSettings

WRITES_PER_SECOND = 6800.0
"""Commits a second of an embedded PostgreSQL 18 with fsync on two cores, eight connections."""
EVENTS_OF_A_JOB = 4
"""Transactions of a job besides its checkpoints: submit, claim, codes complete, result."""


@dataclass(frozen=True)
class Load:
    """Statements of one kind, for each worker and second."""

    name: str
    per_worker: float
    writes: bool
    remedy: str


def loads() -> tuple[Load, ...]:
    """All kinds, with every slot of the fleet busy for LOAD of the time."""
    jobs = JobSettings.model_construct()
    mean = sum(seconds * share for seconds, share in job_seconds().items())
    busy = SLOTS * LOAD
    return (
        Load("checkpoints", busy / jobs.checkpoint_seconds, writes=True, remedy="`JOB_CHECKPOINT_SECONDS`"),
        Load(
            "polls of idle slots",
            (SLOTS - busy) / jobs.poll_seconds,
            writes=False,
            remedy="`JOB_POLL_SECONDS`",
        ),
        Load(
            "heartbeats",
            1 / jobs.heartbeat_seconds,
            writes=True,
            remedy="`JOB_HEARTBEAT_SECONDS`, `JOB_LEASE_SECONDS`",
        ),
        Load("jobs", busy / mean * EVENTS_OF_A_JOB, writes=True, remedy="longer jobs; several databases"),
        Load("claims", busy / mean, writes=True, remedy="several databases"),
    )


LOADS = loads()


def most_workers() -> int:
    """Workers at which the writes reach WRITES_PER_SECOND."""
    return int(
        WRITES_PER_SECOND / sum(load.per_worker for load in LOADS if load.writes and load.name != "claims")
    )
