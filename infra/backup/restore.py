"""Restore a backup: check the whole file, then store its objects and replace all rows in one transaction."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from infra.backup.archive import FORMAT, HEADER, MISSING, PICTURES, TABLES, Entry, read_entries
from infra.backup.encryption import decrypting
from infra.backup.errors import BackupFileError, RestoreRefusedError
from infra.backup.make import HAS_SCHEMA, SCHEMA, Content
from infra.backup.pictures import store_pictures
from infra.backup.places import Installation, driver_connection
from infra.backup.tables import empty_tables, filled_tables, load_rows, read_tables, table_of, triggers_off
from migrations import runner

NEW_INSTALLATION = frozenset({"projects", "api_keys", "audit_log", "workers", "searches"})
"""Tables with rows as soon as a platform has been started; they do not stand in the way of a backup."""
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'luminary' AND pid <> pg_backend_pid()
"""
MARK_LOST = """
UPDATE images SET lost_at = now() WHERE storage_key = ANY(:keys) AND deleted_at IS NULL AND lost_at IS NULL
"""


def check_backup(file: Path, identities: Sequence[object]) -> dict[str, Any]:
    """Read the whole file and return its header. Raises BackupFileError or BackupKeyError."""
    header: dict[str, Any] = {}
    with decrypting(file, identities) as source:
        for entry in read_entries(source):
            if entry.name == HEADER:
                header = entry.document()
                if header.get("format") != FORMAT:
                    raise BackupFileError(f"{file} has the format {header.get('format')}, not {FORMAT}")
    return header


def restore_backup(
    installation: Installation, file: Path, identities: Sequence[object] = (), *, replace: bool = False
) -> Content:
    """Replace the installation's rows by those of the backup, and store its objects. Raises BackupError.

    Nothing is changed before the whole file has been read. The rows are committed last; a restore that is
    interrupted leaves at most objects without rows, and can be repeated.
    replace: also when the database has jobs, pictures or sessions.
    """
    header = check_backup(file, identities)
    storage = installation.objects()
    with installation.transaction() as connection, decrypting(file, identities) as source:
        prepare_schema(connection, header["schema"], replace=replace)
        rows = missing = pictures = 0
        entries = groupby(read_entries(source), key=lambda entry: entry.name.partition("/")[0])
        for kind, members in entries:
            if kind == TABLES.rstrip("/"):
                rows = load_tables(connection, header["tables"], members)
            elif kind == PICTURES.rstrip("/"):
                named = ((entry.name.removeprefix(PICTURES), entry.data) for entry in members)
                pictures = store_pictures(storage, named)
            elif kind == MISSING:
                keys = [key for entry in members for key in entry.document()]
                connection.execute(text(MARK_LOST), {"keys": keys})
                missing = len(keys)
        runner.upgrade(connection)
    return Content(rows, pictures, missing)


def load_tables(connection: Connection, tables: dict[str, list[str]], entries: Iterator[Entry]) -> int:
    """Insert the rows of all tables; returns their number.

    Triggers are off: what they keep up to date in other tables is in the backup as well.
    """
    driver = driver_connection(connection)
    with triggers_off(driver, tables):
        return sum(
            load_rows(driver, table, tables[table], members)
            for table, members in groupby(entries, key=table_of)
        )


def prepare_schema(connection: Connection, wanted: str, *, replace: bool) -> None:
    """Empty tables with the schema of the backup. Raises RestoreRefusedError."""
    known = {script.revision for script in scripts(connection).walk_revisions()}
    if wanted not in known:
        raise RestoreRefusedError(f"the backup has the schema {wanted} of a newer Luminary: upgrade first")
    if connection.scalar(text(OTHERS)):
        raise RestoreRefusedError("services are connected to the database: stop gateways and workers first")
    driver = driver_connection(connection)
    tables = read_tables(driver)
    present = connection.scalar(text(SCHEMA)) if connection.scalar(text(HAS_SCHEMA)) else None
    refuse_content(filled_tables(driver, tables), replace=replace)
    if present == wanted:
        empty_tables(driver, tables)
        return
    if present is not None:
        if present not in known:
            raise RestoreRefusedError(f"the database has the schema {present} of a newer Luminary")
        empty_tables(driver, tables)
        runner.downgrade(connection)
    runner.upgrade(connection, wanted)


def refuse_content(filled: Iterable[str], *, replace: bool) -> None:
    """Raise RestoreRefusedError if tables with a client's work have rows."""
    found = sorted(set(filled) - NEW_INSTALLATION)
    if found and not replace:
        raise RestoreRefusedError(
            f"the database has rows in {', '.join(found[:3])}: --replace deletes everything in it"
        )


def scripts(connection: Connection) -> ScriptDirectory:
    """The migrations of this version."""
    return ScriptDirectory.from_config(runner.configuration(connection))
