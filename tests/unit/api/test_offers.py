"""Requests that no running worker can draw are refused."""

import pytest

from services.api.jobs.admission import check_offers
from services.api.problems.codes import Problem, ProblemCode
from shared.schemas.jobs import JobRequest

SMALL = {"name": "small", "largest_side": 512}
LARGE = {"name": "large", "largest_side": 1536}
IMAGE = "img_" + "0" * 26


def request_with(**fields: object) -> JobRequest:
    return JobRequest.model_validate({"prompt": "a red circle", **fields})


def refusal(offers: list[dict[str, object]], **fields: object) -> tuple[str, str | None]:
    with pytest.raises(Problem) as refused:
        check_offers(offers, request_with(**fields))
    return refused.value.code, refused.value.param


def test_a_model_that_no_worker_has_is_refused_by_name() -> None:
    assert refusal([SMALL], model="huge") == (ProblemCode.MODEL_UNAVAILABLE, "model")


@pytest.mark.parametrize(
    "fields",
    [
        {"size": "544x512"},
        {"size": "512x544"},
        {"task": "edit", "image": IMAGE, "size": "512x288"},
        {"task": "dense", "target": "depth", "prompt": None, "image": IMAGE, "size": "512x288"},
    ],
)
def test_a_picture_larger_than_the_grid_is_refused_with_both_panels_counted(
    fields: dict[str, object],
) -> None:
    assert refusal([SMALL], **fields) == (ProblemCode.INVALID_REQUEST, "size")


@pytest.mark.parametrize(
    ("offers", "fields"),
    [
        ([], {"model": "huge", "size": "2048x2048"}),
        ([SMALL], {"size": "512x512"}),
        ([SMALL], {}),
        ([SMALL, LARGE], {"size": "1024x1024"}),
        ([SMALL, LARGE], {"model": "small"}),
        ([SMALL], {"task": "image_pair", "target": "depth", "size": "512x512"}),
        ([SMALL], {"task": "edit", "image": IMAGE, "size": "512x256"}),
        ([{"name": "old"}], {"size": "2048x2048"}),
    ],
)
def test_what_some_worker_can_draw_is_taken(
    offers: list[dict[str, object]], fields: dict[str, object]
) -> None:
    check_offers(offers, request_with(**fields))


def test_a_limit_counts_for_the_model_that_is_asked_for() -> None:
    assert refusal([SMALL, LARGE], model="small", size="1024x1024") == (ProblemCode.INVALID_REQUEST, "size")


TRAINED = {
    "name": "trained",
    "largest_side": 512,
    "sizes": {"text_to_image": ["64x64", "96x64"], "image_pair": ["64x128"], "edit": ["64x64"]},
}


@pytest.mark.parametrize(
    "fields",
    [
        {"size": "128x96"},
        {"size": "64x128"},
        {"task": "image_pair", "target": "depth", "size": "64x64"},
        {"task": "edit", "image": IMAGE, "size": "96x64"},
    ],
)
def test_a_size_that_the_model_was_not_trained_for_is_refused_unless_it_is_asked_for(
    fields: dict[str, object],
) -> None:
    """Fixed bug: models/tiny accepted 128x96 and drew garbage; now the error lists the trained sizes."""
    with pytest.raises(Problem, match="only for 64x") as refused:
        check_offers([TRAINED], request_with(**fields))
    assert refused.value.param == "size"
    check_offers([TRAINED], request_with(**fields, allow_untrained_size=True))


def test_a_size_that_some_model_knows_is_taken() -> None:
    check_offers([TRAINED], request_with(size="96x64"))
    check_offers([TRAINED, SMALL], request_with(size="128x96"))
    check_offers(
        [TRAINED], request_with(task="dense", target="depth", prompt=None, image=IMAGE, size="32x32")
    )


def test_an_untrained_size_must_still_fit_on_the_grid() -> None:
    assert refusal([TRAINED], size="544x512", allow_untrained_size=True)[1] == "size"
