"""Two actions on the object storage, interleaved at a known point, in real threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from enum import StrEnum
from threading import Event
from typing import Any, TypeVar

import pytest
from sqlalchemy import update

from shared.database import Database
from shared.job_store.clock import time_after
from shared.storage import ObjectStorage
from shared.tables import Image

LONGEST_SECONDS = 60.0
Value = TypeVar("Value")


class Held(StrEnum):
    """Who is held, and where, while the other one does all its work."""

    WRITER = "after its put, before its row"
    CLEANER = "before its delete, after it has looked"


class Gate:
    """Holds whoever comes until it is opened."""

    def __init__(self) -> None:
        self._reached = Event()
        self._opened = Event()

    def hold(self) -> None:
        """Say that somebody is here, and wait."""
        self._reached.set()
        assert self._opened.wait(LONGEST_SECONDS)

    @contextmanager
    def while_held(self) -> Iterator[None]:
        """Begin when somebody is held; open at the end."""
        try:
            assert self._reached.wait(LONGEST_SECONDS)
            yield
        finally:
            self._opened.set()


def interleave(
    patch: pytest.MonkeyPatch, held: Held, write: Callable[[], Value], clean: Callable[[], None]
) -> Value:
    """Run the writer and the cleaner, one of them inside the other; what the writer gives."""
    gate = Gate()
    put_once, delete = ObjectStorage.put_once, ObjectStorage.delete

    def put_and_hold(storage: ObjectStorage, *arguments: Any) -> bool:
        written = put_once(storage, *arguments)
        gate.hold()
        return written

    def hold_and_delete(storage: ObjectStorage, key: str) -> None:
        gate.hold()
        delete(storage, key)

    with ThreadPoolExecutor(1) as other:
        match held:
            case Held.WRITER:
                patch.setattr(ObjectStorage, "put_once", put_and_hold)
                writing = other.submit(write)
                with gate.while_held():
                    clean()
                return writing.result(LONGEST_SECONDS)
            case Held.CLEANER:
                patch.setattr(ObjectStorage, "delete", hold_and_delete)
                cleaning = other.submit(clean)
                with gate.while_held():
                    written = write()
                cleaning.result(LONGEST_SECONDS)
                return written


def let_pictures_expire(database: Database) -> None:
    """All pictures ended a second ago, by the database's clock."""
    with database.transaction() as session:
        session.execute(update(Image).values(expires_at=time_after(-1)))
