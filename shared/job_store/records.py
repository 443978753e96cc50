"""Arguments and results of the job store's functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.fingerprints import Fingerprint
from shared.jobs import JobState, Phase, Priority, Queue
from shared.token_grid import TokenGrid


class LeaseLostError(Exception):
    """The attempt no longer holds the job: its lease expired, or the job ended. Nothing was written."""


@dataclass(frozen=True)
class Lease:
    """A worker's right to write to a job; `attempt` is the fencing token."""

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
    mask: Mapping[str, Any] | None = None
    """`MaskRecord` in JSON: the mask of an edit in cells."""
    candidates: int = 1
    priority: Priority = Priority.NORMAL
    start_by: datetime | None = None
    finish_by: datetime | None = None
    model: str | None = None
    numerics: str | None = None
    """The only numerics identity that may draw the job; None for any."""
    retry_of: UUID | None = None
    """The job that this one repeats."""
    replay_of: UUID | None = None
    """The finished job that this one draws again."""
    warnings: Sequence[Mapping[str, Any]] = ()
    """`JobWarning` in JSON."""
    parent: UUID | None = None
    """Job whose first picture is the image of this one; it may still run."""
    api_key_id: UUID | None = None
    """The API key of the request."""


@dataclass(frozen=True)
class ClaimedJob:
    """Everything that a worker needs to run a job."""

    lease: Lease
    project_id: UUID
    queue: Queue
    task: str
    request: Mapping[str, Any]
    checkpoint: bytes | None
    """Codes that an earlier attempt saved; the engine continues from them."""
    finish_by: datetime | None
    checkpoint_numerics: str | None = None
    """Numerics identity that drew the codes of the checkpoint."""
    traceparent: str | None = None
    """Context of the request that submitted the job, see `shared.tracing`."""
    waited_seconds: float = 0.0
    """Time from when the job could be claimed until it was."""


@dataclass(frozen=True)
class Progress:
    """Progress of an attempt."""

    phase: Phase
    tokens_done: int
    tokens_total: int
    tokens_per_second: float | None = None
    prefill_rows_done: int = 0
    prefill_rows: int = 0
    """Rows of prefill before the first new code, over all candidates."""
    eta_seconds: float | None = None
    """Estimated seconds until the job is done."""


@dataclass(frozen=True)
class Share:
    """How much of the slots a project gets while others wait, and how many of its jobs may run."""

    weight: int = 1
    max_running_jobs: int | None = None


@dataclass(frozen=True)
class StoredImage:
    """A picture whose file is stored in S3."""

    storage_key: str
    sha256: bytes
    media_type: str
    byte_size: int
    width: int
    height: int


@dataclass(frozen=True)
class UsedCanvas:
    """The picture whose pixels were put back into another one, and the hash of the codes it has there."""

    image_id: UUID
    tokens_sha256: bytes


@dataclass(frozen=True)
class Output:
    """One picture of a job's answer, finished or partly drawn."""

    image: StoredImage
    grid: TokenGrid
    tokenizer: str
    """Fingerprint of the image tokenizer that made the codes."""
    score: float | None = None
    partial: bool = False
    drawn_index: int | None = None
    """Index among the drawn candidates; None if it is the index in the answer."""
    certainty: bytes | None = None
    """Certainty of each cell, see `ImageTokens.certainty`; None for a partly drawn picture."""
    canvas: UsedCanvas | None = None
    fingerprint: Fingerprint | None = None
    """None to leave the picture out of the registry."""
    changed_cells: int | None = None
    """See `Candidate.changed_cells`."""


@dataclass(frozen=True)
class UndecodedOutput:
    """A picture of a canceled job whose codes are decoded after the job has ended."""

    position: int
    """Index among the candidates."""
    grid: TokenGrid
    png_text: Mapping[str, str]
    """Text chunks of the PNG about how it was drawn, by keyword."""
    score: float | None
    partial: bool


@dataclass(frozen=True)
class UsageAmounts:
    """Usage of an attempt."""

    images: int
    prompt_tokens: int
    tokens_done: int
    compute_seconds: float


@dataclass(frozen=True)
class Answer:
    """The result of an attempt."""

    outputs: tuple[Output, ...]
    """Pictures in the order in which the job shows them."""
    usage: UsageAmounts
    undecoded: tuple[UndecodedOutput, ...] = ()
    """Pictures that are still to be decoded; only a canceled job has any."""
    scores: tuple[float, ...] | None = None
    """Scores of all drawn candidates, if only the best are kept."""
    model: str | None = None
    """Name of the model that drew the pictures. An attempt goes on only with codes of its own model."""


@dataclass(frozen=True)
class HeartbeatReport:
    """The extended leases with the states of their jobs; leases that are missing here are lost."""

    held: Mapping[Lease, JobState] = field(default_factory=dict[Lease, JobState])

    def is_lost(self, lease: Lease) -> bool:
        """Whether the attempt must stop without writing."""
        return lease not in self.held

    def should_cancel(self, lease: Lease) -> bool:
        """Whether the client has canceled the job."""
        return self.held.get(lease) is JobState.CANCELING
