"""The heartbeat reports the worker and stops attempts; the cancel watch stops canceled jobs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from sqlalchemy.exc import OperationalError

from services.worker.claiming.attempts import Attempt, Attempts, AttemptStoppedError, StopReason
from services.worker.claiming.cancel_watch import CancelWatch
from services.worker.claiming.heartbeat import Heartbeat
from shared.job_store import HeartbeatReport, Lease
from shared.jobs import JobState
from tests.support.claimed_jobs import database_is_away, new_attempt


@dataclass
class JobTable:
    """States of jobs by lease. A lease that is missing has run out."""

    states: dict[Lease, JobState] = field(default_factory=dict[Lease, JobState])
    is_away: bool = False
    numerics: str | None = None
    draining: bool = False
    questions: int = 0

    def extend(self, held: Sequence[Lease], numerics: str | None, *, draining: bool) -> HeartbeatReport:
        self.questions += 1
        if self.is_away:
            raise database_is_away()
        self.numerics, self.draining = numerics, draining
        return HeartbeatReport({lease: self.states[lease] for lease in held if lease in self.states})

    def canceling(self, held: Sequence[Lease]) -> list[Lease]:
        self.questions += 1
        return [lease for lease in held if self.states.get(lease) is JobState.CANCELING]


def attempts_in(*states: JobState | None) -> tuple[JobTable, Attempts, list[Attempt]]:
    """Create running attempts with jobs in these states. None means that the lease has run out."""
    table, attempts, each = JobTable(), Attempts(), [new_attempt() for _ in states]
    for attempt, state in zip(each, states, strict=True):
        attempts.add(attempt)
        if state is not None:
            table.states[attempt.lease] = state
    return table, attempts, each


def stop_of(attempt: Attempt) -> StopReason | None:
    try:
        attempt.check()
    except AttemptStoppedError as stopped:
        return stopped.reason
    return None


def test_a_heartbeat_stops_lost_and_canceled_attempts_and_no_other() -> None:
    table, attempts, each = attempts_in(JobState.RUNNING, JobState.CANCELING, None)
    Heartbeat(attempts, table.extend, lambda: None).beat()
    assert [stop_of(attempt) for attempt in each] == [None, StopReason.CANCEL, StopReason.LOST]


def test_a_worker_without_jobs_sends_heartbeats_too() -> None:
    table, attempts, _ = attempts_in()
    Heartbeat(attempts, table.extend, lambda: "n1").beat()
    assert (table.numerics, table.draining) == ("n1", False)


def test_an_identity_counts_as_published_once_a_heartbeat_has_written_it() -> None:
    table, attempts, _ = attempts_in()
    known: list[str | None] = [None]
    heartbeat = Heartbeat(attempts, table.extend, lambda: known[-1])
    heartbeat.beat()
    assert not heartbeat.has_told(None)
    known.append("n1")
    assert not heartbeat.has_told("n1")
    heartbeat.beat()
    assert heartbeat.has_told("n1")
    assert not heartbeat.has_told("n2")


def test_a_failed_heartbeat_publishes_no_identity_and_stops_no_attempt() -> None:
    table, attempts, [attempt] = attempts_in(None)
    table.is_away = True
    heartbeat = Heartbeat(attempts, table.extend, lambda: "n1")
    with pytest.raises(OperationalError):
        heartbeat.beat()
    assert not heartbeat.has_told("n1")
    assert stop_of(attempt) is None


def test_a_draining_worker_is_marked_from_the_next_heartbeat_on() -> None:
    table, attempts, _ = attempts_in()
    heartbeat = Heartbeat(attempts, table.extend, lambda: None)
    heartbeat.beat()
    assert not table.draining
    heartbeat.begin_draining()
    heartbeat.beat()
    assert table.draining


def test_the_cancel_watch_stops_only_canceled_jobs() -> None:
    table, attempts, each = attempts_in(JobState.CANCELING, JobState.RUNNING, None)
    CancelWatch(attempts, table.canceling).look()
    assert [stop_of(attempt) for attempt in each] == [StopReason.CANCEL, None, None]


def test_the_cancel_watch_of_an_idle_worker_does_not_ask_the_database() -> None:
    table, attempts, [attempt] = attempts_in(JobState.CANCELING)
    attempts.remove(attempt)
    CancelWatch(attempts, table.canceling).look()
    assert table.questions == 0
