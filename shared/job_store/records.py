"""What goes in and out of the job store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.jobs import JobState, Priority, Queue
from shared.token_grid import TokenGrid


class LeaseLostError(Exception):
    """The attempt no longer holds the job: its lease ran out, or the job ended. Nothing was written."""


@dataclass(frozen=True)
class Lease:
    """A worker's right to a job; `attempt` is the fencing token."""

    job_id: UUID
    attempt: int


@dataclass(frozen=True)
class NewJob:
    """A validated job that is about to be queued."""

    project_id: UUID
    queue: Queue
    task: str
    request: Mapping[str, Any]
    """`JobRequest` in JSON."""
    max_failures: int
    candidates: int = 1
    priority: Priority = Priority.NORMAL
    start_by: datetime | None = None
    finish_by: datetime | None = None
    model: str | None = None


@dataclass(frozen=True)
class ClaimedJob:
    """Everything a worker needs to run a job."""

    lease: Lease
    project_id: UUID
    queue: Queue
    task: str
    request: Mapping[str, Any]
    checkpoint: bytes | None
    """What an earlier attempt saved; the engine goes on from there."""
    finish_by: datetime | None


@dataclass(frozen=True)
class Progress:
    """How far an attempt is."""

    phase: str
    tokens_done: int
    tokens_total: int
    tokens_per_second: float | None = None


@dataclass(frozen=True)
class StoredImage:
    """A picture whose bytes lie in S3 already."""

    storage_key: str
    sha256: bytes
    media_type: str
    byte_size: int
    width: int
    height: int


@dataclass(frozen=True)
class Output:
    """One finished, or partly drawn, picture of a job's answer."""

    image: StoredImage
    grid: TokenGrid
    tokenizer: str
    """Fingerprint of the image tokenizer that made the codes."""
    score: float | None = None
    partial: bool = False


@dataclass(frozen=True)
class UsageAmounts:
    """What an attempt consumed."""

    images: int
    prompt_tokens: int
    image_tokens: int
    compute_seconds: float


@dataclass(frozen=True)
class Answer:
    """All that an attempt hands in at its end; outputs in the order of the answer."""

    outputs: tuple[Output, ...]
    usage: UsageAmounts


@dataclass(frozen=True)
class HeartbeatReport:
    """Which leases were extended, and the state of each job; a lease that is missing is lost."""

    held: Mapping[Lease, JobState] = field(default_factory=dict[Lease, JobState])

    def is_lost(self, lease: Lease) -> bool:
        """Whether the attempt must stop without writing."""
        return lease not in self.held

    def should_cancel(self, lease: Lease) -> bool:
        """Whether the user asked to stop the job."""
        return self.held.get(lease) is JobState.CANCELING
