"""The allowed combinations of a request's fields, and its prompt text."""

import pytest

from services.worker.engine.errors import ImageSizeError, PromptError
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import (
    PictureRequest,
    negative_prompt_text,
    prompt_text,
)
from shared.tasks import MapKind, Task

SIZE = PictureSize(64, 32)
CODES = (0,) * 32


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


def test_an_unexpected_image_is_refused():
    with pytest.raises(PromptError, match="'text_to_image' takes no image"):
        PictureRequest(Task.TEXT_TO_IMAGE, "a boat", SIZE, given_codes=CODES)


@pytest.mark.parametrize("prompt", ["", " \n\t"])
def test_an_empty_prompt_is_refused(prompt: str):
    with pytest.raises(PromptError, match="needs a prompt"):
        PictureRequest(Task.TEXT_TO_IMAGE, prompt, SIZE)


@pytest.mark.parametrize("given_map", [None, MapKind.SEGMENTATION])
def test_control_needs_a_map_that_it_knows(given_map: MapKind | None):
    with pytest.raises(PromptError, match="'control' needs one of the maps depth, edges, hed, pose"):
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


def test_a_negative_prompt_stands_in_the_words_of_its_task():
    request = PictureRequest(Task.TEXT_TO_IMAGE, "a boat", SIZE, negative_prompt="waves")
    assert negative_prompt_text(request) == (
        "Generate an image of 64x32 according to the following prompt:\nwaves"
    )
    assert negative_prompt_text(PictureRequest(Task.TEXT_TO_IMAGE, "a boat", SIZE)) is None


def test_a_blank_negative_prompt_is_refused():
    with pytest.raises(PromptError, match="must not be blank"):
        PictureRequest(Task.TEXT_TO_IMAGE, "a boat", SIZE, negative_prompt=" ")
