"""Any size becomes the nearest one of the model, and aliases stand for models."""

import pytest

from services.api.jobs.nearest_size import nearest_size
from services.api.openai.models.view import list_models
from services.api.openai.wire.model_names import aliases, resolve
from services.api.openai.wire.sizes import size_fields
from services.api.problems.codes import Problem, ProblemCode
from shared.tables import WorkerRow
from shared.tasks import Task

SIZES = [(256, 256), (512, 512), (640, 384), (384, 640)]
OFFER = {"name": "tiny", "sizes": {"text_to_image": ["256x256", "640x384"], "edit": ["256x256"]}}
DEFAULT = ["gpt-image-*", "dall-e-*", "chatgpt-image-latest"]


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [
        ((1024, 1024), (512, 512)),
        ((300, 300), (256, 256)),
        ((1536, 1024), (640, 384)),
        ((1024, 1792), (384, 640)),
        ((100, 9999), (384, 640)),
    ],
)
def test_the_aspect_ratio_decides_and_then_the_area(
    wanted: tuple[int, int], nearest: tuple[int, int]
) -> None:
    assert nearest_size(wanted, SIZES) == nearest


def test_sizes_are_those_of_the_task() -> None:
    assert size_fields("1600x900", Task.TEXT_TO_IMAGE, [OFFER]) == {"size": "640x384"}
    assert size_fields("1600x900", Task.EDIT, [OFFER]) == {"size": "256x256"}
    assert size_fields("auto", Task.EDIT, [OFFER]) == size_fields(None, Task.EDIT, [OFFER]) == {}


def test_the_aspect_ratio_is_kept_while_no_worker_runs() -> None:
    assert size_fields("1024x1536", Task.TEXT_TO_IMAGE, []) == {"aspect_ratio": "2:3"}


@pytest.mark.parametrize("text", ["big", "0x512", "512", "99999x1", "-1x5"])
def test_a_text_that_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        size_fields(text, Task.EDIT, [OFFER])
    assert refused.value.param == "size"


def test_a_name_of_openai_stands_for_any_model_and_others_are_unknown() -> None:
    given = aliases([*DEFAULT, "house=tiny"])
    assert resolve(None, ["tiny"], given) is None
    assert resolve("tiny", ["tiny"], given) == "tiny"
    assert resolve("gpt-image-9-large", ["tiny"], given) is None
    assert resolve("house", ["tiny"], given) == "tiny"
    with pytest.raises(Problem) as refused:
        resolve("invalid-model", ["tiny"], given)
    assert (refused.value.code, refused.value.kind.status) == (ProblemCode.MODEL_NOT_FOUND, 400)
    assert "tiny" in refused.value.detail


def test_a_model_goes_before_an_alias_of_the_same_name() -> None:
    assert resolve("dall-e-2", ["dall-e-2"], aliases(DEFAULT)) == "dall-e-2"


def test_aliases_are_listed_with_the_model_that_draws() -> None:
    from datetime import UTC, datetime

    worker = WorkerRow(
        model={"name": "tiny"}, slots=1, numerics=None, started_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    listed = list_models([worker], aliases(["gpt-image-1*", "house=tiny", "gone=other"]))
    names = {model.id: model.root for model in listed.data}
    assert names["tiny"] == names["gpt-image-1"] == names["house"] == "tiny"
    assert "gone" not in names
    assert list_models([], aliases(DEFAULT)).data == []
