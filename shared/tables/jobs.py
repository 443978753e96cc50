"""Jobs: the narrow row that is often updated, and separate tables for what is read seldom."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.jobs import ACTIVE_STATES, FINAL_STATES, JobEvent, JobState, Queue
from shared.tables.base import Base, CreatedAt, Json, Small, Uuid7, Xid8, in_states, one_of

FAULTY_STATES = frozenset({JobState.FAILED, JobState.EXPIRED, JobState.CANCELED})
"""States with an error. A canceled job has one if the platform canceled it, not a client."""

DUE_STATES = frozenset({JobState.QUEUED, JobState.RUNNING})
"""States in which a job ends at its deadline."""
WAITING = f"state = '{JobState.QUEUED}' AND blocked_by IS NULL"
"""SQL condition of jobs that wait for a worker."""


class Job(Base):
    """A job's state, lease, counters and progress.

    Pages have free space, and heartbeats and progress are not indexed, so their updates stay in the same page
    (HOT) and create no dead index entries. Autovacuum runs early, because dead rows slow down claims.
    """

    __tablename__ = "jobs"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    available_at: Mapped[CreatedAt]
    """Time before which the job is not claimed, such as the pause before a retry."""
    start_by: Mapped[datetime | None]
    finish_by: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    """Start of the first attempt."""
    finished_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    lease_expires_at: Mapped[datetime | None]
    attempt: Mapped[Small] = mapped_column(server_default=text("0"))
    """Number of the last attempt, incremented with every claim; the fencing token."""
    failures: Mapped[Small] = mapped_column(server_default=text("0"))
    interruptions: Mapped[Small] = mapped_column(server_default=text("0"))
    max_failures: Mapped[Small]
    priority: Mapped[Small]
    """`PRIORITY_RANK`; smaller ones are claimed first."""
    candidates: Mapped[Small] = mapped_column(server_default=text("1"))
    """Number of requested pictures."""
    revision: Mapped[Small] = mapped_column(server_default=text("1"))
    """Number of the job's last event."""
    tokens_done: Mapped[int] = mapped_column(server_default=text("0"))
    tokens_total: Mapped[int] = mapped_column(server_default=text("0"))
    tokens_per_second: Mapped[float | None]
    state: Mapped[str]
    queue: Mapped[str]
    task: Mapped[str]
    phase: Mapped[str | None]
    """A `Phase`: what the worker does now; open, so that a new phase needs no migration."""
    lease_owner: Mapped[str | None]
    error_code: Mapped[str | None]
    """A `JobErrorCode`; there is no constraint, so that a new code needs no migration."""
    error_message: Mapped[str | None]
    model: Mapped[str | None]
    """Name of the only model that may draw the job; null for any."""
    prefill_rows_done: Mapped[int] = mapped_column(server_default=text("0"))
    prefill_rows: Mapped[int] = mapped_column(server_default=text("0"))
    """Rows of prefill that the attempt computes before its first new code, over all candidates."""
    eta_seconds: Mapped[float | None]
    """Estimated seconds until the job is done, as of `progress_at`."""
    progress_at: Mapped[datetime | None]
    wanted_numerics: Mapped[str | None]
    """The only numerics identity that may draw the job; null for any."""
    numerics: Mapped[str | None]
    """Numerics identity of the last attempt; null before the first."""
    checkpoint_numerics: Mapped[str | None]
    """Identity that drew the codes in the checkpoint; null while none are saved."""
    numerics_before: Mapped[str | None]
    """Identity before the last takeover by another identity; null if there was none."""
    numerics_attempt: Mapped[Small | None]
    """Number of the attempt with that takeover."""
    scores: Mapped[list[float] | None] = mapped_column(ARRAY(Float))
    """Scores of all drawn candidates, if only the best are kept."""
    blocked_by: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id"))
    """Job whose picture this one edits and waits for; null for a job that may start."""
    traceparent: Mapped[str | None]
    """W3C context of the request that submitted the job; null if that request was not traced."""
    line: Mapped[int | None]
    """The `WaitingLine` in which the job waited for its first start; a trigger sets it."""

    __table_args__ = (
        one_of("state", JobState),
        one_of("queue", Queue),
        CheckConstraint(
            f"({in_states(FINAL_STATES)}) = (finished_at IS NOT NULL)", name="finished_when_final"
        ),
        CheckConstraint(
            "num_nonnulls(lease_owner, lease_expires_at, heartbeat_at)"
            f" = CASE WHEN {in_states(ACTIVE_STATES)} THEN 3 ELSE 0 END",
            name="leased_when_active",
        ),
        CheckConstraint(
            f"(error_code IS NOT NULL OR NOT ({in_states(frozenset({JobState.FAILED, JobState.EXPIRED}))}))"
            f" AND (error_code IS NULL OR {in_states(FAULTY_STATES)})"
            " AND (error_code IS NULL) = (error_message IS NULL)",
            name="error_when_failed",
        ),
        CheckConstraint("(attempt > 0) = (started_at IS NOT NULL)", name="started_with_first_attempt"),
        CheckConstraint(
            f"attempt > 0 OR state IN ('{JobState.QUEUED}', '{JobState.CANCELED}', '{JobState.EXPIRED}')",
            name="attempted_before_work",
        ),
        CheckConstraint(
            "failures >= 0 AND interruptions >= 0 AND failures + interruptions <= attempt",
            name="attempts_add_up",
        ),
        CheckConstraint("max_failures > 0 AND failures <= max_failures", name="failures_within_budget"),
        CheckConstraint("tokens_done BETWEEN 0 AND tokens_total", name="progress_within_total"),
        CheckConstraint("candidates > 0 AND revision > 0", name="counts_positive"),
        CheckConstraint(
            f"blocked_by IS NULL OR state = '{JobState.QUEUED}'", name="blocked_only_while_queued"
        ),
        Index(
            "ix_jobs_claimable",
            "queue",
            "priority",
            "id",
            postgresql_where=text(WAITING),
        ),
        Index("ix_jobs_line", "line", "id", postgresql_where=text(f"{WAITING} AND attempt = 0")),
        Index("ix_jobs_begun", "priority", "id", postgresql_where=text(f"{WAITING} AND attempt > 0")),
        Index(
            "ix_jobs_waiting",
            "project_id",
            "queue",
            "priority",
            "id",
            postgresql_include=["blocked_by"],
            postgresql_where=text(f"state = '{JobState.QUEUED}'"),
        ),
        Index(
            "ix_jobs_start_by",
            "start_by",
            postgresql_where=text(f"state = '{JobState.QUEUED}' AND attempt = 0 AND start_by IS NOT NULL"),
        ),
        Index(
            "ix_jobs_finish_by",
            "finish_by",
            postgresql_where=text(f"{in_states(DUE_STATES)} AND finish_by IS NOT NULL"),
        ),
        Index("ix_jobs_blocked", "blocked_by", postgresql_where=text("blocked_by IS NOT NULL")),
        Index("ix_jobs_active", "project_id", postgresql_where=text(in_states(ACTIVE_STATES))),
        Index(None, "project_id", "id"),
        {
            "postgresql_with": {
                "fillfactor": "75",
                "autovacuum_vacuum_scale_factor": "0",
                "autovacuum_vacuum_threshold": "200",
                "autovacuum_vacuum_cost_delay": "0",
            }
        },
    )


