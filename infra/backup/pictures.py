"""The objects of the pictures and files in a snapshot: their keys, and their bytes in the same order."""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, TypeVar

from psycopg import Connection

from shared.storage import EXTENSIONS, ObjectMissingError, ObjectStorage, part_key, thumbnail_key

MEDIA_TYPES = {extension: media_type for media_type, extension in EXTENSIONS.items()}
AT_ONCE = 8
"""Objects that are read or written at the same time, and so are in memory."""
KEPT_PICTURES = """
SELECT storage_key, encode(sha256, 'hex'), thumbnail_at IS NOT NULL FROM images
WHERE deleted_at IS NULL AND removing_until IS NULL AND lost_at IS NULL ORDER BY id
"""

KEPT_FILES = """
SELECT storage_key, (byte_size - 1) / part_bytes + 1 FROM openai_files
WHERE stored_at IS NOT NULL AND storage_key IS NOT NULL AND byte_size > 0 ORDER BY id
"""

Item = TypeVar("Item")


def in_batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Lists of AT_ONCE items; the last one may be shorter."""
    rest = iter(items)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch


@dataclass(frozen=True)
class StoredPicture:
    """An object of the bucket. data: None if it is missing or does not have its hash."""

    key: str
    data: bytes | None


def write_keys(connection: Connection[Any], target: IO[str]) -> None:
    """Write key and hash of each object of kept pictures and files, a line each.

    Thumbnails and files have no hash.
    """
    with connection.cursor(name="kept_pictures") as cursor:
        for key, sha256, has_thumbnail in cursor.execute(KEPT_PICTURES):
            target.write(f"{key}\t{sha256}\n")
            if has_thumbnail:
                target.write(f"{thumbnail_key(key)}\t\n")
    with connection.cursor(name="kept_files") as cursor:
        for folder, parts in cursor.execute(KEPT_FILES):
            target.writelines(f"{part_key(folder, index)}\t\n" for index in range(parts))


def read_pictures(storage: ObjectStorage, lines: Iterable[str]) -> Iterator[StoredPicture]:
    """The objects of these keys, in their order."""

    def read(line: str) -> StoredPicture:
        key, _, sha256 = line.rstrip("\n").partition("\t")
        try:
            data = storage.get(key)
        except ObjectMissingError:
            return StoredPicture(key, None)
        is_whole = not sha256 or hashlib.sha256(data).hexdigest() == sha256
        return StoredPicture(key, data if is_whole else None)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        for batch in in_batches(lines):
            yield from threads.map(read, batch)


def store_pictures(storage: ObjectStorage, pictures: Iterable[tuple[str, bytes]]) -> int:
    """Store the objects that the bucket does not have; returns the number of all."""

    def store(picture: tuple[str, bytes]) -> None:
        key, data = picture
        media_type = MEDIA_TYPES.get(key.rpartition(".")[2], "application/octet-stream")
        storage.put_once(key, data, media_type)

    number = 0
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for batch in in_batches(pictures):
            number += len(list(threads.map(store, batch)))
    return number
