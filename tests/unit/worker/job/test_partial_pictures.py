"""Partial pictures of a drawing: which rows are sent, to whom, and that faults never reach the drawing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from uuid import UUID

import pytest
import redis

from services.worker.claiming.attempts import Attempt
from services.worker.engine.loading.load import LoadedModel
from services.worker.job.candidates import Drawing
from services.worker.job.partial_pictures import PartialPictures, step_of
from shared.partial_pictures import PartialPicture, Partials
from shared.token_grid import TokenGrid
from tests.support.claimed_jobs import WAIT_SECONDS, claimed_job, in_thread
from tests.support.job_runs import Bench

ROWS = COLUMNS = 8


@dataclass
class Viewers:
    """Who watches, and what was sent to them."""

    level: Partials | None = Partials.ALL
    asked: list[list[UUID]] = field(default_factory=list[list[UUID]])
    sent: list[PartialPicture] = field(default_factory=list[PartialPicture])
    fault: Exception | None = None
    heard: Event = field(default_factory=Event)

    def watched(self, jobs: Sequence[tuple[UUID, UUID]]) -> Mapping[UUID, Partials]:
        self.heard.set()
        if self.fault is not None:
            raise self.fault
        self.asked.append([job_id for job_id, _ in jobs])
        return {} if self.level is None else {job_id: self.level for job_id, _ in jobs}

    def send(self, partial: PartialPicture) -> None:
        self.sent.append(partial)


def decode(grid: TokenGrid, rows: int, check: Callable[[], None]) -> bytes:
    """Stand in for the tokenizer service."""
    check()
    return f"{grid.height} of {rows}".encode()


class Drawn:
    """A drawing, pass by pass, and the partial pictures of it."""

    def __init__(self, loaded: LoadedModel, level: Partials | None = Partials.ALL) -> None:
        self.bench = Bench(loaded)
        self.attempt = Attempt(claimed_job(attempt=3))
        self.drawing = Drawing(self.bench.host, self.bench.prepared().recipe, None, self.attempt.wake)
        self.viewers = Viewers(level)
        self.partials = PartialPictures(decode, self.viewers)

    def rows_after(self, *codes: int) -> list[int]:
        """Draw until so many codes are drawn, look each time, and return the rows of what was sent."""
        with self.partials.shown(self.attempt.claimed, self.drawing):
            for count in codes:
                while self.drawing.tokens_done < count:
                    self.bench.draw(passes=1)
                self.partials.look()
        return [partial.rows_done for partial in self.viewers.sent]


def test_every_complete_row_is_sent_once(loaded: LoadedModel) -> None:
    drawn = Drawn(loaded)
    assert drawn.rows_after(7, 8, 9, 15, 16, 40, 64) == [1, 2, 5, 8]
    first = drawn.viewers.sent[0]
    assert (first.picture, first.media_type) == (b"1 of 8", "image/png")
    assert (first.job_id, first.attempt, first.index) == (drawn.attempt.lease.job_id, 3, 0)
    assert first.project_id == drawn.attempt.claimed.project_id
    assert (first.rows_total, PartialPicture.model_validate_json(first.model_dump_json())) == (ROWS, first)


def test_few_pictures_are_sent_at_every_second_of_eight_rows(loaded: LoadedModel) -> None:
    assert Drawn(loaded, Partials.FEW).rows_after(8, 16, 24, 40, 64) == [2, 5, 8]


def test_what_clients_with_few_pictures_get_is_marked(loaded: LoadedModel) -> None:
    drawn = Drawn(loaded)
    drawn.rows_after(8, 16, 24, 40, 64)
    marks = {partial.rows_done: partial.is_among_few for partial in drawn.viewers.sent}
    assert marks == {1: False, 2: True, 3: False, 5: True, 8: True}


def test_nothing_is_decoded_while_nobody_watches(loaded: LoadedModel) -> None:
    drawn = Drawn(loaded, level=None)
    assert drawn.rows_after(8, 64) == []
    assert {tuple(jobs) for jobs in drawn.viewers.asked} == {(drawn.attempt.lease.job_id,)}


def test_a_picture_that_is_decoded_after_the_drawing_has_ended_is_dropped(loaded: LoadedModel) -> None:
    drawn = Drawn(loaded)
    decoding, may_end = Event(), Event()

    def decode_late(grid: TokenGrid, rows: int, check: Callable[[], None]) -> bytes:
        decoding.set()
        assert may_end.wait(WAIT_SECONDS)
        return decode(grid, rows, check)

    drawn.partials = PartialPictures(decode_late, drawn.viewers)
    drawn.bench.draw(passes=12)
    with drawn.partials.shown(drawn.attempt.claimed, drawn.drawing):
        looking = in_thread(drawn.partials.look)
        assert decoding.wait(WAIT_SECONDS)
    may_end.set()
    looking.result(WAIT_SECONDS)
    assert drawn.viewers.sent == []


@pytest.mark.parametrize("fault", [redis.ConnectionError("away"), RuntimeError("a bug")])
def test_a_fault_reaches_neither_the_drawing_nor_the_thread(
    loaded: LoadedModel, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    drawn = Drawn(loaded)
    drawn.viewers.fault = fault
    drawn.partials.start()
    with drawn.partials.shown(drawn.attempt.claimed, drawn.drawing):
        assert drawn.viewers.heard.wait(WAIT_SECONDS)
        drawn.bench.draw(passes=8)
    drawn.partials.stop()
    assert "partial picture" in caplog.text
    assert drawn.drawing.tokens_done > 0


def test_the_step_follows_the_size_of_the_picture() -> None:
    assert [step_of(rows, Partials.ALL) for rows in (1, 8, 16, 17, 96)] == [1, 1, 1, 2, 6]
    assert [step_of(rows, Partials.FEW) for rows in (1, 8, 16, 17, 96)] == [1, 2, 4, 5, 24]
