"""What a request may combine, and the words it becomes."""

import pytest

from services.worker.engine.errors import ImageSizeError, PromptError
from services.worker.engine.prompts import PictureRequest, keep_where, next_turn, prompt_text
from services.worker.engine.tasks import MapKind, PictureSize, Task

SIZE = PictureSize(64, 32)
CODES = (0,) * 32


@pytest.mark.parametrize(
    ("name", "task"),
    [("t2i", Task.TEXT_TO_IMAGE), ("pair", Task.IMAGE_PAIR), ("edit", Task.EDIT), ("dense", Task.DENSE)],
)
def test_tasks_have_short_names(name: str, task: Task):
    assert Task.parse(name) is task
    assert Task.parse(task.value) is task


def test_maps_have_the_names_of_other_tools():
    assert MapKind.parse("openpose") is MapKind.POSE
    assert MapKind.parse("edges") is MapKind.CANNY


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(PromptError, match="unknown task 'paint'; known are text_to_image, image_pair"):
        Task.parse("paint")
    with pytest.raises(PromptError, match="unknown map 'scribble'; known are depth, canny"):
        MapKind.parse("scribble")


def test_the_prompt_states_the_whole_picture_and_the_request_its_result():
    request = PictureRequest(Task.EDIT, "make it red", SIZE, given_codes=CODES)
    assert request.whole_size == PictureSize(64, 64)
    assert prompt_text(request) == (
        "Generate a dual-panel image of 64x64 where the <lower half> displays a <edited image>, while the "
        "<upper half> retains the original image for direct visual comparison:\nmake it red"
    )


def test_dense_prediction_asks_for_the_map_of_the_given_original():
    request = PictureRequest(Task.DENSE, "", SIZE, map=MapKind.SEGMENTATION, given_codes=CODES)
    assert prompt_text(request) == (
        "Generate a dual-panel image of 64x64 where the <lower half> displays a <segmentation map>, while "
        "the <upper half> retains the original image for direct visual comparison:\n"
    )


def test_a_subject_may_be_described():
    request = PictureRequest(Task.SUBJECT, "on a beach", SIZE, subject="blue toy car", given_codes=CODES)
    assert "<upper half> displays a <blue toy car>, while the <lower half> retains" in prompt_text(request)


def test_an_edit_without_an_image_is_refused():
    with pytest.raises(PromptError, match="'edit' needs an image"):
        PictureRequest(Task.EDIT, "make it red", SIZE)


def test_an_image_that_nobody_asked_for_is_refused():
    with pytest.raises(PromptError, match="'text_to_image' takes no image"):
        PictureRequest(Task.TEXT_TO_IMAGE, "a boat", SIZE, given_codes=CODES)


@pytest.mark.parametrize("prompt", ["", " \n\t"])
def test_an_empty_prompt_is_refused(prompt: str):
    with pytest.raises(PromptError, match="needs a prompt"):
        PictureRequest(Task.TEXT_TO_IMAGE, prompt, SIZE)


@pytest.mark.parametrize("given_map", [None, MapKind.SEGMENTATION])
def test_control_needs_a_map_that_it_knows(given_map: MapKind | None):
    with pytest.raises(PromptError, match="'control' needs one of the maps canny, depth, hed, pose"):
        PictureRequest(Task.CONTROL, "a boat", SIZE, map=given_map, given_codes=CODES)


def test_a_map_or_subject_where_none_belongs_is_refused():
    with pytest.raises(PromptError, match="takes no map"):
        PictureRequest(Task.TEXT_TO_IMAGE, "a boat", SIZE, map=MapKind.DEPTH)
    with pytest.raises(PromptError, match="takes no description"):
        PictureRequest(Task.TEXT_TO_IMAGE, "a boat", SIZE, subject="boat")


@pytest.mark.parametrize("text", ["64", "64x", "64x-32", "64x40", "0x32", "٦٤x٣٢", "9999999999x32"])
def test_a_size_off_the_grid_is_refused(text: str):
    with pytest.raises(ImageSizeError):
        PictureSize.parse(text)


def test_a_size_is_read_and_written_width_first():
    assert PictureSize.parse("768x512") == PictureSize(width=768, height=512)
    assert str(PictureSize(768, 512)) == "768x512"


def test_the_next_turn_edits_the_last_result_as_it_was_drawn():
    first = PictureRequest(Task.TEXT_TO_IMAGE, "a boat", SIZE)
    second = next_turn(first, tuple(range(32)), "make it red")
    third = next_turn(second, tuple(range(32, 64)), "remove the boat")
    assert (second.task, second.size, second.given_codes) == (Task.EDIT, SIZE, tuple(range(32)))
    assert (third.size, third.given_codes, third.prompt) == (SIZE, tuple(range(32, 64)), "remove the boat")


def test_a_mask_says_which_codes_stay():
    assert keep_where((True, False, True), (7, 8, 9)) == (7, None, 9)
    with pytest.raises(PromptError, match="mask covers 1 cells, the picture has 2"):
        keep_where((True,), (1, 2))
