"""`ObjectStorage` with a real S3 server."""

from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import httpx2
import pytest
from pydantic import SecretStr

from infra.bucket import create_bucket
from infra.local.ports import free_ports
from infra.local.stack import EmbeddedStack
from shared.settings import StorageSettings
from shared.storage import (
    ObjectMissingError,
    ObjectStorage,
    StorageError,
    StorageTimes,
    answer_folder,
    content_key,
    upload_folder,
)

PROJECT = UUID(int=1)


def test_a_second_put_to_the_same_key_is_refused_by_the_server(storage: ObjectStorage) -> None:
    assert storage.put_once("picture.png", b"first", "image/png") is True
    assert storage.put_once("picture.png", b"second", "image/png") is False
    assert storage.get("picture.png") == b"first"


def test_attempts_of_one_job_share_an_object_and_no_other_job_does(storage: ObjectStorage) -> None:
    job_id = uuid4()
    folder = answer_folder(PROJECT, job_id, 0)
    first = storage.put_image(folder, b"pixels", "image/png")
    assert storage.put_image(answer_folder(PROJECT, job_id, 0), b"pixels", "image/png") == first
    assert first.key == content_key(folder, first.sha256, "image/png")
    others = {
        answer_folder(PROJECT, job_id, 1),
        answer_folder(PROJECT, uuid4(), 0),
        upload_folder(PROJECT),
        upload_folder(PROJECT),
    }
    assert len(others | {folder}) == 5


def test_a_picture_is_not_read_without_credentials(
    storage: ObjectStorage, storage_settings: StorageSettings
) -> None:
    stored = storage.put_image(upload_folder(PROJECT), b"pixels", "image/png")
    place = f"{storage_settings.endpoint_url}/{storage_settings.bucket}/{storage_settings.prefix}{stored.key}"
    assert storage.get(stored.key) == b"pixels"
    assert httpx2.get(place).status_code == 403


def test_a_missing_object_has_its_own_error_and_may_be_deleted(storage: ObjectStorage) -> None:
    with pytest.raises(ObjectMissingError):
        storage.get("nothing")
    storage.delete("nothing")


def test_a_storage_that_does_not_answer_raises_a_storage_error() -> None:
    nowhere = ObjectStorage(
        StorageSettings(
            bucket="luminary",
            endpoint_url=f"http://127.0.0.1:{free_ports(1)[0]}",
            access_key_id=SecretStr("id"),
            secret_access_key=SecretStr("secret"),
        )
    )
    with pytest.raises(StorageError, match="could not read"):
        nowhere.get("picture.png")
    assert nowhere.is_reachable() is False


def copied(settings: StorageSettings, copies: str) -> ObjectStorage:
    """A client with copies, as the environment names them."""
    return ObjectStorage(
        settings.model_copy(update={"read_copies": SecretStr(copies)}), StorageTimes(attempts=1)
    )


def test_pictures_are_read_from_a_copy_while_the_bucket_lacks_them_or_is_away(
    stack: EmbeddedStack, storage_settings: StorageSettings
) -> None:
    other = storage_settings.model_copy(update={"bucket": f"copy-{uuid4().hex}"})
    create_bucket(other)
    elsewhere = ObjectStorage(other)
    elsewhere.put_once("moved.png", b"pixels", "image/png")
    url = urlsplit(str(other.endpoint_url))
    key, secret = (stack.environment[f"S3_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
    copy = (
        f"{url.scheme}://{quote(key)}:{quote(secret, safe='')}@{url.netloc}/{other.bucket}?region=us-east-1"
    )

    storage = copied(storage_settings, copy)
    assert (storage.get("moved.png"), storage.get_start("moved.png", 3)) == (b"pixels", b"pix")
    assert storage.exists("moved.png")
    assert not storage.exists("nowhere.png")
    with pytest.raises(ObjectMissingError):
        storage.get("nowhere.png")

    away = copied(
        storage_settings.model_copy(update={"endpoint_url": f"http://127.0.0.1:{free_ports(1)[0]}"}), copy
    )
    assert away.get("moved.png") == b"pixels"
    with pytest.raises(StorageError, match="could not read nowhere") as failure:
        away.get("nowhere.png")
    assert not isinstance(failure.value, ObjectMissingError)  # the bucket may have it
    with pytest.raises(StorageError, match="could not store"):
        away.put_once("new.png", b"pixels", "image/png")

    storage.delete("moved.png")
    assert not elsewhere.exists("moved.png")
