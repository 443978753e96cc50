"""A refused job leaves nothing behind, and the limit of waiting jobs is exact."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select, update

from services.api.images.files import PictureFile
from services.api.images.provisional import insert_provisional
from services.api.problems.codes import ProblemCode
from services.api.settings import GatewayProcessSettings
from services.worker.broker.celery_app import create_celery_app
from services.worker.maintenance.io_worker import IoWorker
from shared.database import Database
from shared.events import EventPublisher
from shared.job_store.clock import time_after
from shared.storage import ObjectStorage
from shared.tables import IdempotencyRecord, Image, Job, WorkerRow
from shared.tables import Project as ProjectRow
from tests.support.factories import queue_job
from tests.support.gateway.clients import Project, assert_problem, png
from tests.support.gateway.running import running_gateway
from tests.support.open_transactions import counted_at_deletions
from tests.support.platforms.evidence import stored_objects

PICTURE = "data:image/png;base64," + base64.b64encode(png()).decode()
MASK = "data:image/png;base64," + base64.b64encode(png(colour=(255, 255, 255))).decode()
"""A mask that frees all cells; a job may use it if `mask_mode` names its reading."""
WHOLE: dict[str, Any] = {"mask": MASK, "mask_mode": "white_edits"}
PARALLEL = 200


def count(database: Database, table: type[Image | Job | IdempotencyRecord]) -> int:
    with database.transaction() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def limit_jobs(database: Database, project: Project, limit: int) -> None:
    with database.transaction() as session:
        session.get_one(ProjectRow, project.project_id).max_queued_jobs = limit


def assert_nothing_is_left(settings: GatewayProcessSettings, database: Database, project: Project) -> None:
    assert stored_objects(settings.storage, project.project_id) == []
    assert count(database, Image) == 0


def test_a_job_over_the_limit_leaves_no_picture(
    gateway_settings: GatewayProcessSettings, alice: Project, database: Database
) -> None:
    """Fixed bug: the limit was checked after the pictures were stored, and they stayed."""
    limit_jobs(database, alice, 1)
    alice.submit()
    refused = alice.submit({"Idempotency-Key": "a"}, task="edit", image=PICTURE, mask=MASK)
    assert_problem(refused, ProblemCode.TOO_MANY_QUEUED_JOBS)
    assert_nothing_is_left(gateway_settings, database, alice)
    assert count(database, IdempotencyRecord) == 0


def test_a_job_for_a_model_that_nobody_has_leaves_no_picture(
    gateway_settings: GatewayProcessSettings, alice: Project, database: Database
) -> None:
    with database.transaction() as session:
        session.add(WorkerRow(id="a", queues=["edit"], slots=1, model={"name": "tiny"}))
    refused = alice.submit(task="edit", image=PICTURE, model="other")
    assert_problem(refused, ProblemCode.MODEL_UNAVAILABLE, "model")
    assert_nothing_is_left(gateway_settings, database, alice)


def test_a_job_whose_mask_cannot_be_read_leaves_no_picture(
    gateway_settings: GatewayProcessSettings, alice: Project, database: Database
) -> None:
    refused = alice.submit(task="edit", image=PICTURE, mask="data:image/png;base64,aGVsbG8=")
    assert_problem(refused, ProblemCode.IMAGE_UNREADABLE, "mask")
    assert_nothing_is_left(gateway_settings, database, alice)


def test_jobs_refused_after_their_pictures_were_stored_leave_the_pictures_of_the_accepted_one(
    gateway_settings: GatewayProcessSettings, alice: Project, database: Database
) -> None:
    limit_jobs(database, alice, 1)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: alice.submit(task="edit", image=PICTURE, **WHOLE), range(8)))
    accepted = [answer for answer in answers if answer.status_code == 202]
    assert len(accepted) == 1
    assert {answer.status_code for answer in answers} == {202, 429}
    request = accepted[0].json()["request"]
    assert len(stored_objects(gateway_settings.storage, alice.project_id)) == 2
    assert count(database, Image) == 2
    for name in ("image", "mask"):
        image = alice.get(f"/v1/images/{request[name]}").json()
        assert image["expires_at"] is None
        assert alice.get(image["url"]).status_code == 200


def test_no_transaction_is_open_while_pictures_of_a_refused_job_are_removed(
    gateway_settings: GatewayProcessSettings,
    alice: Project,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit_jobs(database, alice, 1)
    open_transactions = counted_at_deletions(monkeypatch, database)
    put_once = ObjectStorage.put_once

    def put_after_another_job(storage: ObjectStorage, *arguments: Any) -> bool:
        queue_job(database, alice.project_id)
        return put_once(storage, *arguments)

    monkeypatch.setattr(ObjectStorage, "put_once", put_after_another_job)
    refused = alice.submit(task="edit", image=PICTURE)
    assert_problem(refused, ProblemCode.TOO_MANY_QUEUED_JOBS)
    assert_nothing_is_left(gateway_settings, database, alice)
    assert open_transactions == [0, 0]


def test_the_limit_holds_exactly_under_parallel_submissions_to_two_gateways(
    gateway_settings: GatewayProcessSettings, alice: Project, bob: Project, database: Database
) -> None:
    """Fixed bug: simultaneous requests exceeded the limit by a few jobs."""
    limit_jobs(database, alice, 7)
    with running_gateway(gateway_settings) as client, ThreadPoolExecutor(40) as pool:
        elsewhere = Project(client, alice.project_id, alice.token)
        statuses = list(
            pool.map(lambda number: (alice, elsewhere)[number % 2].submit().status_code, range(PARALLEL))
        )
    assert (statuses.count(202), statuses.count(429)) == (7, PARALLEL - 7)
    assert count(database, Job) == 7
    assert bob.submit().status_code == 202


def test_requests_with_one_key_at_the_limit_make_one_job(alice: Project, database: Database) -> None:
    limit_jobs(database, alice, 1)
    key = {"Idempotency-Key": "order"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: alice.submit(key, task="edit", image=PICTURE), range(8)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert count(database, Job) == 1
    replayed = alice.submit(key, task="edit", image=PICTURE)
    assert (replayed.status_code, replayed.headers["idempotent-replayed"]) == (202, "true")


@pytest.fixture
def io_worker(
    gateway_settings: GatewayProcessSettings, database: Database, publisher: EventPublisher
) -> Iterator[IoWorker]:
    """The io worker of the same installation; the test runs its rounds."""
    with create_celery_app(gateway_settings.broker) as app:
        yield IoWorker(
            app, database, ObjectStorage(gateway_settings.storage), publisher, gateway_settings.jobs
        )


@pytest.mark.parametrize("was_stored", [True, False])
def test_what_a_gateway_that_died_has_stored_is_swept(
    gateway_settings: GatewayProcessSettings,
    alice: Project,
    database: Database,
    io_worker: IoWorker,
    *,
    was_stored: bool,
) -> None:
    with database.transaction() as session:
        picture = PictureFile(png(), "image/png", 48, 32)
        image = insert_provisional(session, alice.project_id, {"image": picture})["image"]
    if was_stored:
        folder = image.storage_key.rpartition("/")[0]
        ObjectStorage(gateway_settings.storage).put_image(folder, png(), "image/png")
        assert len(stored_objects(gateway_settings.storage, alice.project_id)) == 1
    with database.transaction() as session:
        session.execute(update(Image).values(expires_at=time_after(-1)))
    io_worker.rounds.clean()
    assert stored_objects(gateway_settings.storage, alice.project_id) == []
