"""What follows from an answer: the schedule of tries, Retry-After, 410."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.worker.maintenance.webhook_delivery.outcomes import (
    LONGEST_RETRY_AFTER,
    Answer,
    Delivered,
    GiveUp,
    StopEndpoint,
    TryAgain,
    TryError,
    error_of_status,
    outcome_of,
    requested_pause,
)
from shared.settings import WebhookSettings

PAUSES = WebhookSettings().retry_seconds
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
FAILED = Answer(0.1, status=500, error=TryError.STATUS)


def test_the_pauses_are_those_of_the_standard() -> None:
    minute, hour = 60, 3600
    assert PAUSES == [
        5,
        5 * minute,
        30 * minute,
        2 * hour,
        5 * hour,
        10 * hour,
        14 * hour,
        20 * hour,
        24 * hour,
    ]


@given(failures=st.integers(0, 8), chance=st.floats(0, 1))
def test_each_pause_has_up_to_a_tenth_more(failures: int, chance: float) -> None:
    outcome = outcome_of(FAILED, failures, PAUSES, NOW, chance)
    assert isinstance(outcome, TryAgain)
    assert PAUSES[failures] <= outcome.seconds <= 1.1 * PAUSES[failures] + 1e-6


def test_after_the_last_pause_no_try_follows() -> None:
    assert outcome_of(FAILED, len(PAUSES), PAUSES, NOW, 0.5) == GiveUp()
    assert outcome_of(FAILED, 0, [], NOW, 0.5) == GiveUp()


@pytest.mark.parametrize("error", [TryError.TIMEOUT, TryError.CONNECTION_FAILED, TryError.URL_FORBIDDEN])
def test_a_try_without_an_answer_is_repeated(error: TryError) -> None:
    assert isinstance(outcome_of(Answer(10.0, error=error), 0, PAUSES, NOW, 0), TryAgain)


def test_a_success_ends_the_delivery_and_410_the_endpoint() -> None:
    assert outcome_of(Answer(0.1, status=204), 9, PAUSES, NOW, 0) == Delivered()
    gone = Answer(0.1, status=410, error=error_of_status(410))
    assert outcome_of(gone, 0, PAUSES, NOW, 0) == StopEndpoint()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (204, None),
        (299, None),
        (301, TryError.REDIRECT),
        (304, TryError.REDIRECT),
        (400, TryError.STATUS),
        (599, TryError.STATUS),
    ],
)
def test_only_2xx_is_a_success(status: int, error: TryError | None) -> None:
    assert error_of_status(status) == error


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("7", 7),
        (" 120 ", 120),
        ("9" * 5000, LONGEST_RETRY_AFTER),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("Fri, 01 Jan 2099 11:00:00 GMT", LONGEST_RETRY_AFTER),
        ("Thu, 01 Jan 2026 12:01:00", 0),
        ("-5", 0),
        ("1.5", 0),
        ("٣", 0),
        ("soon", 0),
        ("", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_of_at_most_a_day(header: str | None, seconds: float) -> None:
    assert requested_pause(header, NOW) == seconds


@given(st.text(max_size=100))
def test_no_retry_after_raises_an_error(header: str) -> None:
    assert 0 <= requested_pause(header, NOW) <= LONGEST_RETRY_AFTER


def test_retry_after_never_shortens_a_pause() -> None:
    early = Answer(0.1, status=503, error=TryError.STATUS, retry_after="1")
    assert outcome_of(early, 1, PAUSES, NOW, 0) == TryAgain(300)
    late = Answer(0.1, status=503, error=TryError.STATUS, retry_after="1000")
    assert outcome_of(late, 1, PAUSES, NOW, 0) == TryAgain(1000)