class JobRequestRow(Base):
    """The validated request of a job; read once per claim."""

    __tablename__ = "job_requests"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    request: Mapped[Json]
    """`shared.schemas.jobs.JobRequest` in JSON."""
    mask: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    """`shared.pictures.masks.MaskRecord` in JSON: the mask of an edit in cells."""
    retry_of: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    """The job that this one repeats at a client's request."""
    replay_of: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    """The finished job that this one draws again, to compare the codes."""
    warnings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    """`JobWarning` in JSON: what the client should know about a request that was accepted."""
    api_key_id: Mapped[UUID | None]
    """The `ApiKey` that submitted the job; null for jobs that are older than this column.

    No foreign key: keys go. It is not in `jobs`, because it is read once, at the end, and every change
    of a job copies its row.
    """

    __table_args__ = (
        Index(None, "retry_of", postgresql_where=text("retry_of IS NOT NULL")),
        Index(None, "replay_of", postgresql_where=text("replay_of IS NOT NULL")),
    )


class JobEventRow(Base):
    """The history of a job: one row for each transition, numbered per job.

    All events are ordered by `xid`, then `job_id`, then `sequence`. Why not by a serial number:
    docs/decisions/0015-events-are-ordered-by-transaction.md.
    """

    __tablename__ = "job_events"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[Small] = mapped_column(primary_key=True)
    attempt: Mapped[Small]
    kind: Mapped[str]
    data: Mapped[Json] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[CreatedAt]
    project_id: Mapped[UUID]
    """The job's project, repeated for the index. A trigger fills it in for code that does not know it."""
    xid: Mapped[int] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    """Number of the transaction that wrote the row; 0 for rows that are older than this column."""

    __table_args__ = (
        one_of("kind", JobEvent),
        CheckConstraint("sequence > 0 AND attempt >= 0", name="numbers_not_negative"),
        Index(None, "project_id", "xid", "job_id", "sequence"),
    )


class Checkpoint(Base):
    """The codes drawn so far; another attempt continues from them."""

    __tablename__ = "checkpoints"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[Small]
    state: Mapped[bytes]
    """The codes in the worker's serialization format."""
    saved_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("octet_length(state) BETWEEN 1 AND 4194304", name="state_size"),
        {"postgresql_with": {"fillfactor": "50"}},
    )


class UsageRecord(Base):
    """Usage of a job that succeeded or was canceled while it was drawn, over all its attempts.

    There is one row for each such job. It stays when the job, or the API key, is deleted.
    """

    __tablename__ = "usage_records"

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    task: Mapped[str]
    images: Mapped[int]
    prompt_tokens: Mapped[int]
    tokens_done: Mapped[int]
    compute_seconds: Mapped[float]
    created_at: Mapped[CreatedAt]
    """When the job ended."""
    api_key_id: Mapped[UUID | None]
    """As in `job_requests`."""
    model: Mapped[str | None]
    """Name of the model that drew the job; null for rows that are older than this column."""

    __table_args__ = (
        CheckConstraint(
            "images >= 0 AND prompt_tokens >= 0 AND tokens_done >= 0 AND compute_seconds >= 0",
            name="amounts_not_negative",
        ),
        Index(None, "project_id", "created_at"),
    )
