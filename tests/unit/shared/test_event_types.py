"""Patterns that select types of events."""

from typing import get_args

from shared.event_types import ENDPOINT_DISABLED, EventPattern, JobEventPattern, JobEventType, patterns_of


def test_a_type_is_selected_by_itself_and_by_each_beginning() -> None:
    assert patterns_of("job.succeeded") == ["job.succeeded", "job.*", "*"]
    assert patterns_of("a.b.c") == ["a.b.c", "a.b.*", "a.*", "*"]


def test_every_pattern_that_requests_may_have_selects_a_type() -> None:
    types = {*get_args(JobEventType), ENDPOINT_DISABLED}
    useful = {pattern for event_type in types for pattern in patterns_of(event_type)}
    assert set(get_args(EventPattern)) == useful
    assert set(get_args(JobEventPattern)) == {
        pattern for event_type in get_args(JobEventType) for pattern in patterns_of(event_type)
    }
