"""Import an exported session: receive the zip file, check all of it, store its pictures, insert its rows.

Nothing is stored before everything is checked. Pictures are stored as those of uploads are: with rows that
expire soon, so that the sweeper removes them if the gateway dies before the session is there.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import IO
from uuid import UUID

from fastapi import Request
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.http.json_bodies import media_type_of
from services.api.images.provisional import discard, keep_images
from services.api.jobs.idempotency import Claim, RecordedAnswer, record_answer, renew_key, request_fingerprint
from services.api.jobs.once import FirstAnswer, do_once
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from services.api.sessions.create import CREATED, answer_with_session
from services.api.sessions.import_archive import Archive, ArchiveLimits
from services.api.sessions.import_check import CheckedSession, check_documents
from services.api.sessions.import_documents import read_documents
from services.api.sessions.import_pictures import (
    check_pictures,
    insert_gone,
    insert_provisional,
    store_pictures,
)
from services.api.sessions.import_rows import insert_session
from shared.links import IMPORT_PATH

ZIP = "application/zip"
ZIP_TYPES = (ZIP, "application/x-zip-compressed")
PIECE = 1 << 20
RENEW_SECONDS = 10.0
"""Pause between two renewals of the Idempotency-Key."""


@dataclass(frozen=True)
class ReceivedZip:
    """A received body in a temporary file, which has no name: nothing of it stays behind."""

    file: IO[bytes]
    sha256: str


@asynccontextmanager
async def received_zip(request: Request) -> AsyncGenerator[ReceivedZip]:
    """Receive the body into a temporary file. Raises Problem, or ClientDisconnect."""
    media_type = media_type_of(request)
    if media_type not in ZIP_TYPES:
        found = f"The Content-Type is {media_type[:80]}" if media_type else "The request has no Content-Type"
        raise Problem(
            ProblemCode.UNSUPPORTED_MEDIA_TYPE, f"{found}; send `Content-Type: {ZIP}`.", param="Content-Type"
        )
    with tempfile.TemporaryFile(prefix="luminary-import-") as file:
        digest, piece = sha256(), bytearray()
        try:
            async for received in request.stream():
                piece += received
                if len(piece) >= PIECE:
                    digest.update(piece)
                    await asyncio.to_thread(file.write, bytes(piece))
                    piece.clear()
            digest.update(piece)
            await asyncio.to_thread(file.write, bytes(piece))
            await asyncio.to_thread(file.flush)
        except OSError as error:
            raise Problem(
                ProblemCode.GATEWAY_BUSY,
                "The gateway has no room on its disk for the zip file.",
                headers={"Retry-After": "60"},
            ) from error
        yield ReceivedZip(file, digest.hexdigest())


async def import_session(gateway: Gateway, caller: Caller, body: ReceivedZip, key: str | None) -> FirstAnswer:
    """Import the session, or return the answer that an earlier request with this key got. Raises Problem."""

    def fingerprint() -> bytes:
        return request_fingerprint("POST", IMPORT_PATH, {"sha256": body.sha256})

    async def work(claim: Claim | None) -> RecordedAnswer:
        return await Importing(gateway, caller.project_id, claim).run(body.file)

    return await do_once(gateway, caller, key, fingerprint, work)


class Importing:
    """One import."""

    def __init__(self, gateway: Gateway, project_id: UUID, claim: Claim | None) -> None:
        self._gateway = gateway
        self._project_id = project_id
        self._claim = claim
        self._renewed = time.monotonic()

    async def run(self, file: IO[bytes]) -> RecordedAnswer:
        """Check everything, store the pictures, insert the rows. Raises Problem or StorageError."""
        settings = self._gateway.settings.gateway
        limits = ArchiveLimits(settings.max_import_bytes, settings.max_body_bytes)
        archive = await asyncio.to_thread(Archive, file, limits)
        documents = await asyncio.to_thread(read_documents, archive)
        checked = await asyncio.to_thread(check_documents, documents)
        await check_pictures(self._gateway, self._project_id, archive, checked, self._go_on)
        async with self._gateway.database.transaction() as session:
            rows = await session.run_sync(insert_provisional, self._project_id, checked)
        await store_pictures(self._gateway, archive, checked, rows, self._go_on)
        images = {old: row.id for old, row in rows.items()}
        try:
            async with self._gateway.database.transaction() as session:
                return await session.run_sync(self._insert, archive, checked, images)
        except Exception:
            await discard(self._gateway, images.values())
            raise

    def _insert(
        self, session: Session, archive: Archive, checked: CheckedSession, images: Mapping[UUID, UUID]
    ) -> RecordedAnswer:
        keep_images(session, list(images.values()))
        gone = insert_gone(session, self._project_id, checked)
        row = insert_session(session, self._project_id, checked, archive, {**images, **gone})
        public_url = self._gateway.settings.gateway.public_url
        answer = answer_with_session(session, row, public_url, CREATED, None)
        if self._claim is not None:
            record_answer(session, self._claim, answer)
        return answer

    async def _go_on(self) -> None:
        """Keep the Idempotency-Key of this request. Raises Problem if another request has taken it over."""
        if self._claim is None or time.monotonic() - self._renewed < RENEW_SECONDS:
            return
        async with self._gateway.database.transaction() as session:
            await session.run_sync(renew_key, self._claim)
        self._renewed = time.monotonic()
