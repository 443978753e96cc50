"""Pictures, thumbnails, events and saved codes go after the retention of their project, and no sooner."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from services.worker.maintenance.rounds import IMAGE_BATCH, Rounds
from services.worker.maintenance.rows import DatabaseRows
from services.worker.maintenance.searches import Searches
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.job_store import request_cancel
from shared.jobs import Queue
from shared.settings import FOR_EVER, LONGEST_RETENTION, JobSettings, RetentionSettings, StorageSettings
from shared.storage import ObjectMissingError, ObjectStorage, thumbnail_key
from shared.tables import (
    Checkpoint,
    Delivery,
    Image,
    ImageOrigin,
    Job,
    JobEventRow,
    JobRequestRow,
    Project,
    Search,
    WebhookEndpoint,
)
from tests.support.factories import make_project, queue_job
from tests.support.interleaving import Gate
from tests.support.killed_scripts import io_environment, run_until_killed
from tests.support.stored_pictures import DAY, expired, find, store

RETENTION = RetentionSettings(uploads_seconds=30 * DAY)


def rounds_of(database: Database, storage: ObjectStorage, retention: RetentionSettings = RETENTION) -> Rounds:
    """The rounds of an io worker that tells and rings nobody."""

    def publish(job_id: UUID, event: Mapping[str, Any]) -> bool:
        del job_id, event
        return True

    def ring(queue: Queue, waiting: int) -> None:
        del queue, waiting

    return Rounds(DatabaseRows(database, retention), storage, publish, ring, JobSettings())


def retain(database: Database, project_id: UUID, **seconds: int) -> None:
    """Give a project a retention of its own."""
    with database.transaction() as session:
        session.execute(update(Project).where(Project.id == project_id).values(seconds))


def has_object(storage: ObjectStorage, image: Image) -> bool:
    """Whether the picture's file is in the bucket."""
    try:
        storage.get(image.storage_key)
    except ObjectMissingError:
        return False
    return True


def test_pictures_expire_after_the_retention_of_their_kind_and_project(
    database: Database, storage: ObjectStorage, project_id: UUID
) -> None:
    short, ever = make_project(database, "short"), make_project(database, "ever")
    retain(database, short, retain_uploads_seconds=DAY, retain_results_seconds=2 * DAY)
    retain(database, ever, retain_uploads_seconds=FOR_EVER)
    drawn = ImageOrigin.GENERATED
    old = {
        store(database, storage, project_id, age=31 * DAY),
        store(database, storage, short, age=2 * DAY),
        store(database, storage, short, age=3 * DAY, origin=drawn),
        store(database, storage, ever, expires_at=func.clock_timestamp()),
    }
    young = {
        store(database, storage, project_id, age=29 * DAY),
        store(database, storage, project_id, age=1000 * DAY, origin=drawn),
        store(database, storage, short, age=DAY - 60),
        store(database, storage, short, age=2 * DAY - 60, origin=drawn),
        store(database, storage, ever, age=1000 * DAY),
        store(
            database,
            storage,
            short,
            age=9 * DAY,
            expires_at=func.clock_timestamp() + timedelta(days=1),
        ),
    }

    rounds_of(database, storage).clean()

    assert expired(database) == old
    assert not any(has_object(storage, find(database, image)) for image in old)
    assert all(has_object(storage, find(database, image)) for image in young)


def test_a_picture_stays_while_a_waiting_job_needs_it(
    database: Database, storage: ObjectStorage, project_id: UUID
) -> None:
    image, other = (store(database, storage, project_id, age=31 * DAY) for _ in range(2))
    job_id = queue_job(database, project_id)
    with database.transaction() as session:
        session.execute(
            update(JobRequestRow).values(request={"task": "edit", "image": format_id(IdKind.IMAGE, image)})
        )
    rounds = rounds_of(database, storage)
    rounds.clean()
    assert expired(database) == {other}
    with database.transaction() as session:
        request_cancel(session, project_id, job_id)
    rounds.clean()
    assert expired(database) == {image, other}


