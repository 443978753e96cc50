"""An aspect ratio becomes the nearest size that the models were trained for."""

from typing import Any

import pytest

from services.api.jobs.aspect_ratio import with_size
from services.api.jobs.prepare import check_shape
from services.api.problems.codes import Problem
from shared.schemas.jobs import JobRequest

IMAGE = "img_" + "0" * 26
TABLE: dict[str, Any] = {
    "name": "wide",
    "default_size": "768x768",
    "sizes": {
        "text_to_image": ["768x768", "960x640", "640x960", "1152x512"],
        "image_pair": ["512x1024", "640x896", "448x1280"],
        "edit": ["512x512", "640x448"],
    },
}
ANY_SIZE: dict[str, Any] = {"name": "free", "default_size": "512x512", "sizes": None}


def sized(offers: list[dict[str, Any]], **fields: Any) -> str | None:
    return with_size(JobRequest.model_validate({"prompt": "a red circle", **fields}), offers).size


@pytest.mark.parametrize(
    ("ratio", "size"),
    [
        ("3:2", "960x640"),
        ("2:3", "640x960"),
        ("1:1", "768x768"),
        ("2:1", "1152x512"),
        ("100:101", "768x768"),
    ],
)
def test_the_nearest_trained_size_is_chosen(ratio: str, size: str) -> None:
    assert sized([TABLE], aspect_ratio=ratio) == size


def test_the_ratio_of_an_image_pair_is_that_of_one_panel() -> None:
    pair = {"task": "image_pair", "target": "depth"}
    assert sized([TABLE], **pair, aspect_ratio="1:1") == "512x1024"
    assert sized([TABLE], **pair, aspect_ratio="3:2") == "640x896"


def test_each_task_has_its_own_sizes() -> None:
    assert sized([TABLE], task="edit", image=IMAGE, aspect_ratio="3:2") == "640x448"


def test_a_model_that_takes_any_size_gets_one_with_the_pixels_of_its_default() -> None:
    size = sized([ANY_SIZE], aspect_ratio="2:1")
    assert size is not None
    width, height = map(int, size.split("x"))
    assert width / height == pytest.approx(2, abs=0.2)
    assert width * height == pytest.approx(512 * 512, rel=0.1)


def test_the_sizes_are_those_of_the_model_that_is_asked_for() -> None:
    assert sized([TABLE, ANY_SIZE], model="wide", aspect_ratio="2:1") == "1152x512"


def test_without_a_ratio_or_a_worker_the_request_is_unchanged() -> None:
    assert sized([TABLE]) is None
    assert sized([], aspect_ratio="3:2") is None


def test_a_size_and_a_ratio_together_are_refused() -> None:
    both = JobRequest(prompt="a red circle", size="64x64", aspect_ratio="1:1")
    with pytest.raises(Problem) as refused:
        check_shape(both)
    assert (refused.value.param, refused.value.errors[0].code) == ("aspect_ratio", "size_and_ratio")
