"""Prometheus metrics of a process, and those that every service has alike.

Labels have few values, which this code lists: never an id, a name that a client chose, or a URL. Figures of
single jobs and projects are in traces, logs and the database.
"""

from collections.abc import Iterable
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, generate_latest

REGISTRY = CollectorRegistry()
"""Metrics of this process. Gateway and tokenizer service have further ones in registries of their own."""

JOB_EVENTS = Counter(
    "luminary_job_events",
    "Events of jobs that this process has written, by event and task.",
    ["event", "task"],
    registry=REGISTRY,
)
JOB_ERRORS = Counter(
    "luminary_job_errors",
    "Jobs that this process ended with an error, by the error's code.",
    ["code"],
    registry=REGISTRY,
)


class Change(Protocol):
    """A change of a job's state; see `shared.jobs.JobChange`."""

    @property
    def event(self) -> str: ...

    @property
    def task(self) -> str: ...

    @property
    def error_code(self) -> str | None: ...


def count_changes(changes: Iterable[Change]) -> None:
    """Count the changes of a transaction after its commit."""
    for change in changes:
        JOB_EVENTS.labels(str(change.event), change.task).inc()
        if change.error_code is not None:
            JOB_ERRORS.labels(change.error_code).inc()


def metrics_text(*registries: CollectorRegistry) -> bytes:
    """The metrics of this process, and of further registries, in Prometheus' text format."""
    return b"".join(generate_latest(registry) for registry in (*registries, REGISTRY))
