"""Requests to stop an attempt, and their order of precedence."""

from threading import Event

import pytest

from services.worker.claiming.attempts import Attempts, AttemptStoppedError, StopReason
from tests.support.claimed_jobs import NEVER_SECONDS, WAIT_SECONDS, in_thread, new_attempt


def reason_of(attempt_stops: pytest.ExceptionInfo[AttemptStoppedError]) -> StopReason:
    return attempt_stops.value.reason


def test_an_attempt_continues_until_it_is_stopped() -> None:
    attempt = new_attempt()
    attempt.check()
    attempt.stop(StopReason.CANCEL)
    with pytest.raises(AttemptStoppedError) as stopped:
        attempt.check()
    assert reason_of(stopped) is StopReason.CANCEL


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_a_lost_lease_overrules_a_cancel_and_a_cancel_overrules_a_drain(order: tuple[int, ...]) -> None:
    attempt = new_attempt()
    for number, reason in enumerate(order):
        attempt.stop(StopReason(reason))
        with pytest.raises(AttemptStoppedError) as stopped:
            attempt.check()
        assert reason_of(stopped) == max(order[: number + 1])


def test_a_stop_ends_a_wait_at_once() -> None:
    attempt = new_attempt()
    waiting = in_thread(lambda: attempt.wait(10 * WAIT_SECONDS))
    attempt.stop(StopReason.DRAIN)
    with pytest.raises(AttemptStoppedError):
        waiting.result(WAIT_SECONDS)


def test_a_wake_ends_a_wait_without_a_stop_and_counts_once() -> None:
    attempt = new_attempt()
    attempt.wake()
    in_thread(lambda: attempt.wait(10 * WAIT_SECONDS)).result(WAIT_SECONDS)
    again = in_thread(lambda: attempt.wait(10 * WAIT_SECONDS))
    with pytest.raises(TimeoutError):
        again.result(NEVER_SECONDS)
    attempt.wake()
    again.result(WAIT_SECONDS)


def test_a_drain_does_not_end_the_wait_for_a_call() -> None:
    attempt, done = new_attempt(), Event()
    attempt.stop(StopReason.DRAIN)
    waiting = in_thread(lambda: attempt.wait_for(done))
    with pytest.raises(TimeoutError):
        waiting.result(NEVER_SECONDS)
    done.set()
    attempt.wake()
    waiting.result(WAIT_SECONDS)


@pytest.mark.parametrize("reason", [StopReason.CANCEL, StopReason.LOST])
def test_a_canceled_job_or_a_lost_lease_ends_the_wait_for_a_call(reason: StopReason) -> None:
    attempt = new_attempt()
    waiting = in_thread(lambda: attempt.wait_for(Event()))
    attempt.stop(reason)
    with pytest.raises(AttemptStoppedError) as stopped:
        waiting.result(WAIT_SECONDS)
    assert reason_of(stopped) is reason


def test_a_drain_stops_running_and_later_attempts() -> None:
    attempts, running, later = Attempts(), new_attempt(), new_attempt()
    attempts.add(running)
    attempts.drain()
    attempts.add(later)
    for attempt in (running, later):
        with pytest.raises(AttemptStoppedError) as stopped:
            attempt.check()
        assert reason_of(stopped) is StopReason.DRAIN


def test_an_attempt_that_has_ended_is_not_among_the_running() -> None:
    attempts, first, second = Attempts(), new_attempt(), new_attempt()
    attempts.add(first)
    attempts.add(second)
    attempts.remove(first)
    assert attempts.running() == [second]
