"""The state machine of jobs: states, events, and the transitions that they allow.

queued -> running -> succeeded | failed | canceled | expired
          running -> canceling -> canceled
          running -> queued        (interrupted, or failed with an error that is retried)

The database stores the state; `shared.job_store` performs each transition in one fenced statement.
Interruptions (a drained or lost worker) and failures (an error of the attempt itself) are counted separately,
so that restarting machines does not use up a job's retries.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from uuid import UUID


@unique
class JobState(StrEnum):
    """State of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELING = "canceling"
    """The client has canceled the job; the engine stops between two steps, and the worker confirms."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    """The job could not start in time: `start_by` or `finish_by` passed, or no worker had its model."""


@unique
class JobEvent(StrEnum):
    """Event of a job. Each is stored in `job_events`; its webhook has the type `job.<event>`."""

    QUEUED = "queued"
    STARTED = "started"
    INTERRUPTED = "interrupted"
    RETRYING = "retrying"
    CANCELING = "canceling"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"


@unique
class Phase(StrEnum):
    """Phase of a running job."""

    ENCODING = "encoding"
    """The tokenizer service encodes the given picture."""
    WAITING_FOR_ROOM = "waiting_for_room"
    """The engine's memory for keys and values is in use; the job is drawn when another one has left it."""
    PREFILL = "prefill"
    """The model reads the prompt, including the given picture."""
    GENERATING = "generating"
    """The model draws codes."""
    DECODING = "decoding"
    """The tokenizer service turns the codes into pictures, and they are stored."""
    WORKER_LOST = "worker_lost"
    """The worker sends no heartbeats; when its lease has expired, another worker continues."""


@unique
class Queue(StrEnum):
    """Queue of jobs; each worker serves some of them. Edits and dense tasks have queues of their own."""

    GENERATE = "generate"
    EDIT = "edit"
    DENSE = "dense"


@unique
class Priority(StrEnum):
    """Priority of a job; normal jobs start before low ones, whatever their age."""

    NORMAL = "normal"
    LOW = "low"


PRIORITY_RANK = {Priority.NORMAL: 0, Priority.LOW: 10}
"""Order in which jobs are claimed, smallest first; the gap leaves room for further priorities."""

ACTIVE_STATES = frozenset({JobState.RUNNING, JobState.CANCELING})
"""States in which a worker holds a lease."""

MOST_CANDIDATES = 12
"""Maximum number of candidates of one job."""

FINAL_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.EXPIRED})

TRANSITIONS: dict[tuple[JobState | None, JobEvent], JobState] = {
    (None, JobEvent.QUEUED): JobState.QUEUED,
    (JobState.QUEUED, JobEvent.STARTED): JobState.RUNNING,
    (JobState.QUEUED, JobEvent.CANCELED): JobState.CANCELED,
    (JobState.QUEUED, JobEvent.EXPIRED): JobState.EXPIRED,
    (JobState.RUNNING, JobEvent.INTERRUPTED): JobState.QUEUED,
    (JobState.RUNNING, JobEvent.RETRYING): JobState.QUEUED,
    (JobState.RUNNING, JobEvent.CANCELING): JobState.CANCELING,
    (JobState.RUNNING, JobEvent.SUCCEEDED): JobState.SUCCEEDED,
    (JobState.RUNNING, JobEvent.FAILED): JobState.FAILED,
    (JobState.CANCELING, JobEvent.CANCELED): JobState.CANCELED,
    (JobState.CANCELING, JobEvent.SUCCEEDED): JobState.SUCCEEDED,
}
"""`None` is a job that does not exist yet. A canceling job may still finish; its picture is then kept."""


CHANGED_JOBS = "changed_jobs"
"""Key in the `info` of a database session: the `JobChange`s that its transaction has made so far."""


@dataclass(frozen=True)
class JobChange:
    """A change of a job's state, to be announced after its transaction is committed."""

    job_id: UUID
    project_id: UUID
    event: JobEvent
    task: str
    error_code: str | None = None
    """Code of the error with which the event ended the job."""


def target(event: JobEvent) -> JobState:
    """The state after the event; it is the same for each state before."""
    return next(after for (_, name), after in TRANSITIONS.items() if name is event)


def sources(event: JobEvent) -> frozenset[JobState]:
    """The states in which the event is allowed; a transition's statement checks them."""
    return frozenset(state for state, name in TRANSITIONS if name is event and state is not None)


def event_after_failure(*, retryable: bool, failures: int, max_failures: int) -> JobEvent:
    """The event of a failed attempt: another attempt, or the job's failure.

    failures: number of failures, including this one.
    """
    return JobEvent.RETRYING if retryable and failures < max_failures else JobEvent.FAILED


RETRY_FIRST_SECONDS = 2.0
RETRY_LONGEST_SECONDS = 120.0


def retry_delay(failures: int) -> float:
    """Seconds until the next attempt after the n-th failure (n >= 1): 2, 4, 8 ... at most 120."""
    return min(RETRY_FIRST_SECONDS * 2.0 ** (failures - 1), RETRY_LONGEST_SECONDS)
