"""Make a backup: a snapshot of all rows, then the objects that they name."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import text

from infra.backup.archive import FORMAT, HEADER, MISSING, PICTURES, ArchiveWriter
from infra.backup.encryption import encrypting
from infra.backup.errors import BackupError, BackupFileError
from infra.backup.pictures import read_pictures, write_keys
from infra.backup.places import Installation, driver_connection
from infra.backup.tables import read_tables, write_tables
from infra.local.private_folder import PRIVATE_FILE

SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
NOW = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
SCHEMA = "SELECT version_num FROM alembic_version"
HAS_SCHEMA = "SELECT to_regclass('alembic_version') IS NOT NULL"


@dataclass(frozen=True)
class Content:
    """What a backup holds."""

    rows: int
    pictures: int
    missing: int
    """Objects that the bucket did not have, or not whole."""


def make_backup(installation: Installation, file: Path, recipients: Sequence[object] = ()) -> Content:
    """Write a backup; the file appears under its name only when it is whole. Raises BackupError.

    recipients: public keys to encrypt for; without them the file is plain.
    """
    if file.exists():
        raise BackupFileError(f"{file} exists already")
    storage = installation.objects()
    partial = file.with_name(f"{file.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as target, tempfile.TemporaryFile("w+") as keys:
            with encrypting(target, recipients) as plain:
                archive = ArchiveWriter(plain)
                rows = add_snapshot(installation, archive, keys)
                keys.seek(0)
                missing: list[str] = []
                pictures = 0
                for picture in read_pictures(storage, keys):
                    if picture.data is None:
                        missing.append(picture.key)
                    else:
                        archive.add(f"{PICTURES}{picture.key}", picture.data)
                        pictures += 1
                archive.add_document(MISSING, missing)
                archive.finish()
            target.flush()
            os.fsync(target.fileno())
        partial.rename(file)
        sync_folder(file.parent)
    except OSError as error:
        raise BackupFileError(f"{file} cannot be written: {error.strerror or error}") from error
    return Content(rows, pictures, len(missing))


def add_snapshot(installation: Installation, archive: ArchiveWriter, keys: IO[str]) -> int:
    """Add all rows as of one moment, and write the keys of their objects; returns the number of rows.

    The transaction ends before the objects are copied: an open one would keep dead rows, which slow claims.
    """
    with installation.transaction() as connection:
        connection.execute(text(SNAPSHOT))
        if not connection.scalar(text(HAS_SCHEMA)):
            raise BackupError("the database has no tables of Luminary")
        driver = driver_connection(connection)
        tables = read_tables(driver)
        header = {
            "format": FORMAT,
            "made_at": connection.scalar(text(NOW)),
            "schema": connection.scalar(text(SCHEMA)),
            "tables": tables,
        }
        archive.add_document(HEADER, header)
        rows = write_tables(driver, tables, archive)
        write_keys(driver, keys)
        return rows


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
