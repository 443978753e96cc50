"""A negative prompt on a worker: another picture, its words in the file, and an exact resume."""

import io
import json

import pytest
from PIL import Image as Picture

from tests.support.platforms.platform import PlatformUnderTest

GUIDED = {"guidance_scale": 3.0, "size": "128x128"}


def test_a_negative_prompt_draws_another_picture_and_is_in_its_recipe(platform: PlatformUnderTest) -> None:
    with platform.working():
        plain = platform.finished(platform.ask(**GUIDED))
        negative = platform.finished(platform.ask(**GUIDED, negative_prompt="a blue square"))
    [one], [other] = platform.outputs(plain.id), platform.outputs(negative.id)
    assert one.grid != other.grid
    opened = Picture.open(io.BytesIO(platform.storage.get(other.image.storage_key)))
    assert json.loads(opened.info["luminary"])["negative_prompt"] == "a blue square"


@pytest.mark.long
def test_a_job_with_a_negative_prompt_goes_on_where_its_worker_stopped(platform: PlatformUnderTest) -> None:
    asked = {**GUIDED, "negative_prompt": "a blue square", "size": "256x256"}
    with platform.working():
        whole = platform.finished(platform.ask(**asked))
    job_id = platform.ask(**asked)
    with platform.working():
        platform.started_drawing(job_id)
    with platform.working():
        resumed = platform.finished(job_id)
    assert resumed.attempt == 2
    assert platform.outputs(job_id)[0].image.sha256 == platform.outputs(whole.id)[0].image.sha256
