"""Objects without a row are deleted, rows without an object are marked, and nothing else is touched."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from services.worker.maintenance import searches
from services.worker.maintenance.searches import Searches
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.job_store import request_cancel
from shared.settings import RetentionSettings
from shared.storage import ObjectStorage, answer_folder, content_key, thumbnail_key, upload_folder
from shared.tables import Image, Search
from tests.support.factories import must_claim, queue_job
from tests.support.stored_pictures import find, store

AT_ONCE = RetentionSettings(orphans_seconds=0)
PNG = "image/png"


def search(database: Database, storage: ObjectStorage, retention: RetentionSettings = AT_ONCE) -> None:
    """Search the whole bucket."""
    while True:
        with database.transaction() as session:
            session.execute(update(Search).values(due_at=func.clock_timestamp()))
        Searches(database, storage, retention).compare_storage()
        with database.transaction() as session:
            if not session.scalar(select(Search.position)):
                return


def put(storage: ObjectStorage, folder: str) -> str:
    """Store an object without a row; its key."""
    return storage.put_image(folder, uuid4().bytes, PNG).key


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_only_objects_that_nobody_can_need_are_deleted(
    database: Database,
    storage: ObjectStorage,
    project_id: UUID,
    page: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(searches, "OBJECTS", page)
    picture = find(database, store(database, storage, project_id))
    thumbnail = thumbnail_key(picture.storage_key)
    storage.put_once(thumbnail, b"small", "image/webp")
    running, ended = queue_job(database, project_id), queue_job(database, project_id)
    assert must_claim(database).lease.job_id == running
    with database.transaction() as session:
        request_cancel(session, project_id, ended)
    foreign = f"{format_id(IdKind.PROJECT, uuid4())}/uploads/{uuid4().hex}/other.png"
    other = f"{format_id(IdKind.PROJECT, project_id)}/notes/readme.txt"
    for key in (foreign, other):
        storage.put_once(key, b"of somebody else", PNG)
    kept = {picture.storage_key, thumbnail, foreign, other}
    kept.add(put(storage, answer_folder(project_id, running, 0)))
    orphans = {
        put(storage, upload_folder(project_id)),
        put(storage, answer_folder(project_id, ended, 0)),
        put(storage, answer_folder(project_id, uuid4(), 1)),
        thumbnail_key(content_key(upload_folder(project_id), bytes(32), PNG)),
    }
    for key in orphans:
        storage.put_once(key, b"", PNG)

    search(database, storage, RetentionSettings(orphans_seconds=3600))
    assert all(storage.exists(key) for key in orphans), "they are too young"
    search(database, storage)

    assert [key for key in orphans if storage.exists(key)] == []
    assert [key for key in kept if not storage.exists(key)] == []
    assert find(database, picture.id).thumbnail_at is not None


def test_a_row_without_its_object_is_marked_until_the_object_appears_again(
    database: Database, storage: ObjectStorage, project_id: UUID
) -> None:
    lost, stays = (find(database, store(database, storage, project_id)) for _ in range(2))
    provisional = store(database, storage, project_id, expires_at=func.clock_timestamp())
    storage.delete(find(database, provisional).storage_key)
    storage.delete(lost.storage_key)

    search(database, storage)

    assert find(database, lost.id).is_expired
    assert find(database, lost.id).deleted_at is None
    assert not find(database, stays.id).is_expired
    assert not find(database, provisional).is_expired

    storage.put_once(lost.storage_key, b"a picture", PNG)
    search(database, storage)
    assert not find(database, lost.id).is_expired


def test_another_bucket_by_mistake_destroys_nothing(
    database: Database, storage: ObjectStorage, project_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [store(database, storage, project_id) for _ in range(3)]
    with monkeypatch.context() as wrong:
        wrong.setattr(storage._bucket, "_prefix", f"{uuid4().hex}/")
        search(database, storage)
    assert all(find(database, image).is_expired for image in images)
    search(database, storage)
    assert not any(find(database, image).is_expired for image in images)
    with database.transaction() as session:
        keys = session.scalars(select(Image.storage_key)).all()
    assert all(storage.exists(key) for key in keys)
