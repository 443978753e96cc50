"""An expired picture is decoded from its codes again: the same file, however often processes die."""

from contextlib import closing
from uuid import UUID

import numpy as np
import pytest
from PIL import Image as Picture
from sqlalchemy import delete, func, select, update

from services.worker.maintenance.restores import Restores
from services.worker.maintenance.rounds import Rounds
from services.worker.maintenance.rows import DatabaseRows
from services.worker.tokenizer_client import TokenizerClient
from shared.ids import IdKind, format_id, parse_id
from shared.job_store.restore import (
    RestoreError,
    finish_restore,
    request_restore,
    restorable_images,
    take_restore,
)
from shared.jobs import JobState
from shared.settings import RetentionSettings, StorageSettings
from shared.storage import StoredObject
from shared.tables import Image, ImageTokens, PictureRestore
from tests.support.killed_scripts import io_environment, run_until_killed
from tests.support.platforms.evidence import stored_objects
from tests.support.platforms.platform import PlatformUnderTest, eventually, noise

TOKENIZER_SECONDS = 60.0


def expire(platform: PlatformUnderTest) -> None:
    """Let all pictures expire, as an io worker does."""
    with platform.database.transaction() as session:
        session.execute(update(Image).values(expires_at=func.clock_timestamp()))
    clean(platform)


def clean(platform: PlatformUnderTest) -> None:
    """Delete the files of expired pictures, as an io worker does."""
    rows = DatabaseRows(platform.database, RetentionSettings())
    Rounds(rows, platform.storage, lambda *_: True, lambda *_: None, platform.settings.jobs).clean()


def restore_all(platform: PlatformUnderTest, retention: RetentionSettings | None = None) -> int:
    """Restore every picture that waits, as an io worker does; the number of tries."""
    with closing(TokenizerClient(platform.settings.tokenizer, TOKENIZER_SECONDS)) as tokenizer:
        restores = Restores(platform.database, platform.storage, tokenizer, retention or RetentionSettings())
        return sum(iter(restores.do_one, False))


def image_of(platform: PlatformUnderTest, image_id: UUID) -> Image:
    with platform.database.transaction() as session:
        return session.get_one(Image, image_id)


def ask_for(platform: PlatformUnderTest, image: Image) -> None:
    with platform.database.transaction() as session:
        assert restorable_images(session, [image.id]) == {image.id}
        request_restore(session, image)


@pytest.fixture
def drawn(platform: PlatformUnderTest) -> Image:
    """A picture that a job has drawn."""
    with platform.working():
        return platform.outputs(platform.finished(platform.ask()).id)[0].image


def test_a_restored_picture_has_the_same_id_and_the_same_bytes(
    platform: PlatformUnderTest, drawn: Image, storage_settings: StorageSettings
) -> None:
    before = platform.storage.get(drawn.storage_key)
    expire(platform)
    assert stored_objects(storage_settings, platform.project_id) == []
    assert image_of(platform, drawn.id).deleted_at is not None

    ask_for(platform, drawn)
    restore_all(platform, RetentionSettings(results_seconds=3600))

    after = image_of(platform, drawn.id)
    assert platform.storage.get(after.storage_key) == before
    assert after.sha256 == drawn.sha256
    assert not after.is_expired
    assert after.storage_key != drawn.storage_key, "a late deletion of the old object meets nothing"
    assert after.expires_at is not None
    assert 3500 < (after.expires_at - drawn.created_at).total_seconds()
    with platform.database.transaction() as session:
        assert session.get(PictureRestore, drawn.id) is None

    expire(platform)
    ask_for(platform, drawn)
    restore_all(platform)
    again = image_of(platform, drawn.id)
    assert (again.sha256, again.expires_at) == (drawn.sha256, None)


DYING = """
import os, signal
from shared.database import Database
from shared.settings import DatabaseSettings, RetentionSettings, StorageSettings, TokenizerAddress
from shared.storage import ObjectStorage
from services.worker.maintenance.restores import Restores
from services.worker.tokenizer_client import TokenizerClient

class Dying(ObjectStorage):
    def put_image(self, *arguments):
        super().put_image(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

tokenizer = TokenizerClient(TokenizerAddress(), 60.0)
Restores(Database(DatabaseSettings()), Dying(StorageSettings()), tokenizer, RetentionSettings()).do_all()
"""


def test_a_kill_between_file_and_row_is_healed_by_the_next_io_worker(
    platform: PlatformUnderTest, drawn: Image, storage_settings: StorageSettings
) -> None:
    expire(platform)
    ask_for(platform, drawn)
    url = platform.settings.tokenizer.url
    run_until_killed(DYING, io_environment(platform.database, storage_settings, TOKENIZER_URL=url))
    left = stored_objects(storage_settings, platform.project_id)
    assert len(left) == 1
    assert image_of(platform, drawn.id).is_expired

    assert restore_all(platform) == 0, "the lease of the killed process still runs"
    with platform.database.transaction() as session:
        session.execute(update(PictureRestore).values(available_at=func.clock_timestamp()))
    assert restore_all(platform) == 1

    after = image_of(platform, drawn.id)
    assert (after.is_expired, after.sha256) == (False, drawn.sha256)
    assert stored_objects(storage_settings, platform.project_id) == left


