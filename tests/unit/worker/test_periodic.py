"""A thread that repeats an action: its pace, its faults, its end."""

from queue import Empty, SimpleQueue

import pytest

from services.worker.periodic import Periodic
from shared.storage import StorageError
from tests.support.claimed_jobs import NEVER_SECONDS, WAIT_SECONDS, database_is_away, in_thread

HOURS = 3600.0


class Action:
    """Counts its rounds and raises the given faults, one a round."""

    def __init__(self, *faults: Exception) -> None:
        self.rounds: SimpleQueue[int] = SimpleQueue()
        self._faults = list(faults)
        self._count = 0

    def __call__(self) -> None:
        self._count += 1
        self.rounds.put(self._count)
        if self._faults:
            raise self._faults.pop(0)

    def wait_for_round(self) -> int:
        return self.rounds.get(timeout=WAIT_SECONDS)


def test_the_first_round_begins_at_once_and_the_next_after_its_time() -> None:
    action = Action()
    periodic = Periodic("test", HOURS, action)
    periodic.start()
    assert action.wait_for_round() == 1
    with pytest.raises(Empty):
        action.rounds.get(timeout=NEVER_SECONDS)
    periodic.stop()


def test_rounds_follow_each_other() -> None:
    action = Action()
    periodic = Periodic("test", 0.001, action)
    periodic.start()
    assert [action.wait_for_round() for _ in range(4)] == [1, 2, 3, 4]
    periodic.stop()


def test_a_stop_does_not_wait_for_the_next_round_and_no_round_follows_it() -> None:
    action = Action()
    periodic = Periodic("test", HOURS, action)
    periodic.start()
    action.wait_for_round()
    in_thread(periodic.stop).result(WAIT_SECONDS)
    assert action.rounds.empty()


@pytest.mark.parametrize(
    "fault", [database_is_away(), StorageError("no answer")], ids=["database", "storage"]
)
def test_a_server_that_is_away_costs_rounds_and_not_the_thread(fault: Exception) -> None:
    action = Action(fault, fault)
    periodic = Periodic("test", 0.001, action)
    periodic.start()
    assert [action.wait_for_round() for _ in range(3)] == [1, 2, 3]
    periodic.stop()
