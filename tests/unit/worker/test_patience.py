"""Operations with transient faults are repeated; other errors are raised at once."""

import logging
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from services.worker.patience import FIRST_SECONDS, LONGEST_SECONDS, Patience
from services.worker.tokenizer_client import TokenizerUnavailableError
from shared.storage import ObjectMissingError, StorageError

LONG = 1e6
"""Limit in seconds that no test reaches."""


class Pauses:
    """Records the requested pauses and returns at once."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def fails(times: int, error: Exception) -> Callable[[], str]:
    """An operation that raises `times` times and then returns "done"."""
    left = [error] * times

    def operation() -> str:
        if left:
            raise left.pop()
        return "done"

    return operation


@pytest.mark.parametrize(
    "fault",
    [StorageError("away"), TokenizerUnavailableError("away"), OperationalError("SELECT 1", {}, Exception())],
)
def test_an_operation_with_transient_faults_is_repeated_until_it_succeeds(fault: Exception) -> None:
    pauses = Pauses()
    assert Patience(pauses, LONG).insist(fails(3, fault)) == "done"
    assert len(pauses.seconds) == 3


def test_pauses_are_random_below_a_bound_that_doubles_up_to_the_longest() -> None:
    rounds = [Pauses() for _ in range(200)]
    for pauses in rounds:
        Patience(pauses, LONG).insist(fails(9, StorageError("away")))
    for number, pauses in enumerate(zip(*(pauses.seconds for pauses in rounds), strict=True)):
        bound = min(FIRST_SECONDS * 2**number, LONGEST_SECONDS)
        assert all(0 <= pause <= bound for pause in pauses)
        # full jitter: by chance alone, this fails once in 10^8 runs
        assert max(pauses) > 0.9 * bound
        assert min(pauses) < 0.1 * bound


@pytest.mark.parametrize("error", [ObjectMissingError("no such key"), ValueError("a bug")])
def test_other_errors_are_raised_at_once(error: Exception) -> None:
    pauses = Pauses()
    with pytest.raises(type(error)) as raised:
        Patience(pauses, LONG).insist(fails(1, error))
    assert raised.value is error
    assert pauses.seconds == []


def test_the_last_error_is_raised_when_the_next_pause_would_exceed_the_limit() -> None:
    pauses, patience = Pauses(), 0.5
    fault = StorageError("away")
    with pytest.raises(StorageError) as raised:
        Patience(pauses, patience).insist(fails(10_000, fault))
    assert raised.value is fault
    assert all(pause < patience for pause in pauses.seconds)


def test_with_a_limit_of_zero_nothing_is_repeated() -> None:
    pauses = Pauses()
    with pytest.raises(StorageError):
        Patience(pauses, 0.0).insist(fails(1, StorageError("away")))
    assert pauses.seconds == []


def test_a_wait_that_raises_ends_the_tries() -> None:
    class StoppedError(Exception):
        pass

    def stop(_seconds: float) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        Patience(stop, LONG).insist(fails(1, StorageError("away")))


def test_a_wait_logs_one_line_when_it_begins_and_one_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    patience = Patience(Pauses(), LONG)
    with caplog.at_level(logging.INFO, logger="services.worker.patience"):
        patience.insist(fails(0, StorageError("away")))
        assert caplog.records == []
        for failed_tries in (3, 1):  # the second operation counts its own tries
            caplog.clear()
            patience.insist(fails(failed_tries, StorageError("the disk is full")))
            began, ended = caplog.records
            assert began.message == "a server does not answer; trying again"
            assert vars(began)["reason"] == "the disk is full"
            assert ended.message == "succeeded after failed tries"
            assert vars(ended)["failed_tries"] == failed_tries
            assert vars(ended)["waited_seconds"] >= 0
