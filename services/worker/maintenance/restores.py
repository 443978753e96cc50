"""Decode expired pictures from their codes, on request; the io worker's part.

The database keeps the request until the picture has its file, so another io worker goes on if this one dies.
One picture at a time is decoded, so that running jobs have to wait little for the tokenizer service.
"""

import logging
from collections.abc import Callable
from threading import Event
from typing import Protocol

from services.worker.composite import put_back
from services.worker.patience import TRANSIENT
from services.worker.tokenizer_client import TokenizerRefusedError
from shared.database import Database
from shared.error_words import words_of
from shared.ids import IdKind, format_id
from shared.job_store.restore import (
    RestoreError,
    TakenRestore,
    await_canvas,
    finish_restore,
    give_up_restore,
    put_off_restore,
    take_restore,
)
from shared.pictures.errors import ImageError
from shared.png_text import with_leading_text
from shared.schemas.image_tokenizer import ImageTokenizerModel
from shared.settings import RetentionSettings
from shared.storage import StoredObject
from shared.token_grid import TokenGrid

logger = logging.getLogger(__name__)

PNG = "image/png"
LEASE_SECONDS = 60.0
"""Time after which another io worker takes a picture whose lease is not extended."""
CANVAS_SECONDS = 1.0
"""Pause before a picture is taken again that waits for its canvas."""
LONGEST_PAUSE_SECONDS = 300.0
MOST_TRIES = 50
"""After this many failures, in about four hours, the picture is given up."""


class RestoreStoppedError(Exception):
    """The io worker stops, or another one has taken the picture."""


class Decoder(Protocol):
    """The part of the tokenizer service that decodes; see `TokenizerClient`."""

    @property
    def model(self) -> ImageTokenizerModel: ...

    def decode(self, grid: TokenGrid, check: Callable[[], None] = ...) -> bytes: ...


class RestoredPictures(Protocol):
    """The part of the object storage that restores use; see `ObjectStorage`."""

    def get(self, key: str) -> bytes: ...

    def put_image(self, folder: str, data: bytes, media_type: str) -> StoredObject: ...


class Restores:
    """Restores one picture after the other."""

    def __init__(
        self, database: Database, storage: RestoredPictures, tokenizer: Decoder, retention: RetentionSettings
    ) -> None:
        self._database = database
        self._storage = storage
        self._tokenizer = tokenizer
        self._retention = retention
        self._stopping = Event()

    def stop(self) -> None:
        """Leave the current picture to other io workers; it is not waited for."""
        self._stopping.set()

    def do_all(self) -> None:
        """Restore every picture that waits. Raises database errors."""
        while not self._stopping.is_set() and self.do_one():
            pass

    def do_one(self) -> bool:
        """Restore the picture that has waited longest. Returns False if none waits."""
        with self._database.transaction() as session:
            taken = take_restore(session, LEASE_SECONDS)
        if taken is None:
            return False
        facts = {"image_id": format_id(IdKind.IMAGE, taken.image_id)}
        try:
            self._restore(taken)
        except RestoreStoppedError:
            self._put_off(taken, 0.0)
        except TokenizerRefusedError as error:
            logger.warning(
                "the tokenizer service refuses the codes of a picture",
                extra={**facts, "reason": words_of(error)},
            )
            self._give_up(taken, RestoreError.REFUSED)
        except ImageError as error:
            logger.warning(
                "the canvas of a picture cannot be read", extra={**facts, "reason": words_of(error)}
            )
            self._give_up(taken, RestoreError.CANVAS_EXPIRED)
        except TRANSIENT as error:
            logger.warning(
                "could not restore a picture; trying again later", extra={**facts, "reason": words_of(error)}
            )
            self._try_later(taken)
        return True

    def _restore(self, taken: TakenRestore) -> None:
        if self._tokenizer.model.tokenizer != taken.tokenizer:
            self._give_up(taken, RestoreError.OTHER_TOKENIZER)
            return
        canvas = taken.canvas
        if taken.canvas_id is not None and (canvas is None or canvas.storage_key is None):
            self._await_canvas(taken)
            return
        decoded = self._tokenizer.decode(taken.grid, lambda: self._go_on(taken))
        if canvas is not None and canvas.storage_key is not None:
            file = self._storage.get(canvas.storage_key)
            decoded = put_back(decoded, taken.grid, file, canvas.grid)
        stored = self._storage.put_image(taken.folder, with_leading_text(decoded, taken.png_text), PNG)
        with self._database.transaction() as session:
            finish_restore(session, taken, stored, self._retention)

    def _await_canvas(self, taken: TakenRestore) -> None:
        with self._database.transaction() as session:
            comes = taken.canvas is not None and await_canvas(session, taken, CANVAS_SECONDS)
        if not comes:
            self._give_up(taken, RestoreError.CANVAS_EXPIRED)

    def _go_on(self, taken: TakenRestore) -> None:
        """Extend the lease. Raises RestoreStoppedError."""
        if self._stopping.is_set() or not self._put_off(taken, LEASE_SECONDS):
            raise RestoreStoppedError

    def _put_off(self, taken: TakenRestore, seconds: float) -> bool:
        with self._database.transaction() as session:
            return put_off_restore(session, taken, seconds)

    def _give_up(self, taken: TakenRestore, error: RestoreError) -> None:
        with self._database.transaction() as session:
            give_up_restore(session, taken, error)

    def _try_later(self, taken: TakenRestore) -> None:
        if taken.tries >= MOST_TRIES:
            self._give_up(taken, RestoreError.GIVEN_UP)
        else:
            self._put_off(taken, min(LONGEST_PAUSE_SECONDS, 2.0 ** min(taken.tries, 10)))
