"""The state machine that decides from test doorbells whether broker messages arrive."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from services.worker.broker.liveness import ROUNDS_UNTIL_DEAF, Hearing

LISTENING = Hearing().connected()


def missed_round(hearing: Hearing) -> Hearing:
    """A doorbell is due and is sent, and does not arrive."""
    return hearing.round_begun().sending()


def missed_rounds(hearing: Hearing, count: int) -> Hearing:
    """`count` missed rounds, after which the next doorbell is due."""
    for _ in range(count):
        hearing = missed_round(hearing)
    return hearing.round_begun()


def test_three_doorbells_in_a_row_that_do_not_arrive_make_a_worker_deaf() -> None:
    assert not missed_rounds(LISTENING, ROUNDS_UNTIL_DEAF - 1).is_deaf
    assert missed_rounds(LISTENING, ROUNDS_UNTIL_DEAF).is_deaf


def test_a_doorbell_is_not_missed_before_the_next_is_due() -> None:
    assert not missed_round(missed_rounds(LISTENING, ROUNDS_UNTIL_DEAF - 1)).is_deaf


def test_a_late_doorbell_resets_the_count() -> None:
    late = missed_rounds(LISTENING, ROUNDS_UNTIL_DEAF - 1).heard()
    assert not missed_rounds(late, ROUNDS_UNTIL_DEAF - 1).is_deaf


def test_a_doorbell_may_arrive_before_its_sender_returns() -> None:
    hearing = LISTENING
    for _ in range(2 * ROUNDS_UNTIL_DEAF):
        hearing = hearing.round_begun().sending().heard()
    assert hearing == LISTENING


def test_doorbells_that_the_broker_does_not_accept_reset_the_count() -> None:
    hearing = LISTENING
    for _ in range(2 * ROUNDS_UNTIL_DEAF):
        hearing = missed_round(hearing).not_sent()
    assert not hearing.round_begun().is_deaf
    away_once = missed_round(missed_rounds(LISTENING, ROUNDS_UNTIL_DEAF - 1)).not_sent()
    assert not missed_rounds(away_once, ROUNDS_UNTIL_DEAF - 1).is_deaf


def test_a_worker_that_knows_of_its_lost_connection_is_not_deaf() -> None:
    assert not missed_rounds(Hearing(), 2 * ROUNDS_UNTIL_DEAF).is_deaf
    noticed = missed_rounds(LISTENING, ROUNDS_UNTIL_DEAF - 1).disconnected()
    assert not missed_rounds(noticed, ROUNDS_UNTIL_DEAF).is_deaf


def test_a_new_connection_resets_the_count() -> None:
    again = missed_rounds(LISTENING, ROUNDS_UNTIL_DEAF - 1).disconnected().connected()
    assert not missed_rounds(again, ROUNDS_UNTIL_DEAF - 1).is_deaf
    assert missed_rounds(again, ROUNDS_UNTIL_DEAF).is_deaf


EVENTS = (
    Hearing.connected,
    Hearing.disconnected,
    Hearing.round_begun,
    Hearing.sending,
    Hearing.not_sent,
    Hearing.heard,
)


@given(st.lists(st.sampled_from(EVENTS)))
def test_after_any_events_a_doorbell_that_arrives_ends_deafness(
    events: list[Callable[[Hearing], Hearing]],
) -> None:
    hearing = Hearing()
    for event in events:
        hearing = event(hearing)
    assert not hearing.heard().is_deaf
    assert hearing.heard().listening == hearing.listening
