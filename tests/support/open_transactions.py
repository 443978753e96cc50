"""Count open transactions at the moment when the object storage is called."""

import pytest
from sqlalchemy import text

from shared.database import Database
from shared.storage import ObjectStorage

IDLE = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
)


def counted_at_deletions(patch: pytest.MonkeyPatch, database: Database) -> list[int]:
    """The number of open transactions of the database at each deletion of an object, as they come."""
    counts: list[int] = []
    delete = ObjectStorage.delete

    def look_and_delete(storage: ObjectStorage, key: str) -> None:
        with database.transaction() as session:
            counts.append(session.execute(IDLE).scalar_one())
        delete(storage, key)

    patch.setattr(ObjectStorage, "delete", look_and_delete)
    return counts
