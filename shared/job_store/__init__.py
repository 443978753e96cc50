"""Every change to a job, by verb.

Functions take a `Session`, run in the caller's transaction and never commit. What a worker writes is fenced
by its `Lease` (job, attempt) and the database's clock, or raises LeaseLostError and writes nothing.

Guarantee: of all attempts at a job, at most one ends it, and an attempt whose lease ran out writes nothing,
whether or not another has begun.
"""

from shared.job_store.cancel import find_canceling, request_cancel
from shared.job_store.claim import claim_next_job
from shared.job_store.finish import confirm_cancel, fail_job, succeed_job
from shared.job_store.heartbeat import extend_leases
from shared.job_store.progress import save_progress
from shared.job_store.records import (
    Answer,
    ClaimedJob,
    HeartbeatReport,
    Lease,
    LeaseLostError,
    NewJob,
    Output,
    Progress,
    StoredImage,
    UsageAmounts,
)
from shared.job_store.release import reap_expired_leases, release_job
from shared.job_store.submit import submit_job
from shared.job_store.sweep import (
    expire_overdue_jobs,
    expire_unservable_jobs,
    queue_position,
    waiting_queues,
)

__all__ = [
    "Answer",
    "ClaimedJob",
    "HeartbeatReport",
    "Lease",
    "LeaseLostError",
    "NewJob",
    "Output",
    "Progress",
    "StoredImage",
    "UsageAmounts",
    "claim_next_job",
    "confirm_cancel",
    "expire_overdue_jobs",
    "expire_unservable_jobs",
    "extend_leases",
    "fail_job",
    "find_canceling",
    "queue_position",
    "reap_expired_leases",
    "release_job",
    "request_cancel",
    "save_progress",
    "submit_job",
    "succeed_job",
    "waiting_queues",
]
