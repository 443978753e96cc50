"""`best_of`: more candidates are drawn than kept, and the answer shows which."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as Picture

from shared.job_store import request_cancel
from shared.jobs import JobState
from shared.tables import UsageRecord
from tests.support.platforms.platform import PlatformUnderTest, eventually


def test_the_candidates_with_the_highest_scores_are_kept_best_first(platform: PlatformUnderTest) -> None:
    with platform.working():
        everything = platform.finished(platform.ask(n=4, guidance_scale=3.0))
        best = platform.finished(platform.ask(n=2, best_of=4, guidance_scale=3.0))

    drawn, kept = platform.outputs(everything.id), platform.outputs(best.id)
    ranked = sorted(drawn, key=lambda picture: -(picture.candidate.score or 0))
    assert [picture.grid for picture in kept] == [picture.grid for picture in ranked[:2]]
    assert [picture.image.sha256 for picture in kept] == [picture.image.sha256 for picture in ranked[:2]]
    assert [picture.candidate.position for picture in kept] == [0, 1]
    indices = [picture.candidate.drawn_index for picture in kept]
    assert indices == [picture.candidate.position for picture in ranked[:2]]
    assert best.scores == pytest.approx([picture.candidate.score for picture in drawn])
    assert everything.scores is None
    for picture, index in zip(kept, indices, strict=True):
        opened = Picture.open(io.BytesIO(platform.storage.get(picture.image.storage_key)))
        assert json.loads(opened.info["luminary"])["image"] == index


def test_usage_counts_every_candidate_that_was_drawn(platform: PlatformUnderTest) -> None:
    with platform.working():
        job = platform.finished(platform.ask(n=1, best_of=3, guidance_scale=3.0))
    with platform.database.transaction() as session:
        usage = session.get_one(UsageRecord, job.id)
    assert (usage.images, usage.tokens_done) == (3, 3 * 64)


def test_a_canceled_job_keeps_no_more_pictures_than_were_asked_for(platform: PlatformUnderTest) -> None:
    with platform.working():
        job_id = platform.ask(n=1, best_of=3, size="256x256", guidance_scale=3.0)
        eventually(lambda: platform.job(job_id).tokens_done > 3 * 40, "a row of every candidate")
        with platform.database.transaction() as session:
            request_cancel(session, platform.project_id, job_id)
        assert platform.finished(job_id).state == JobState.CANCELED
        [picture] = eventually(lambda: platform.outputs(job_id), "the partial picture")
    assert picture.candidate.partial


def test_what_needs_guidance_fails_with_a_model_that_has_none(
    platform: PlatformUnderTest, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(platform.model, tmp_path / "unguided"))
    settings = {"image_size": "64x64", "guidance_scale": 1.0}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    with replace(platform, model=folder).working():
        jobs = [platform.ask(best_of=2), platform.ask(negative_prompt="dark")]
        ended = [platform.finished(job_id) for job_id in jobs]
    assert [job.state for job in ended] == [JobState.FAILED] * 2
    assert [job.error_code for job in ended] == ["invalid_request"] * 2
