"""The task of every prompt that the engine writes is recognised."""

import pytest

from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest, prompt_text
from shared.tasks import MapKind, Task
from training.data.prompt_reading import AskedTask, read_prompt

SIZE = PictureSize(64, 96)
REQUESTS = [
    PictureRequest(Task.TEXT_TO_IMAGE, "a ball\nand a cube", SIZE),
    *(PictureRequest(Task.IMAGE_PAIR, "a ball", SIZE, map=kind) for kind in sorted(Task.IMAGE_PAIR.maps)),
    *(
        PictureRequest(Task.CONTROL, "a ball", SIZE, map=kind, given_codes=())
        for kind in sorted(Task.CONTROL.maps)
    ),
    *(PictureRequest(Task.DENSE, "", SIZE, map=kind, given_codes=()) for kind in MapKind),
    PictureRequest(Task.SUBJECT, "it swims", SIZE, given_codes=()),
    PictureRequest(Task.SUBJECT, "it swims", SIZE, subject="a toy", given_codes=()),
    PictureRequest(Task.EDIT, "make it red", SIZE, given_codes=()),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: f"{request.task}-{request.map}")
def test_the_task_of_every_template_is_recognised(request_: PictureRequest) -> None:
    asked = read_prompt(prompt_text(request_), has_image=request_.task.takes_image)
    assert asked == AskedTask(request_.task, request_.prompt, request_.map, request_.subject)


@pytest.mark.parametrize(("has_image", "task"), [(False, Task.TEXT_TO_IMAGE), (True, Task.EDIT)])
def test_words_without_a_template_are_a_prompt_or_an_instruction(has_image: bool, task: Task) -> None:
    assert read_prompt("make it red", has_image=has_image) == AskedTask(task, "make it red")


def test_a_template_without_a_size_is_recognised() -> None:
    asked = read_prompt("Generate an image according to the following prompt:\na ball", has_image=False)
    assert asked == AskedTask(Task.TEXT_TO_IMAGE, "a ball")


def test_a_stacked_picture_of_map_and_photograph_is_a_control_example() -> None:
    request = PictureRequest(Task.CONTROL, "a ball", SIZE, map=MapKind.DEPTH, given_codes=())
    assert read_prompt(prompt_text(request), has_image=False).task is Task.CONTROL
