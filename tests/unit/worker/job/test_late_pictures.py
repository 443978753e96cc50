"""Pictures of canceled jobs: decoded after their jobs, tried again, given up, or left to another worker."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.worker.job.late_pictures import (
    LONGEST_PAUSE_SECONDS,
    MOST_TRIES,
    LatePictures,
    LeftToOthersError,
)
from services.worker.tokenizer_client import TokenizerRefusedError, TokenizerUnavailableError
from shared.job_store import Output, StoredImage, TakenPicture, UndecodedOutput
from shared.storage import StorageError
from shared.token_grid import TokenGrid
from tests.support.claimed_jobs import NEVER_SECONDS, WAIT_SECONDS, database_is_away, in_thread

LEASE_SECONDS, HOURS = 60.0, 3600.0
GRID = TokenGrid(1, 2, (5, 6))
OUTPUT = Output(StoredImage("key", bytes(32), "image/png", 10, 16, 8), GRID, "t1", partial=True)


def waiting_picture(tries: int = 1) -> TakenPicture:
    return TakenPicture(uuid4(), uuid4(), uuid4(), tries, UndecodedOutput(0, GRID, {}, None, True))


@dataclass
class Finishing:
    """A tokenizer service and a storage that finish a picture when they may, or fail at it.

    listens: whether the call looks, while it waits, if it is still wanted.
    """

    fault: Exception | None = None
    listens: bool = True

    def __post_init__(self) -> None:
        self.asked, self.may_answer, self.left = Event(), Event(), Event()
        self.may_answer.set()

    def __call__(
        self, project_id: UUID, job_id: UUID, undecoded: UndecodedOutput, check: Callable[[], None]
    ) -> Output:
        assert undecoded.grid == GRID
        self.asked.set()
        while not self.may_answer.wait(0.01):
            if self.listens:
                self._look(check)
        if self.fault is not None:
            raise self.fault
        return OUTPUT

    def _look(self, check: Callable[[], None]) -> None:
        try:
            check()
        except LeftToOthersError:
            self.left.set()
            raise


class Waiting:
    """Pictures that wait to be decoded, in a list, and what was done with each."""

    def __init__(self, *pictures: TakenPicture, fault: Exception | None = None) -> None:
        self.pictures = list(pictures)
        self.added: SimpleQueue[TakenPicture] = SimpleQueue()
        self.looks: SimpleQueue[float] = SimpleQueue()
        self.dropped: list[TakenPicture] = []
        self.pauses: list[float] = []
        self.faults: list[Exception] = []
        self.taken_by_another = False
        self.finishing = Finishing(fault)
        self.told: list[tuple[UUID, Mapping[str, Any]]] = []
        self.late = LatePictures(self, self.finishing, self._publish, LEASE_SECONDS, look_seconds=HOURS)

    def take(self, seconds: float) -> TakenPicture | None:
        self.looks.put(seconds)
        if self.faults:
            raise self.faults.pop()
        return self.pictures.pop(0) if self.pictures else None

    def put_off(self, taken: TakenPicture, seconds: float) -> None:
        self.pauses.append(seconds)

    def add(self, taken: TakenPicture, output: Output) -> bool:
        assert output == OUTPUT
        if self.taken_by_another:
            return False
        self.added.put(taken)
        return True

    def drop(self, taken: TakenPicture) -> None:
        self.dropped.append(taken)

    def _publish(self, job_id: UUID, event: Mapping[str, Any]) -> bool:
        self.told.append((job_id, event))
        return True


def test_the_picture_is_added_to_its_job_and_listeners_are_told() -> None:
    picture = waiting_picture()
    waiting = Waiting(picture)
    assert waiting.late.do_one()
    assert waiting.added.get_nowait() == picture
    assert waiting.told == [(picture.job_id, {"type": "output"})]
    assert (waiting.dropped, waiting.pauses) == ([], [])
    assert waiting.looks.get_nowait() == LEASE_SECONDS


def test_where_no_picture_waits_nothing_is_done() -> None:
    waiting = Waiting()
    assert not waiting.late.do_one()
    assert not waiting.finishing.asked.is_set()


def test_a_picture_that_another_worker_has_taken_meanwhile_is_not_announced() -> None:
    waiting = Waiting(waiting_picture())
    waiting.taken_by_another = True
    waiting.late.do_one()
    assert waiting.told == []


@pytest.mark.parametrize(("tries", "pause"), [(1, 2.0), (3, 8.0), (8, 256.0), (9, 300.0), (199, 300.0)])
@pytest.mark.parametrize(
    "fault",
    [TokenizerUnavailableError("no answer"), StorageError("no answer"), KeyError("unforeseen")],
    ids=["tokenizer", "storage", "unforeseen"],
)
def test_a_picture_that_fails_is_tried_again_after_a_pause_that_doubles(
    tries: int, pause: float, fault: Exception
) -> None:
    waiting = Waiting(waiting_picture(tries), fault=fault)
    assert waiting.late.do_one()
    assert waiting.pauses == [pause]
    assert pause <= LONGEST_PAUSE_SECONDS
    assert (waiting.dropped, waiting.told) == ([], [])


def test_a_picture_is_given_up_after_many_tries() -> None:
    picture = waiting_picture(MOST_TRIES)
    waiting = Waiting(picture, fault=TokenizerUnavailableError("no answer"))
    waiting.late.do_one()
    assert (waiting.dropped, waiting.pauses) == ([picture], [])


def test_a_picture_that_the_tokenizer_refuses_is_given_up_at_once() -> None:
    picture = waiting_picture()
    waiting = Waiting(picture, fault=TokenizerRefusedError("grid_invalid", "code 300 of 256"))
    waiting.late.do_one()
    assert (waiting.dropped, waiting.pauses) == ([picture], [])


def test_the_hold_on_a_picture_is_extended_only_while_it_is_decoded() -> None:
    waiting = Waiting(waiting_picture())
    waiting.late.keep()
    assert waiting.pauses == []
    waiting.finishing.may_answer.clear()
    doing = in_thread(waiting.late.do_one)
    assert waiting.finishing.asked.wait(WAIT_SECONDS)
    waiting.late.keep()
    assert waiting.pauses == [LEASE_SECONDS]
    waiting.finishing.may_answer.set()
    doing.result(WAIT_SECONDS)
    waiting.late.keep()
    assert waiting.pauses == [LEASE_SECONDS]


def test_a_worker_that_leaves_gives_the_picture_in_work_to_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    waiting = Waiting(waiting_picture())
    waiting.finishing.may_answer.clear()
    waiting.late.start()
    assert waiting.finishing.asked.wait(WAIT_SECONDS)
    waiting.late.stop()
    assert waiting.finishing.left.wait(WAIT_SECONDS), "the call to the tokenizer service goes on"
    waiting.late._thread.join(WAIT_SECONDS)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert waiting.pauses == [0.0]
    assert waiting.added.empty()
    assert waiting.dropped == []


def test_an_idle_thread_ends_at_once_when_the_worker_leaves() -> None:
    waiting = Waiting()
    waiting.late.start()
    waiting.looks.get(timeout=WAIT_SECONDS)
    waiting.late.stop()
    assert not waiting.late._thread.is_alive()


@pytest.mark.parametrize("fault", [None, TokenizerUnavailableError("no answer")], ids=["picture", "fault"])
def test_what_comes_of_a_picture_after_the_worker_has_left_is_dropped(fault: Exception | None) -> None:
    waiting = Waiting(waiting_picture(), fault=fault)
    waiting.finishing.listens = False
    waiting.finishing.may_answer.clear()
    waiting.late.start()
    assert waiting.finishing.asked.wait(WAIT_SECONDS)
    waiting.late.stop()
    waiting.finishing.may_answer.set()
    with pytest.raises(Empty):
        waiting.added.get(timeout=NEVER_SECONDS)
    assert (waiting.pauses, waiting.dropped) == ([0.0], [])


def test_a_cancel_wakes_the_thread_at_once() -> None:
    waiting = Waiting()
    waiting.late.start()
    waiting.looks.get(timeout=WAIT_SECONDS)
    picture = waiting_picture()
    waiting.pictures.append(picture)
    waiting.late.wake()
    assert waiting.added.get(timeout=WAIT_SECONDS) == picture
    waiting.late.stop()


def test_pictures_that_wait_are_decoded_one_after_the_other() -> None:
    pictures = [waiting_picture() for _ in range(3)]
    waiting = Waiting(*pictures)
    waiting.late.start()
    assert [waiting.added.get(timeout=WAIT_SECONDS) for _ in pictures] == pictures
    waiting.late.stop()


def test_a_database_that_is_away_costs_a_look_and_not_the_thread() -> None:
    picture = waiting_picture()
    waiting = Waiting(picture)
    waiting.faults = [database_is_away()]
    waiting.late.start()
    waiting.looks.get(timeout=WAIT_SECONDS)
    waiting.late.wake()
    assert waiting.added.get(timeout=WAIT_SECONDS) == picture
    waiting.late.stop()
