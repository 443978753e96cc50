"""Uploading a picture while an equal one expires loses no file."""

from collections.abc import Iterator

import pytest

from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from services.worker.broker.celery_app import create_celery_app
from services.worker.maintenance.io_worker import IoWorker
from shared.database import Database
from shared.events import EventPublisher
from shared.storage import ObjectStorage
from tests.support.gateway.clients import Project, assert_problem, png
from tests.support.interleaving import Held, interleave, let_pictures_expire


@pytest.fixture
def io_worker(
    gateway_settings: GatewayProcessSettings, database: Database, publisher: EventPublisher
) -> Iterator[IoWorker]:
    """The io worker of the same installation; the test runs its rounds."""
    storage = ObjectStorage(gateway_settings.storage)
    with create_celery_app(gateway_settings.broker) as app:
        yield IoWorker(app, database, storage, publisher, gateway_settings.jobs)


@pytest.mark.parametrize("held", Held)
def test_an_upload_keeps_its_bytes_when_an_equal_picture_expires_meanwhile(
    alice: Project, database: Database, io_worker: IoWorker, monkeypatch: pytest.MonkeyPatch, held: Held
) -> None:
    old = alice.upload(png()).json()
    let_pictures_expire(database)

    new = interleave(monkeypatch, held, lambda: alice.upload(png()), io_worker.rounds.clean).json()

    assert_problem(alice.get(old["url"]), ProblemCode.IMAGE_EXPIRED)
    assert alice.get(new["url"]).content == png()


def test_of_two_equal_pictures_only_the_expired_one_is_removed(
    alice: Project, database: Database, io_worker: IoWorker
) -> None:
    old = alice.upload(png()).json()
    let_pictures_expire(database)
    new = alice.upload(png()).json()

    io_worker.rounds.clean()

    assert_problem(alice.get(old["url"]), ProblemCode.IMAGE_EXPIRED)
    assert alice.get(new["url"]).content == png()
