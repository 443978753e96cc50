"""The `data` of the events in a stream."""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.schemas.examples import JOB_EXAMPLE
from shared.schemas.fields import Time
from shared.schemas.job_response import JobProgress, JobResponse

EVENT_EXAMPLE: dict[str, Any] = {
    "id": "evt_5c1f09_8123_01m8a4vqzhe2fbpdaz3zp1kwsh_3",
    "object": "event",
    "type": "job.succeeded",
    "job_id": "job_01m8a4vqzhe2fbpdaz3zp1kwsh",
    "session_id": None,
    "sequence": 3,
    "attempt": 1,
    "created_at": "2026-11-25T20:02:58.912345Z",
    "data": {"outputs": 2},
    "job": JOB_EXAMPLE,
}


class EventBody(BaseModel):
    """One event of a job. It is never lost and never changes."""

    model_config: ClassVar = ConfigDict(json_schema_extra={"examples": [EVENT_EXAMPLE]})

    id: str
    """Names the event's place in the order of all events; send it as `Last-Event-ID` to go on after it."""
    object: Literal["event"] = "event"
    type: str
    """`job.queued`, `job.started`, `job.succeeded` and so on."""
    job_id: str
    session_id: str | None
    """The session that the job is a turn of."""
    sequence: int
    """Number among the events of the job, from 1."""
    attempt: int
    created_at: Time
    data: dict[str, Any]
    """Facts of this event, such as the `code` of a failure."""
    job: JobResponse | None
    """The whole job, if this event has ended it."""


class ProgressBody(BaseModel):
    """Progress of a running job. It has no id, and is not repeated after a reconnection."""

    object: Literal["progress"] = "progress"
    type: Literal["job.progress"]
    job_id: str
    session_id: str | None
    attempt: int
    progress: JobProgress


class PartialBody(BaseModel):
    """The upper rows of a candidate that is being drawn. It has no id, and is not repeated."""

    object: Literal["partial"] = "partial"
    type: Literal["job.partial"]
    job_id: str
    session_id: str | None
    attempt: int
    index: int
    """Number of the candidate, from 0."""
    rows_done: int
    """Rows of cells that are drawn; the picture is grey below them."""
    rows_total: int
    media_type: str
    picture: str
    """The file in base64, at most 256 pixels wide and high."""
