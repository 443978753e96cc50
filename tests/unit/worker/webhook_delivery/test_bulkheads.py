"""Limits of requests at the same time and per second, for receivers and projects."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.worker.maintenance.webhook_delivery.bulkheads import Bulkheads, Limits

LIMITS = Limits(in_flight=10, per_receiver=3, per_second=2)
HOOK = "project/hook"


def test_a_receiver_has_room_again_when_a_request_ends() -> None:
    bulkheads = Bulkheads(Limits(in_flight=10, per_receiver=1, per_second=1000))
    bulkheads.begin(HOOK, 0.0)
    assert bulkheads.room(0.0).receivers[HOOK] == 0
    bulkheads.end(HOOK)
    assert bulkheads.room(1.0).receivers.get(HOOK, 1) == 1
    assert bulkheads.in_flight == 0


def test_a_receiver_gets_a_burst_of_one_second_and_then_its_rate() -> None:
    bulkheads = Bulkheads(LIMITS)
    for _ in range(2):
        bulkheads.begin(HOOK, 0.0)
        bulkheads.end(HOOK)
    assert bulkheads.room(0.0).receivers[HOOK] == 0
    assert bulkheads.room(0.49).receivers[HOOK] == 0
    assert bulkheads.room(0.5).receivers[HOOK] == 1
    assert HOOK not in bulkheads.room(1.0).receivers, "rested receivers are forgotten"


def test_a_rate_below_one_still_sends_one_at_a_time() -> None:
    bulkheads = Bulkheads(Limits(in_flight=10, per_receiver=3, per_second=0.1))
    assert bulkheads.room(0.0).per_receiver == 3
    bulkheads.begin(HOOK, 0.0)
    bulkheads.end(HOOK)
    assert bulkheads.room(9.0).receivers[HOOK] == 0
    assert bulkheads.room(10.0).receivers.get(HOOK, 3) > 0


def test_a_project_holds_at_most_half_of_all_requests() -> None:
    bulkheads = Bulkheads(LIMITS)
    for number in range(5):
        bulkheads.begin(f"project/{number}", 0.0)
    room = bulkheads.room(0.0)
    assert (room.free, room.projects, room.per_project) == (5, {"project": 0}, 5)


@given(st.lists(st.tuples(st.sampled_from(["a/1", "a/2", "b/1"]), st.booleans()), max_size=60))
def test_counts_are_those_of_the_running_requests(steps: list[tuple[str, bool]]) -> None:
    bulkheads = Bulkheads(Limits(in_flight=100, per_receiver=50, per_second=1000))
    running: Counter[str] = Counter()
    for receiver, begins in steps:
        if begins:
            bulkheads.begin(receiver, 0.0)
            running[receiver] += 1
        elif running[receiver]:
            bulkheads.end(receiver)
            running[receiver] -= 1
    room = bulkheads.room(1e6)
    assert room.free == 100 - running.total()
    for receiver, count in running.items():
        assert room.receivers.get(receiver, room.per_receiver) == 50 - count
