"""Event ids name places in the order of all events, and a buffer between feed and stream stays bounded."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.events.event_types import EVERY_TYPE, PARTIAL, parse_types
from services.api.events.position import (
    BEGINNING,
    LARGEST_SEQUENCE,
    LARGEST_TRANSACTION,
    MalformedEventIdError,
    Position,
    before,
    format_event_id,
    parse_event_id,
)
from services.api.events.subject import Subject
from services.api.events.subscription import MOST_EPHEMERAL, Subscription
from services.api.problems.codes import Problem
from shared.partial_pictures import PartialPicture, Partials

PROJECT, OTHER = UUID(int=1), UUID(int=2)

positions = st.builds(
    Position,
    st.integers(0, LARGEST_TRANSACTION),
    st.uuids(),
    st.integers(1, LARGEST_SEQUENCE),
)


@given(positions)
def test_an_id_names_one_position(position: Position) -> None:
    assert parse_event_id(format_event_id("abc123", position)) == ("abc123", position)
    start = before(position.transaction)
    assert parse_event_id(format_event_id("abc123", start)) == ("abc123", start)
    assert BEGINNING <= start < position < before(position.transaction + 1)


@given(st.text(max_size=80))
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(MalformedEventIdError):
        parse_event_id(text)


def test_numbers_that_no_event_can_have_are_refused() -> None:
    job = "01m8a4vqzhe2fbpdaz3zp1kwsh"
    for wrong in (f"evt_abc123_{2**64}", f"evt_abc123_1_{job}_32768", f"evt_abc123_1_z{job[1:]}_1"):
        with pytest.raises(MalformedEventIdError):
            parse_event_id(wrong)


def test_patterns_stand_for_types() -> None:
    assert parse_types(None) == parse_types(["*"]) == parse_types(["job.*"]) == EVERY_TYPE
    assert parse_types(["job.failed, job.queued", "job.failed"]) == {"job.failed", "job.queued"}
    with pytest.raises(Problem, match=r"did you mean `job\.canceled`"):
        parse_types(["job.cancelled"])


def partial(job: int, *, few: bool) -> PartialPicture:
    return PartialPicture(
        job_id=UUID(int=job),
        project_id=PROJECT,
        attempt=1,
        index=0,
        rows_done=1,
        rows_total=8,
        media_type="image/png",
        picture=b"x",
        is_among_few=few,
    )


def test_partial_pictures_are_shown_to_those_who_asked_for_them() -> None:
    few, everything, none = (
        Subscription(Subject(PROJECT), EVERY_TYPE, level) for level in (Partials.FEW, Partials.ALL, None)
    )
    filtered = Subscription(Subject(PROJECT), EVERY_TYPE - {PARTIAL}, Partials.ALL)
    of_a_session = Subscription(Subject(PROJECT, session_id=OTHER), EVERY_TYPE, Partials.ALL)
    rare, usual = partial(7, few=True), partial(7, few=False)
    assert (few.wants(rare, None), few.wants(usual, None)) == (True, False)
    assert everything.wants(rare, None)
    assert everything.wants(usual, None)
    assert not none.wants(rare, None)
    assert not filtered.wants(rare, None)
    assert (of_a_session.wants(rare, None), of_a_session.wants(rare, OTHER)) == (False, True)
    assert (none.watch_key, filtered.watch_key) == (None, None)
    assert few.watch_key != everything.watch_key


def test_a_slow_reader_keeps_only_the_latest_of_what_is_ephemeral() -> None:
    slow = Subscription(Subject(PROJECT), EVERY_TYPE)
    for number in range(2 * MOST_EPHEMERAL):
        slow.offer_latest(UUID(int=number), "progress", b"old")
        slow.offer_latest(UUID(int=number), "progress", str(number).encode())
    events, latest = slow.take()
    assert events == []
    assert latest == [str(number).encode() for number in range(MOST_EPHEMERAL, 2 * MOST_EPHEMERAL)]
    assert slow.take() == ([], [])
