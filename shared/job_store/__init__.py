"""All changes of jobs in the database, one module for each verb.

Functions take a `Session`, run in the caller's transaction and never commit. Writes of a worker are fenced by
its `Lease` (job and attempt) and the database's clock: without a valid lease they raise LeaseLostError and
write nothing.

Guarantee: at most one attempt ends a job, and an attempt whose lease has expired writes nothing, even if no
other attempt has begun.
"""

from shared.job_store.cancel import find_canceling, request_cancel
from shared.job_store.children import (
    NoPictureError,
    first_candidate,
    lock_parent,
    settle_overlooked_children,
)
from shared.job_store.claim import claim_next_job
from shared.job_store.finish import confirm_cancel, fail_job, succeed_job
from shared.job_store.heartbeat import extend_leases
from shared.job_store.numerics import recent_numerics
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
    UndecodedOutput,
    UsageAmounts,
    UsedCanvas,
)
from shared.job_store.release import reap_expired_leases, release_job
from shared.job_store.submit import submit_job
from shared.job_store.sweep import (
    expire_overdue_jobs,
    expire_undrawable_jobs,
    expire_unservable_jobs,
    queue_position,
    waiting_queues,
)
from shared.job_store.undecoded import (
    TakenPicture,
    add_decoded,
    drop_undecoded,
    put_off_undecoded,
    take_undecoded,
)

__all__ = [
    "Answer",
    "ClaimedJob",
    "HeartbeatReport",
    "Lease",
    "LeaseLostError",
    "NewJob",
    "NoPictureError",
    "Output",
    "Progress",
    "StoredImage",
    "TakenPicture",
    "UndecodedOutput",
    "UsageAmounts",
    "UsedCanvas",
    "add_decoded",
    "claim_next_job",
    "confirm_cancel",
    "drop_undecoded",
    "expire_overdue_jobs",
    "expire_undrawable_jobs",
    "expire_unservable_jobs",
    "extend_leases",
    "fail_job",
    "find_canceling",
    "first_candidate",
    "lock_parent",
    "put_off_undecoded",
    "queue_position",
    "reap_expired_leases",
    "recent_numerics",
    "release_job",
    "request_cancel",
    "save_progress",
    "settle_overlooked_children",
    "submit_job",
    "succeed_job",
    "take_undecoded",
    "waiting_queues",
]
