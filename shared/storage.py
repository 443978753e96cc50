"""Pictures in S3, each in its own object, which is never overwritten.

No two pictures share an object, so one can be deleted even while the same bytes are being stored for another:
docs/decisions/0009-no-two-pictures-share-an-object.md. As objects never change, copies of them in other
buckets are as good: they are read while the bucket lacks an object or does not answer.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID, uuid4

from shared.bucket import (
    Bucket,
    ListedObject,
    ObjectMissingError,
    StorageError,
    StorageTimes,
    make_client,
)
from shared.ids import IdKind, format_id
from shared.settings import StorageSettings

__all__ = [
    "ListedObject",
    "ObjectMissingError",
    "ObjectStorage",
    "StorageError",
    "StorageTimes",
    "StoredObject",
    "make_client",
]

Value = TypeVar("Value")

PATIENT = StorageTimes()
"""Timeouts for workers, which have time; the gateway has shorter ones."""
AVOIDED_SECONDS = 5.0
"""Time for which the copies are read first after the bucket has not answered."""
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}


@dataclass(frozen=True)
class StoredObject:
    """A stored object: its key, its hash and its size."""

    key: str
    sha256: bytes
    byte_size: int


def upload_folder(project_id: UUID) -> str:
    """A new folder for one upload, also if the same bytes were uploaded before."""
    return f"{format_id(IdKind.PROJECT, project_id)}/uploads/{uuid4().hex}"


def restored_folder(project_id: UUID) -> str:
    """A new folder for the file of a picture that is decoded again."""
    return f"{format_id(IdKind.PROJECT, project_id)}/restored/{uuid4().hex}"


def answer_folder(project_id: UUID, job_id: UUID, index: int) -> str:
    """The folder of one picture of a job; all attempts of the job use the same one."""
    return f"{format_id(IdKind.PROJECT, project_id)}/{format_id(IdKind.JOB, job_id)}/{index}"


def file_folder(project_id: UUID) -> str:
    """A new folder for a file that is no picture; searches for pictures do not look into it."""
    return f"files/{format_id(IdKind.PROJECT, project_id)}/{uuid4().hex}"


def part_key(folder: str, index: int) -> str:
    """The key of one part of a file in its folder."""
    return f"{folder}/{index:06}.jsonl"


def content_key(folder: str, sha256: bytes, media_type: str) -> str:
    """The key of a picture in its folder; attempts that draw the same bytes get the same key."""
    return f"{folder}/{sha256.hex()}.{EXTENSIONS.get(media_type, 'bin')}"


def thumbnail_key(storage_key: str) -> str:
    """The key of a picture's thumbnail, beside the picture."""
    return f"{storage_key.rpartition('.')[0]}.thumbnail.webp"


class ObjectStorage:
    """The bucket for pictures, and copies of it to read from. Methods block."""

    def __init__(self, settings: StorageSettings, times: StorageTimes = PATIENT) -> None:
        self._bucket = Bucket(settings, times)
        self._copies = [Bucket(copy, times) for copy in settings.copies()]
        self._avoid_until = 0.0

    @property
    def has_copies(self) -> bool:
        """Whether pictures may be read while the bucket does not answer."""
        return bool(self._copies)

    def put_image(self, folder: str, data: bytes, media_type: str) -> StoredObject:
        """Store a picture in its folder; repeating this changes nothing. Raises StorageError."""
        sha256 = hashlib.sha256(data).digest()
        key = content_key(folder, sha256, media_type)
        self.put_once(key, data, media_type)
        return StoredObject(key, sha256, len(data))

    def put_once(self, key: str, data: bytes, media_type: str) -> bool:
        """Write the object unless the key exists; returns whether it was written. Raises StorageError.

        The server checks that, so a late attempt cannot overwrite another one's object.
        """
        return self._bucket.put_once(key, data, media_type)

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises ObjectMissingError or StorageError."""
        return self._first(lambda bucket: bucket.get(key))

    def get_start(self, key: str, size: int) -> bytes:
        """The first bytes of the object, `size` at most. Raises ObjectMissingError or StorageError."""
        return self.get_range(key, 0, size)

    def get_range(self, key: str, start: int, size: int) -> bytes:
        """Bytes of the object from an offset, `size` at most. Raises ObjectMissingError or StorageError."""
        return self._first(lambda bucket: bucket.get(key, Range=f"bytes={start}-{start + size - 1}"))

    def exists(self, key: str) -> bool:
        """Whether there is an object under this key. Raises StorageError."""

        def found(bucket: Bucket) -> bool:
            if not bucket.exists(key):
                raise ObjectMissingError(f"there is no object {key}")
            return True

        try:
            return self._first(found)
        except ObjectMissingError:
            return False

    def delete(self, key: str) -> None:
        """Delete the object and its copies; a missing object is no error. Raises StorageError."""
        for bucket in (*self._copies, self._bucket):
            bucket.delete(key)

    def list_pictures(self, after: str, most: int) -> list[ListedObject]:
        """Up to `most` objects of projects whose keys follow `after`, in order of the keys' bytes.

        Raises StorageError.
        """
        return self._bucket.list_pictures(after, most)

    def answers(self) -> bool:
        """Whether the bucket's server answers soon with any status below 500."""
        return self._bucket.answers()

    def is_reachable(self) -> bool:
        """Whether the bucket exists and may be accessed; for readiness."""
        return self._bucket.is_reachable()

    def _first(self, read: Callable[[Bucket], Value]) -> Value:
        """The first success among the bucket and its copies.

        Raises StorageError if one of them does not answer and no other has the object: it may be there.
        """
        failure: StorageError | None = None
        for bucket in self._in_order():
            try:
                return read(bucket)
            except ObjectMissingError as error:
                failure = failure or error
            except StorageError as error:
                failure = error
                if bucket is self._bucket:
                    self._avoid_until = time.monotonic() + AVOIDED_SECONDS
        raise failure or StorageError("no bucket is set")

    def _in_order(self) -> Sequence[Bucket]:
        if time.monotonic() < self._avoid_until:
            return (*self._copies, self._bucket)
        return (self._bucket, *self._copies)
