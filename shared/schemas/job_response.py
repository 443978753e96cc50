"""What a client gets: the job resource, its parts, and lists of jobs."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.job_errors import JobError
from shared.jobs import JobState
from shared.schemas.examples import JOB_EXAMPLE
from shared.schemas.fields import Time
from shared.schemas.jobs import Task


class JobProgress(BaseModel):
    """How far the running attempt is."""

    phase: str | None
    tokens_done: int
    tokens_total: int
    tokens_per_second: float | None
    eta_seconds: float | None
    """None before the first tokens."""


class JobOutput(BaseModel):
    """One candidate picture."""

    id: str
    candidate_id: str
    """Where a further turn of a session can start."""
    index: int
    url: str
    sha256: str
    tokens_sha256: str
    """Equal exactly when the pictures' tokens are: the proof of reproducibility."""
    width: int
    height: int
    score: float | None
    partial: bool


class JobErrorBody(BaseModel):
    """Why the job ended without its pictures."""

    code: str
    message: str
    retryable: bool
    hint: str

    @classmethod
    def of(cls, error: JobError) -> "JobErrorBody":
        """The body of an error."""
        return cls(code=error.code.value, message=error.message, retryable=error.retryable, hint=error.hint)


class JobUsage(BaseModel):
    """What the job consumed."""

    images: int
    prompt_tokens: int
    image_tokens: int
    compute_seconds: float


class JobLinks(BaseModel):
    """Where to go on from here."""

    self: str
    cancel: str


class JobResponse(BaseModel):
    """The job resource."""

    model_config = ConfigDict(json_schema_extra={"examples": [JOB_EXAMPLE]})

    id: str
    object: Literal["job"] = "job"
    status: JobState
    task: Task
    attempt: int
    queue_position: int | None = None
    """Jobs before it while it waits: 0 is next."""
    progress: JobProgress
    outputs: list[JobOutput] = Field(default_factory=list[JobOutput])
    error: JobErrorBody | None = None
    usage: JobUsage | None = None
    request: dict[str, Any]
    """As validated, with the seed that was used."""
    metadata: dict[str, str] = Field(default_factory=dict)
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    links: JobLinks


class JobList(BaseModel):
    """One page of jobs, newest first."""

    object: Literal["list"] = "list"
    data: list[JobResponse]
    has_more: bool
    next_cursor: str | None
    """Pass as `after` to get the next page."""
