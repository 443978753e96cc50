"""An edit knows how many cells it changed."""

import pytest

from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.job.results import changed_cells
from shared.tasks import Task
from shared.token_grid import TokenGrid

GIVEN = tuple(range(16))
SIZE = PictureSize(32, 32)


@pytest.mark.parametrize(("codes", "count"), [(GIVEN, 0), ((99, *GIVEN[1:15], 99), 2), (GIVEN[::-1], 16)])
def test_codes_that_differ_from_the_given_ones_are_counted(codes: tuple[int, ...], count: int) -> None:
    request = PictureRequest(Task.EDIT, "make it blue", SIZE, given_codes=GIVEN)
    assert changed_cells(request, TokenGrid(4, 4, codes)) == count


def test_other_tasks_change_nothing_given() -> None:
    subject = PictureRequest(Task.SUBJECT, "this ball", SIZE, given_codes=GIVEN)
    assert changed_cells(subject, TokenGrid(4, 4, GIVEN)) is None
    drawn = PictureRequest(Task.TEXT_TO_IMAGE, "a ball", SIZE)
    assert changed_cells(drawn, TokenGrid(4, 4, GIVEN)) is None
