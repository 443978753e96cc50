"""The hot path: the narrow row that is claimed, and apart from it what is read once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.jobs import ACTIVE_STATES, FINAL_STATES, JobEvent, JobState, Queue
from shared.tables.base import Base, CreatedAt, Json, Small, Uuid7, in_states, one_of


class Job(Base):
    """Where a job stands.

    Room is left in each page and neither heartbeat nor progress is indexed, so their updates stay in the page
    (HOT) and make no index garbage; vacuum comes early, because a claim walks over dead rows.
    """

    __tablename__ = "jobs"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    created_at: Mapped[CreatedAt]
    available_at: Mapped[CreatedAt]
    """Not to be claimed before: a retry waits."""
    start_by: Mapped[datetime | None]
    finish_by: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    """Start of the first attempt."""
    finished_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    lease_expires_at: Mapped[datetime | None]
    attempt: Mapped[Small] = mapped_column(server_default=text("0"))
    """The fencing token: rises with every claim."""
    failures: Mapped[Small] = mapped_column(server_default=text("0"))
    interruptions: Mapped[Small] = mapped_column(server_default=text("0"))
    max_failures: Mapped[Small]
    priority: Mapped[Small]
    """`PRIORITY_RANK`: smaller goes first."""
    candidates: Mapped[Small] = mapped_column(server_default=text("1"))
    """How many pictures were asked for."""
    revision: Mapped[Small] = mapped_column(server_default=text("1"))
    """Number of the job's last event."""
    tokens_done: Mapped[int] = mapped_column(server_default=text("0"))
    tokens_total: Mapped[int] = mapped_column(server_default=text("0"))
    tokens_per_second: Mapped[float | None]
    state: Mapped[str]
    queue: Mapped[str]
    task: Mapped[str]
    phase: Mapped[str | None]
    """What the worker does now: encoding, generating, decoding, storing."""
    lease_owner: Mapped[str | None]
    error_code: Mapped[str | None]
    """A `JobErrorCode`; open, so that a new code needs no migration."""
    error_message: Mapped[str | None]
    model: Mapped[str | None]
    """The only model that may draw it; any may when it is open."""

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
            f"({in_states(frozenset({JobState.FAILED, JobState.EXPIRED}))}) = (error_code IS NOT NULL)"
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
        Index(
            "ix_jobs_claimable",
            "queue",
            "priority",
            "id",
            postgresql_where=text(f"state = '{JobState.QUEUED}'"),
        ),
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
    """What was asked, as validated; read once per claim."""

    __tablename__ = "job_requests"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    request: Mapped[Json]
    """`shared.schemas.jobs.JobRequest` in JSON."""


class JobEventRow(Base):
    """The audit trail, and what an event stream replays: one row per transition, numbered per job."""

    __tablename__ = "job_events"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    sequence: Mapped[Small] = mapped_column(primary_key=True)
    attempt: Mapped[Small]
    kind: Mapped[str]
    data: Mapped[Json] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        one_of("kind", JobEvent),
        CheckConstraint("sequence > 0 AND attempt >= 0", name="numbers_not_negative"),
    )


class Checkpoint(Base):
    """The tokens generated so far; whoever takes the job over goes on from here."""

    __tablename__ = "checkpoints"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[Small]
    state: Mapped[bytes]
    """The engine's own serialisation."""
    saved_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("octet_length(state) BETWEEN 1 AND 4194304", name="state_size"),
        {"postgresql_with": {"fillfactor": "50"}},
    )


class UsageRecord(Base):
    """What a job consumed; one row for each that did any work."""

    __tablename__ = "usage_records"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    task: Mapped[str]
    images: Mapped[int]
    prompt_tokens: Mapped[int]
    image_tokens: Mapped[int]
    compute_seconds: Mapped[float]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint(
            "images >= 0 AND prompt_tokens >= 0 AND image_tokens >= 0 AND compute_seconds >= 0",
            name="amounts_not_negative",
        ),
        Index(None, "project_id", "created_at"),
    )
