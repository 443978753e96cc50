"""Save an attempt's progress, and the checkpoint from which another attempt can continue."""

from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time
from shared.job_store.records import Lease, LeaseLostError, Progress
from shared.job_store.transitions import held_by
from shared.tables import Checkpoint, Job


def save_progress(
    session: Session,
    lease: Lease,
    progress: Progress,
    checkpoint: bytes | None = None,
    numerics: str | None = None,
) -> None:
    """Write progress and, if given, the checkpoint. Raises LeaseLostError if the lease is lost.

    numerics: the identity that drew the checkpoint's codes; the next attempt should have the same one.

    The fenced update locks the job's row until the commit, so the same fence protects the checkpoint.
    """
    values: dict[str, Any] = {
        "phase": progress.phase,
        "tokens_done": progress.tokens_done,
        "tokens_total": progress.tokens_total,
        "tokens_per_second": progress.tokens_per_second,
        "prefill_rows_done": progress.prefill_rows_done,
        "prefill_rows": progress.prefill_rows,
        "eta_seconds": progress.eta_seconds,
        "progress_at": database_time(),
    }
    if checkpoint is not None:
        values["checkpoint_numerics"] = numerics
    statement = (
        update(Job)
        .where(held_by(lease))
        .values(values)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    if session.execute(statement).first() is None:
        raise LeaseLostError(f"attempt {lease.attempt} does not hold job {lease.job_id}")
    if checkpoint is not None:
        saved = {"attempt": lease.attempt, "state": checkpoint, "saved_at": database_time()}
        session.execute(
            insert(Checkpoint)
            .values(job_id=lease.job_id, **saved)
            .on_conflict_do_update(index_elements=[Checkpoint.job_id], set_=saved)
        )