def test_an_io_worker_that_comes_back_late_changes_nothing(platform: PlatformUnderTest, drawn: Image) -> None:
    expire(platform)
    ask_for(platform, drawn)
    with platform.database.transaction() as session:
        late = take_restore(session, 0.0)
    assert late is not None
    restore_all(platform)
    restored = image_of(platform, drawn.id)
    stale = StoredObject("prj/late.png", bytes(32), 1)
    with platform.database.transaction() as session:
        assert not finish_restore(session, late, stale, RetentionSettings())
    assert image_of(platform, drawn.id).storage_key == restored.storage_key


def test_codes_of_another_image_tokenizer_are_not_decoded(platform: PlatformUnderTest, drawn: Image) -> None:
    expire(platform)
    with platform.database.transaction() as session:
        session.execute(update(ImageTokens).values(tokenizer="older weights"))
    ask_for(platform, drawn)
    restore_all(platform)
    with platform.database.transaction() as session:
        assert session.get_one(PictureRestore, drawn.id).error_code == RestoreError.OTHER_TOKENIZER
        request_restore(session, drawn)
        assert session.scalar(select(PictureRestore.error_code)) is None
    assert image_of(platform, drawn.id).is_expired


def edit_left_half(platform: PlatformUnderTest, image_id: UUID) -> Image:
    """An edit that keeps the right half of a picture, with its pixels."""
    left = np.zeros((64, 64, 3), np.uint8)
    left[:, :32] = 255
    mask = platform.upload(Picture.fromarray(left))
    job_id = platform.ask(task="edit", image=format_id(IdKind.IMAGE, image_id), mask=mask)
    job = platform.finished(job_id)
    assert job.state == JobState.SUCCEEDED, job.error_message
    return platform.outputs(job_id)[0].image


def test_a_composed_picture_is_restored_after_the_pictures_whose_pixels_it_has(
    platform: PlatformUnderTest, drawn: Image
) -> None:
    """Fixed gap: an expired picture with pixels of its canvas could not be restored."""
    with platform.working():
        first = edit_left_half(platform, drawn.id)
        second = edit_left_half(platform, first.id)
    assert [first.canvas_id, second.canvas_id] == [drawn.id, first.id]
    expire(platform)

    ask_for(platform, second)
    restore_all(platform)

    for one in (drawn, first, second):
        after = image_of(platform, one.id)
        assert (after.is_expired, after.sha256) == (False, one.sha256)


def test_a_canvas_that_another_io_worker_restores_is_awaited(
    platform: PlatformUnderTest, drawn: Image
) -> None:
    with platform.working():
        composed = edit_left_half(platform, drawn.id)
    expire(platform)
    ask_for(platform, composed)
    with platform.database.transaction() as session:
        taken = take_restore(session, 60.0)
        assert taken is not None
        assert taken.image_id == drawn.id
    assert restore_all(platform) == 1
    assert image_of(platform, composed.id).is_expired

    with platform.database.transaction() as session:
        session.execute(update(PictureRestore).values(available_at=func.clock_timestamp()))

    def is_restored() -> bool:
        restore_all(platform)
        return not image_of(platform, composed.id).is_expired

    eventually(is_restored, "the restored picture")
    assert image_of(platform, composed.id).sha256 == composed.sha256


def test_a_composed_picture_needs_its_canvas(platform: PlatformUnderTest) -> None:
    upload = platform.upload(noise(3))
    with platform.working():
        composed = edit_left_half(platform, parse_id(IdKind.IMAGE, upload))
    with platform.database.transaction() as session:
        session.execute(
            update(Image).where(Image.id == composed.id).values(expires_at=func.clock_timestamp())
        )
    clean(platform)
    ask_for(platform, composed)
    restore_all(platform)
    assert image_of(platform, composed.id).sha256 == composed.sha256

    expire(platform)
    with platform.database.transaction() as session:
        assert restorable_images(session, [composed.id]) == set()
        request_restore(session, image_of(platform, composed.id))
    restore_all(platform)
    with platform.database.transaction() as session:
        assert session.get_one(PictureRestore, composed.id).error_code == RestoreError.CANVAS_EXPIRED


def test_a_canvas_that_cannot_be_read_ends_the_restore_and_not_the_io_worker(
    platform: PlatformUnderTest, drawn: Image
) -> None:
    with platform.working():
        composed = edit_left_half(platform, drawn.id)
    broken = platform.storage.put_image("prj_x/broken", b"no picture", "image/png")
    with platform.database.transaction() as session:
        session.get_one(Image, drawn.id).storage_key = broken.key
        session.get_one(Image, composed.id).expires_at = drawn.created_at
    clean(platform)
    ask_for(platform, composed)
    restore_all(platform)
    with platform.database.transaction() as session:
        assert session.get_one(PictureRestore, composed.id).error_code == RestoreError.CANVAS_EXPIRED


@pytest.mark.parametrize("size", ["64x64", "32x64"])
def test_an_edit_of_an_expired_picture_is_that_of_the_picture(
    platform: PlatformUnderTest, drawn: Image, size: str
) -> None:
    request = {"task": "edit", "image": format_id(IdKind.IMAGE, drawn.id), "size": size}
    with platform.working():
        before = platform.outputs(platform.finished(platform.ask(**request)).id)[0].grid
    with platform.database.transaction() as session:
        # codes of other sizes were remembered for the first edit
        session.execute(delete(ImageTokens).where(ImageTokens.width != ImageTokens.height))
    expire(platform)
    with platform.working():
        job = platform.finished(platform.ask(**request))
        assert (job.state, job.error_message) == (JobState.SUCCEEDED, None)
        assert platform.outputs(job.id)[0].grid == before
