"""A job draws the same picture as an earlier job while the earlier picture is deleted."""

import pytest
from celery import Celery

from services.worker.maintenance.io_worker import IoWorker
from shared.events import EventPublisher
from shared.jobs import JobState
from shared.storage import ObjectMissingError
from tests.support.interleaving import Held, interleave, let_pictures_expire
from tests.support.platforms.platform import PlatformUnderTest


@pytest.mark.parametrize("held", Held)
def test_an_answer_keeps_its_bytes_when_an_equal_picture_expires_meanwhile(
    platform: PlatformUnderTest,
    celery_app: Celery,
    publisher: EventPublisher,
    monkeypatch: pytest.MonkeyPatch,
    held: Held,
) -> None:
    io_worker = IoWorker(celery_app, platform.database, platform.storage, publisher, platform.settings.jobs)
    with platform.working():
        old = platform.finished(platform.ask())
        let_pictures_expire(platform.database)
        new = interleave(monkeypatch, held, lambda: platform.finished(platform.ask()), io_worker.rounds.clean)

    assert (old.state, new.state) == (JobState.SUCCEEDED, JobState.SUCCEEDED)
    gone, kept = (platform.outputs(job.id)[0].image for job in (old, new))
    assert gone.sha256 == kept.sha256
    with pytest.raises(ObjectMissingError):
        platform.storage.get(gone.storage_key)
    assert len(platform.storage.get(kept.storage_key)) == kept.byte_size
