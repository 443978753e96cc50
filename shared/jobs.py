"""The life of a job as a pure state machine: which event may move which state where.

queued -> running -> succeeded | failed | canceled | expired
          running -> canceling -> canceled
          running -> queued        (interrupted, or a failure that is worth another try)

The database holds the state; `shared.job_store` performs the transitions, each in one fenced statement.
An interruption (a drained or lost worker) and a failure (the job's own fault) are counted apart, so that
restarting machines never uses up what a job may fail.
"""

from enum import StrEnum, unique


@unique
class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELING = "canceling"
    """The user asked; the engine stops between two steps and confirms."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    """It could not start in time: `start_by` or `finish_by` passed, or nobody had its model."""


@unique
class JobEvent(StrEnum):
    """What happens to a job; each is a row of `job_events` and, as `job.<event>`, a webhook's type."""

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
class Queue(StrEnum):
    """Workers subscribe to queues; dense prediction and edits cost less than a whole picture."""

    GENERATE = "generate"
    EDIT = "edit"
    DENSE = "dense"


@unique
class Priority(StrEnum):
    """Normal jobs go before low ones, whatever their age."""

    NORMAL = "normal"
    LOW = "low"


PRIORITY_RANK = {Priority.NORMAL: 0, Priority.LOW: 10}
"""The order of claims, smallest first; gaps leave room."""

ACTIVE_STATES = frozenset({JobState.RUNNING, JobState.CANCELING})
"""A worker holds a lease."""

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
"""`None` is a job that does not exist yet. A canceling job may still finish first: the picture is kept."""


class IllegalTransitionError(ValueError):
    """The event cannot happen to a job in this state."""


def next_state(state: JobState | None, event: JobEvent) -> JobState:
    """The state after the event. Raises IllegalTransitionError."""
    after = TRANSITIONS.get((state, event))
    if after is None:
        raise IllegalTransitionError(f"a job that is {state or 'unknown'} cannot be {event}")
    return after


def target(event: JobEvent) -> JobState:
    """The state to which the event leads, wherever it happens."""
    return next(after for (_, name), after in TRANSITIONS.items() if name is event)


def sources(event: JobEvent) -> frozenset[JobState]:
    """The states in which the event may happen: what a fenced statement compares with."""
    return frozenset(state for state, name in TRANSITIONS if name is event and state is not None)


def event_after_failure(*, retryable: bool, failures: int, max_failures: int) -> JobEvent:
    """Whether a job that has now failed `failures` times gets another try."""
    return JobEvent.RETRYING if retryable and failures < max_failures else JobEvent.FAILED


RETRY_FIRST_SECONDS = 2.0
RETRY_LONGEST_SECONDS = 120.0


def retry_delay(failures: int) -> float:
    """Seconds to wait after the n-th failure (n >= 1): 2, 4, 8 ... at most 120."""
    return min(RETRY_FIRST_SECONDS * 2.0 ** (failures - 1), RETRY_LONGEST_SECONDS)
