"""Response bodies of /v1/jobs: a job, its parts, and lists of jobs."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.job_errors import JobError
from shared.jobs import JobState, Phase
from shared.pictures.mask_modes import MaskReading
from shared.schemas.examples import JOB_EXAMPLE
from shared.schemas.fields import Time
from shared.tasks import Task


class DescribedModel(BaseModel):
    """A model whose JSON schema contains the docstrings of its fields."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class JobProgress(DescribedModel):
    """Progress of the running attempt."""

    phase: Phase | None
    """Phase of the worker: `encoding` given pictures, `waiting_for_room` in the engine's memory, `prefill` of
    the prompt, `generating` codes, `decoding` codes; `worker_lost` while the worker sends no heartbeats."""
    phase_fraction: float | None
    """Finished part of the prefill or of the codes, from 0 to 1."""
    tokens_done: int
    tokens_total: int
    tokens_per_second: float | None
    """Speed over the last seconds."""
    prefill_rows_done: int
    prefill_rows: int
    """Rows of prefill before the first new code; a resumed job computes them again."""
    eta_seconds: float | None
    """Estimated seconds until the job is done, by the worker that runs it; null while too little is known."""
    eta_p50: float | None
    """Seconds in which the job is done with a probability of a half, also while it waits: from the jobs that
    are ahead of it, the measured speed of the workers, and the errors of past estimates."""
    eta_p90: float | None
    """Seconds in which the job is done with a probability of nine in ten."""
    worker_lost_seconds: float | None
    """Only in the phase `worker_lost`: another worker continues after at most so many seconds."""


class JobOutput(DescribedModel):
    """One candidate picture."""

    id: str
    candidate_id: str
    """Id of the candidate, from which another turn of a session can start."""
    index: int
    """Place among the outputs; with `best_of`, the highest score comes first."""
    drawn_index: int
    """Number among the drawn candidates, from 0: with `best_of`, it shows which of them were kept."""
    url: str
    """Address of the file, in the format that the request names."""
    png_url: str
    """Address of the PNG that the platform keeps; it contains the recipe of the picture."""
    thumbnail_url: str
    """Address of a WebP of at most 256 pixels a side."""
    sha256: str
    """Hash of the PNG as it is stored, without content credentials: `?credentials=false` sends it."""
    tokens_sha256: str
    """Hash of the picture's codes: equal hashes prove that a picture was reproduced."""
    width: int
    height: int
    score: float | None
    partial: bool
    changed_cells: int | None
    """Cells of an edit whose code differs from the given picture's: 0 says that the edit changed nothing.
    Null for other tasks and for partial pictures."""
    expired: bool
    """Whether the file is gone: its URLs answer 410."""
    restorable: bool
    """Whether the file is gone, but `POST /v1/images/{id}/restore` decodes it from its codes again."""


class JobMask(DescribedModel):
    """The mask of an edit in cells."""

    reading: MaskReading
    """Whether white, black or transparent pixels mark the part that may change."""
    size: str
    """WIDTHxHEIGHT of the picture in pixels; a cell has 8x8 pixels."""
    cells_free: int
    """Cells that the edit may change."""
    cells_total: int
    understood: str
    """URL of a PNG of the mask in whole cells: white cells may change."""


class JobWarning(DescribedModel):
    """Something about an accepted request that may spoil its pictures. It never stops a job."""

    code: str
    """`unknown_words`: the model was not trained on some words of the text."""
    param: str
    """Field of the request."""
    message: str
    words: list[str] = Field(default_factory=list[str])
    """The unknown words, in lower case."""


class JobErrorBody(DescribedModel):
    """The reason why a job failed or expired."""

    code: str
    message: str
    retryable: bool
    hint: str

    @classmethod
    def of(cls, error: JobError) -> "JobErrorBody":
        """The response body of an error."""
        return cls(code=error.code.value, message=error.message, retryable=error.retryable, hint=error.hint)


class JobUsage(DescribedModel):
    """Usage of a job."""

    images: int
    prompt_tokens: int
    tokens_done: int
    compute_seconds: float


class NumericsChange(DescribedModel):
    """The numerics identities before and after a takeover by a worker that drew the job from the start."""

    model_config = ConfigDict(populate_by_name=True)

    before: str | None = Field(alias="from")
    after: str | None = Field(alias="to")


class ReplayDifference(DescribedModel):
    """A picture whose codes differ from those of the first job."""

    index: int
    cells: int | None
    """Number of cells that differ; null if the pictures differ in size, or one of them is missing."""
    row: int | None
    """Row of the first cell that differs."""
    column: int | None


class JobReplay(DescribedModel):
    """The comparison of a replay with the job that it draws again."""

    of: str | None
    """Id of the first job; null if it was deleted."""
    equal: bool | None
    """Whether all codes are equal; null before the end of the replay."""
    numerics: str | None
    """Numerics identity that drew the first job; `numerics` of this job drew the replay."""
    differences: list[ReplayDifference]


class JobLinks(DescribedModel):
    """URLs of the job."""

    self: str
    cancel: str
    retry: str
    replay: str


class JobResponse(DescribedModel):
    """A job."""

    model_config = ConfigDict(json_schema_extra={"examples": [JOB_EXAMPLE]})

    id: str
    object: Literal["job"] = "job"
    status: JobState
    task: Task
    attempt: int
    numerics: str | None = None
    """Numerics identity of the worker that draws or drew the job; equal identities draw equal codes."""
    numerics_changed: NumericsChange | None = None
    """Set if no worker of the first identity was available and another one drew the job from the start."""
    queue_position: int | None = None
    """Number of the project's jobs ahead of this one while it waits; 0 means it is the next one."""
    progress: JobProgress
    outputs: list[JobOutput] = Field(default_factory=list[JobOutput])
    partial_pending: bool = False
    """Whether codes drawn before a cancellation are still being decoded; more outputs will follow."""
    scores: list[float] | None = None
    """Scores of all drawn candidates, only with `best_of`."""
    mask: JobMask | None = None
    warnings: list[JobWarning] = Field(default_factory=list[JobWarning])
    error: JobErrorBody | None = None
    usage: JobUsage | None = None
    request: dict[str, Any]
    """The validated request, with the seed that was used."""
    metadata: dict[str, str] = Field(default_factory=dict)
    retry_of: str | None = None
    """Id of the job that this one repeats."""
    retries: list[str] = Field(default_factory=list[str])
    """Ids of the jobs that repeat this one, oldest first."""
    replay: JobReplay | None = None
    """Set if the job draws another one again, see `POST /v1/jobs/{job_id}/replay`."""
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    links: JobLinks


class JobList(DescribedModel):
    """One page of jobs, newest first."""

    object: Literal["list"] = "list"
    data: list[JobResponse]
    has_more: bool
    next_cursor: str | None
    """Value of `after` for the next page; null on the last page."""