DYING = """
import os, signal
from shared.database import Database
from shared.settings import DatabaseSettings, JobSettings, RetentionSettings, StorageSettings
from shared.storage import ObjectStorage
from services.worker.maintenance.rounds import Rounds
from services.worker.maintenance.rows import DatabaseRows

class Dying(ObjectStorage):
    def delete(self, key):
        super().delete(key)
        if not key.endswith("thumbnail.webp"):
            os.kill(os.getpid(), signal.SIGKILL)

rows = DatabaseRows(Database(DatabaseSettings()), RetentionSettings())
Rounds(rows, Dying(StorageSettings()), lambda *_: True, lambda *_: None, JobSettings()).clean()
"""


def test_a_kill_between_object_and_row_is_healed_by_the_next_io_worker(
    database: Database, storage: ObjectStorage, storage_settings: StorageSettings, project_id: UUID
) -> None:
    image = store(database, storage, project_id, expires_at=func.clock_timestamp())
    run_until_killed(DYING, io_environment(database, storage_settings))
    left = find(database, image)
    assert left.deleted_at is None
    assert left.is_expired
    assert not has_object(storage, left)

    rounds = rounds_of(database, storage)
    rounds.clean()
    assert expired(database) == set(), "the claim of the killed process still holds"
    with database.transaction() as session:
        session.execute(update(Image).values(removing_until=func.clock_timestamp()))
    rounds.clean()
    assert expired(database) == {image}


class Watched(ObjectStorage):
    """A bucket that notes which keys are deleted, and holds the first deletion at a gate."""

    def __init__(self, settings: StorageSettings, gate: Gate | None) -> None:
        super().__init__(settings)
        self._gate = gate
        self.deleted: list[str] = []

    def delete(self, key: str) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.hold()
        self.deleted.append(key)
        super().delete(key)


def test_two_io_workers_share_the_expired_pictures(
    database: Database, storage: ObjectStorage, storage_settings: StorageSettings, project_id: UUID
) -> None:
    images = {
        store(database, storage, project_id, expires_at=func.clock_timestamp())
        for _ in range(2 * IMAGE_BATCH + 5)
    }
    gate = Gate()
    first, second = Watched(storage_settings, gate), Watched(storage_settings, None)
    with ThreadPoolExecutor(1) as other:
        slow = other.submit(rounds_of(database, first).clean)
        with gate.while_held():
            rounds_of(database, second).clean()
            assert len(expired(database)) == IMAGE_BATCH + 5, "the first one has claimed a batch"
        slow.result(60)
    assert expired(database) == images
    assert len(first.deleted) == 2 * IMAGE_BATCH
    assert not set(first.deleted) & set(second.deleted)


def test_thumbnails_go_after_their_retention_and_pictures_stay(
    database: Database, storage: ObjectStorage, project_id: UUID
) -> None:
    times = [func.clock_timestamp() - timedelta(seconds=seconds) for seconds in (2 * DAY, 60)]
    old, young = (find(database, store(database, storage, project_id, thumbnail_at=time)) for time in times)
    for image in (old, young):
        storage.put_once(thumbnail_key(image.storage_key), b"small", "image/webp")

    Searches(database, storage, RetentionSettings(previews_seconds=DAY)).remove_thumbnails()

    assert not storage.exists(thumbnail_key(old.storage_key))
    assert storage.exists(thumbnail_key(young.storage_key))
    assert find(database, old.id).thumbnail_at is None
    assert find(database, young.id).thumbnail_at == young.thumbnail_at
    assert expired(database) == set()


