"""The bucket as a real S3 service behaves."""

from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx2
import pytest
from pydantic import SecretStr

from infra.local.ports import free_ports
from shared.settings import StorageSettings
from shared.storage import (
    ObjectMissingError,
    ObjectStorage,
    StorageError,
    answer_folder,
    content_key,
    upload_folder,
)

PROJECT = UUID(int=1)


def test_a_second_put_to_the_same_key_is_refused_by_the_server(storage: ObjectStorage) -> None:
    assert storage.put_once("picture.png", b"first", "image/png") is True
    assert storage.put_once("picture.png", b"second", "image/png") is False
    assert storage.get("picture.png") == b"first"


def test_every_attempt_of_a_job_means_the_same_object_and_nobody_else_does(storage: ObjectStorage) -> None:
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


def test_a_signed_url_reads_the_object_and_an_altered_one_does_not(storage: ObjectStorage) -> None:
    stored = storage.put_image(upload_folder(PROJECT), b"pixels", "image/png")
    url = storage.signed_url(stored.key, file_name="img.png")

    answer = httpx2.get(url)
    assert (answer.content, answer.headers["content-type"]) == (b"pixels", "image/png")
    unsigned = urlsplit(url)._replace(query="").geturl()
    altered = url[:-1] + ("0" if url[-1] != "0" else "1")
    assert [httpx2.get(refused).status_code for refused in (unsigned, altered)] == [403, 403]


def test_a_missing_object_is_told_from_a_broken_storage(storage: ObjectStorage) -> None:
    with pytest.raises(ObjectMissingError):
        storage.get("nothing")
    storage.delete("nothing")


def test_a_storage_that_does_not_answer_ends_in_one_clear_error() -> None:
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
