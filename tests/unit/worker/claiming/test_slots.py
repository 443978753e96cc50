"""Slots claim a job, run it and look for the next one, until a drain ends them."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.worker.broker.doorbells import Bell
from services.worker.claiming.attempts import Attempt, Attempts, AttemptStoppedError, StopReason
from services.worker.claiming.drain import SPARE_SECONDS, Drain
from services.worker.claiming.slots import Slots
from shared.job_store import ClaimedJob, Lease, LeaseLostError
from tests.support.claimed_jobs import NEVER_SECONDS, WAIT_SECONDS, claimed_job, database_is_away

HOURS = 3600.0


@dataclass
class Platform:
    """Waiting jobs in a list, and slots that claim them. run: what a slot does with a job."""

    count: int = 1
    run: Callable[[ClaimedJob], None] = lambda _: None
    poll_seconds: float = HOURS
    waiting: list[ClaimedJob] = field(default_factory=list[ClaimedJob])
    faults: list[Exception] = field(default_factory=list[Exception])
    bell: Bell = field(default_factory=Bell)
    closing: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.served_before: list[tuple[UUID | None, int]] = []
        self.looks: SimpleQueue[None] = SimpleQueue()
        self.done: SimpleQueue[ClaimedJob] = SimpleQueue()
        self.slots = Slots(
            self.count,
            claim=self._claim,
            run=self._run,
            bell=self.bell,
            closing=self.closing,
            poll_seconds=self.poll_seconds,
        )

    def _claim(self, just_served: UUID | None, in_a_row: int) -> ClaimedJob | None:
        self.looks.put(None)
        if self.faults:
            raise self.faults.pop()
        if not self.waiting:
            return None
        self.served_before.append((just_served, in_a_row))
        return self.waiting.pop(0)

    def _run(self, job: ClaimedJob) -> None:
        self.run(job)
        self.done.put(job)

    def wait_for_looks(self, count: int) -> None:
        for _ in range(count):
            self.looks.get(timeout=WAIT_SECONDS)

    def wait_for_jobs(self, count: int) -> list[ClaimedJob]:
        return [self.done.get(timeout=WAIT_SECONDS) for _ in range(count)]

    @contextmanager
    def started(self):
        self.slots.start()
        yield
        self.closing.set()
        assert self.slots.join(WAIT_SECONDS)


def test_waiting_jobs_are_run_one_after_the_other_without_a_doorbell() -> None:
    jobs = [claimed_job() for _ in range(3)]
    platform = Platform(waiting=list(jobs))
    with platform.started():
        assert platform.wait_for_jobs(3) == jobs


def test_a_claim_gets_the_project_that_the_slot_has_just_served_and_how_often() -> None:
    first, second = uuid4(), uuid4()
    order = [first, second, second, first]
    platform = Platform(waiting=[claimed_job(project) for project in order])
    with platform.started():
        platform.wait_for_jobs(4)
    assert platform.served_before == [(None, 0), (first, 1), (second, 1), (second, 2)]


def test_a_doorbell_wakes_an_idle_slot_at_once() -> None:
    platform = Platform()
    with platform.started():
        platform.wait_for_looks(1)
        platform.waiting.append(claimed_job())
        platform.bell.ring()
        assert len(platform.wait_for_jobs(1)) == 1


def test_an_idle_slot_also_looks_for_jobs_without_a_doorbell() -> None:
    platform = Platform(poll_seconds=0.01)
    with platform.started():
        platform.wait_for_looks(3)
        platform.waiting.append(claimed_job())
        platform.wait_for_jobs(1)


def test_an_idle_slot_does_not_ask_in_a_loop() -> None:
    platform = Platform()
    with platform.started():
        platform.wait_for_looks(1)
        with pytest.raises(Empty):
            platform.looks.get(timeout=NEVER_SECONDS)


def test_one_doorbell_wakes_all_slots_if_several_jobs_wait() -> None:
    """A slot that has claimed a job wakes the next slot, because there may be fewer messages than jobs."""
    begun: SimpleQueue[ClaimedJob] = SimpleQueue()
    go_on = Event()

    def hold(job: ClaimedJob) -> None:
        begun.put(job)
        go_on.wait(WAIT_SECONDS)

    platform = Platform(count=3, run=hold)
    with platform.started():
        platform.wait_for_looks(3)
        platform.waiting += [claimed_job() for _ in range(3)]
        platform.bell.ring()
        for _ in range(3):
            begun.get(timeout=WAIT_SECONDS)
        go_on.set()
        platform.wait_for_jobs(3)


def test_a_slot_continues_after_a_database_error() -> None:
    platform = Platform(poll_seconds=0.01, faults=[database_is_away()], waiting=[claimed_job()])
    with platform.started():
        platform.wait_for_jobs(1)


def test_a_closed_slot_claims_no_more_although_jobs_wait() -> None:
    platform = Platform(waiting=[claimed_job(), claimed_job()])
    platform.run = lambda _: platform.closing.set()
    platform.slots.start()
    platform.wait_for_jobs(1)
    assert platform.slots.join(WAIT_SECONDS)
    assert len(platform.waiting) == 1


def test_joining_wakes_every_idle_slot() -> None:
    platform = Platform(count=4)
    platform.slots.start()
    platform.wait_for_looks(4)
    platform.closing.set()
    assert platform.slots.join(WAIT_SECONDS)


class Leaving:
    """A worker with one slot that has a job. run: what the attempt does."""

    def __init__(self, run: Callable[[Attempt], None], *, seconds: float = HOURS, lost: bool = False) -> None:
        self.steps: list[object] = []
        self.lost = lost
        self.attempts = Attempts()
        self.begun = Event()
        self._job = run
        self.platform = Platform(run=self._run, waiting=[claimed_job()])
        self.drain = Drain(
            attempts=self.attempts,
            slots=self.platform.slots,
            closing=self.platform.closing,
            release=self._release,
            seconds=seconds,
            begin=lambda: self.steps.append("begin"),
            finish=lambda: self.steps.append("finish"),
        )

    def _run(self, job: ClaimedJob) -> None:
        attempt = Attempt(job)
        self.attempts.add(attempt)
        self.begun.set()
        self._job(attempt)
        self.attempts.remove(attempt)
        self.steps.append("attempt ended")

    def _release(self, lease: Lease) -> None:
        if self.lost:
            raise LeaseLostError
        self.steps.append(lease)

    def start(self) -> None:
        self.drain.start()
        self.platform.slots.start()
        assert self.begun.wait(WAIT_SECONDS)


def until_stopped(attempt: Attempt) -> None:
    with pytest.raises(AttemptStoppedError) as stopped:
        attempt.wait(HOURS)
    assert stopped.value.reason is StopReason.DRAIN


def test_a_drain_waits_for_the_attempts_before_it_finishes() -> None:
    worker = Leaving(until_stopped)
    worker.start()
    worker.drain.request()
    assert worker.drain.wait()
    assert worker.steps == ["begin", "attempt ended", "finish"]


def test_a_worker_does_not_drain_without_a_request() -> None:
    worker = Leaving(until_stopped)
    worker.start()
    assert worker.steps == []
    assert not worker.platform.closing.is_set()
    worker.drain.request()
    worker.drain.wait_however_long()


@pytest.mark.parametrize("lost", [False, True], ids=["lease held", "lease lost"])
def test_the_job_of_an_attempt_that_hangs_is_released_and_the_drain_ends(*, lost: bool) -> None:
    go_on = Event()

    def hang(_: Any) -> None:
        go_on.wait(WAIT_SECONDS)

    worker = Leaving(hang, seconds=SPARE_SECONDS, lost=lost)
    worker.start()
    [hanging] = worker.attempts.running()
    worker.drain.request()
    assert worker.drain.wait()
    assert worker.steps == (["begin", "finish"] if lost else ["begin", hanging.lease, "finish"])
    go_on.set()
