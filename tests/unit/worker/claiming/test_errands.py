"""Long calls run in threads; an attempt abandons its call when its job is canceled."""

from contextvars import ContextVar
from threading import Event

import pytest

from services.worker.claiming.attempts import AttemptStoppedError, StopReason
from services.worker.claiming.errands import Errands
from tests.support.claimed_jobs import NEVER_SECONDS, WAIT_SECONDS, in_thread, new_attempt


class Call:
    """A call that returns only after the test has set `may_return`."""

    def __init__(self) -> None:
        self.begun, self.may_return, self.returned = Event(), Event(), Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.may_return.wait(WAIT_SECONDS)
        self.returned.set()
        return "value"


def test_a_call_gives_its_value() -> None:
    assert Errands().run(new_attempt(), lambda: 7) == 7


def test_a_call_that_fails_raises_its_own_error() -> None:
    error = ValueError("no such picture")

    def fail() -> None:
        raise error

    with pytest.raises(ValueError, match="no such picture") as raised:
        Errands().run(new_attempt(), fail)
    assert raised.value is error


def test_a_call_logs_with_the_context_of_its_attempt() -> None:
    job = ContextVar("job", default="none")
    job.set("job-1")
    assert Errands().run(new_attempt(), job.get) == "job-1"


@pytest.mark.parametrize("reason", [StopReason.CANCEL, StopReason.LOST])
def test_a_stopped_attempt_abandons_its_call(reason: StopReason) -> None:
    attempt, call = new_attempt(), Call()
    errand = in_thread(lambda: Errands().run(attempt, call))
    assert call.begun.wait(WAIT_SECONDS)
    attempt.stop(reason)
    with pytest.raises(AttemptStoppedError):
        errand.result(WAIT_SECONDS)
    assert not call.returned.is_set()
    call.may_return.set()
    assert call.returned.wait(WAIT_SECONDS)


def test_a_draining_attempt_waits_for_its_call() -> None:
    attempt, call = new_attempt(), Call()
    errand = in_thread(lambda: Errands().run(attempt, call))
    assert call.begun.wait(WAIT_SECONDS)
    attempt.stop(StopReason.DRAIN)
    call.may_return.set()
    assert errand.result(WAIT_SECONDS) == "value"


def test_no_more_calls_run_at_a_time_than_allowed() -> None:
    errands, first, second = Errands(most=1), Call(), Call()
    running = in_thread(lambda: errands.run(new_attempt(), first))
    assert first.begun.wait(WAIT_SECONDS)
    waiting = in_thread(lambda: errands.run(new_attempt(), second))
    assert not second.begun.wait(NEVER_SECONDS)
    first.may_return.set()
    second.may_return.set()
    assert running.result(WAIT_SECONDS) == waiting.result(WAIT_SECONDS) == "value"


def test_an_attempt_that_waits_for_its_turn_can_be_stopped() -> None:
    errands, running, stopped = Errands(most=1), Call(), new_attempt()
    first = in_thread(lambda: errands.run(new_attempt(), running))
    assert running.begun.wait(WAIT_SECONDS)
    waiting = in_thread(lambda: errands.run(stopped, Call()))
    stopped.stop(StopReason.DRAIN)
    with pytest.raises(AttemptStoppedError):
        waiting.result(WAIT_SECONDS)
    running.may_return.set()
    first.result(WAIT_SECONDS)


def test_join_waits_for_abandoned_calls_up_to_a_limit() -> None:
    errands, attempt, call = Errands(), new_attempt(), Call()
    errand = in_thread(lambda: errands.run(attempt, call))
    assert call.begun.wait(WAIT_SECONDS)
    attempt.stop(StopReason.CANCEL)
    assert isinstance(errand.exception(WAIT_SECONDS), AttemptStoppedError)
    errands.join(NEVER_SECONDS)
    assert not call.returned.is_set()
    call.may_return.set()
    errands.join(WAIT_SECONDS)
    assert call.returned.is_set()
