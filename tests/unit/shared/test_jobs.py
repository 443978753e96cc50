"""All transitions of the job state machine."""

from itertools import product

import pytest

from shared.jobs import (
    ACTIVE_STATES,
    FINAL_STATES,
    TRANSITIONS,
    JobEvent,
    JobState,
    event_after_failure,
    retry_delay,
    sources,
    target,
)

ALLOWED = {
    (None, "queued"): "queued",
    ("queued", "started"): "running",
    ("queued", "canceled"): "canceled",
    ("queued", "expired"): "expired",
    ("running", "interrupted"): "queued",
    ("running", "retrying"): "queued",
    ("running", "canceling"): "canceling",
    ("running", "succeeded"): "succeeded",
    ("running", "failed"): "failed",
    ("canceling", "canceled"): "canceled",
    ("canceling", "succeeded"): "succeeded",
}


@pytest.mark.parametrize(("state", "event"), list(product([None, *JobState], JobEvent)))
def test_every_pair_of_state_and_event_is_allowed_or_refused_as_designed(
    state: JobState | None, event: JobEvent
) -> None:
    after = TRANSITIONS.get((state, event))
    assert (after and after.value) == ALLOWED.get((state, event.value))


def test_nothing_leaves_a_final_state() -> None:
    assert not [pair for pair in TRANSITIONS if pair[0] in FINAL_STATES]


def test_every_state_but_the_first_is_reached_and_every_open_state_is_left() -> None:
    assert set(TRANSITIONS.values()) == set(JobState)
    assert {state for state, _ in TRANSITIONS if state} == set(JobState) - FINAL_STATES


def test_a_final_state_can_be_reached_from_every_open_state() -> None:
    reached = set(FINAL_STATES)
    for _ in JobState:
        reached |= {state for (state, _), after in TRANSITIONS.items() if state and after in reached}
    assert reached == set(JobState)


@pytest.mark.parametrize("event", JobEvent)
def test_an_event_leads_to_the_same_state_wherever_it_happens(event: JobEvent) -> None:
    assert {after for (_, name), after in TRANSITIONS.items() if name is event} == {target(event)}


def test_only_the_claim_leads_into_running() -> None:
    assert sources(JobEvent.STARTED) == {JobState.QUEUED}
    assert {JobState.RUNNING, JobState.CANCELING} == ACTIVE_STATES


@pytest.mark.parametrize(
    ("retryable", "failures", "event"),
    [
        (True, 1, JobEvent.RETRYING),
        (True, 2, JobEvent.RETRYING),
        (True, 3, JobEvent.FAILED),
        (False, 1, JobEvent.FAILED),
    ],
)
def test_a_job_retries_while_that_can_help_and_its_budget_lasts(
    retryable: bool, failures: int, event: JobEvent
) -> None:
    assert event_after_failure(retryable=retryable, failures=failures, max_failures=3) is event


def test_retries_wait_twice_as_long_each_time_up_to_two_minutes() -> None:
    assert [retry_delay(failures) for failures in (1, 2, 3, 7, 30)] == [2, 4, 8, 120, 120]
