"""Pictures of canceled jobs that wait to be decoded, in the database: one transaction a call."""

from typing import Protocol

from shared.database import Database
from shared.job_store import (
    Output,
    TakenPicture,
    add_decoded,
    drop_undecoded,
    put_off_undecoded,
    take_undecoded,
)


class UndecodedPictures(Protocol):
    """Every call raises database errors. One whose picture another worker has taken changes nothing."""

    def take(self, seconds: float) -> TakenPicture | None:
        """Take the picture that has waited longest, for so many seconds; None when there is none."""
        ...

    def put_off(self, taken: TakenPicture, seconds: float) -> None:
        """Let any worker take the picture so many seconds from now, and not before."""
        ...

    def add(self, taken: TakenPicture, output: Output) -> bool:
        """Add the decoded picture to its job's answer; whether it was added."""
        ...

    def drop(self, taken: TakenPicture) -> None:
        """Give the picture up."""
        ...


class DatabasePictures:
    """Those of all jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, seconds: float) -> TakenPicture | None:
        """See UndecodedPictures."""
        with self._database.transaction() as session:
            return take_undecoded(session, seconds)

    def put_off(self, taken: TakenPicture, seconds: float) -> None:
        """See UndecodedPictures."""
        with self._database.transaction() as session:
            put_off_undecoded(session, taken, seconds)

    def add(self, taken: TakenPicture, output: Output) -> bool:
        """See UndecodedPictures."""
        with self._database.transaction() as session:
            return add_decoded(session, taken, output)

    def drop(self, taken: TakenPicture) -> None:
        """See UndecodedPictures."""
        with self._database.transaction() as session:
            drop_undecoded(session, taken)
