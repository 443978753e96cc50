"""Jobs on a worker, from the row in the database to committed pictures, for every task."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from sqlalchemy import select

from luminary.local.pipeline import LocalPipeline
from shared.ids import IdKind, format_id
from shared.jobs import JobState
from shared.tables import Image, ImageTokens, UsageRecord, WorkerRow
from shared.tasks import Task
from shared.token_grid import TokenGrid
from tests.support.platforms.platform import PlatformUnderTest, eventually, noise


def test_a_job_goes_from_its_row_to_a_stored_picture(platform: PlatformUnderTest) -> None:
    job_id = platform.ask(n=2)
    with platform.working():
        job = platform.finished(job_id)

    assert (job.state, job.attempt, job.failures) == (JobState.SUCCEEDED, 1, 0)
    assert platform.events(job_id) == ["queued", "started", "succeeded"]
    pictures = platform.outputs(job_id)
    assert [picture.candidate.position for picture in pictures] == [0, 1]
    assert pictures[0].grid != pictures[1].grid
    for index, picture in enumerate(pictures):
        opened = Picture.open(io.BytesIO(platform.storage.get(picture.image.storage_key)))
        recipe = json.loads(opened.info["luminary"])
        assert opened.size == (picture.image.width, picture.image.height) == (64, 64)
        assert (recipe["prompt"], recipe["seed"], recipe["image"]) == ("a red circle", 7, index)
        assert recipe["tokens_sha256"] == picture.grid.sha256()
        assert recipe["numerics"] == platform.job(job_id).numerics
        assert recipe["numerics_parts"]["precision"] == "fp32"
        assert not picture.candidate.partial
        assert picture.candidate.score is not None
    with platform.database.transaction() as session:
        usage = session.get_one(UsageRecord, job_id)
    assert (usage.images, usage.tokens_done) == (2, 128)
    assert usage.model == platform.model.name


def test_the_same_seed_gives_the_same_picture_with_any_batch_neighbours(platform: PlatformUnderTest) -> None:
    with platform.working():
        alone = platform.ask()
        platform.finished(alone)
        crowd = [platform.ask(seed=seed, n=2) for seed in (1, 7, 2)]
        for job_id in crowd:
            platform.finished(job_id)

    first, second = platform.outputs(alone)[0], platform.outputs(crowd[1])[0]
    assert first.grid == second.grid
    assert first.image.sha256 == second.image.sha256


@pytest.mark.parametrize(
    "asked",
    [
        {"task": "edit"},
        {"task": "subject"},
        {"task": "control", "control": "depth"},
        {"task": "dense", "target": "edges", "prompt": None},
    ],
    ids=lambda asked: asked["task"],
)
def test_a_task_with_a_given_picture_returns_the_lower_panel_alone(
    platform: PlatformUnderTest, asked: dict[str, str]
) -> None:
    job_id = platform.ask(image=platform.upload(noise(1)), **asked)
    with platform.working():
        job = platform.finished(job_id)

    assert Task(asked["task"]).takes_image
    assert job.state == JobState.SUCCEEDED, job.error_message
    [picture] = platform.outputs(job_id)
    assert (picture.image.width, picture.image.height) == (64, 64)
    assert (picture.grid.height, picture.grid.width) == (8, 8)


def test_an_edit_of_a_drawn_picture_starts_from_its_tokens_not_from_its_pixels(
    platform: PlatformUnderTest,
) -> None:
    with platform.working():
        first = platform.ask(size="96x64")
        platform.finished(first)
        image = platform.outputs(first)[0].image
        platform.storage.delete(image.storage_key)
        edit = platform.ask(task="edit", image=format_id(IdKind.IMAGE, image.id), size=None)
        job = platform.finished(edit)

    assert job.state == JobState.SUCCEEDED, job.error_message
    grid = platform.outputs(edit)[0].grid
    assert (grid.width, grid.height) == (12, 8)


def test_an_uploaded_picture_is_encoded_once(platform: PlatformUnderTest) -> None:
    source = platform.upload(noise(2))
    with platform.working():
        first = platform.finished(platform.ask(task="edit", image=source))
        with platform.database.transaction() as session:
            key = session.scalars(select(Image.storage_key).where(Image.origin == "uploaded")).one()
        platform.storage.delete(key)
        second = platform.finished(platform.ask(task="edit", image=source))

    assert (first.state, second.state) == (JobState.SUCCEEDED, JobState.SUCCEEDED)


def test_a_mask_keeps_every_cell_that_is_not_white(platform: PlatformUnderTest) -> None:
    right_half = np.zeros((64, 64, 3), np.uint8)
    right_half[:, 32:] = 255
    mask = platform.upload(Picture.fromarray(right_half))
    job_id = platform.ask(task="edit", image=platform.upload(noise(3)), mask=mask)
    with platform.working():
        job = platform.finished(job_id)

    assert job.state == JobState.SUCCEEDED, job.error_message
    with platform.database.transaction() as session:
        uploaded = Image.origin == "uploaded"
        given = session.scalars(select(ImageTokens.grid).join(Image).where(uploaded)).one()
    before, after = TokenGrid.from_bytes(given).rows(), platform.outputs(job_id)[0].grid.rows()
    assert [row[:4] for row in after] == [row[:4] for row in before]
    assert [row[4:] for row in after] != [row[4:] for row in before]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"size": "2048x2048"}, "invalid_request"),
        ({"task": "edit", "image": "img_00000000000000000000000001"}, "image_unavailable"),
        ({"task": "edit", "image": "data:image/png;base64,AAAA"}, "image_unreadable"),
        ({"size": "512x512"}, "request_too_large"),
    ],
)
def test_a_job_that_cannot_be_done_fails_at_once_with_its_code(
    platform: PlatformUnderTest, asked: dict[str, str], code: str
) -> None:
    job_id = platform.ask(**asked)
    with platform.working(kv_cache_tokens=1024):
        job = platform.finished(job_id)
    assert (job.state, job.error_code, job.attempt) == (JobState.FAILED, code, 1)


def test_platform_and_command_line_have_the_same_numerics_identity(platform: PlatformUnderTest) -> None:
    job_id = platform.ask()
    with platform.working():
        job = platform.finished(job_id)

    local = LocalPipeline.load(platform.model)
    assert job.numerics == local.numerics.id


def test_a_worker_is_live_in_the_workers_table_only_while_it_runs(platform: PlatformUnderTest) -> None:
    def workers() -> list[WorkerRow]:
        with platform.database.transaction() as session:
            return list(session.scalars(select(WorkerRow).where(WorkerRow.left_at.is_(None))))

    def introduced() -> list[WorkerRow]:
        return [worker for worker in workers() if worker.numerics is not None]

    with platform.working():
        [worker] = eventually(introduced, "the first heartbeat")
        assert worker.model["precision"] == "fp32"
        assert worker.model["numerics"]["id"] == worker.numerics
        assert worker.model["numerics"]["image_tokenizer"].startswith("movqgan-")
        assert set(worker.queues) == {"generate", "edit", "dense"}
    assert workers() == []


@pytest.fixture
def trained(platform: PlatformUnderTest, tmp_path: Path) -> PlatformUnderTest:
    """A platform whose model was trained for two panel sizes."""
    folder = Path(shutil.copytree(platform.model, tmp_path / "trained"))
    settings = {"image_size": "64x64", "image_sizes": ["64x64"], "panel_sizes": ["64x64", "128x32"]}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return replace(platform, model=folder)


def test_sizes_are_those_that_the_model_was_trained_for(trained: PlatformUnderTest) -> None:
    """A pair without a size has two panels; a given picture gets the size that crops it least."""
    pair = trained.ask(task="image_pair", target="depth", size=None)
    edits = [
        trained.ask(task="edit", image=trained.upload(noise(1, *shape)), size=None)
        for shape in ((200, 60), (60, 70))
    ]
    untrained = trained.ask(size="96x64")
    allowed = trained.ask(size="96x64", allow_untrained_size=True)
    with trained.working():
        jobs = [trained.finished(job) for job in (pair, *edits, untrained, allowed)]
        with trained.database.transaction() as session:
            card = session.scalars(select(WorkerRow.model)).one()
    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 3 + [JobState.FAILED, JobState.SUCCEEDED]
    assert "not trained for 96x64" in (jobs[3].error_message or "")
    shapes = [trained.outputs(job)[0].image for job in (pair, *edits, allowed)]
    assert [(image.width, image.height) for image in shapes] == [(64, 128), (128, 32), (64, 64), (96, 64)]
    assert card["sizes"]["image_pair"] == ["64x128", "128x64"]
    assert card["tokens_per_second"] > 0