def ended_job(database: Database, project_id: UUID, days: int) -> UUID:
    """A job that was canceled so many days ago, with saved codes and two events."""
    job_id = queue_job(database, project_id)
    past = func.clock_timestamp() - timedelta(days=days)
    with database.transaction() as session:
        session.add(Checkpoint(job_id=job_id, attempt=0, state=b"codes"))
        request_cancel(session, project_id, job_id)
        session.execute(update(Job).where(Job.id == job_id).values(finished_at=past))
        session.execute(update(JobEventRow).where(JobEventRow.job_id == job_id).values(created_at=past))
    return job_id


def test_events_and_saved_codes_go_when_their_job_has_ended_long_enough(
    database: Database, storage: ObjectStorage, project_id: UUID
) -> None:
    retention = RetentionSettings(events_seconds=7 * DAY, checkpoints_seconds=DAY)
    old, young = ended_job(database, project_id, 8), ended_job(database, project_id, 0)
    open_job = queue_job(database, project_id)
    tried = ended_job(database, project_id, 9)
    ever = make_project(database, "ever")
    retain(database, ever, retain_events_seconds=FOR_EVER, retain_checkpoints_seconds=30 * DAY)
    kept = ended_job(database, ever, 9)
    with database.transaction() as session:
        endpoint = WebhookEndpoint(
            project_id=project_id, url="https://example.org", event_types=["job.*"], secret=bytes(32)
        )
        session.add(endpoint)
        session.flush()
        session.add(
            Delivery(endpoint_id=endpoint.id, job_id=tried, sequence=1, event_type="job.queued", receiver="r")
        )
        past = func.clock_timestamp() - timedelta(days=20)
        session.execute(update(JobEventRow).where(JobEventRow.job_id == open_job).values(created_at=past))

    Searches(database, storage, retention).remove_events()
    rounds_of(database, storage, retention).clean()

    with database.transaction() as session:
        assert set(session.scalars(select(JobEventRow.job_id))) == {young, open_job, tried, kept}
        assert set(session.scalars(select(Checkpoint.job_id))) == {young, kept}
        assert session.get(Job, old) is not None


def test_one_io_worker_at_a_time_does_a_step_and_a_late_one_changes_nothing(
    database: Database, storage: ObjectStorage, storage_settings: StorageSettings, project_id: UUID
) -> None:
    retention = RetentionSettings(previews_seconds=0)
    images = [
        find(database, store(database, storage, project_id, thumbnail_at=func.clock_timestamp()))
        for _ in range(2)
    ]
    gate = Gate()
    slow, quick = Watched(storage_settings, gate), Watched(storage_settings, None)
    with ThreadPoolExecutor(1) as other:
        held = other.submit(Searches(database, slow, retention).remove_thumbnails)
        with gate.while_held():
            Searches(database, quick, retention).remove_thumbnails()
            assert quick.deleted == [], "the step is taken"
            with database.transaction() as session:
                session.execute(update(Search).values(due_at=func.clock_timestamp()))
            Searches(database, quick, retention).remove_thumbnails()
            with database.transaction() as session:
                due = session.scalar(select(Search.due_at))
        held.result(60)
    assert set(quick.deleted) == {thumbnail_key(image.storage_key) for image in images}
    with database.transaction() as session:
        assert session.scalar(select(Search.due_at)) == due, "the late one did not end the step again"


@pytest.mark.parametrize("seconds", [FOR_EVER - 1, LONGEST_RETENTION + 1])
def test_a_retention_out_of_range_is_refused(database: Database, project_id: UUID, seconds: int) -> None:
    with pytest.raises(IntegrityError, match="retention_in_range"):
        retain(database, project_id, retain_checkpoints_seconds=seconds)


def test_the_longest_retention_keeps_everything(
    database: Database, storage: ObjectStorage, project_id: UUID
) -> None:
    retain(database, project_id, retain_uploads_seconds=LONGEST_RETENTION)
    store(database, storage, project_id, age=40 * 365 * DAY)
    rounds_of(database, storage).clean()
    assert expired(database) == set()
