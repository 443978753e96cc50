"""Interleave two actions on the object storage at a known point, in real threads."""

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
    """The thread that is held, and where, while the other thread does all its work."""

    WRITER = "after its put, before its row"
    CLEANER = "before its delete, after it has looked"


class Gate:
    """Holds the threads that reach it until it is opened."""

    def __init__(self) -> None:
        self._reached = Event()
        self._opened = Event()

    def hold(self) -> None:
        """Report that a thread has arrived, and wait until the gate opens."""
        self._reached.set()
        assert self._opened.wait(LONGEST_SECONDS)

    @contextmanager
    def while_held(self) -> Iterator[None]:
        """Enter the block when a thread is held; open the gate at its end."""
        try:
            assert self._reached.wait(LONGEST_SECONDS)
            yield
        finally:
            self._opened.set()


def interleave(
    patch: pytest.MonkeyPatch, held: Held, write: Callable[[], Value], clean: Callable[[], None]
) -> Value:
    """Run writer and cleaner, one of them while the other is held; return the writer's result."""
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
    """Set the expiry of all pictures to a second ago, by the database's clock."""
    with database.transaction() as session:
        session.execute(update(Image).values(expires_at=time_after(-1)))
