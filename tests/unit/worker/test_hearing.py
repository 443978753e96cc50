"""What a worker concludes from the doorbells that it sends to itself."""

from hypothesis import given
from hypothesis import strategies as st

from services.worker.hearing import ROUNDS_UNTIL_DEAF, Hearing

LISTENING = Hearing().connected()


def missed_round(hearing: Hearing) -> Hearing:
    """A bell is due and is sent, and nothing arrives."""
    return hearing.round_begun().sending()


def missed_rounds(hearing: Hearing, count: int) -> Hearing:
    """So many of them, and the next bell is due."""
    for _ in range(count):
        hearing = missed_round(hearing)
    return hearing.round_begun()


def test_three_bells_in_a_row_that_do_not_arrive_make_a_worker_deaf() -> None:
    assert not missed_rounds(LISTENING, ROUNDS_UNTIL_DEAF - 1).is_deaf
    assert missed_rounds(LISTENING, ROUNDS_UNTIL_DEAF).is_deaf


def test_a_bell_that_is_still_under_way_is_not_missed() -> None:
    assert not missed_round(missed_rounds(LISTENING, ROUNDS_UNTIL_DEAF - 1)).is_deaf


def test_a_bell_that_arrives_late_makes_good_for_all() -> None:
    late = missed_rounds(LISTENING, ROUNDS_UNTIL_DEAF - 1).heard()
    assert not missed_rounds(late, ROUNDS_UNTIL_DEAF - 1).is_deaf


def test_a_bell_that_arrives_before_its_sender_is_back_is_not_awaited() -> None:
    hearing = LISTENING
    for _ in range(2 * ROUNDS_UNTIL_DEAF):
        hearing = hearing.round_begun().sending().heard()
    assert hearing == LISTENING


def test_a_broker_that_is_away_counts_nothing() -> None:
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


def test_a_new_connection_is_judged_anew() -> None:
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
def test_whatever_happened_a_bell_that_was_heard_ends_deafness(events: list) -> None:
    hearing = Hearing()
    for event in events:
        hearing = event(hearing)
    assert not hearing.heard().is_deaf
    assert hearing.heard().listening == hearing.listening
